"""Progress on standard error: one line that is rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time


class Progress:
    """What runs at the moment, and since when."""

    def __init__(self) -> None:
        self._expected = 0.0
        self._start = time.monotonic()
        self._section = ""
        self._end = self._start
        self._terminal = sys.stderr.isatty()

    def start(self, expected: float) -> None:
        """Start the clock; ``expected``: seconds that all will take."""
        self._start, self._expected = time.monotonic(), expected

    def begin(self, section: str, seconds: float = 0.0) -> None:
        """Enter a section that may take so many seconds."""
        self._section = section
        self._end = time.monotonic() + seconds
        self.say(section)

    @property
    def is_late(self) -> bool:
        """Whether the section has taken more than its time."""
        return time.monotonic() > self._end

    def show(self, text: str) -> None:
        """Say what runs now; on a terminal until the next line."""
        line = f"    {self._clock()}  {self._section}: {text}"
        if self._terminal:
            print(f"\r\x1b[2K{line[:118]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Say something that stays."""
        clear = "\r\x1b[2K" if self._terminal else ""
        print(f"{clear}==> {self._clock()}  {text}", file=sys.stderr, flush=True)

    def _clock(self) -> str:
        seconds, expected = int(time.monotonic() - self._start), int(self._expected)
        whole = f" of ~{expected // 60}:{expected % 60:02d}" if expected else ""
        return f"{seconds // 60:2d}:{seconds % 60:02d}{whole}"
