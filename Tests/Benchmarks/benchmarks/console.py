"""Progress on standard error: one line that is rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time


class Progress:
    """What runs at the moment, and since when.

    Parameters
    ----------
    expected : float
        Seconds that all will take.
    """

    def __init__(self, expected: float) -> None:
        self._expected = expected
        self._start = time.monotonic()
        self._section = ""
        self._terminal = sys.stderr.isatty()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._start

    def begin(self, section: str) -> None:
        """Enter a section."""
        self._section = section
        self.warn(section)

    def show(self, text: str) -> None:
        """Say what runs now."""
        line = f"    {self._clock()}  {self._section}: {text}"
        if self._terminal:
            print(f"\r\x1b[2K{line[:118]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Say something that stays."""
        clear = "\r\x1b[2K" if self._terminal else ""
        print(f"{clear}==> {self._clock()}  {text}", file=sys.stderr, flush=True)

    def _clock(self) -> str:
        seconds, expected = int(self.elapsed), int(self._expected)
        return f"{seconds // 60:2d}:{seconds % 60:02d} of ~{expected // 60}:{expected % 60:02d}"
