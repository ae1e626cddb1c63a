"""What the layouts of raters have in common: norms outside of the layers, pooling, head and squash."""

from __future__ import annotations

from typing import Any

import numpy as np

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import activation
from rally.convert.plan import Entry
from rally.convert.settings import Settings
from rally.modelfile import ModelFileError, Rater, Tensor
from rally.modelfile.tensors import float_tensor


def score_fields(config: Settings, **defaults: Any) -> dict[str, Any]:
    """Return what happens to a rater's hidden states in the end, as the configuration says."""
    squash = config.choice("squash", ("none", "sigmoid", "clamp"), defaults.get("squash", "none"))
    temperature = config.positive("squash_temperature", config.values.get("temperature") or 1.0)
    low, high = config.number("squash_min", defaults.get("squash_min", 0.0)), config.number("squash_max", 1.0)
    if low > high:
        raise ModelFileError(f"{config.source}: squash_min {low} is above squash_max {high}")
    fraction = config.number("discard_fraction") if "discard_fraction" in config else None
    if fraction is not None and not 0.0 <= fraction < 1.0:
        raise config.wrong("discard_fraction", fraction)
    return {
        "pooling": config.choice("pooling", ("mean", "cls", "last"), "mean"),
        "head_act": activation(config, "head_act", defaults.get("head_act", "gelu")),
        "squash": squash,
        "squash_temperature": temperature,
        "squash_min": low,
        "squash_max": high,
        "packing": config.choice("packing", ("document", "packed"), "document"),
        "score_provenance": config.text("score_provenance", ""),
        "discard_fraction": fraction,
    }


def norm_entries(model: Rater, name: str, prefix: str) -> list[Entry]:
    """Return the weights of one norm outside of the layers."""
    parts = ("weight", "bias") if model.norm_bias else ("weight",)
    return [Entry(f"{name}.{part}", (model.hidden_size,), (f"{prefix}.{part}",)) for part in parts]


def head_entries(checkpoint: Checkpoint, model: Rater, inner: tuple[str, str]) -> list[Entry]:
    """Return the weights of the score head; ``inner`` are the prefixes of an mlp head's two layers."""
    width = model.hidden_size
    if model.head == "linear":
        layers = {"head": ("head", (model.num_labels, width))}
    else:
        first = checkpoint.sources.get(f"{inner[0]}.weight")
        middle = first.dims[0] if first and first.dims else width
        layers = {"head.0": (inner[0], (middle, width)), "head.1": (inner[1], (model.num_labels, middle))}
    entries = []
    for name, (prefix, dims) in layers.items():
        entries.append(Entry(f"{name}.weight", dims, (f"{prefix}.weight",)))
        if f"{prefix}.bias" in checkpoint.sources:
            entries.append(Entry(f"{name}.bias", dims[:1], (f"{prefix}.bias",)))
    return entries


def cdf(checkpoint: Checkpoint, config: Settings) -> list[Tensor]:
    """Return the quantiles of the rater's scores, from a tensor ``score.cdf`` or the configuration's ``score_cdf``."""
    if "score.cdf" in checkpoint.sources:
        values = checkpoint.load("score.cdf").float().numpy()
    elif "score_cdf" in config:
        values = np.array(config.get("score_cdf"), dtype=np.float32)
    else:
        return []
    if values.ndim != 1 or values.size == 0 or not bool(np.all(np.diff(values) >= 0)):
        raise ModelFileError("score.cdf: expected one ascending list of scores")
    return [float_tensor("score.cdf", values)]
