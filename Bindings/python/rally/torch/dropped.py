"""The log of what was dropped: one JSON object per row."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any


class DroppedLog:
    """Appends to a file of JSON lines ``{"epoch", "position", "score", "id"}``.

    Parameters
    ----------
    path : str or path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def write(self, epoch: int, rows: Iterable[tuple[int, float | None, Any]]) -> None:
        """Logs rows (position in the epoch, score, id) and hands them to the system."""
        with open(self._path, "a", encoding="utf-8") as file:
            for position, score, name in rows:
                record = {"epoch": epoch, "position": position, "score": score, "id": name}
                print(json.dumps(record, ensure_ascii=False, default=str), file=file)

    @property
    def size(self) -> int:
        """Bytes that were written so far, by earlier runs too."""
        try:
            return os.path.getsize(self._path)
        except FileNotFoundError:
            return 0

    def cut(self, size: int) -> None:
        """Takes back what was logged beyond `size` bytes: rows that will be drawn again."""
        if self.size > size:
            os.truncate(self._path, size)
