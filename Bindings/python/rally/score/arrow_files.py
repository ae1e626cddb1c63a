"""Rows of Parquet files and of Arrow's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..columns import bare_type, id_lists, is_text, names, texts
from ..content import ContentError
from .inputs import InputFile, open_input
from .rows import Columns, Lost, Row

#: Bytes that are read at once.
_CHUNK = 1 << 20

#: Rows that are decoded at once.
_ROWS = 64

#: What pyarrow raises for what is no such file, or a damaged one.
BROKEN = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowKeyError, EOFError, OSError)


def table_rows(file: InputFile, columns: Columns, row: int, is_tokens: bool) -> Iterator[Row | Lost]:
    """The rows from number `row` on."""
    with closing(open_input(file)) as stored:
        if file.kind == "parquet":
            yield from _parquet(stored, file, columns, row, is_tokens)
        else:
            yield from _arrow(stored, file, columns, row, is_tokens)


def schema_problem(schema: Any, columns: Columns, is_tokens: bool, path: str) -> str | None:
    """Why no row of a table with these columns can be rated."""
    known = partitions(path)
    for name in columns.wanted:
        field = _field(schema, name)
        if field is None and schema.names.count(name.split(".")[0]) > 1:
            return f"more than one column {name!r}"
        if field is None and (name == columns.content or name not in known):
            if name != columns.content and name not in columns.extra:
                continue  # a document without a name, or a source, has a text
            return f"no column {name!r}; there are {', '.join(schema.names) or 'none'}"
    if columns.content is None:
        return None
    kind = bare_type(_field(schema, columns.content).type)
    if not (_is_ids(kind) if is_tokens else is_text(kind)):
        expected = "lists of token ids" if is_tokens else "text"
        return f"column {columns.content!r}: expected {expected}, found {kind}"
    return None


def partitions(path: str) -> dict[str, str | None]:
    """Columns that stand in the names of folders: ``lang=en``."""
    found: dict[str, str | None] = {}
    for part in path.split("/")[:-1]:
        name, equals, value = part.partition("=")
        if equals and name:
            found[unquote(name)] = None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value)
    return found


def row_count(file: InputFile) -> tuple[Any, int | None]:
    """Schema and number of rows, as far as that is known without reading all."""
    with closing(open_input(file)) as stored:
        if file.kind == "parquet":
            table = pq.ParquetFile(stored, pre_buffer=False)
            return table.schema_arrow, table.metadata.num_rows
        return open_arrow(stored)[0], None


def _is_ids(kind: Any) -> bool:
    try:
        id_lists(pa.nulls(0, kind))
    except ContentError:
        return False
    return True


def _field(schema: Any, name: str) -> Any:
    """The field of a column, or of one within a column; None where there is none, or more than one."""
    if name in schema.names:
        return schema.field(name) if schema.names.count(name) == 1 else None
    first, *rest = name.split(".")
    if schema.names.count(first) != 1 or not rest:
        return None
    field = schema.field(first)
    for part in rest:
        if not pa.types.is_struct(field.type) or field.type.get_field_index(part) < 0:
            return None
        field = field.type.field(part)
    return field


# Parquet


def _parquet(stored: Any, file: InputFile, columns: Columns, row: int, is_tokens: bool) -> Iterator[Row | Lost]:
    try:
        table = pq.ParquetFile(stored, pre_buffer=False, buffer_size=_CHUNK)
    except BROKEN as error:
        _raise_if_of_the_disk(error)
        yield Lost(row, _broken(error))
        return
    total = table.metadata.num_rows
    if total == 0:
        return  # whatever its columns are: nothing is missing
    problem = schema_problem(table.schema_arrow, columns, is_tokens, file.path)
    if problem is not None:
        yield Lost(row, problem, total - row)
        return
    wanted = [name for name in columns.wanted if _field(table.schema_arrow, name) is not None]
    start = 0
    for group in range(table.metadata.num_row_groups):
        end = start + table.metadata.row_group(group).num_rows
        if end > row:
            number = start
            try:
                for batch in table.iter_batches(_ROWS, row_groups=[group], columns=wanted, use_threads=False):
                    for found in _batch_rows(batch, columns, number, max(row - number, 0), is_tokens, file.path):
                        yield found._replace(read=file.size * (found.number + 1) // max(total, 1))
                    number += len(batch)
            except BROKEN as error:
                _raise_if_of_the_disk(error)
                begin = max(number, row)
                yield Lost(begin, f"row group {group}: {_broken(error)}", end - begin, False)
        start = end


# Arrow


def open_arrow(stored: Any) -> tuple[Any, Iterator[Any]]:
    """Schema and batches of a stream, or of a file."""
    head = stored.read(6)
    stored.seek(0)
    if head == b"ARROW1":
        reader = pa.ipc.open_file(pa.PythonFile(stored, "r"))
        return reader.schema, (reader.get_batch(index) for index in range(reader.num_record_batches))
    stream = pa.ipc.open_stream(pa.PythonFile(stored, "r"))
    return stream.schema, iter(stream)


def _arrow(stored: Any, file: InputFile, columns: Columns, row: int, is_tokens: bool) -> Iterator[Row | Lost]:
    number = 0
    try:
        schema, batches = open_arrow(stored)
        problem = schema_problem(schema, columns, is_tokens, file.path)
        if problem is not None:
            yield Lost(row, problem)
            return
        for batch in batches:
            for start in range(0, len(batch), _ROWS):
                part = batch.slice(start, _ROWS)
                if number + len(part) > row:
                    for found in _batch_rows(part, columns, number, max(row - number, 0), is_tokens, file.path):
                        yield found._replace(read=stored.tell())
                number += len(part)
    except BROKEN as error:
        _raise_if_of_the_disk(error)
        yield Lost(max(number, row), _broken(error))


def _batch_rows(batch: Any, columns: Columns, number: int, skip: int, is_tokens: bool, path: str) -> Iterator[Row]:
    if skip >= len(batch):
        return
    batch = batch.slice(skip)
    known = partitions(path)
    content = [None] * len(batch)
    if columns.content is not None:
        content = (id_lists if is_tokens else texts)(_column(batch, columns.content))
    named = [_names(batch, name, known) for name in (columns.id, columns.source)]
    extra = [_names(batch, name, known) for name in columns.extra]
    for place, (text, identity, source, *more) in enumerate(zip(content, *named, *extra, strict=True), number + skip):
        yield Row(place, text, identity, source, extra=tuple(more))


def _names(batch: Any, name: str | None, known: dict[str, str | None]) -> list[Any]:
    if name is None:
        return [None] * len(batch)
    column = _column(batch, name)
    return [known.get(name)] * len(batch) if column is None else names(column)


def _column(batch: Any, name: str) -> Any:
    """A column, or one within a column; None where there is none."""
    if name in batch.schema.names:
        return batch.column(name)
    first, *rest = name.split(".")
    if first not in batch.schema.names:
        return None
    column = batch.column(first)
    return pc.struct_field(column, rest) if rest and _field(batch.schema, name) is not None else None


def _raise_if_of_the_disk(error: BaseException) -> None:
    """What pyarrow cannot decode is an OSError without a number."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error


def _broken(error: BaseException) -> str:
    return f"damaged: {next(iter(str(error).splitlines()), type(error).__name__)}"
