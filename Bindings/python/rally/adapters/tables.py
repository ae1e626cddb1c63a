"""Arrow tables in, the same tables with scores out: the language that Ray, Spark, datasets and NeMo Curator share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import RallyError, Status
from ..rows import Rows
from ..scorer import Scorer
from .rating import Document, DocumentRater, Reading


class Columns(Reading, total=False):
    """Keyword arguments of the adapters that read tables, beside those of `Reading`.

    Attributes
    ----------
    text : str
        The column of texts; default "text".
    tokens : str, optional
        A column of lists of token ids, read instead of texts. A text is what the scorer's tokenizer makes of it.
    """

    text: str
    tokens: str | None


class TableRater:
    """Adds what a rater says to Arrow tables; a value that can be pickled, and a function of a table.

    The columns ``score`` (float32, null where a document is missing or empty), ``token_count``, ``windows`` (int64)
    and ``coverage`` (float32) come behind the others. Columns of these names are replaced.

    Parameters
    ----------
    scorer : Scorer
    **how
        `Columns`.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: the column to read is one of those to be written.
    """

    types = (pa.float32(), pa.int64(), pa.int64(), pa.float32())
    """Of the columns that are added."""

    def __init__(self, scorer: Scorer, **how: Unpack[Columns]) -> None:
        rest: dict[str, Any] = {**how}
        self._text: str = rest.pop("text", "text")
        self._tokens: str | None = rest.pop("tokens", None)
        self._rater = DocumentRater(scorer, **rest)
        if self.column in self.names:
            raise RallyError(
                Status.INVALID_ARGUMENT, f"{self.column!r}: a column to read that would be replaced; give a suffix"
            )

    @property
    def column(self) -> str:
        """The column that is read."""
        return self._text if self._tokens is None else self._tokens

    @property
    def names(self) -> tuple[str, str, str, str]:
        """The columns that are added."""
        return self._rater.names

    @property
    def fingerprint(self) -> str:
        """Equal ones add equal columns to a table."""
        return f"{self._rater.fingerprint} {self._text!r} {self._tokens!r}"

    def open(self) -> None:
        """Opens the model in this process; the first table does so too."""
        _ = self._rater.scorer.model

    def __call__(self, table: pa.Table) -> pa.Table:
        """Rates the documents of a table.

        Raises
        ------
        RallyError
            INVALID_ARGUMENT: the column is not there, or holds something else. What `DocumentRater.rate` raises.
        """
        ratings = self._rater.rate(self._documents(table))
        missing = ~ratings.rated
        values = (ratings.score, ratings.token_count, ratings.windows, ratings.coverage)
        table = table.drop_columns([name for name in self.names if name in table.column_names])
        for place, (name, type_, value) in enumerate(zip(self.names, self.types, values, strict=True)):
            table = table.append_column(pa.field(name, type_), pa.array(value, type_, mask=None if place else missing))
        return table

    def batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same for a stream of record batches."""
        for batch in batches:
            yield from self(pa.Table.from_batches([batch])).to_batches()

    def _documents(self, table: pa.Table) -> Rows | list[Document]:
        if table.column_names.count(self.column) != 1:
            found = ", ".join(map(repr, table.column_names))
            raise RallyError(Status.INVALID_ARGUMENT, f"{self.column!r}: expected a column of this name, found {found}")
        column = table.column(self.column)
        if self._tokens is not None and _is_list(column.type):
            lengths = pc.fill_null(pc.list_value_length(column), 0)
            offsets = np.zeros(table.num_rows + 1, np.uintp)
            np.cumsum(lengths.to_numpy(), out=offsets[1:])
            return Rows(pc.list_flatten(column).to_numpy(), offsets)
        if self._tokens is None and _is_text(column.type):
            documents: list[Document] = column.to_pylist()
            return documents
        expected = "texts" if self._tokens is None else "lists of token ids"
        raise RallyError(
            Status.INVALID_ARGUMENT, f"{self.column!r}: expected a column of {expected}, found {column.type}"
        )


def _is_list(type_: pa.DataType) -> bool:
    lists = pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)
    return bool(lists and pa.types.is_integer(type_.value_type))


def _is_text(type_: pa.DataType) -> bool:
    strings = pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)
    return bool(strings or pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_null(type_))
