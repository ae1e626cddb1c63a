"""Perplexity of documents of any length under a language model."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..model import Model
from ..rows import Rows


def perplexities(
    model: Model, rows: Rows, window: int | None = None, max_windows: int | None = None
) -> npt.NDArray[np.float32]:
    """exp of the mean negative log-probability of each document's tokens.

    A document is read in windows that share one token, so that every token but the first is predicted once, from what
    stands before it in its window. Where `max_windows` leaves windows out, those that stay are spread evenly.

    Parameters
    ----------
    model : Model
        A language model.
    rows : Rows
        Documents, as the model encodes them.
    window : int, optional
        Tokens of a window, at least 2; None: the model's longest row.
    max_windows : int, optional

    Returns
    -------
    ndarray, shape [document_count], float32
        NaN for a document of one token.
    """
    length = min(window or model.info.max_position_embeddings, model.info.max_position_embeddings)
    pieces, owners = [], []
    for index, (start, end) in enumerate(zip(rows.offsets[:-1].tolist(), rows.offsets[1:].tolist(), strict=True)):
        for place in _starts(end - start, length, max_windows):
            pieces.append(rows.tokens[start + place : min(start + place + length, end)])
            owners.append(index)
    found = np.full(len(rows), math.nan, np.float32)
    if not pieces:
        return found
    logprobs = model.logprobs(pieces)
    sums = np.bincount(owners, [float(values.sum(dtype=np.float64)) for values in logprobs], len(rows))
    counts = np.bincount(owners, [values.size for values in logprobs], len(rows))
    scored = counts > 0
    with np.errstate(over="ignore"):  # a model that is sure of the wrong thing: infinite in float32
        found[scored] = np.exp(-sums[scored] / counts[scored])
    return found


def _starts(count: int, length: int, limit: int | None) -> list[int]:
    """Where the windows of a document of `count` tokens begin."""
    if count < 2:
        return []
    step = max(length - 1, 1)
    every = -(-(count - 1) // step)
    kept = min(every, limit or every)
    return [(2 * index + 1) * every // (2 * kept) * step for index in range(kept)]
