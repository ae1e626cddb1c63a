"""Rows of token ids as the library takes them: end to end in one array, never padded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import RallyError, Status

Tokens: TypeAlias = npt.NDArray[np.int32]
Offsets: TypeAlias = npt.NDArray[np.uintp]
Row: TypeAlias = Sequence[int] | npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of any lengths: row i is ``tokens[offsets[i]:offsets[i + 1]]``.

    Whatever takes rows takes a `Rows` without copying, so a corpus that is already laid out like this
    (Arrow lists, a memory-mapped file) passes through as it is.

    Attributes
    ----------
    tokens : ndarray, shape [N], int32
    offsets : ndarray, shape [row_count + 1], uintp
        Ascending from 0 to N.
    """

    tokens: Tokens
    offsets: Offsets

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", _narrow(np.asarray(self.tokens), "tokens"))
        object.__setattr__(self, "offsets", _offsets(np.asarray(self.offsets), self.tokens.size))

    def __len__(self) -> int:
        return max(self.offsets.size - 1, 0)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens per row, [row_count] int64."""
        return row_lengths(self.offsets)

    @classmethod
    def pack(cls, rows: Rows | Sequence[Row] | npt.NDArray[Any]) -> Rows:
        """Lays rows end to end.

        Parameters
        ----------
        rows : Rows, sequence of rows, or ndarray [row_count, T]
            A row is a sequence of integers or a one-dimensional array of any integer type.

        Raises
        ------
        RallyError
            INVALID_ARGUMENT for what is not rows of integers, INVALID_TOKEN for a number beyond int32: ids are never
            wrapped. Whether ids lie in the vocabulary is for the engine to say.
        """
        if isinstance(rows, Rows):
            return rows
        if isinstance(rows, np.ndarray) and rows.ndim == 2:
            count, length = rows.shape
            return cls(_narrow(rows.reshape(-1), "rows"), np.arange(count + 1, dtype=np.uintp) * np.uintp(length))
        if isinstance(rows, (str, bytes)) or not hasattr(rows, "__iter__"):
            raise RallyError(
                Status.INVALID_ARGUMENT, f"rows: expected a list of rows of token ids, found {type(rows).__name__}"
            )
        arrays = [_one_row(row, index) for index, row in enumerate(rows)]
        offsets = np.zeros(len(arrays) + 1, dtype=np.uintp)
        np.cumsum([array.size for array in arrays], out=offsets[1:], dtype=np.uintp)
        if len({array.dtype for array in arrays}) > 1:  # NumPy would make floats of int64 alongside uint64
            arrays = [_narrow(array, f"row {index}") for index, array in enumerate(arrays)]
        tokens = arrays[0] if len(arrays) == 1 else np.concatenate(arrays) if arrays else np.empty(0, np.int32)
        return cls(_narrow(tokens, "rows", offsets), offsets)


def _one_row(row: Any, index: int) -> npt.NDArray[Any]:
    if isinstance(row, (str, bytes)) or not hasattr(row, "__len__"):
        found = type(row).__name__
        raise RallyError(
            Status.INVALID_ARGUMENT, f"row {index}: expected a sequence of token ids, found {found}; one row is [row]"
        )
    try:
        array = np.asarray(row)
        if array.dtype.kind == "f" and all(isinstance(value, int) for value in row):  # NumPy's answer to [1, 2**63]
            array = np.asarray(row, dtype=object)
    except (ValueError, OverflowError, TypeError) as error:
        raise RallyError(
            Status.INVALID_ARGUMENT, f"row {index}: expected a flat sequence of integers ({error})"
        ) from None
    if array.ndim != 1:
        raise RallyError(Status.INVALID_ARGUMENT, f"row {index}: expected one dimension, found shape {array.shape}")
    if array.dtype == object and (place := next((at for at, each in enumerate(row) if each is None), None)) is not None:
        raise RallyError(Status.INVALID_ARGUMENT, f"row {index}: expected integers, found null at place {place}")
    return array if array.size else np.empty(0, np.int32)


def _narrow(array: npt.NDArray[Any], name: str, offsets: Offsets | None = None) -> Tokens:
    """`array` as contiguous, aligned int32, itself where it is that already."""
    if array.ndim != 1:
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected one dimension, found shape {array.shape}")
    if array.dtype == np.int32:
        return np.require(array, np.int32, ["C", "A"])
    if array.size == 0:
        return np.empty(0, np.int32)
    huge = array.dtype == object and all(isinstance(value, int) for value in array)
    if array.dtype.kind not in "iu" and not huge:
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected integers, found {array.dtype}")
    limits = np.iinfo(np.int32)
    if array.min() < limits.min or array.max() > limits.max:
        index = int(np.argmax((array < limits.min) | (array > limits.max)))
        place = f"{name}, token {index}"
        if offsets is not None:
            row = int(np.searchsorted(offsets, index, side="right")) - 1
            place = f"row {row}, token {index - int(offsets[row])}"
        raise RallyError(Status.INVALID_TOKEN, f"{place}: {array[index]} is no token id, it does not even fit 32 bits")
    return array.astype(np.int32)


def _offsets(array: npt.NDArray[Any], token_count: int) -> Offsets:
    """`array` as the contiguous, aligned uintp that the library takes; it reads tokens by them, so they must fit."""
    fits = array.ndim == 1 and array.size > 0 and array.dtype.kind in "iu"
    if not fits or array[0] != 0 or array[-1] != token_count or bool((array[1:] < array[:-1]).any()):
        raise RallyError(
            Status.INVALID_ARGUMENT,
            f"offsets: expected integers ascending from 0 to {token_count}, the number of tokens",
        )
    return np.require(array, np.uintp, ["C", "A"])


def listed(rows: Any) -> Any:
    """A column of texts as the list that it stands for: of NumPy, pandas or Arrow, or a generator; else `rows` itself."""
    if isinstance(rows, np.ndarray):
        return rows.tolist() if rows.dtype.kind in "UST" or (rows.dtype == object and rows.ndim == 1) else rows
    if isinstance(rows, (Rows, list, tuple, str, bytes)):
        return rows
    for name in ("to_pylist", "to_list", "tolist"):  # of Arrow, of pandas and polars, of others
        if callable(turn := getattr(rows, name, None)):
            return turn()
    return list(rows) if isinstance(rows, Iterable) and not hasattr(rows, "__array__") else rows


def row_lengths(offsets: Offsets) -> npt.NDArray[np.int64]:
    """What lies between neighbouring offsets, [n] int64."""
    ends = offsets.astype(np.int64)
    return ends[1:] - ends[:-1]


def split(array: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Cuts the first axis into views of these lengths."""
    return np.split(array, np.cumsum(lengths)[:-1]) if len(lengths) else []


def is_integer(value: Any) -> bool:
    """Whether this is one number (arrays have an ``__index__`` too)."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def integer(name: str, value: Any, low: int, high: int) -> int:
    """`value` as an integer that C will not wrap.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT.
    """
    if not is_integer(value) or not low <= int(value) <= high:
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected an integer in [{low}, {high}], found {value!r}")
    return int(value)


def choice(name: str, value: Any, choices: dict[Any, int]) -> int:
    """The number that a name stands for.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT.
    """
    if not isinstance(value, (str, bool, type(None))) or value not in choices:
        expected = ", ".join(map(repr, choices))
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected one of {expected}, found {value!r}")
    return choices[value]


def check_names(given: Iterable[str], known: type) -> None:
    """Refuses keyword arguments that a TypedDict does not have.

    Raises
    ------
    TypeError
    """
    names = known.__annotations__
    for name in given:
        if name not in names:
            raise TypeError(f"unexpected keyword argument {name!r}; expected {', '.join(names)}")
