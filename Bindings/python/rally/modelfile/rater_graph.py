"""The executable graph of a rater: a transformer, pooled, with one output or several."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from rally.modelfile.graph import GraphBuilder
from rally.modelfile.layers import Layers, LayerTensors
from rally.modelfile.rater import Rater


class RaterGraph:
    """Writes ``input_ids``, ``attention_mask`` [B, T] → ``score`` [B], ``logits`` [B, n] into a graph.

    The score is there where the outputs make one, the logits where they are not the score itself; without a head there is
    ``pooled`` [B, D] alone.

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
            if model.pooling == "late":
                x = self._hidden(x)
            pooled = self._pool(x, real)
            if model.final_norm == "pooled":
                pooled = self.layers.norm(pooled, "norm")
            if model.head == "none":
                graph.op("Identity", pooled, output="pooled")
                return
            logits = self._head(pooled)
            if not model.has_logits:
                graph.op("Squeeze", logits, graph.constant("axis_1", [1]), output="score")
                return
            graph.op("Identity", logits, output="logits")
            if model.has_score:
                self._score(logits)

    def _pool(self, x: str, real: str) -> str:
        """Reduce [B, T, D] to [B, D] over the real tokens."""
        graph = self.graph
        if self.model.pooling == "cls":
            return graph.op("Squeeze", self._first(x), graph.constant("axis_1", [1]))
        if self.model.pooling == "last" and self.model.pad_token_id is not None:
            pad = graph.constant("pad_token", np.array(self.model.pad_token_id, dtype=np.int64))
            real = graph.op("And", real, graph.op("Not", graph.op("Equal", "input_ids", pad)))
        taken = self._last(real) if self.model.pooling == "last" else real
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
        """Return [B, n]."""
        if self.model.head == "linear":
            return self.graph.linear(pooled, "head.weight", "head.bias")
        inner = pooled if self.model.pooling == "late" else self._hidden(pooled)
        return self.graph.linear(inner, "head.1.weight", "head.1.bias")

    def _hidden(self, x: str) -> str:
        """Return what the first layer of an mlp head makes of states: [..., D] → [..., M]."""
        inner = self.layers.activation(self.graph.linear(x, "head.0.weight", "head.0.bias"), self.model.head_act)
        return self.layers.norm(inner, "head.norm") if self.model.head_norm else inner

    def _score(self, logits: str) -> None:
        """Write the one number that the outputs [B, n] make."""
        graph, model = self.graph, self.model
        if model.score in ("softmax", "expectation"):
            values = graph.op("Softmax", logits, axis=-1)
        else:
            values = graph.op("Sigmoid", logits) if model.score == "sigmoid" else logits
        if model.score == "expectation":
            weights = model.score_values or tuple(float(index) for index in range(model.num_labels))
            graph.op("MatMul", values, graph.constant("score_values", np.array(weights, np.float32)), output="score")
        else:
            index = graph.constant("score_index", np.array(model.score_index or 0, dtype=np.int64))
            graph.op("Gather", values, index, axis=1, output="score")
