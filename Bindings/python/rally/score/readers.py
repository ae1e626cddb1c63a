"""Rows of a file, one after the other, from any row on."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import RallyError, Status
from .arrow_files import partitions, table_rows
from .inputs import InputFile, is_local
from .lines import line_rows
from .rows import Columns, Lost, Row


def read_rows(
    file: InputFile, columns: Columns, row: int = 0, offset: int = 0, gaps: int = 0, is_tokens: bool = False
) -> Iterator[Row | Lost]:
    """The rows of a file from number `row` on, which begins `offset` bytes into the unpacked file after `gaps` gaps.

    What is damaged is given as `Lost`, and reading goes on after it where it can.

    Raises
    ------
    RallyError
        IO: the file cannot be read now; another time it may.
    """
    try:
        if file.kind in ("parquet", "arrow"):
            yield from table_rows(file, columns, row, is_tokens)
        else:
            known = partitions(file.path)
            for found in line_rows(file, columns, row, offset, gaps):
                yield _completed(found, columns, known) if known and isinstance(found, Row) else found
    except OSError as error:
        raise RallyError(Status.IO, f"{file.path}: {error.strerror or error}") from error
    except Exception as error:
        if is_local(file.path) or isinstance(error, RallyError):
            raise
        raise RallyError(Status.IO, f"{file.path}: {type(error).__name__}: {error}") from error  # of the store's client


def _completed(row: Row, columns: Columns, known: dict[str, str | None]) -> Row:
    """The row with what the names of its folders say."""
    identity = known.get(columns.id) if row.id is None and columns.id else row.id
    source = known.get(columns.source) if row.source is None and columns.source else row.source
    extra = tuple(
        known.get(name) if value is None else value for name, value in zip(columns.extra, row.extra, strict=False)
    )
    return row._replace(id=identity, source=source, extra=extra)
