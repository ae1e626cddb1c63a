"""Rotary positions as configurations give them: which kinds there are, and the frequencies each stands for.

The numbers are those of transformers' ``modeling_rope_utils``, computed in f64.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError, RopeTable
from rally.modelfile.rope import plain_frequencies
from rally.modelfile.tensors import Array

#: θ where a configuration does not say it, by ``model_type``.
DEFAULT_THETA = 10000.0
_CLASS_THETA = {"smollm3": 2000000.0}

#: Keys that may stand in every kind's parameters, and those of one kind alone. The length says nothing to a kind that does not
#: read it, and writers leave it there.
_COMMON_KEYS = ("rope_type", "type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings")
_KEYS: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "yarn": (
        "factor",
        "original_max_position_embeddings",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "mscale",
        "mscale_all_dim",
        "truncate",
    ),
}


@dataclass(frozen=True)
class Rope:
    """The rotary positions of a model.

    ``tables`` is empty where one plain ``theta`` says it all; ``layers`` is empty where every layer uses table 0.
    """

    theta: float
    tables: tuple[RopeTable, ...] = ()
    layers: tuple[int | None, ...] = ()
    scaling: str | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields of the description."""
        return {
            "rope_theta": self.theta,
            "rope_tables": self.tables,
            "rope_layers": self.layers,
            "rope_scaling": self.scaling,
        }

    def frequencies(self, head_dim: int) -> list[Array]:
        """Return every table's ω [K/2]."""
        if not self.tables:
            return [plain_frequencies(self.theta, head_dim)]
        return [np.array(table.inv_freq, dtype=np.float64) for table in self.tables]


def read_rope(config: Settings, head_dim: int, layer_types: tuple[str, ...] = ()) -> Rope:
    """Read ``rope_parameters`` (transformers 5) or ``rope_theta`` and ``rope_scaling`` (transformers 4).

    ``layer_types`` has one entry per layer, for parameters that differ by it; empty where layers are of one type.
    """
    parameters = _parameters(config)
    nested = [key for key in parameters.values if key in {*layer_types, "full_attention", "sliding_attention"}]
    if not nested:
        return _single(config, parameters, head_dim)
    kinds = layer_types or ("full_attention",) * config.layer_count()
    other = [key for key in (*kinds, *parameters.values) if key not in nested]
    if other:
        raise ModelFileError(
            f"{parameters.source}: has {', '.join(sorted(nested))}, but not {other[0]}, or the reverse"
        )
    ropes = {
        kind: _single(config, parameters.section(kind), head_dim) if kind in parameters else None
        for kind in dict.fromkeys(kinds)
    }
    return _joined(ropes, kinds, head_dim)


def _joined(ropes: dict[str, Rope | None], kinds: tuple[str, ...], head_dim: int) -> Rope:
    """Return one description of parameters by layer type; None: such layers do not rotate."""
    rotating = [rope for rope in ropes.values() if rope]
    distinct = list(dict.fromkeys(rotating))
    if not distinct:
        raise ModelFileError("config.json: rope_parameters are null for every layer type: one of them must rotate")
    places = {kind: distinct.index(rope) if rope else None for kind, rope in ropes.items()}
    layers = tuple(places[kind] for kind in kinds)
    if len(distinct) == 1:
        return Rope(distinct[0].theta, distinct[0].tables, layers if None in layers else (), distinct[0].scaling)
    tables = tuple(rope.tables[0] if rope.tables else _table(rope, head_dim) for rope in distinct)
    texts = [f"{kind}: {rope.scaling or f'theta {rope.theta:g}'}" for kind, rope in ropes.items() if rope]
    return Rope(DEFAULT_THETA, tables, layers, "; ".join(texts) or None)


def _table(rope: Rope, head_dim: int) -> RopeTable:
    return RopeTable(tuple(plain_frequencies(rope.theta, head_dim).tolist()))


def _parameters(config: Settings) -> Settings:
    """Return the parameters, whichever name they stand under; under both names they must not contradict each other."""
    newer, older = config.section("rope_parameters"), config.section("rope_scaling")
    if "rope_parameters" not in config:
        return older
    if "rope_scaling" not in config:
        return newer
    one, other = ({_ALIASES.get(key, key): value for key, value in part.values.items()} for part in (newer, older))
    differing = sorted(key for key in one.keys() & other.keys() if one[key] != other[key])
    if differing:
        key = differing[0]
        raise ModelFileError(
            f"{config.source}: rope_parameters has {key} {one[key]!r}, rope_scaling {other[key]!r}; keep one of them"
        )
    return Settings(one | other, newer.source)


_ALIASES = {"type": "rope_type"}


