"""The corpus as batches: what is rated and committed together, and where the next one begins.

The batches depend on the corpus and the settings alone, so a run that is killed and goes on cuts the very same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import RallyError, Status
from .documents import Document, DocumentMaker, Rejection
from .inputs import InputFile, version_now
from .readers import read_rows
from .rows import Columns, Lost

#: Rows, rated and rejected, that end a batch of few tokens.
_BATCH_ROWS = 1 << 14


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading goes on.

    Attributes
    ----------
    file, row : int
        The file, by its place in the list, and the row within it.
    offset : int
        Bytes of the unpacked file before the row; 0 for tables.
    skip : int
        Tokens of the row that are already in a packed sequence.
    gaps : int
        Damaged places of the file before the row.
    """

    file: int = 0
    row: int = 0
    offset: int = 0
    skip: int = 0
    gaps: int = 0

    @classmethod
    def read(cls, values: dict[str, int]) -> Cursor:
        return cls(**values)

    def written(self) -> dict[str, int]:
        return asdict(self)


@dataclass(slots=True)
class Batch:
    """Documents to rate together, and the rejected rows among them.

    Attributes
    ----------
    next : Cursor
        After the last of them.
    read : int
        Bytes of the input, as stored, that were read up to there.
    documents, rejected : list
    """

    next: Cursor
    read: int = 0
    documents: list[Document] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A document or a rejected row, and what follows it."""

    what: Document | Rejection | None
    row: Cursor
    after: Cursor
    read: int
    file: InputFile


def batches(
    files: Sequence[InputFile],
    columns: Columns,
    maker: DocumentMaker,
    start: Cursor,
    commit_tokens: int,
    packed: int | None = None,
    *,
    is_tokens: bool = False,
    digest: str = "ends",
) -> Iterator[Batch]:
    """Reads the corpus from `start` on; the last batch's cursor is after the last file.

    Raises
    ------
    RallyError
        MISMATCH: a file has changed since it was found; what was read of it is not given. What `read_rows` raises.
    """
    found = _walk(files, columns, maker, start, is_tokens, digest)
    units = found if packed is None else _packed(found, packed, start.skip)
    batch, tokens = Batch(start), 0
    for one in units:
        if isinstance(one.what, Rejection):
            batch.rejected.append(one.what)
        elif one.what is not None:
            batch.documents.append(one.what)
            tokens += one.what.tokens.size
        batch.next, batch.read = one.after, one.read
        is_full = tokens >= commit_tokens or len(batch.documents) + len(batch.rejected) >= _BATCH_ROWS
        if is_full and (packed is None or isinstance(one.what, Document)):
            yield batch
            batch, tokens = Batch(batch.next, batch.read), 0
    if batch.documents or batch.rejected or batch.next.file < len(files):
        yield Batch(Cursor(len(files)), sum(file.size for file in files), batch.documents, batch.rejected)


def _walk(
    files: Sequence[InputFile], columns: Columns, maker: DocumentMaker, start: Cursor, is_tokens: bool, digest: str
) -> Iterator[_Found]:
    """All rows of all files, and the end of each file."""
    before = sum(file.size for file in files[: start.file])
    for index in range(start.file, len(files)):
        file = files[index]
        at = start if index == start.file else Cursor(index)
        gaps = at.gaps
        for row in read_rows(file, columns, at.row, at.offset, at.gaps, is_tokens):
            here = at
            if isinstance(row, Lost):
                gaps += row.rows is None and not row.is_rest
                after = Cursor(index, row.number + (row.rows or 0), row.offset, 0, gaps)
                at = Cursor(index + 1) if row.is_rest else after
                what: Document | Rejection = maker.lost(row, file.path, file.source)
            else:
                at = Cursor(index, row.number + 1, row.offset, 0, gaps)
                what = maker.make(row, file.path, file.source)
            yield _Found(what, here, at, before + min(row.read, file.size), file)
        check_unchanged(file, digest)
        before += file.size
        yield _Found(None, at, Cursor(index + 1), before, file)


def check_unchanged(file: InputFile, digest: str) -> None:
    """Compares a file with what it was when it was found.

    Raises
    ------
    RallyError
        MISMATCH: it has changed, grown, or is gone.
    """
    try:
        now = version_now(file, digest)
    except OSError as error:
        raise RallyError(
            Status.MISMATCH, f"{file.path}: is gone since the run began: {error.strerror or error}"
        ) from None
    if now != file.version:
        raise RallyError(
            Status.MISMATCH,
            f"{file.path}: has changed since the run began ({file.version} then, {now} now). Rate it again in another "
            "folder; --recover takes out what was rated",
        )


def _packed(found: Iterator[_Found], length: int, skip: int) -> Iterator[_Found]:
    """Documents end to end in sequences of `length` tokens; the last of a source is shorter.

    Rejected rows are held back until the sequence that is open where they stand is complete: a run that goes on after
    the one has not seen the others.
    """
    open_sequence = _OpenSequence(length)
    held: list[_Found] = []
    source = ""
    for one in found:
        if open_sequence.count and (one.file.source != source or len(held) >= _BATCH_ROWS):
            yield from held
            held = []
            yield _Found(open_sequence.closed(), one.row, one.row, one.read, one.file)
        source = one.file.source
        if not isinstance(one.what, Document):
            held.append(one)
            continue
        while skip < (size := one.what.tokens.size):
            skip = open_sequence.take(one.what, skip)
            if open_sequence.is_full:
                yield from held
                held = []
                row = one.row
                is_done = skip == size
                after = one.after if is_done else Cursor(row.file, row.row, row.offset, skip, row.gaps)
                yield _Found(open_sequence.closed(), one.row, after, one.read, one.file)
        skip = 0
    yield from held
    if open_sequence.count and held:
        last = held[-1]
        yield _Found(open_sequence.closed(), last.row, last.after, last.read, last.file)


class _OpenSequence:
    """The packed sequence that is being filled."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._clear()

    def _clear(self) -> None:
        self._pieces: list[Any] = []
        self._size = 0

    @property
    def count(self) -> int:
        """Documents in it, whole or in part."""
        return len(self._pieces)

    @property
    def is_full(self) -> bool:
        return self._size == self._length

    def take(self, document: Document, start: int) -> int:
        """Takes the tokens that have room; returns where the rest begins."""
        if not self._pieces:
            self._first = replace(document, id=f"{document.id}@{start}", text=None)
        end = min(start + self._length - self._size, document.tokens.size)
        self._pieces.append(document.tokens[start:end])
        self._size += end - start
        return end

    def closed(self) -> Document:
        """The sequence, named by its first document and the place in it; begins the next one."""
        whole = replace(self._first, tokens=np.concatenate(self._pieces), count=len(self._pieces))
        self._clear()
        return whole
