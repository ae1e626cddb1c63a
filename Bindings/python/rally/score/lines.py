"""Rows of files of lines: JSON lines, arrays of JSON, plain lines."""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Iterator
from typing import Any

from .inputs import InputFile, open_input
from .packings import Gap, blocks, sniff
from .rows import Columns, Lost, Row, member

#: Bytes of a line; what is longer would not be a document but a file without ends of lines.
LONGEST_LINE = 1 << 28

_BOM = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")

#: Bytes of a file's beginning by which it is told what it is.
_HEAD = 1 << 12


def line_rows(file: InputFile, columns: Columns, row: int, offset: int, gaps: int) -> Iterator[Row | Lost]:
    """The rows from number `row` on, which begins `offset` bytes into the unpacked file, after `gaps` gaps."""
    packing, head = beginning(file)
    with open_input(file) as stored:
        if head.startswith(_WIDE_MARKS):
            yield Lost(row, "text in UTF-16, as its mark of the byte order says; convert it to UTF-8")
            return
        if packing is None and file.compression is not None and _is_no_text(head):
            yield Lost(row, f"expected {file.compression}, as the name says, or text; found neither")
            return
        stored.seek(offset if packing is None else 0)
        unpacked = blocks(stored, packing)
        if packing is not None:
            unpacked = _after(unpacked, offset, gaps)
        if file.kind == "json" and is_values(head):
            yield from _value_rows(unpacked, stored, columns, row, offset, is_array=is_list(head))
        else:
            yield from _plain_rows(unpacked, stored, file, columns, row, offset)


def beginning(file: InputFile) -> tuple[str | None, bytes]:
    """How a file is packed, and the first bytes of what is."""
    with open_input(file) as stored:
        packing = sniff(stored.read(8))
        stored.seek(0)
        head = b""
        for block in blocks(stored, packing):
            if isinstance(block, Gap):
                break
            head += block
            if len(head) >= _HEAD:
                break
    return packing, head[:_HEAD]


def is_values(head: bytes) -> bool:
    """Whether a file is an array of objects, or objects over several lines, and not an object a line."""
    start = head.removeprefix(_BOM).lstrip()
    if start[:1] == b"[":
        inner = start[1:].lstrip()[:1]
        return inner in (b"{", b"]", b"")
    return start.split(b"\n", 1)[0].strip() == b"{" and b"\n" in start


def is_list(head: bytes) -> bool:
    """Whether a file of values is an array of them."""
    return head.removeprefix(_BOM).lstrip().startswith(b"[")


def _is_no_text(head: bytes) -> bool:
    """Whether there are zeros, or too many bytes that are no UTF-8 for a few bad rows."""
    return b"\0" in head or head.decode("utf-8", "replace").count("\ufffd") > len(head) >> 3


def _after(unpacked: Iterator[bytes | Gap], offset: int, gaps: int) -> Iterator[bytes | Gap]:
    """What follows the first `offset` bytes and `gaps` gaps; where it begins in a gap, that without a reason."""
    for block in unpacked:
        if isinstance(block, Gap):
            if gaps == 0:
                yield block
            elif gaps == 1 and offset == 0:
                yield Gap("", False)
            gaps -= gaps > 0
        elif offset >= len(block):
            offset -= len(block)
        else:
            yield block[offset:]
            offset = 0


# Lines


def _plain_rows(
    unpacked: Iterator[bytes | Gap], stored: Any, file: InputFile, columns: Columns, row: int, offset: int
) -> Iterator[Row | Lost]:
    for line, end, is_whole in split_lines(unpacked, offset, is_json=file.kind == "json"):
        place: dict[str, Any] = {"number": row, "offset": end, "read": stored.tell()}
        if isinstance(line, Gap):
            yield Lost(row, f"damaged: {line.reason}", is_rest=line.is_end, offset=end, read=stored.tell())
            continue
        if line is None:
            yield Row(**place, problem=f"longer than {LONGEST_LINE} bytes")
        elif line.strip():
            content = line.removeprefix(_BOM)  # further marks stand where files were put together
            if file.kind == "text":
                yield Row(content=content, raw=line, **place)
            else:
                found = _json(content, columns, place)
                is_cut = found.problem is not None and found.problem.startswith(("not JSON:", "not UTF-8:"))
                if is_cut and not is_whole:
                    yield Lost(row, f"the file ends within this line: {found.problem}", 1, True, end, stored.tell())
                else:
                    yield found._replace(raw=line)
        row += 1


