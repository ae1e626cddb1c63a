"""The graph of a looped model's block: loops unrolled, exits by ``Where`` on states, keys and values.

In shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

from typing import Protocol

from onnx import TensorProto

from rally.modelfile.exit_graph import Exits
from rally.modelfile.language_model import LanguageModel
from rally.modelfile.layers import KeysValues, Layers, Reuse
from rally.modelfile.positions import Masks
from rally.modelfile.seeded_state import TABLE, SeededState


class BlockLayer(Protocol):
    """Writes one layer of the block."""

    def __call__(
        self, x: str, recursion: int, index: int, masks: Masks, reuse: Reuse | None = None
    ) -> tuple[str, KeysValues]:
        """Return the output [B, T, D] of layer ``index`` in a recursion, and its keys and values."""


class LoopedBlock:
    """Writes the recursions of a looped model and its output ``depth``.

    Every loop runs on every token. What a token has after its last loop is what is read; for later tokens its keys and
    values of the loops after that are those of the policy.

    Parameters
    ----------
    layers : Layers
        Where norms are written.
    model : LanguageModel
        What is written.
    block_layer : BlockLayer
        Writes one layer of the block.
    masks : Masks
        Who sees whom.
    """

    def __init__(self, layers: Layers, model: LanguageModel, block_layer: BlockLayer, masks: Masks) -> None:
        self.layers = layers
        self.graph = layers.graph
        self.model = model
        self.block_layer = block_layer
        self.masks = masks
        self.exits = Exits(layers, model) if model.exit != "none" else None

    def write(self, embedded: str) -> str:
        """Return the state that is read, [B, T, D]; ``embedded`` is the state after the first layers."""
        x = out = self._initial(embedded)
        caches: list[KeysValues | None] = [None] * self.model.num_block_layers
        for recursion in range(self.model.num_recursion):
            with self.graph.scope(f"recursion.{recursion}"):
                before = x
                x, caches = self._loop(self._inject(x, embedded), recursion, caches)
                if self.exits:
                    out = self.exits.read(x, out)
                    self.exits.leave(x, before, recursion)
        self._write_depth()
        return out if self.exits else x

    def _initial(self, embedded: str) -> str:
        if self.model.initial_state == "embedding":
            return embedded
        if isinstance(self.model.initial_state, SeededState):
            rows = self.graph.op("Gather", TABLE, self.layers.positions.index, axis=0)  # [T, D]
            return self.graph.op("Expand", rows, self.graph.op("Shape", embedded))
        zero = TensorProto(data_type=TensorProto.FLOAT, dims=[1], float_data=[0.0])
        return self.graph.op("ConstantOfShape", self.graph.op("Shape", embedded), value=zero)

    def _inject(self, x: str, embedded: str) -> str:
        """Return A · [x ; e] (+ b), or ``x`` where nothing is injected."""
        if self.model.injection == "none":
            return x
        joined = self.graph.op("Concat", x, embedded, axis=-1)
        return self.graph.linear(joined, "adapter.weight", "adapter.bias" if self.model.injection_bias else None)

    def _loop(self, x: str, recursion: int, caches: list[KeysValues | None]) -> tuple[str, list[KeysValues | None]]:
        """Run the block once, its norm included; ``caches`` are those of the loop before, by layer."""
        fresh = self.exits.fresh() if self.exits and recursion else None  # [B, T, 1] bool
        frozen = fresh if self.model.kv_cache == "propagated" else None
        after: list[KeysValues | None] = []
        for index, cache in enumerate(caches):
            reuse = Reuse(cache, fresh) if cache and fresh and not frozen else None
            y, own = self.block_layer(x, recursion, index, self.masks, reuse)
            x = self._unless_left(y, x, frozen)
            after.append(own)
        if self.model.loop_norm:
            x = self._unless_left(self.layers.norm(x, "norm"), x, frozen)
        return x, after

    def _unless_left(self, y: str, x: str, running: str | None) -> str:
        """Return ``y`` for tokens that run, and the state ``x`` of those that left."""
        return self.graph.op("Where", running, y, x) if running else y

    def _write_depth(self) -> None:
        graph = self.graph
        if self.exits:
            self.exits.write_depth()
            return
        count = TensorProto(data_type=TensorProto.INT64, dims=[1], int64_data=[self.model.num_recursion])
        graph.op("ConstantOfShape", graph.op("Shape", "input_ids"), value=count, output="depth")
