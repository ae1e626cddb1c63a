"""What was rated so far: one file per shard, one record per batch, written at the end and never changed.

A record is a mark, the length of its head and its body and a checksum of both (u32, little endian), the head in JSON,
and the body: a stream of Arrow with the rows that were rated. The head has the rejected rows and the cursor after the
batch, so that a batch, its rejected rows and the place where reading goes on are there together or not at all. A record
that a crash cut short is the last one of the last file; it is cut off and its batch is rated once more.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import pyarrow as pa

from .._files import sync, sync_folder
from ..errors import RallyError, Status
from .batches import Cursor
from .documents import Rejection
from .samples import Sample

#: Begins a record, so that zeros, which a crash of the machine may leave, are none.
_MARK = b"RSJ2"
_HEAD = struct.Struct("<4sIII")


@dataclass(frozen=True, slots=True)
class Record:
    """One batch that was rated.

    Attributes
    ----------
    next : Cursor
        Where reading goes on after it.
    read : int
        Bytes of the input that were read up to there.
    rejected : list of Rejection
    rows : pyarrow.RecordBatch
    samples : list of Sample
        Beginnings of some of the texts, for the report.
    """

    next: Cursor
    read: int
    rejected: list[Rejection]
    rows: Any
    samples: list[Sample]

    def to_bytes(self) -> bytes:
        head = {
            "next": self.next.written(),
            "read": self.read,
            "rows": self.rows.num_rows,
            "tokens": int(self.rows.column("token_count").to_numpy().sum()),
            "rejected": [asdict(one) for one in self.rejected],
            "samples": [asdict(one) for one in self.samples],
        }
        text = json.dumps(head).encode()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.rows.schema) as stream:
            stream.write_batch(self.rows)
        body: bytes = sink.getvalue().to_pybytes()
        return _HEAD.pack(_MARK, len(text), len(body), zlib.crc32(body, zlib.crc32(text))) + text + body


@dataclass(slots=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    next : Cursor
    read : int
        Bytes of the input.
    rows, tokens, rejected : int
        What was rated, and rows that were not.
    """

    next: Cursor
    read: int = 0
    rows: int = 0
    tokens: int = 0
    rejected: int = 0

    def add(self, next: Cursor, read: int, rows: int, tokens: int, rejected: int) -> None:
        self.next, self.read = next, read
        self.rows += rows
        self.tokens += tokens
        self.rejected += rejected


class Journal:
    """The journal of a run; one process at a time.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    shard_rows : int
        Rows after which the next file begins.

    Raises
    ------
    RallyError
        BUSY: another process writes here. CORRUPT_FILE: a record that no crash explains.
    """

    def __init__(self, folder: Path, shard_rows: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
        self.folder = folder
        self._shard_rows = shard_rows
        self._first = 0
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        self._file: BinaryIO | None = None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise RallyError(Status.BUSY, f"{folder.parent}: another run writes here; wait for it or end it") from None
        self.progress = Progress(Cursor())
        self._rows_of_last = 0

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        os.close(self._lock)

    @property
    def paths(self) -> list[Path]:
        """The files, in order; each becomes a shard."""
        return sorted(self.folder.glob("*.journal"))

    def begin_at(self, first: int, start: Cursor) -> None:
        """Says which number the first file has, and where a run without records begins."""
        self._first = first
        self.progress = Progress(start)

    def recover(self) -> None:
        """Finds how far the run has come, and cuts off what a crash left unfinished."""
        paths = self.paths
        for path in paths:
            self._rows_of_last = 0
            whole = 0
            for head, _, end in _records(path):
                whole = end
                self._rows_of_last += head["rows"]
                cursor = Cursor.read(head["next"])
                rejected = sum(Rejection(**one).count for one in head["rejected"])
                self.progress.add(cursor, head["read"], head["rows"], head["tokens"], rejected)
            if whole == path.stat().st_size:
                continue
            if path != paths[-1]:
                raise RallyError(
                    Status.CORRUPT_FILE, f"{path}: damaged at byte {whole}; --recover takes out the others"
                )
            os.truncate(path, whole)

    def append(self, record: Record) -> None:
        """Writes a record; when this returns, it is on the disk."""
        if self._file is None or self._rows_of_last >= self._shard_rows:
            self._open()
        assert self._file is not None
        self._file.write(record.to_bytes())
        self._file.flush()
        sync(self._file.fileno())
        tokens = int(record.rows.column("token_count").to_numpy().sum())
        self._rows_of_last += record.rows.num_rows
        rejected = sum(one.count for one in record.rejected)
        self.progress.add(record.next, record.read, record.rows.num_rows, tokens, rejected)

    def _open(self) -> None:
        count = len(self.paths)
        if self._file is not None:
            self._file.close()
        goes_on = count > 0 and self._rows_of_last < self._shard_rows
        if not goes_on:
            self._rows_of_last = 0
        self._file = (self.folder / f"{self._first + count - goes_on:05}.journal").open("ab")
        sync_folder(self.folder)

    def remove(self) -> None:
        """Removes all records, once nothing needs them."""
        for path in reversed(self.paths):
            path.unlink()


def read_records(path: Path, *, passes_damage: bool = False) -> Iterator[Record]:
    """The records of one file, in order; one at a time is in memory.

    `passes_damage`: goes on with the next whole record after one that is damaged.
    """
    end = 0
    while True:
        for head, body, after in _records(path, end):
            end = after
            with pa.ipc.open_stream(body) as stream:
                rows = stream.read_next_batch()
            rejected = [Rejection(**one) for one in head["rejected"]]
            samples = [Sample(**one) for one in head["samples"]]
            yield Record(Cursor.read(head["next"]), head["read"], rejected, rows, samples)
        following = _next_mark(path, end + 1) if passes_damage else None
        if following is None:
            return
        end = following


def _next_mark(path: Path, start: int) -> int | None:
    with open(path, "rb") as file:
        file.seek(start)
        at = file.read().find(_MARK)  # a file of the journal is one shard
    return None if at < 0 else start + at


def _records(path: Path, end: int = 0) -> Iterator[tuple[dict[str, Any], bytes, int]]:
    """Head, body and end of each record that is whole, from byte `end` on, where one begins."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        file.seek(end)
        while len(start := file.read(_HEAD.size)) == _HEAD.size:
            mark, head_size, body_size, checksum = _HEAD.unpack(start)
            if mark != _MARK or end + _HEAD.size + head_size + body_size > size:
                return
            head, body = file.read(head_size), file.read(body_size)
            if zlib.crc32(body, zlib.crc32(head)) != checksum:
                return
            end += _HEAD.size + head_size + body_size
            yield json.loads(head), body, end
