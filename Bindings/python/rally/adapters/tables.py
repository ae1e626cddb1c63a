"""Arrow tables in, the same tables with scores out: the language that Ray, Spark, datasets and NeMo Curator share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from ..columns import id_lists, names, texts
from ..content import ContentError
from ..errors import RallyError, Status
from ..scorer import Scorer
from .rating import Document, DocumentRater, Reading


class Columns(Reading, total=False):
    """Keyword arguments of the adapters that read tables, besides those of `Reading`.

    Attributes
    ----------
    text : str
        The column of texts; default "text". ``metadata.text`` is one within a column of objects.
    tokens : str, optional
        A column of lists of token ids, read instead of texts. A text is what the scorer's tokenizer makes of it.
    """

    text: str
    tokens: str | None


class TableRater:
    """Adds what a rater says to Arrow tables; a value that can be pickled, and a function of a table.

    The columns ``score`` (float32, null where a document is missing, empty, or no text and no ids), ``token_count``,
    ``windows`` (int64) and ``coverage`` (float32) come after the others. Columns of these names are replaced.

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
    def label(self) -> str:
        """What a distribution of the scores is labelled with; see `DocumentRater.label`."""
        return self._rater.label

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
        documents = self._documents(table)
        ratings = self._rater.rate(documents, self._members(table))
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

    def _members(self, table: pa.Table) -> dict[str, list[Any]]:
        """What the rater's template takes of a row besides its text; a dot leads into a column of objects."""
        if self._tokens is not None:
            return {}
        where = ", which stands in the rater's template,"
        return {name: names(self._member(table, name, where)) for name in self._rater.members}

    def _member(self, table: pa.Table, name: str, where: str = ",") -> Any:
        """A column, or one within a column of objects."""
        first, _, rest = name.partition(".")
        if table.column_names.count(name) == 1:
            return table.column(name)
        if rest and table.column_names.count(first) == 1:
            try:
                return pc.struct_field(table.column(first), rest.split("."))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError, TypeError):
                pass
        found = ", ".join(map(repr, table.column_names))
        message = f"{name!r}: expected a column of this name{where} found {found}"
        raise RallyError(Status.INVALID_ARGUMENT, message)

    def _documents(self, table: pa.Table) -> list[Document]:
        column = self._member(table, self.column)
        try:
            read = texts if self._tokens is None else id_lists
            documents: list[Document] = read(column)
        except ContentError as error:
            raise RallyError(Status.INVALID_ARGUMENT, f"{self.column!r}: {error}") from None
        return documents
