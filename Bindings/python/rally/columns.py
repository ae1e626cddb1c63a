"""Columns of Arrow tables as texts, token ids and names, whatever type a framework hands over. Needs pyarrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .content import ContentError


def plain(column: Any) -> Any:
    """The column without the types that only say how its values are stored.

    Dictionaries (pandas' categories) and runs are decoded, views become what they view, and of an extension type stays
    what it stores: a tensor of one dimension is a list, fixed or ragged, in Arrow's form or in Ray's.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    while True:
        kind = column.type
        if isinstance(column, pa.ExtensionArray) and not _is_uuid(kind):
            column = column.storage
        elif pa.types.is_dictionary(kind):
            column = column.dictionary_decode()
        elif pa.types.is_run_end_encoded(kind):
            column = pc.run_end_decode(column)
        elif pa.types.is_struct(kind) and {field.name for field in kind} == {"data", "shape"}:
            column = pc.struct_field(column, "data")
        elif pa.types.is_string_view(kind):
            column = column.cast(pa.large_string())
        elif _is_binary_view(kind):
            column = column.cast(pa.large_binary())
        else:
            return column


def texts(column: Any) -> list[Any]:
    """Each text as its bytes, which may be no UTF-8; None for a null.

    Raises
    ------
    ContentError
        The column holds something else.
    """
    column = plain(column)
    if pa.types.is_null(column.type):
        return [None] * len(column)
    if not is_text(column.type):
        raise ContentError(f"expected a column of texts, found {column.type}")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())  # to_pylist of strings refuses all for one bad byte
    found: list[Any] = column.to_pylist()
    return found


def id_lists(column: Any) -> list[Any]:
    """Each list of token ids as an array, as a list where a null is among them; None for a null.

    Raises
    ------
    ContentError
        The column holds something else.
    """
    column = plain(column)
    if pa.types.is_null(column.type):
        return [None] * len(column)
    inner = _inner(column.type)
    if inner is None or not (pa.types.is_integer(inner) or pa.types.is_null(inner)):
        raise ContentError(f"expected a column of lists of token ids, found {column.type}")
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    flat = plain(pc.list_flatten(column))
    if flat.null_count or pa.types.is_null(flat.type):
        return column.to_pylist()  # type: ignore[no-any-return]
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(np.where(valid, lengths, 0))])
    numbers = flat.to_numpy()
    return [numbers[ends[at] : ends[at + 1]] if valid[at] else None for at in range(len(column))]


def names(column: Any) -> list[Any]:
    """Values as Python has them; strings as bytes."""
    column = plain(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    found: list[Any] = column.to_pylist()
    return found


def is_text(kind: Any) -> bool:
    """Whether a type without wrapping holds texts."""
    types = pa.types
    checks = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, types.is_null)
    return any(check(kind) for check in checks) or types.is_string_view(kind) or _is_binary_view(kind)


def bare_type(kind: Any) -> Any:
    """The type that `plain` leaves of a column of this one."""
    return plain(pa.nulls(0, kind)).type


def _inner(kind: Any) -> Any:
    types = pa.types
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    views = types.is_list_view(kind) or types.is_large_list_view(kind)
    if not (lists or views):
        return None
    inner = kind.value_type
    return inner.value_type if types.is_dictionary(inner) else inner


def _is_uuid(kind: Any) -> bool:
    return getattr(kind, "extension_name", "") == "arrow.uuid"


def _is_binary_view(kind: Any) -> bool:
    return bool(pa.types.is_binary_view(kind))
