"""Routers for random weights under which tokens leave in chosen proportions.

A router is z = w·x without a bias, and a token goes on where z ≥ 0: under a random w, half of the tokens
would go on, or all or none, as the mean of x falls. So w is made from the hidden states of random tokens: a
random direction orthogonal to their mean, minus c times the mean's direction, scaled so that the mean has the
coordinate 1 on it: as near to a bias as there is. c is where the wanted share of the tokens has z ≥ 0. The
routers are made in order, each from the hidden states that the routers before it leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from rally.modelfile import LanguageModel
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import Array
from rally.synthesize.weights import RandomWeights

#: Standard deviation of z: trained routers end nearly binary.
Z_DEVIATION = 4.0


@dataclass(frozen=True)
class Sample:
    """The random rows that routers are made from: sampling error of a share is about 0.5 / sqrt(rows · length)."""

    rows: int = 12
    length: int = 512


def calibrate(
    model: LanguageModel,
    weights: RandomWeights,
    sample: Sample | None = None,
    progress: Callable[[Iterable[int], str], Iterable[int]] = lambda layers, _: layers,
) -> list[Array]:
    """Return one router weight per recursion, [1, D] f32, whose threshold selection follows ``routing.capacity``.

    ``progress`` wraps the layers of one recursion, under a label for people.
    """
    if model.routing is None:
        return []
    sample = sample or Sample()
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence([weights.seed, 0x20A7])))
    ids = stream.integers(0, model.vocab_size, (sample.rows, sample.length))
    forward = Forward(model, weights)
    routers: list[Array] = []
    with torch.inference_mode():
        x = forward.layer(forward.embed(ids), "first.0", None) if model.num_first_layers else forward.embed(ids)
        selected = torch.ones(x.shape[:2], dtype=torch.bool)
        share = 1.0
        for recursion, capacity in enumerate(model.routing.capacity):
            direction = torch.from_numpy(stream.standard_normal(model.hidden_size))
            w = _router(x, selected, direction, min(1.0, capacity / share))
            routers.append(w.numpy()[None, :])
            z = x @ w
            if capacity < 1.0:
                selected = selected & (z >= 0)
                share = capacity
            if recursion + 1 < model.num_recursion:
                y = x
                for index in progress(range(model.num_block_layers), f"calibrating router {recursion + 1}"):
                    y = forward.layer(y, f"block.{index}", selected)
                gate = model.routing.alpha * torch.sigmoid(z)
                x = torch.where(selected[..., None], x + gate[..., None] * y, x)
    return routers


def _router(x: torch.Tensor, selected: torch.Tensor, direction: torch.Tensor, share: float) -> torch.Tensor:
    """Return w [D] such that ``share`` of the selected tokens of ``x`` [B, T, D] have w·x ≥ 0."""
    hidden = x[selected].double()
    mean = hidden.mean(dim=0)
    level = mean / mean.dot(mean)
    spread = direction - mean.dot(direction) * level
    spread *= Z_DEVIATION / (hidden @ spread).std()
    if share >= 1.0:
        return (spread + 2 * Z_DEVIATION * level).float()
    z, unit = hidden @ spread, hidden @ level
    low, high = 2 * z.min(), 2 * z.max()
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (z >= middle * unit).double().mean() > share else (low, middle)
    return (spread - low * level).float()


class Forward:
    """The forward pass of a language model in PyTorch, f32, dense, with weights made on demand, and kept if wanted."""

    def __init__(self, model: LanguageModel, weights: RandomWeights, keep: bool = True) -> None:
        self.model = model
        self.weights = weights
        self.keep = keep
        self.kinds = layer_dims(model)
        self._kept: dict[str, dict[str, torch.Tensor]] = {}

    def embed(self, ids: Array) -> torch.Tensor:
        """Return [B, T, D]."""
        table = self.weights.values("embed_tokens.weight", (self.model.vocab_size, self.model.hidden_size))
        return torch.from_numpy(table[ids])

    def layer(self, x: torch.Tensor, prefix: str, selected: torch.Tensor | None) -> torch.Tensor:
        """Run one layer: x [B, T, D]; keys of the selected tokens [B, T] alone, or of all."""
        w = self._layer_weights(prefix)
        model, (rows, length, _) = self.model, x.shape
        a = functional.rms_norm(x, (model.hidden_size,), w["input_layernorm.weight"], model.norm_eps)
        q, k, v = (
            (a @ w[f"self_attn.{letter}_proj.weight"].T).view(rows, length, -1, model.head_dim).transpose(1, 2)
            for letter in "qkv"
        )
        allowed = torch.ones(length, length, dtype=torch.bool).tril()[None, None]
        if selected is not None:
            allowed = allowed & (selected[:, None, None, :] | torch.eye(length, dtype=torch.bool))
        q, k = self._rotate(q), self._rotate(k)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed, enable_gqa=True)
        attended = mixed.transpose(1, 2).reshape(rows, length, -1) @ w["self_attn.o_proj.weight"].T
        x = x + self._branch(attended, w, "input_layernorm_2.weight")
        a = functional.rms_norm(x, (model.hidden_size,), w["post_attention_layernorm.weight"], model.norm_eps)
        inner = functional.silu(a @ w["mlp.gate_proj.weight"].T) * (a @ w["mlp.up_proj.weight"].T)
        return x + self._branch(inner @ w["mlp.down_proj.weight"].T, w, "post_attention_layernorm_2.weight")

    def _branch(self, y: torch.Tensor, w: dict[str, torch.Tensor], norm: str) -> torch.Tensor:
        """Norm what a branch gives, in a model that does that."""
        return functional.rms_norm(y, (self.model.hidden_size,), w[norm], self.model.norm_eps) if norm in w else y

    def _rotate(self, x: torch.Tensor) -> torch.Tensor:
        half = self.model.head_dim // 2
        frequencies = self.model.rope_theta ** -(torch.arange(half, dtype=torch.float64) / half)
        angles = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * frequencies
        cos, sin = angles.cos().float(), angles.sin().float()
        low, high = x[..., :half], x[..., half:]
        return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)

    def _layer_weights(self, prefix: str) -> dict[str, torch.Tensor]:
        if prefix in self._kept:
            return self._kept[prefix]
        arrays = {kind: self.weights.values(f"{prefix}.{kind}", dims) for kind, dims in self.kinds.items()}
        made = {kind: torch.from_numpy(array) for kind, array in arrays.items()}
        if self.keep:
            self._kept[prefix] = made
        return made
