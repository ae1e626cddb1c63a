"""The executable graph of a rater: a transformer, pooled, with one score."""

from __future__ import annotations

from onnx import TensorProto

from rally.modelfile.description import Rater
from rally.modelfile.graph import GraphBuilder
from rally.modelfile.layers import Layers, LayerTensors


class RaterGraph:
    """Writes ``input_ids``, ``attention_mask`` [B, T] → ``score`` [B] into a graph.

    The mask is 1 for real tokens, which start at position 0, and 0 for padding after them. A row without a real token
    scores a finite number without meaning.

    Parameters
    ----------
    graph : GraphBuilder
        Where the nodes go.
    model : Rater
        What is written.
    """

    def __init__(self, graph: GraphBuilder, model: Rater) -> None:
        self.graph = graph
        self.model = model
        self.layers = Layers(graph, model)

    def write(self) -> None:
        """Write the whole model, in the order of the mathematics."""
        graph, model = self.graph, self.model
        real = graph.op("Cast", "attention_mask", to=TensorProto.BOOL)  # [B, T]
        allowed = graph.op("Unsqueeze", real, graph.constant("axes_1_2_3", [1, 2, 3]))  # [B, 1, 1, 1, T]
        if model.is_causal:
            allowed = graph.op("And", allowed, self.layers.positions.causal()[0])
        masks = self.layers.positions.masks(allowed)
        x = self.layers.embed(model.embed_norm)
        for index in range(model.num_block_layers):
            with graph.scope(f"block.{index}"):
                x, _ = self.layers.layer(x, LayerTensors(graph, index, f"block.{index}"), masks)
        with graph.scope("head"):
            if model.final_norm == "tokens":
                x = self.layers.norm(x, "norm")
            pooled = self._pool(x, real)
            if model.final_norm == "pooled":
                pooled = self.layers.norm(pooled, "norm")
            graph.op("Squeeze", self._head(pooled), graph.constant("axis_1", [1]), output="score")

    def _pool(self, x: str, real: str) -> str:
        """Reduce [B, T, D] to [B, D] over the real tokens."""
        graph = self.graph
        if self.model.pooling == "cls":
            return graph.op("Squeeze", self._first(x), graph.constant("axis_1", [1]))
        taken = real if self.model.pooling == "mean" else self._last(real)
        axis = graph.constant("axis_1", [1])
        shares = graph.op("Unsqueeze", graph.op("Cast", taken, to=TensorProto.FLOAT), graph.constant("axis_2", [2]))
        total = graph.op("ReduceSum", graph.op("Mul", x, shares), axis, keepdims=0)
        if self.model.pooling == "last":
            return total
        count = graph.op("Max", graph.op("ReduceSum", shares, axis, keepdims=0), graph.constant("one", 1.0))
        return graph.op("Div", total, count)

    def _first(self, x: str) -> str:
        graph = self.graph
        bounds = [graph.constant(f"list_{value}", [value]) for value in (0, 1)]
        return graph.op("Slice", x, *bounds, graph.constant("axis_1", [1]))

    def _last(self, real: str) -> str:
        """Return [B, T] bool, true at the last real token of each row."""
        graph, index = self.graph, self.layers.positions.index
        places = graph.op("Mul", graph.op("Cast", real, to=TensorProto.INT64), index)
        return graph.op("Equal", index, graph.op("ReduceMax", places, axes=[1], keepdims=1))

    def _head(self, pooled: str) -> str:
        """Return [B, 1]."""
        graph, model = self.graph, self.model
        if model.head == "linear":
            return graph.linear(pooled, "head.weight", "head.bias")
        inner = self.layers.activation(graph.linear(pooled, "head.0.weight", "head.0.bias"), model.head_act)
        return graph.linear(inner, "head.1.weight", "head.1.bias")
