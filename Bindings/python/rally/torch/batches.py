"""Batches as collate functions make them: their rows, their tokens, some of the rows, several batches in one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import RallyError, Status
from ..rows import Rows

TOKENS, MASK = "input_ids", "attention_mask"
# What stands alongside a row that is shorter than its neighbours, as `transformers` has it.
PADDING = {MASK: 0, "token_type_ids": 0, "position_ids": 0, "labels": -100}


def row_count(batch: Any) -> int:
    """Rows of a batch.

    A batch is a tensor or array [B, ...], a mapping of columns, a tuple or list of columns whose first is [B, T], or
    a list of rows. A column is a tensor, an array or a list with one entry per row.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: it is nothing of this kind, or its columns differ in length.
    """
    columns = _columns(batch)
    if columns is None:
        return len(batch)
    counts = {name: _length(column, name) for name, column in columns}
    if len(set(counts.values())) != 1:
        described = ", ".join(f"{name} {count}" for name, count in counts.items()) or "no columns"
        raise RallyError(Status.INVALID_ARGUMENT, f"batch: expected columns of as many rows, found {described}")
    return next(iter(counts.values()))


def token_rows(batch: Any) -> Rows | list[str]:
    """What a rater reads of a batch: without what the attention mask leaves out; texts where the rows are texts.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: there are no token ids; whatever `Rows.pack` raises.
    """
    mask = None
    if isinstance(batch, Mapping):
        if TOKENS not in batch:
            found = ", ".join(map(str, batch)) or "nothing"
            raise RallyError(Status.INVALID_ARGUMENT, f"batch: expected a column {TOKENS!r}, found {found}")
        mask = batch.get(MASK)
        batch = batch[TOKENS]
    elif _is_columns(batch):
        batch = batch[0]
    if isinstance(batch, (list, tuple)) and batch and all(isinstance(row, str) for row in batch):
        return list(batch)
    ids = _array(batch)
    if mask is None:
        return Rows.pack(ids)
    seen = np.asarray(_array(mask)).astype(bool)
    offsets = np.zeros(len(seen) + 1, np.uintp)
    np.cumsum(seen.sum(axis=1), out=offsets[1:], dtype=np.uintp)
    return Rows(np.asarray(ids)[seen], offsets)


def select(batch: Any, indices: Sequence[int]) -> Any:
    """Some rows of a batch, as a batch of the same kind."""
    return _mapped(batch, lambda name, column: _taken(column, indices))


def join(batches: Sequence[Any], padding: int | None = None) -> Any:
    """Several batches of one kind in one.

    Parameters
    ----------
    batches : sequence
        One at least.
    padding : int, optional
        Token id after rows that are shorter than their neighbours. The other columns of a mapping get what
        `transformers` puts there.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: rows of different lengths and no padding.
    """
    first = batches[0]
    if len(batches) == 1:
        return first
    sources = [dict(_columns(batch) or [(TOKENS, batch)]) for batch in batches]
    fill = PADDING if padding is None else {**PADDING, TOKENS: padding, "0": padding}
    return _mapped(first, lambda name, column: _stacked([source[name] for source in sources], name, fill))


def _columns(batch: Any) -> list[tuple[str, Any]] | None:
    """Names and columns of a batch that has several; None where the batch is its rows."""
    if isinstance(batch, Mapping):
        return [(str(name), column) for name, column in batch.items()]
    if _is_columns(batch):
        return [(str(index), column) for index, column in enumerate(batch)]
    if isinstance(batch, (list, tuple)) or _length(batch, "batch") >= 0:
        return None
    raise AssertionError


def _is_columns(batch: Any) -> bool:
    return isinstance(batch, (list, tuple)) and len(batch) > 0 and getattr(batch[0], "ndim", 0) >= 2


def _length(column: Any, name: str) -> int:
    if isinstance(column, (str, bytes)) or not hasattr(column, "__len__") or getattr(column, "ndim", 1) == 0:
        found = type(column).__name__
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected one entry per row, found {found}")
    return len(column)


def _mapped(batch: Any, change: Callable[[str, Any], Any]) -> Any:
    """A batch of the same kind whose columns are changed."""
    if isinstance(batch, Mapping):
        changed: Any = copy.copy(batch)  # keeps what collate made: a dict, a BatchEncoding, …
        for name, column in batch.items():
            changed[name] = change(str(name), column)
        return changed
    if _is_columns(batch):
        columns = [change(str(index), column) for index, column in enumerate(batch)]
        return type(batch)(*columns) if hasattr(batch, "_fields") else type(batch)(columns)
    return change(TOKENS, batch)


def _taken(column: Any, indices: Sequence[int]) -> Any:
    if isinstance(column, torch.Tensor):
        return column[torch.as_tensor(indices, dtype=torch.long, device=column.device)]
    if isinstance(column, np.ndarray):
        return column[np.asarray(indices, np.intp)]
    return type(column)(column[index] for index in indices)


def _stacked(columns: list[Any], name: str, fill: Mapping[str, int]) -> Any:
    first = columns[0]
    if not isinstance(first, (torch.Tensor, np.ndarray)):
        return type(first)(row for column in columns for row in column)
    widths = {tuple(column.shape[1:]) for column in columns}
    if len(widths) > 1:
        columns = _padded(columns, name, fill)
    return torch.cat(columns) if isinstance(first, torch.Tensor) else np.concatenate(columns)


def _padded(columns: list[Any], name: str, fill: Mapping[str, int]) -> list[Any]:
    """Columns [B, T] brought to the longest T, on the right."""
    lengths = [column.shape[1] for column in columns if column.ndim == 2]
    if name not in fill or len(lengths) != len(columns):
        shapes = " and ".join(sorted({str(list(column.shape[1:])) for column in columns}))
        raise RallyError(
            Status.INVALID_ARGUMENT,
            f"{name}: rows of shapes {shapes} cannot stand in one batch; collate to one length, or give padding= for"
            f" {TOKENS}",
        )
    longest, value = max(lengths), fill[name]
    return [_filled(column, longest, value) for column in columns]


def _filled(column: Any, length: int, value: int) -> Any:
    missing = length - column.shape[1]
    if isinstance(column, torch.Tensor):
        return torch.nn.functional.pad(column, (0, missing), value=value)
    return np.pad(column, ((0, 0), (0, missing)), constant_values=value)


def _array(values: Any) -> Any:
    """What NumPy makes of tensors, row by row where they are a list."""
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, (list, tuple)):
        return [_array(value) if isinstance(value, torch.Tensor) else value for value in values]
    return np.asarray(values)


def entries(column: Any) -> Iterable[Any]:
    """The entries of a column as plain Python values."""
    return column.tolist() if hasattr(column, "tolist") else list(column)
