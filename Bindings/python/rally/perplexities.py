"""The perplexity of documents of any length, as the command and the scorer of corpora compute it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack, cast

import numpy as np
import numpy.typing as npt

from .errors import RallyError, Status
from .model import Model
from .rows import Row, Rows, integer, is_integer
from .run_options import RunOptions


def perplexity(
    model: Model,
    rows: Rows | Sequence[Row],
    window: int | None = None,
    stride: int | None = None,
    max_windows: int | None = None,
    *,
    selection: str = "threshold",
    max_depth: int | None = None,
    **how: Unpack[RunOptions],
) -> npt.NDArray[np.float32]:
    """exp of the mean negative log-probability of each document's tokens.

    A document is read in windows that begin `stride` tokens apart. Every token but the document's first is scored once, in the first
    window that contains it, from what stands before it there. Where `max_windows` leaves windows out, those that stay are spread
    evenly, and the tokens that they would score anyway are.

    Parameters
    ----------
    model : Model
        A language model.
    rows : list of rows
        Documents, as the model encodes them.
    window : int, optional
        Tokens of a window, at least 2; None, or more than that: the model's longest row.
    stride : int, optional
        At least 1 and less than the window; None: one less, so that each window scores all that it has but its first token, which
        the window before it scored. A smaller stride is slower and gives a lower, truer number.
    max_windows : int, optional
        Of one document, at least 1; None: all.
    selection, max_depth, **how
        As in `Model.forward`; `exit_from`, an int or one per document, counts the tokens of each window.

    Returns
    -------
    ndarray, shape [document_count], float32
        NaN for a document of one token, or none.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT for a window, a number of them or a stride outside of that. What `Model.logprobs` raises.
    """
    longest = model.info.max_position_embeddings
    length = longest if window is None else min(integer("window", window, 2, 2**63 - 1), longest)
    step = max(length - 1, 1) if stride is None else integer("stride", stride, 1, 2**63 - 1)
    if step >= max(length, 2):
        raise RallyError(
            Status.INVALID_ARGUMENT, f"stride: expected 1 to {length - 1}, less than a window, found {stride}"
        )
    if max_windows is not None:
        max_windows = integer("max_windows", max_windows, 1, 2**63 - 1)
    packed = Rows.pack(rows)
    exit_from = how.get("exit_from")
    starts = None if exit_from is None or is_integer(exit_from) else list(cast("Sequence[int]", exit_from))
    if starts is not None and len(starts) != len(packed):
        raise RallyError(
            Status.INVALID_ARGUMENT,
            f"exit_from: expected an int or one per document, {len(packed)}, found {len(starts)}",
        )
    pieces, owners, known = [], [], []
    for index, (start, end) in enumerate(zip(packed.offsets[:-1].tolist(), packed.offsets[1:].tolist(), strict=True)):
        for place in _starts(end - start, length, step, max_windows):
            pieces.append(packed.tokens[start + place : min(start + place + length, end)])
            owners.append(index)
            # Tokens that an earlier window contains; a window's first token is never scored in it.
            known.append(length - step if place else 1)
    found = np.full(len(packed), math.nan, np.float32)
    if not pieces:
        return found
    if starts is not None:
        how["exit_from"] = [starts[owner] for owner in owners]
    values_of = model.logprobs(pieces, selection, max_depth, **how)
    scored = [values[first - 1 :] for values, first in zip(values_of, known, strict=True)]
    sums = np.bincount(owners, [float(values.sum(dtype=np.float64)) for values in scored], len(packed))
    counts = np.bincount(owners, [values.size for values in scored], len(packed))
    some = counts > 0
    with np.errstate(over="ignore"):  # a model that is sure of the wrong thing: infinite in float32
        found[some] = np.exp(-sums[some] / counts[some])
    return found


def _starts(count: int, length: int, step: int, limit: int | None) -> list[int]:
    """Where the windows of a document of `count` tokens begin."""
    if count < 2:
        return []
    every = 1 + max(0, -(-(count - length) // step))
    kept = min(every, every if limit is None else limit)
    return [(2 * index + 1) * every // (2 * kept) * step for index in range(kept)]
