"""How much text the inputs hold, about: what the time that is left is told by."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RallyError
from .arrow_files import BROKEN, row_count
from .inputs import InputFile, open_input
from .journal import Progress
from .packings import Gap, blocks, sniff
from .readers import read_rows
from .rows import Columns, Row

#: Files of a kind that are looked into, packed bytes of each, rows of each.
_FILES, _BYTES, _ROWS = 24, 1 << 18, 256


@dataclass(slots=True)
class _Size:
    """Of one file: bytes when unpacked, rows where they are known, and units of content."""

    unpacked: float
    rows: int | None
    content: float


class Work:
    """The inputs, measured in characters of text, or in token ids, and not in stored bytes.

    Some files of each kind are looked into; the others are taken to be like them.
    """

    def __init__(self, files: Sequence[InputFile], columns: Columns, is_tokens: bool) -> None:
        groups: dict[tuple[str, str | None], list[InputFile]] = {}
        for file in files:
            groups.setdefault((file.kind, file.compression), []).append(file)
        looked: dict[str, _Size] = {}
        ratios: dict[tuple[str, str | None], tuple[float, float]] = {}
        for key, members in groups.items():
            some = members[:: max(len(members) // _FILES, 1)][:_FILES]
            sizes = {file.path: _look(file, columns, is_tokens) for file in some}
            stored = max(sum(file.size for file in some), 1)
            ratios[key] = (
                sum(size.unpacked for size in sizes.values()) / stored,
                sum(size.content for size in sizes.values()) / stored,
            )
            looked |= sizes
        self._sizes = []
        for file in files:
            unpacked, content = ratios[file.kind, file.compression]
            like = _Size(file.size * unpacked, None, file.size * content)
            self._sizes.append(looked.get(file.path, like))
        self._stored = [file.size for file in files]
        self._before = [0.0]
        for size in self._sizes:
            self._before.append(self._before[-1] + size.content)

    @property
    def total(self) -> float:
        """Of all files."""
        return self._before[-1]

    def done(self, progress: Progress) -> float:
        """Of what was rated."""
        at = progress.next
        if at.file >= len(self._sizes):
            return self.total
        size = self._sizes[at.file]
        if at.offset:
            share = at.offset / max(size.unpacked, 1)
        elif size.rows:
            share = at.row / size.rows
        else:
            share = (progress.read - sum(self._stored[: at.file])) / max(self._stored[at.file], 1)
        return self._before[at.file] + size.content * min(max(share, 0), 1)


def _look(file: InputFile, columns: Columns, is_tokens: bool) -> _Size:
    try:
        rows = row_count(file)[1] if file.kind == "parquet" else None
        content, count, offset = _head(file, columns, is_tokens)
        if rows is not None:
            return _Size(file.size, rows, content / max(count, 1) * rows)
        unpacked = file.size * _expansion(file) if file.kind in ("json", "text") else file.size
        share = content / offset if offset else 1.0
        return _Size(unpacked, None, unpacked * share)
    except (*BROKEN, RallyError):
        return _Size(file.size, None, file.size)


def _head(file: InputFile, columns: Columns, is_tokens: bool) -> tuple[float, int, int]:
    """Content of the first rows, how many they are, and the bytes they take."""
    content, count, offset = 0, 0, 0
    for row in read_rows(file, columns, is_tokens=is_tokens):
        if not isinstance(row, Row):
            break
        content += len(row.content) if isinstance(row.content, (bytes, str, list)) else getattr(row.content, "size", 0)
        count, offset = count + 1, row.offset
        if count == _ROWS or offset > 1 << 20:
            break
    return content, count, offset


def _expansion(file: InputFile) -> float:
    """Bytes that a stored byte becomes."""
    with open_input(file) as stored:
        head = stored.read(_BYTES)
    packing = sniff(head)
    if packing is None or not head:
        return 1.0
    return sum(len(block) for block in blocks(io.BytesIO(head), packing) if not isinstance(block, Gap)) / len(head)
