"""The rater's first weights: it begins as what can be computed of its task, and learns the rest.

A transformer that begins at random learns nothing from words in no order for more than a thousand updates: what stands
next to a word is one of many that its heads see. So two heads begin by looking one and two tokens back, the tokens' rows
hold the tables of ``neighbours``, and the first feed-forward layer multiplies them: a column of every token's state is how
well it follows its neighbour. A third head looks at all tokens alike, and another column is how much of the window is the
same token: lines that come again and again follow their neighbours well.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from model import Layer
from neighbours import RANKS, Counts
from rater import Rater, RaterShape

#: Where heads look, in tokens ahead; 0: everywhere.
OFFSETS = ((-1, -2, 0), (-1, 1, 0))
#: The column that all tokens share, in parts of the length of the others; norms change the less, the longer it is.
CONSTANT = 1.5
#: How sharply a head looks, and by how many of the fastest turning pairs.
SHARPNESS, FREQUENCIES = 5.0, 6
#: The head's first weight of the columns that say how well a token follows, and of repetition, which counts against it.
TRUST = 0.3
#: How large the column of repetition is, for a share of the window of 1.
AGAIN = 8.0


def begin(rater: Rater, counts: Counts, file: Path) -> None:
    """Set the first weights; ``file`` is rally-tiny, whose tokens fill the columns that are left."""
    shape, pairs = rater.shape, counts.pairs
    found = shape.width - 2 - len(pairs)  # the first of the columns that say how well a token follows
    places, own = columns_of(found)
    table = rater.embed_tokens.weight.data
    table.zero_()
    for place, (offset, (before, after)) in enumerate(places.items()):
        table[:, before], table[:, after] = pairs[offset].before, pairs[offset].after
        # What the product below says of a token and itself is no news.
        table[:, found + place] = -(pairs[offset].before * pairs[offset].after).sum(1)
    table[:, own] = leading(tokens_of(file), counts.single, len(own))
    table[:, -2] = -AGAIN * (table[:, own] ** 2).sum(1)
    length = float(table[:, :found].norm(dim=1).quantile(0.99))  # frequent tokens have the longest rows
    table[:, -1] = CONSTANT * length
    scale = shape.width**0.5 / (length * (1 + CONSTANT**2) ** 0.5)  # of the first norm, about
    for layer, offsets in zip(rater.layers, OFFSETS, strict=False):
        for head, offset in enumerate(offsets):
            look(layer, head, offset, shape, float(scale * table[0, -1]))
    for layer in rater.layers:
        layer.self_attn.o_proj.weight.data[found:] = 0
        layer.mlp.down_proj.weight.data[found:] = 0
    first = rater.layers[0]
    first.self_attn.o_proj.weight.data[:found] = 0
    for place, (before, after) in enumerate(places.values()):
        copy(first, place, before, shape, float(1 / scale))
        multiply(first, int(min(before[0], after[0])), before, after, found + place, float(1 / scale**2))
        rater.head.weight.data[0, found + place] = TRUST
    copy(first, len(pairs), own, shape, float(1 / scale))
    multiply(first, int(own[0]), own, own, shape.width - 2, float(AGAIN / scale**2))
    first.self_attn.q_proj.weight.data[len(pairs) * shape.head_dim :] = 0
    rater.head.weight.data[0, -2] = -TRUST / 3


def columns_of(found: int) -> tuple[dict[int, tuple[torch.Tensor, torch.Tensor]], torch.Tensor]:
    """Return the columns of each offset's tables, before and after, and those that are left below ``found``."""
    first, places = 0, {}
    for offset, rank in RANKS.items():
        places[offset] = torch.arange(first + rank, first + 2 * rank), torch.arange(first, first + rank)
        first += 2 * rank
    return places, torch.arange(first, found)


def tokens_of(file: Path) -> torch.Tensor:
    """Return rally-tiny's rows of tokens, [V, D]."""
    (stored,) = (tensor for tensor in onnx.load(file).graph.initializer if tensor.name == "embed_tokens.weight")
    return torch.from_numpy(np.array(numpy_helper.to_array(stored)))


def leading(tokens: torch.Tensor, single: torch.Tensor, columns: int) -> torch.Tensor:
    """Return the leading principal components of rows as texts have them, [V, columns].

    Their mean is 0, no direction is longer than another, and each row's length is 1.
    """
    share = (single / single.sum())[:, None]
    centred = tokens - (share * tokens).sum(0)
    values, axes = torch.linalg.eigh(centred.T @ (share * centred))
    found = centred @ (axes[:, -columns:] / values[-columns:].sqrt())
    return found / found.norm(dim=1, keepdim=True)


def look(layer: Layer, head: int, offset: int, shape: RaterShape, constant: float) -> None:
    """Make a head look ``offset`` tokens ahead: its keys are its queries, turned; both come from the constant column."""
    rows = slice(head * shape.head_dim, (head + 1) * shape.head_dim)
    half = shape.head_dim // 2
    angle = offset * shape.rope_theta ** (-torch.arange(half) / half)
    strength = SHARPNESS / constant * (torch.arange(half) < FREQUENCIES)
    query, key = layer.self_attn.q_proj.weight.data[rows], layer.self_attn.k_proj.weight.data[rows]
    query *= 0.3
    key *= 0.3
    if offset:
        query[:, -1] = torch.cat([strength, torch.zeros(half)])
        key[:, -1] = torch.cat([strength * angle.cos(), -strength * angle.sin()])


def copy(layer: Layer, head: int, columns: torch.Tensor, shape: RaterShape, scale: float) -> None:
    """Make a head add columns of where it looks to the same columns."""
    rows = head * shape.head_dim + torch.arange(len(columns))
    layer.self_attn.v_proj.weight.data[rows] = 0
    layer.self_attn.v_proj.weight.data[rows, columns] = 1
    layer.self_attn.o_proj.weight.data[:, rows] = 0
    layer.self_attn.o_proj.weight.data[columns, rows] = scale


def multiply(layer: Layer, unit: int, left: torch.Tensor, right: torch.Tensor, column: int, scale: float) -> None:
    """Make units from ``unit`` on add the sum of products of columns to ``column``: silu(a) − silu(−a) is a."""
    gate, up, down = (
        projection.weight.data for projection in (layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj)
    )
    for sign, start in ((1, unit), (-1, unit + len(left))):
        units = start + torch.arange(len(left))
        for matrix in (gate, up):
            matrix[units] = 0
        gate[units, left] = sign
        up[units, right] = 1
        down[:, units] = 0
        down[column, units] = sign * scale
