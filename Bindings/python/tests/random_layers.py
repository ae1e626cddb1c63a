"""Seeded random tensors of tiny models, and combinations of settings that cover what matters together."""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

VOCAB, WIDTH, HEADS, GROUPS, HEAD_DIM, INNER, POSITIONS = 61, 32, 4, 2, 10, 48, 64


def covering(factors: dict[str, tuple[Any, ...]], strength: int = 3) -> list[dict[str, Any]]:
    """Return combinations such that every ``strength`` of the settings meet in every way; the same ones each time."""
    names = list(factors)
    combinations = list(itertools.product(*(range(len(values)) for values in factors.values())))
    stream = np.random.default_rng(zlib.crc32(",".join(names).encode()))
    groups = list(itertools.combinations(range(len(names)), strength))
    missing = {
        (group, parts)
        for group in groups
        for parts in itertools.product(*(range(len(factors[names[i]])) for i in group))
    }
    chosen = []
    while missing:
        tried = [
            combinations[place] for place in stream.choice(len(combinations), min(60, len(combinations)), replace=False)
        ]
        best = max(tried, key=lambda one: len(_tuples(one, groups) & missing))
        if gained := _tuples(best, groups) & missing:
            missing -= gained
            chosen.append({name: factors[name][index] for name, index in zip(names, best, strict=True)})
    return chosen


def _tuples(combination: tuple[int, ...], groups: list[tuple[int, ...]]) -> set[Any]:
    return {(group, tuple(combination[place] for place in group)) for group in groups}


class Weights:
    """Random tensors of order one, from a seed made of the case's name."""

    def __init__(self, name: str) -> None:
        self.stream = torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def normal(self, *dims: int, scale: float = 1.0) -> Tensor:
        return torch.randn(dims, generator=self.stream) * scale

    def matrix(self, rows: int, columns: int, scale: float = 1.0) -> Tensor:
        return self.normal(rows, columns, scale=scale / columns**0.5)

    def norm(self, prefix: str, bias: bool = False) -> dict[str, Tensor]:
        parts = {f"{prefix}.weight": 1 + self.normal(WIDTH, scale=0.3)}
        return parts | ({f"{prefix}.bias": self.normal(WIDTH, scale=0.3)} if bias else {})

    def linear(self, prefix: str, rows: int, columns: int, bias: bool = False) -> dict[str, Tensor]:
        parts = {f"{prefix}.weight": self.matrix(rows, columns)}
        return parts | ({f"{prefix}.bias": self.normal(rows, scale=0.3)} if bias else {})

    def attention(self, bias: bool = False) -> dict[str, Tensor]:
        rows = {"q": HEADS * HEAD_DIM, "k": GROUPS * HEAD_DIM, "v": GROUPS * HEAD_DIM}
        parts = [self.linear(f"self_attn.{letter}_proj", count, WIDTH, bias) for letter, count in rows.items()]
        return joined(*parts, self.linear("self_attn.o_proj", WIDTH, HEADS * HEAD_DIM, bias))

    def norms(self, bias: bool = False) -> dict[str, Tensor]:
        return self.norm("input_layernorm", bias) | self.norm("post_attention_layernorm", bias)

    def layer(
        self, attention_bias: bool = False, mlp_bias: bool = False, gated: bool = True, norm_bias: bool = False
    ) -> dict[str, Tensor]:
        names = ["gate", "up"] if gated else ["up"]
        parts = [self.linear(f"mlp.{name}_proj", INNER, WIDTH, mlp_bias) for name in names]
        parts.append(self.linear("mlp.down_proj", WIDTH, INNER, mlp_bias))
        return joined(self.norms(norm_bias), self.attention(attention_bias), *parts)

    def copy(self, layer: dict[str, Tensor], untied: str) -> dict[str, Tensor]:
        """Return a layer's copy for another recursion, with its own norms or attention if those are untied."""
        own = {"": dict, "norm": self.norms, "attn": self.attention}[untied]()
        return layer | own

    def router(self, prefix: str, outputs: int, kind: str) -> dict[str, Tensor]:
        if kind == "linear":
            return {f"{prefix}.router.weight": self.matrix(outputs, WIDTH, 2.0)}
        first, second = self.matrix(2 * WIDTH, WIDTH, 2.0), self.matrix(outputs, 2 * WIDTH, 3.0)
        return {f"{prefix}.router.0.weight": first, f"{prefix}.router.2.weight": second}


def joined(*parts: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for part in parts for key, value in part.items()}


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{key}": value for key, value in tensors.items()}
