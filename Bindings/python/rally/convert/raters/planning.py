"""What the plans of all classifiers have in common: fields, outputs, names of norms, tensors that are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from onnx import TensorProto

from rally.convert.checkpoint import Checkpoint
from rally.convert.plan import Entry, check_keys, collect
from rally.convert.scoring import cdf
from rally.convert.settings import Settings
from rally.modelfile import ModelFileError, Rater, Tensor
from rally.modelfile.tensors import Array, float_tensor


@dataclass(frozen=True)
class Plan:
    """One conversion, before anything is read.

    Attributes
    ----------
    model : Rater
    entries : list of Entry
        Weights that are taken as they are, or rows of them.
    computed : dict of str to callable
        Weights that are made of others, by their canonical names, as f32.
    sources : list of Entry
        Keys that only computed weights need; their names mean nothing.
    unused : tuple of str
        Keys that may be there and say nothing.
    """

    model: Rater
    entries: list[Entry]
    computed: dict[str, Callable[[Checkpoint], Array]] = field(default_factory=dict)
    sources: list[Entry] = field(default_factory=list)
    unused: tuple[str, ...] = ()


def collect_plan(checkpoint: Checkpoint, config: Settings, plan: Plan, dtype: str | None) -> list[Tensor]:
    """Return the weights of a plan, in the order of its entries; the computed ones in their places or at the end."""
    check_keys(checkpoint, [*plan.entries, *plan.sources], ("score.cdf", *plan.unused))
    tensors = [
        _computed(checkpoint, tensor, plan.computed[tensor.name]) if tensor.name in plan.computed else tensor
        for tensor in collect(checkpoint, plan.entries, dtype)
    ]
    known = {tensor.name for tensor in tensors}
    tensors += [float_tensor(name, make(checkpoint)) for name, make in plan.computed.items() if name not in known]
    return tensors + cdf(checkpoint, config)


def _computed(checkpoint: Checkpoint, tensor: Tensor, make: Callable[[Checkpoint], Array]) -> Tensor:
    return replace(tensor, element=TensorProto.FLOAT, load=lambda: np.ascontiguousarray(make(checkpoint), np.float32))


def zeros(count: int) -> Callable[[Checkpoint], Array]:
    """Return what makes a vector of zeros: a bias that a checkpoint has not."""
    return lambda _: np.zeros(count, np.float32)


def sizes(config: Settings, layers: str = "num_hidden_layers") -> dict[str, Any]:
    """Return the sizes of an encoder under the names that most configurations have."""
    width, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    if width % heads:
        raise ModelFileError(f"{config.source}: num_attention_heads {heads} does not divide hidden_size {width}")
    return {
        "vocab_size": config.integer("vocab_size"),
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": width // heads,
        "intermediate_size": config.integer("intermediate_size"),
        "num_block_layers": config.layer_count(layers),
    }


def refuse_unless(config: Settings, neutral: dict[str, tuple[Any, ...]]) -> None:
    """Raise an error that names a field which changes the mathematics, unless its value does not."""
    for key, values in neutral.items():
        if config.values.get(key) is not None and config.values[key] not in values:
            raise ModelFileError(f"{config.source}: {key} {config.values[key]!r} is not supported")


def norm_keys(checkpoint: Checkpoint, prefix: str) -> dict[str, str]:
    """Return the keys of a layer norm's ``weight`` and ``bias``, which old files call ``gamma`` and ``beta``."""
    old = f"{prefix}.gamma" in checkpoint.sources and f"{prefix}.weight" not in checkpoint.sources
    return {part: f"{prefix}.{was if old else part}" for part, was in (("weight", "gamma"), ("bias", "beta"))}


def norm(checkpoint: Checkpoint, name: str, prefix: str, width: int, biased: bool = True) -> list[Entry]:
    """Return the weights of a layer norm."""
    keys = norm_keys(checkpoint, prefix)
    return [
        Entry(f"{name}.{part}", (width,), (keys[part],)) for part in (("weight", "bias") if biased else ("weight",))
    ]


def linear(name: str, key: str, dims: tuple[int, int], biased: bool = True) -> list[Entry]:
    """Return the weights of a linear map."""
    weight = Entry(f"{name}.weight", dims, (f"{key}.weight",))
    return [weight, Entry(f"{name}.bias", dims[:1], (f"{key}.bias",))] if biased else [weight]


def packed(names: Iterable[str], key: str, dims: tuple[int, int], biased: bool = True) -> list[Entry]:
    """Return linear maps of equal shapes whose rows stand in one tensor, in this order."""
    names = list(names)
    entries = []
    for place, name in enumerate(names):
        rows = (place * dims[0], (place + 1) * dims[0])
        stacked = (len(names) * dims[0], dims[1])
        entries.append(Entry(f"{name}.weight", dims, (f"{key}.weight",), source_dims=stacked, rows=rows))
        if biased:
            entries.append(Entry(f"{name}.bias", dims[:1], (f"{key}.bias",), source_dims=stacked[:1], rows=rows))
    return entries


def prefix_of(checkpoint: Checkpoint, table: str) -> str:
    """Return what stands before the name of a table in the keys; an error where the table is not there."""
    found = next((key for key in checkpoint.sources if key == table or key.endswith(f".{table}")), None)
    if found is None:
        raise ModelFileError(f"{checkpoint.directory}: key missing: {table}")
    return found.removesuffix(table)
