"""Gates for random weights of a looped model under which tokens leave in chosen shares.

One channel of the hidden state says when a token leaves. No layer writes it (its weight in the norms of the branches
is 0), so that within a loop it stays as it is, and the norm at the loop's end multiplies it by about the same number
for every token: ``GROWTH``, by the choice of that norm's weight. The gate fires where the channel has grown to
``LEVEL``. What a token's embedding has in the channel thus fixes the loop it leaves after: every id is given one, in
the wanted shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.nn import functional

from rally.modelfile import LanguageModel, ModelFileError, Tensor
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import Array, float_tensor
from rally.synthesize.calibration import Forward
from rally.synthesize.weights import RandomWeights

#: What the channel grows by from loop to loop. Between a token that leaves and one that stays there is half of it, as a
#: factor: far more than embeddings rounded to 8 bits or norms that differ from token to token can hide.
GROWTH = 2.0
#: Where the gate fires; small, so that the channel is an ordinary one in size.
LEVEL = 0.1
#: z where the channel is twice the level: gates of trained models end nearly binary.
STEEPNESS = 40.0
#: Random tokens by which the growth is measured.
SAMPLE = 24


@dataclass(frozen=True)
class GatedWeights(RandomWeights):
    """Random weights with a channel that says when a token leaves.

    Attributes
    ----------
    channel : int
        Its place in the hidden state.
    entries : array
        [V] f32: what each token's embedding has there.
    gain : float
        Its weight in the norm after every loop.
    """

    channel: int = 0
    entries: Array = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    gain: float = 1.0

    def _draw(self, name: str, dims: tuple[int, ...]) -> Array:
        array = super()._draw(name, dims)
        if name.endswith("layernorm_2.weight"):
            array[self.channel] = 0.0
        elif name == "norm.weight":
            array[self.channel] = self.gain
        elif name == "embed_tokens.weight":
            array[:, self.channel] = self.entries
        return array


def gate(
    model: LanguageModel,
    weights: RandomWeights,
    shares: tuple[float, ...],
    progress: Callable[[Iterable[int], str], Iterable[int]] = lambda layers, _: layers,
) -> tuple[LanguageModel, RandomWeights, list[Tensor]]:
    """Return the model with its mean depth, weights whose tokens leave in ``shares``, and the gate.

    Parameters
    ----------
    shares : tuple of float
        Share of the tokens that leaves after each loop, the first first.
    """
    check(shares, model.num_recursion)
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([weights.seed, 0xE817])))
    bounds = np.cumsum(shares)[:-1]
    depths = np.searchsorted(bounds, random.permutation(model.vocab_size) / model.vocab_size, side="right")
    silent = np.zeros(model.vocab_size, dtype=np.float32)
    channel = model.hidden_size // 2
    blank = GatedWeights(weights.seed, weights.dtype, channel, silent, 1.0)
    shrinking = _shrinking(model, blank, random.integers(0, model.vocab_size, SAMPLE), progress)
    gain = GROWTH / math.exp(float(np.mean(np.log(shrinking[1:] or shrinking))))
    growth = np.cumprod(np.array(shrinking) * gain)
    wanted = LEVEL * math.sqrt(GROWTH) / growth  # a token that leaves after loop r stands half a step above the level
    stays = wanted[-1] / GROWTH
    entries = np.array([*wanted, stays], dtype=np.float32)[depths]
    row = np.zeros((1, model.hidden_size), dtype=np.float32)
    row[0, channel] = STEEPNESS / LEVEL
    tensors = [float_tensor("exit.weight", row), float_tensor("exit.bias", np.array([-STEEPNESS]))]
    depth = sum(share * (place + 1) for place, share in enumerate(shares))
    gated = replace(model, exit_threshold=0.5, natural_depth=round(depth, 6))
    return gated, GatedWeights(weights.seed, weights.dtype, channel, entries, gain), tensors


def check(shares: tuple[float, ...], recursions: int) -> None:
    """Raise an error for shares that are not those of ``recursions`` loops."""
    usable = all(0.0 <= share <= 1.0 for share in shares) and abs(sum(shares) - 1.0) < 1e-6
    if len(shares) != recursions or not usable:
        given = ",".join(f"{share:g}" for share in shares)
        raise ModelFileError(f"exits: expected {recursions} shares that add up to 1, found {given}")


def _shrinking(
    model: LanguageModel, weights: RandomWeights, ids: Array, progress: Callable[[Iterable[int], str], Iterable[int]]
) -> list[float]:
    """Return what the end of each loop but the last multiplies a channel by that nothing writes: the geometric mean."""
    forward = Forward(model, weights, keep=4 * _layer_elements(model) * model.num_block_layers < 1 << 30)
    norm = torch.from_numpy(weights.values("norm.weight", (model.hidden_size,)))
    factors = []
    with torch.inference_mode():
        x = forward.embed(ids[None])
        for recursion in range(model.num_recursion - 1):
            for index in progress(range(model.num_block_layers), f"measuring loop {recursion + 1}"):
                x = forward.layer(x, f"block.{index}", None)
            size = x.square().mean(dim=-1).add(model.norm_eps).sqrt()
            factors.append(math.exp(-float(size.log().mean())))
            x = functional.rms_norm(x, (model.hidden_size,), norm, model.norm_eps)
    return factors


def _layer_elements(model: LanguageModel) -> int:
    return sum(math.prod(dims) for dims in layer_dims(model).values())
