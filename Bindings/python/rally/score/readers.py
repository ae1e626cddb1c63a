"""Rows of a file, one after the other, from any row on: JSON lines, plain lines, Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import RallyError, Status
from .inputs import InputFile, open_input

#: Bytes that are read at once.
_CHUNK = 1 << 20

#: Bytes of a line; what is longer would not be a document but a file without ends of lines.
LONGEST_LINE = 1 << 28

#: Rows of a Parquet file that are decoded at once.
_PARQUET_ROWS = 64


class Columns(NamedTuple):
    """Names of the columns to read; None: not wanted."""

    content: str
    id: str | None
    source: str | None


class Row(NamedTuple):
    """One row as the file holds it, unchecked.

    Attributes
    ----------
    number : int
        From 0. A text's blank lines have numbers too, and are passed over.
    content, id, source : object
        What the columns hold; None: nothing.
    problem : str or None
        Why the row cannot be read.
    offset : int
        Bytes of the file, uncompressed, up to the next row; 0 for Parquet.
    read : int
        Bytes of the file, as stored, that were read so far. For the progress only.
    """

    number: int
    content: object = None
    id: object = None
    source: object = None
    problem: str | None = None
    offset: int = 0
    read: int = 0


class UnreadableError(Exception):
    """The rest of a file is not what its name says. What was read before is right."""


def read_rows(file: InputFile, columns: Columns, row: int = 0, offset: int = 0) -> Iterator[Row]:
    """The rows of a file from number `row` on, which begins `offset` bytes into the uncompressed file.

    Raises
    ------
    UnreadableError
        The file is broken from here on.
    RallyError
        IO: it cannot be read now; another time it may.
    """
    try:
        with closing(open_input(file)) as stored:
            if file.kind == "parquet":
                yield from _parquet(stored, file, columns, row)
            else:
                yield from _lines(stored, file, columns, row, offset)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, EOFError) as error:
        raise UnreadableError(_first_line(error)) from None
    except OSError as error:
        if type(error) is OSError and error.errno is None:  # how pyarrow says that what it decodes is broken
            raise UnreadableError(_first_line(error)) from None
        raise RallyError(Status.IO, f"{file.path}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


# Lines


def _lines(stored: Any, file: InputFile, columns: Columns, row: int, offset: int) -> Iterator[Row]:
    stream = stored
    if file.compression is not None:
        stream = pa.CompressedInputStream(pa.PythonFile(stored, "r"), file.compression)
        for _ in _blocks(stream, offset):
            pass
    else:
        stored.seek(offset)
    for number, (line, end) in enumerate(split_lines(stream, offset), row):
        read = end if file.compression is None else stored.tell()
        place: dict[str, Any] = {"number": number, "offset": end, "read": read}
        if line is None:
            yield Row(**place, problem=f"longer than {LONGEST_LINE} bytes")
        elif line.strip():
            content = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
            yield _json(content, columns, place) if file.kind == "json" else Row(content=content, **place)


def _blocks(stream: Any, count: int) -> Iterator[bytes]:
    """The next `count` bytes."""
    while count > 0 and (block := stream.read(min(count, _CHUNK))):
        count -= len(block)
        yield block


def split_lines(stream: Any, offset: int) -> Iterator[tuple[bytes | None, int]]:
    """Each line without its end, None for one that is too long, and the offset behind it."""
    held: list[bytes] = []
    length = 0
    while block := stream.read(_CHUNK):
        *ends, rest = block.split(b"\n")
        for end in ends:
            length += len(end)
            offset += length + 1
            held.append(end)
            line = b"".join(held)
            yield (line.removesuffix(b"\r") if length <= LONGEST_LINE else None), offset
            held, length = [], 0
        length += len(rest)
        held = [*held, rest] if length <= LONGEST_LINE else []
    if length:
        line = b"".join(held)
        yield (line.removesuffix(b"\r") if length <= LONGEST_LINE else None), offset + length


def _json(line: bytes, columns: Columns, place: dict[str, Any]) -> Row:
    try:
        found = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Row(**place, problem=f"not UTF-8: {error.reason} at byte {error.start}")
    except (ValueError, RecursionError) as error:
        return Row(**place, problem=f"not JSON: {_first_line(error)}")
    if not isinstance(found, dict):
        return Row(**place, problem=f"not a JSON object but {type(found).__name__}")
    identity = None if columns.id is None else found.get(columns.id)
    source = None if columns.source is None else found.get(columns.source)
    return Row(content=found.get(columns.content), id=identity, source=source, **place)


# Parquet


def _parquet(stored: Any, file: InputFile, columns: Columns, row: int) -> Iterator[Row]:
    table = pq.ParquetFile(stored, pre_buffer=False, buffer_size=_CHUNK)
    wanted = [name for name in columns if name is not None]
    for name in wanted:
        if name not in table.schema_arrow.names:
            raise UnreadableError(f"no column {name!r}; there are {', '.join(table.schema_arrow.names)}")
    total = max(table.metadata.num_rows, 1)
    number, groups = _groups_from(table.metadata, row)
    for batch in table.iter_batches(_PARQUET_ROWS, row_groups=groups, columns=wanted):
        values = [_values(batch.column(name)) if name is not None else [None] * len(batch) for name in columns]
        for index in range(max(row - number, 0), len(batch)):
            place = number + index
            read = file.size * (place + 1) // total
            yield Row(place, values[0][index], values[1][index], values[2][index], read=read)
        number += len(batch)


def _groups_from(metadata: Any, row: int) -> tuple[int, list[int]]:
    """The first row of the first row group that still has something to read, and the groups from there on."""
    number, group = 0, 0
    while group < metadata.num_row_groups and number + metadata.row_group(group).num_rows <= row:
        number += metadata.row_group(group).num_rows
        group += 1
    return number, list(range(group, metadata.num_row_groups))


def _values(column: Any) -> list[Any]:
    """Text as bytes, lists of integers as arrays, everything else as Python has it."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        binary: list[Any] = column.cast(
            pa.large_binary()
        ).to_pylist()  # to_pylist of a string refuses all for one bad byte
        return binary
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and pa.types.is_integer(kind.value_type):
        flat = column.values
        if flat.null_count == 0:
            numbers, ends = flat.to_numpy(), column.offsets.to_numpy()
            valid = column.is_valid().to_numpy(zero_copy_only=False)
            return [numbers[ends[at] : ends[at + 1]] if valid[at] else None for at in range(len(column))]
    values: list[Any] = column.to_pylist()
    return values
