"""One line on a terminal that says how far a run is; nothing where standard error is none."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from .journal import Progress

#: Seconds between two drawings.
_PAUSE = 0.1


class Line:
    """A line that is drawn over itself, as wide as the terminal at most."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._last = 0.0
        self._is_drawn = False

    @property
    def is_shown(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._is_terminal

    def draw(self, share: float, what: str, notes: str) -> None:
        """Draws a bar of a share in [0, 1] between two texts, ten times a second at most."""
        now = time.monotonic()
        if not self._is_terminal or now - self._last < _PAUSE:
            return
        self._last, self._is_drawn = now, True
        sys.stderr.write("\r\x1b[K" + bar(share, what, notes, self._width()))
        sys.stderr.flush()

    def clear(self) -> None:
        """Takes the line away; something else may be written then."""
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._is_drawn = False

    def say(self, text: str) -> None:
        """Writes a line of its own."""
        self.clear()
        print(text, file=sys.stderr)

    def _width(self) -> int:
        try:
            return os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except (OSError, ValueError):
            return 80


def bar(share: float, what: str, notes: str, width: int) -> str:
    """``rating  42 % ████▌      1,234 rows``, no longer than the width but for one column."""
    head = f"{what} {min(max(share, 0), 1):4.0%} "
    room = min(max(width - len(head) - len(notes) - 3, 0), 40)
    full = round(min(max(share, 0), 1) * room * 8)
    blocks = "█" * (full // 8) + " ▏▎▍▌▋▊▉"[full % 8].strip()
    line = f"{head}{blocks:<{room}} {notes}" if room >= 5 else head + notes
    return line[: width - 1]


def duration(seconds: float) -> str:
    """``1:02:03`` or ``12:34``."""
    whole = round(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class RatingLine:
    """How far a rating is: percent, rows, tokens a second, the time that is left.

    Parameters
    ----------
    work : callable
        Gives the whole and what is done, in units that take equal time; asked only where there is a terminal.
    """

    def __init__(self, work: Callable[[Progress], tuple[float, float]]) -> None:
        self._line = Line()
        self._work = work
        self._start = time.monotonic()
        self._first: tuple[Progress, float] | None = None
        self.tokens = 0

    def __enter__(self) -> RatingLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._line.clear()

    def __call__(self, progress: Progress, byte_count: int) -> None:
        total, done = self._work(progress) if self._line.is_shown else (1.0, 0.0)
        if self._first is None:
            self._start = time.monotonic()
            self._first = replace(progress), done
            if progress.rows or progress.rejected:
                self._line.say(f"going on after {progress.rows:,} rated rows")
            return
        before, begun = self._first
        self.tokens = progress.tokens - before.tokens
        share = done / total if total else 1.0
        seconds = time.monotonic() - self._start
        left = f" · {duration(seconds * (total - done) / (done - begun))} left" if done > begun else ""
        rejected = f" · {progress.rejected:,} rejected" if progress.rejected else ""
        self._line.draw(share, "rating", f"{progress.rows:,} rows · {self.rate:,.0f} tok/s{rejected}{left}")

    @property
    def rate(self) -> float:
        """Tokens a second, of this process."""
        return self.tokens / max(time.monotonic() - self._start, 1e-9)
