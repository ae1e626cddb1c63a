"""Contenders take turns, A B A B …, so that a machine that slows down slows all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.console import Progress
from benchmarks.measurements import Book, Key
from benchmarks.processes import ProgramFailed

#: Seconds between two turns, in which thread pools that spin go to sleep.
PAUSE = 0.2
#: Turns that are taken however long they last.
LEAST = 3


@dataclass(frozen=True)
class Contender:
    """Someone who takes turns: ``run`` takes one sample under each of its keys."""

    name: str
    run: Callable[[], Mapping[Key, float]]


def take_turns(book: Book, contenders: Sequence[Contender], repetitions: int, progress: Progress) -> None:
    """Let all contenders run ``repetitions`` times.

    One that fails is dropped, and a section that is late ends after three turns; both with a remark.
    """
    waiting = list(contenders)
    for repetition in range(repetitions):
        if repetition >= LEAST and progress.is_late:
            names = ", ".join(contender.name for contender in waiting)
            book.remark(f"{repetition} turns instead of {repetitions}, as time was up: {names}.")
            break
        for contender in list(waiting):
            progress.show(f"turn {repetition + 1}/{repetitions}: {contender.name}")
            time.sleep(PAUSE)
            try:
                book.add(contender.run())
            except ProgramFailed as error:
                waiting.remove(contender)
                book.remark(f"{contender.name}: {error}")
                progress.say(f"{contender.name} is out: {error}")