def split_lines(
    unpacked: Iterator[bytes | Gap], offset: int, *, with_ends: bool = False, is_json: bool = False
) -> Iterator[tuple[bytes | Gap | None, int, bool]]:
    """Each line, with or without its end, the offset after it, and whether it has an end.

    None stands for a line that is too long. Of the lines that a gap cuts, neither part is given, unless it is JSON and
    what follows the gap is a whole object.
    """
    held: list[bytes] = []
    length = 0
    is_cut = False
    for block in unpacked:
        if isinstance(block, Gap):
            offset += length
            if block.reason:
                yield block, offset, True
            held, length, is_cut = [], 0, True
            continue
        *ends, rest = block.split(b"\n")
        for end in ends:
            length += len(end)
            offset += length + 1
            held.append(end)
            if not is_cut or (is_json and _is_object(held)):
                line = b"".join(held) + b"\n" if with_ends else b"".join(held).removesuffix(b"\r")
                yield (line if length <= LONGEST_LINE else None), offset, True
            held, length, is_cut = [], 0, False
        length += len(rest)
        held = [*held, rest] if length <= LONGEST_LINE else []
    if length and (not is_cut or (is_json and _is_object(held))):
        line = b"".join(held) if with_ends else b"".join(held).removesuffix(b"\r")
        yield (line if length <= LONGEST_LINE else None), offset + length, False


def _is_object(parts: list[bytes]) -> bool:
    try:
        return isinstance(json.loads(b"".join(parts)), dict)
    except (ValueError, RecursionError):
        return False


def _json(line: bytes, columns: Columns, place: dict[str, Any]) -> Row:
    try:
        found = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Row(**place, problem=f"not UTF-8: {error.reason} at byte {error.start}")
    except (ValueError, RecursionError) as error:
        return Row(**place, problem=f"not JSON: {_first_line(error)}")
    return _object(found, columns, place)


def _object(found: Any, columns: Columns, place: dict[str, Any]) -> Row:
    if not isinstance(found, dict):
        return Row(**place, problem=f"not a JSON object but {type(found).__name__}")
    content = member(found, columns.content)
    problem = None
    if columns.content is not None and content is None and columns.content not in found:
        names = ", ".join(itertools.islice((str(name)[:40] for name in found), 12))
        problem = f"no {columns.content!r}; the line has {names or 'no members'}"
    identity, source = member(found, columns.id), member(found, columns.source)
    extra = tuple(member(found, name) for name in columns.extra)
    return Row(content=content, id=identity, source=source, problem=problem, extra=extra, **place)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


# Values over several lines


def _value_rows(
    unpacked: Iterator[bytes | Gap], stored: Any, columns: Columns, row: int, offset: int, *, is_array: bool
) -> Iterator[Row | Lost]:
    """Objects one after the other, with commas and brackets between them; arrays may follow each other, too."""
    scanner = json.JSONDecoder()
    reader = _Text(unpacked)
    reader.skip(_BETWEEN)
    while True:
        offset += reader.taken()
        if not reader.has_more():
            if reader.last not in (("]",) if is_array else ("]", "}", "")):
                yield Lost(row, "the file ends before its JSON does", offset=offset, read=stored.tell())
            return
        try:
            found, size = reader.value(scanner)
        except (ValueError, RecursionError) as error:
            yield Lost(row, f"not JSON from here on: {_first_line(error)}", offset=offset, read=stored.tell())
            return
        raw = reader.take(size)
        offset += reader.taken()
        place: dict[str, Any] = {"number": row, "offset": offset, "read": stored.tell()}
        yield _object(found, columns, place)._replace(raw=raw)
        row += 1
        reader.skip(_BETWEEN)


_SPACE = " \t\r\n\ufeff"  # with the marks where files were put together

#: What stands between values.
_BETWEEN = _SPACE + ",[]"


class _Text:
    """Text that is decoded as it is needed; bytes that are not UTF-8 are halves of surrogate pairs."""

    def __init__(self, unpacked: Iterator[bytes | Gap]) -> None:
        self._unpacked = unpacked
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = self._taken = 0
        self.last = ""

    def has_more(self) -> bool:
        return self._at < len(self._text) or self._fill()

    def skip(self, characters: str) -> None:
        """Goes beyond these characters."""
        while self.has_more() and self._text[self._at] in characters:
            if self._text[self._at] not in _SPACE:
                self.last = self._text[self._at]
            self.take(1)

    def value(self, scanner: json.JSONDecoder) -> tuple[Any, int]:
        """The value that begins here, and its characters.

        Raises
        ------
        ValueError
        """
        while True:
            try:
                found, end = scanner.raw_decode(self._text, self._at)
                # A number may go on in the next block.
                if end < len(self._text) or isinstance(found, (dict, list, str)) or not self._fill():
                    return found, end - self._at
            except json.JSONDecodeError:
                if len(self._text) - self._at > LONGEST_LINE or not self._fill(len(self._text) - self._at):
                    raise

    def take(self, count: int) -> bytes:
        """The next characters as bytes."""
        taken = self._text[self._at : self._at + count].encode("utf-8", "surrogateescape")
        self._at += count
        self._taken += len(taken)
        if count > 1:
            self.last = "}"
        return taken

    def taken(self) -> int:
        """Bytes that were taken since the last call."""
        count, self._taken = self._taken, 0
        return count

    def _fill(self, wanted: int = 1) -> bool:
        """Decodes at least this many bytes more; whether there were any."""
        parts, count = [self._text[self._at :]], 0
        while count < wanted:
            block = next(self._unpacked, None)
            if block is None or isinstance(block, Gap):
                break
            count += len(block)
            parts.append(self._decoder.decode(block))
        self._text, self._at = "".join(parts), 0
        return count > 0
