"""What a graph computes from the number of tokens alone: places, rotations, and who sees whom.

In shapes: B batch, T tokens, G key-value heads, H query heads, K head width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from rally.modelfile.description import Description
from rally.modelfile.graph import GraphBuilder
from rally.modelfile.rope import plain_frequencies

#: Added to the scores of forbidden keys. Finite, so that a row in which everything is forbidden stays a number.
FORBIDDEN = -3.0e38


@dataclass(frozen=True)
class Rotation:
    """One table of rotary positions."""

    cos: str  # [T, K] f32
    sin: str  # [T, K] f32


@dataclass(frozen=True)
class Masks:
    """Score biases, broadcast to [B, G, H/G, T, T]: of layers that see every token, and of those with a window."""

    full: str
    sliding: str | None = None


class Positions:
    """Writes into a graph what depends only on the number of tokens.

    Attributes
    ----------
    index : str
        [T] int64, 0 … T−1.
    rotations : list of Rotation
        One per table of the model; empty without rotary positions.
    """

    def __init__(self, graph: GraphBuilder, model: Description) -> None:
        self.graph = graph
        self.model = model
        with graph.scope("positions"):
            shape = graph.op("Shape", "input_ids", start=1, end=2)
            count = graph.op("Squeeze", shape, graph.constant("axis_0", [0]))
            zero, one = (graph.constant(f"int_{value}", np.array(value, dtype=np.int64)) for value in (0, 1))
            self.index = graph.op("Range", zero, count, one)
            self.rotations = self._rotations() if model.positions == "rope" else []

    def _rotations(self) -> list[Rotation]:
        graph, model = self.graph, self.model
        if model.rope_tables:
            axis = graph.constant("axis_0", [0])
            tables = [
                (graph.op("Unsqueeze", f"rope.{place}.inv_freq", axis), table.attention_factor)
                for place, table in enumerate(model.rope_tables)
            ]
        else:
            plain = plain_frequencies(model.rope_theta, model.head_dim).astype(np.float32)
            tables = [(graph.constant("rope_frequencies", plain[None, :]), 1.0)]
        column = graph.op("Unsqueeze", self.index, graph.constant("axis_1", [1]))
        places = graph.op("Cast", column, to=TensorProto.FLOAT)  # [T, 1]
        return [self._rotation(places, *table) for table in tables]

    def _rotation(self, places: str, frequencies: str, factor: float) -> Rotation:
        graph = self.graph
        angles = graph.op("Mul", places, frequencies)  # [T, K/2]
        both = graph.op("Concat", angles, angles, axis=1)
        cos, sin = graph.op("Cos", both), graph.op("Sin", both)
        if factor == 1.0:
            return Rotation(cos, sin)
        scale = graph.constant(f"rope_factor_{factor!r}", factor)
        return Rotation(graph.op("Mul", cos, scale), graph.op("Mul", sin, scale))

    def causal(self) -> tuple[str, str]:
        """Return [T, T] bool: key ≤ query, key = query."""
        graph = self.graph
        with graph.scope("causal"):
            keys, queries = self._pairs()
            return graph.op("LessOrEqual", keys, queries), graph.op("Equal", keys, queries)

    def masks(self, allowed: str) -> Masks:
        """Return the score biases under which a query sees the ``allowed`` keys, bool, broadcast to [..., T, T]."""
        full = self._score_bias(allowed)
        if self.model.sliding_window is None:
            return Masks(full)
        return Masks(full, self._score_bias(self.graph.op("And", allowed, self._window(self.model.sliding_window))))

    def _window(self, width: int) -> str:
        """Return [T, T] bool: causal, the last ``width`` keys; else those at most ``width`` / 2 away."""
        graph = self.graph
        keys, queries = self._pairs()
        distance = graph.op("Sub", queries, keys)
        if not self.model.is_causal:
            distance = graph.op("Abs", distance)
        limit = width - 1 if self.model.is_causal else width // 2
        return graph.op("LessOrEqual", distance, graph.constant("window", np.array(limit, dtype=np.int64)))

    def _pairs(self) -> tuple[str, str]:
        """Return the places of keys [1, T] and queries [T, 1]."""
        graph = self.graph
        keys = graph.op("Unsqueeze", self.index, graph.constant("axis_0", [0]))
        return keys, graph.op("Unsqueeze", self.index, graph.constant("axis_1", [1]))

    def _score_bias(self, allowed: str) -> str:
        graph = self.graph
        return graph.op("Where", allowed, graph.constant("zero", 0.0), graph.constant("forbidden", FORBIDDEN))
