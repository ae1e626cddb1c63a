"""DeBERTa's attention as graph pieces: content against content, content against distance, and distance against content.

In shapes: B batch, T tokens, H heads, K head width, P position buckets to each side.
"""

from __future__ import annotations

import math

import numpy as np

from rally.modelfile.graph import GraphBuilder
from rally.modelfile.rater import Rater
from rally.modelfile.tensors import Array


def bucket(distance: int, buckets: int, longest: int) -> int:
    """Return the row of a table of 2P distances that stands for ``query - key``.

    Distances up to half of ``buckets`` have a row of their own, longer ones share them by their logarithm; where
    ``longest`` is 0 none share. In the f32 arithmetic of `transformers`, each step rounded once.
    """
    single, middle = np.float32, buckets // 2
    size = abs(distance)
    if longest and size > middle:
        ratio = single(math.log(single(size) / single(middle))) / single(math.log(single((longest - 1) / middle)))
        size = math.ceil(single(ratio) * single(middle - 1)) + middle
    return min(max((size if distance >= 0 else -size) + buckets, 0), 2 * buckets - 1)


def buckets_of_all_distances(model: Rater) -> Array:
    """Return [2·max_position_embeddings − 1] int64: the rows of the distances −(max − 1) … max − 1."""
    longest = model.max_position_embeddings
    arguments = model.position_buckets, model.max_relative_positions
    return np.array([bucket(distance, *arguments) for distance in range(1 - longest, longest)], dtype=np.int64)


class Disentangled:
    """Adds what depends on distances to attention scores.

    Parameters
    ----------
    graph : GraphBuilder
        Where the nodes go.
    model : Rater
        With ``positions = disentangled``.
    index : str
        [T] int64, 0 … T−1.
    """

    def __init__(self, graph: GraphBuilder, model: Rater, index: str) -> None:
        self.graph = graph
        self.model = model
        with graph.scope("distances"):
            queries = graph.op("Unsqueeze", index, graph.constant("axis_1", [1]))
            keys = graph.op("Unsqueeze", index, graph.constant("axis_0", [0]))
            first = graph.constant("longest_distance", np.array(model.max_position_embeddings - 1, dtype=np.int64))
            table = graph.constant("distance_buckets", buckets_of_all_distances(model))
            distances = graph.op("Sub", queries, keys)
            #: [T, T] int64: the row of each query's distance to each key, and the same with keys first.
            self.rows = graph.op("Gather", table, graph.op("Add", distances, first), axis=0)
            self.turned = graph.op("Transpose", self.rows, perm=[1, 0])

    @property
    def scale(self) -> float:
        """What products of queries and keys are multiplied by: 1/√(K · kinds of score)."""
        return float((self.model.head_dim * (1 + len(self.model.pos_att_type))) ** -0.5)

    def add(self, scores: str, queries: str, keys: str, pos_k: str | None, pos_q: str | None) -> str:
        """Return scores [B, H, 1, T, T] with the terms of distance.

        ``queries`` [B, H, 1, T, K] are scaled already, ``keys`` [B, H, 1, T, K] are not. ``pos_k`` and ``pos_q`` name
        tensors [2P, H·K], None for a kind that the model has not.
        """
        graph = self.graph
        if pos_k:
            scores = graph.op("Add", scores, self._gather(queries, pos_k, self.rows))
        if pos_q:
            scale = graph.constant("attention_scale", self.scale)
            found = graph.op("Mul", self._gather(keys, pos_q, self.turned), scale)
            scores = graph.op("Add", scores, graph.op("Transpose", found, perm=[0, 1, 2, 4, 3]))
        return scores

    def _gather(self, heads: str, table: str, rows: str) -> str:
        """Return ``heads[t] · table[rows[t, u]]`` [B, H, 1, T, T]."""
        graph, model = self.graph, self.model
        shape = [2 * model.position_buckets, model.num_attention_heads, model.head_dim]
        split = graph.op("Reshape", graph.weight(table), graph.constant("distance_heads", shape))
        table = graph.op("Unsqueeze", graph.op("Transpose", split, perm=[1, 2, 0]), graph.constant("axis_1", [1]))
        products = graph.op("MatMul", heads, table)  # [B, H, 1, T, 2P]
        sizes = graph.op("Shape", products, start=0, end=3)
        full = graph.op("Concat", sizes, graph.op("Shape", rows), axis=0)
        return graph.op("GatherElements", products, graph.op("Expand", rows, full), axis=-1)
