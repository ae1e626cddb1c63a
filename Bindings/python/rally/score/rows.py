"""What reading a file gives: its rows as they stand there, and stretches that are lost."""

from __future__ import annotations

from typing import Any, NamedTuple


class Columns(NamedTuple):
    """Names of the columns to read; None: not wanted. ``metadata.url`` is a column of an object."""

    content: str | None
    id: str | None
    source: str | None
    extra: tuple[str, ...] = ()

    @property
    def wanted(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(name for name in (self.content, self.id, self.source, *self.extra) if name))


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
        Bytes of the file, unpacked, up to the next row; 0 for tables.
    read : int
        Bytes of the file, as stored, that were read so far. For the progress only.
    raw : bytes or None
        The row to the letter, without the end of its line; of lines only.
    extra : tuple
        What the further columns hold.
    """

    number: int
    content: object = None
    id: object = None
    source: object = None
    problem: str | None = None
    offset: int = 0
    read: int = 0
    raw: bytes | None = None
    extra: tuple[Any, ...] = ()


class Lost(NamedTuple):
    """A stretch of a file that cannot be read.

    Attributes
    ----------
    number : int
        Of the first row that is missing.
    reason : str
    rows : int or None
        How many are missing; None: that cannot be known.
    is_rest : bool
        Whether nothing follows.
    offset, read : int
        As in `Row`.
    """

    number: int
    reason: str
    rows: int | None = None
    is_rest: bool = True
    offset: int = 0
    read: int = 0


def member(found: dict[str, Any], name: str | None) -> Any:
    """A member of an object, or of an object within: ``metadata.url``, where there is none of that very name."""
    if name is None:
        return None
    if name in found or "." not in name:
        return found.get(name)
    value: Any = found
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
