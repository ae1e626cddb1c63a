"""Seeded random weights: each tensor has its own stream, so that it can be made again at any time, in any order."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from rally.modelfile import Description, LanguageModel, Rater, Tensor
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import Array, bfloat16_bits

#: Standard deviation of the matrices, the usual initialisation of models of this size.
DEVIATION = 0.02
#: Standard deviation of the attention's output projections. At 0.02, what the tokens of a row have in common
#: grows from layer to layer until it drowns what a token is, and whole rows leave together; at 0.0025, shares
#: still spread twice as much from row to row as those of independent tokens would.
OUTPUT_DEVIATION = 0.001
# Every embedding has the same random vector added: hidden states get the common direction that trained models have,
# without which no router could have a bias. Tied logits all move alike by it.
#: Norm weights vary around 1, so that a swapped norm shows.
NORM_DEVIATION = 0.05


@dataclass(frozen=True)
class RandomWeights:
    """The random weights of one model, but for its routers.

    Attributes
    ----------
    seed : int
        Same seed, same weights, on every platform (Philox).
    dtype : str
        ``f32`` or ``bf16``: the type of the large matrices in the file.
    """

    seed: int
    dtype: str

    def values(self, name: str, dims: tuple[int, ...]) -> Array:
        """Return a tensor's values as the file holds them, as f32."""
        array = self._draw(name, dims)
        if not self._is_narrow(name, dims):
            return array
        return (bfloat16_bits(array).astype(np.uint32) << np.uint32(16)).view(np.float32)

    def tensor(self, name: str, dims: tuple[int, ...]) -> Tensor:
        """Return a tensor for the writer."""
        if self._is_narrow(name, dims):
            return Tensor(name, dims, TensorProto.BFLOAT16, lambda: bfloat16_bits(self._draw(name, dims)))
        return Tensor(name, dims, TensorProto.FLOAT, lambda: self._draw(name, dims))

    def _is_narrow(self, name: str, dims: tuple[int, ...]) -> bool:
        return self.dtype == "bf16" and len(dims) == 2 and not name.startswith("head.")

    def _draw(self, name: str, dims: tuple[int, ...]) -> Array:
        stream = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, zlib.crc32(name.encode())])))
        array = stream.standard_normal(dims, dtype=np.float32)
        if len(dims) == 1 and name.endswith(".weight"):
            return array * np.float32(NORM_DEVIATION) + np.float32(1.0)
        if name == "embed_tokens.weight":
            array += stream.standard_normal(dims[1:], dtype=np.float32)
        return array * np.float32(OUTPUT_DEVIATION if name.endswith("o_proj.weight") else DEVIATION)


def weight_dims(model: Description) -> dict[str, tuple[int, ...]]:
    """Return every weight of a model without routers, and its shape, in file order."""
    dims: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (model.vocab_size, model.hidden_size)}
    if model.positions == "learned":
        dims["embed_positions.weight"] = (model.max_position_embeddings, model.hidden_size)
    if isinstance(model, Rater) and model.embed_norm:
        dims |= _norm(model, "embed_norm")
    counts = {"block": model.num_block_layers}
    if isinstance(model, LanguageModel):
        counts = {"first": model.num_first_layers, **counts, "last": model.num_last_layers}
    place = 0
    for part, count in counts.items():
        for index in range(count):
            dims |= {f"{part}.{index}.{kind}": shape for kind, shape in layer_dims(model, place).items()}
            place += 1
    if not isinstance(model, Rater) or model.final_norm != "none":
        dims |= _norm(model, "norm")
    if isinstance(model, LanguageModel) and not model.tie_word_embeddings:
        dims["lm_head.weight"] = (model.vocab_size, model.hidden_size)
    if isinstance(model, LanguageModel) and model.injection == "concat":
        dims["adapter.weight"] = (model.hidden_size, 2 * model.hidden_size)
    return dims | (_head(model) if isinstance(model, Rater) else {})


def _norm(model: Description, name: str) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias") if model.norm_bias else ("weight",)
    return {f"{name}.{part}": (model.hidden_size,) for part in parts}


def _head(model: Rater) -> dict[str, tuple[int, ...]]:
    """Return the weights of a head whose hidden layer, if it has one, is as wide as the model."""
    width, outputs = model.hidden_size, model.num_labels
    if model.head == "linear":
        return {"head.weight": (outputs, width), "head.bias": (outputs,)}
    dims: dict[str, tuple[int, ...]] = {"head.0.weight": (width, width), "head.0.bias": (width,)}
    if model.head_norm:
        dims |= _norm(model, "head.norm")
    return dims | {"head.1.weight": (outputs, width), "head.1.bias": (outputs,)}