def _single(config: Settings, parameters: Settings, head_dim: int) -> Rope:
    kind = _kind(parameters)
    theta = _theta(config, parameters)
    known = (*_COMMON_KEYS, *_KEYS[kind])
    extra = [key for key, value in parameters.values.items() if key not in known and value is not None]
    if extra:
        names = ", ".join(_KEYS[kind]) or "none"
        raise ModelFileError(f"{parameters.source}: {extra[0]} is not supported in type {kind!r}; its keys: {names}")
    for holder in (parameters, config):
        if holder.number("partial_rotary_factor", 1.0) != 1.0:
            raise ModelFileError(
                f"{holder.source}: partial_rotary_factor {holder.get('partial_rotary_factor')} is not supported: "
                "every channel of a head must rotate"
            )
    if kind == "default":
        return Rope(theta)
    frequencies, factor = _SCALED[kind](config, parameters, theta, head_dim)
    if not bool(np.isfinite(frequencies).all()) or not math.isfinite(factor):
        raise ModelFileError(f"{parameters.source}: the parameters of type {kind!r} give frequencies without end")
    text = f"{kind} factor {parameters.number('factor'):g}, theta {theta:g}"
    return Rope(theta, (RopeTable(tuple(frequencies.tolist()), factor),), (), text)


def _kind(parameters: Settings) -> str:
    given = [parameters.values[key] for key in ("rope_type", "type") if parameters.values.get(key) is not None]
    if parameters.values and not given and parameters.values.keys() - {"rope_theta", "partial_rotary_factor"}:
        raise ModelFileError(f"{parameters.source}: missing rope_type; known: {', '.join(_KEYS)}")
    kind = given[0] if given else "default"
    if len({str(one) for one in given}) > 1:
        raise ModelFileError(f"{parameters.source}: rope_type {given[0]!r}, but type {given[1]!r}; keep one of them")
    if kind not in _KEYS:
        raise ModelFileError(f"{parameters.source} of type {kind!r} is not supported; known: {', '.join(_KEYS)}")
    return str(kind)


def _theta(config: Settings, parameters: Settings) -> float:
    default = _CLASS_THETA.get(str(config.values.get("model_type")), DEFAULT_THETA)
    holder = parameters if "rope_theta" in parameters else config
    return holder.positive("rope_theta", default)


def _original(config: Settings, parameters: Settings, kind: str) -> float:
    """Return the length that was trained on: the top level wins, as in transformers."""
    key = "original_max_position_embeddings"
    for holder in (config, parameters):
        if key in holder:
            return holder.positive(key)
    length = config.integer("max_position_embeddings")
    print(
        f"warning: {parameters.source}: {key} is missing, so {kind} takes max_position_embeddings {length}",
        file=sys.stderr,
    )
    return float(length)


def _linear(_: Settings, parameters: Settings, theta: float, head_dim: int) -> tuple[Array, float]:
    return plain_frequencies(theta, head_dim) / parameters.positive("factor"), 1.0


def _llama3(config: Settings, parameters: Settings, theta: float, head_dim: int) -> tuple[Array, float]:
    factor = parameters.positive("factor")
    low, high = parameters.positive("low_freq_factor"), parameters.positive("high_freq_factor")
    if low >= high:
        raise ModelFileError(f"{parameters.source}: low_freq_factor {low} must be below high_freq_factor {high}")
    length = _original(config, parameters, "llama3")
    plain = plain_frequencies(theta, head_dim)
    turns = length * plain / (2 * math.pi)  # rotations within the trained length
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1.0 - smooth) * plain / factor + smooth * plain, 1.0


def _yarn(config: Settings, parameters: Settings, theta: float, head_dim: int) -> tuple[Array, float]:
    factor, length = parameters.positive("factor"), _original(config, parameters, "yarn")
    if theta == 1.0:
        raise parameters.wrong("rope_theta", theta)

    def channel(turns: float) -> float:
        """Return the channel whose pair turns this often within the trained length."""
        return head_dim * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low = channel(parameters.positive("beta_fast", 32.0))
    high = channel(parameters.positive("beta_slow", 1.0))
    if parameters.boolean("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(head_dim // 2, dtype=np.float64) - low) / (high - low), 0.0, 1.0)
    plain = plain_frequencies(theta, head_dim)
    return ramp * plain / factor + (1.0 - ramp) * plain, _yarn_attention(parameters, factor)


def _yarn_attention(parameters: Settings, factor: float) -> float:
    if "attention_factor" in parameters:
        return parameters.positive("attention_factor")

    def scale(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    over, under = parameters.number("mscale", 0.0), parameters.number("mscale_all_dim", 0.0)
    return scale(over) / scale(under) if over and under else scale(1.0)


_SCALED: dict[str, Callable[[Settings, Settings, float, int], tuple[Array, float]]] = {
    "linear": _linear,
    "llama3": _llama3,
    "yarn": _yarn,
}
