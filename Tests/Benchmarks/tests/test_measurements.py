"""Medians, ratios of turns, and the turns themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from benchmarks import turns
from benchmarks.console import Progress
from benchmarks.measurements import Book, Key
from benchmarks.processes import ProgramFailed

A = Key("section", "test", "A", "model", "f32")
B = Key("section", "test", "B", "model", "f32")


def test_a_ratio_pairs_the_samples_of_a_turn() -> None:
    book = Book({A: [2.0, 20.0, 2000.0], B: [1.0, 10.0, 500.0]})
    assert book.ratio(A, B) == 2.0
    assert book.ratio(A, Key("section", "other", "B", "model", "f32")) is None


def test_the_median_and_what_lies_around_it() -> None:
    book = Book({A: [10.0, 8.0, 14.0]})
    assert book.median(A) == 10.0
    assert book.best(A) == 14.0
    assert book.spread(A) == pytest.approx(0.3)
    assert book.median(B) is None


def test_a_book_survives_json() -> None:
    book = Book({A: [1.5, 2.5], B: [3.0]}, ["a remark"])
    assert Book.from_json(json.loads(json.dumps(book.to_json()))) == book


def in_time() -> Progress:
    progress = Progress()
    progress.begin("section", 60)
    return progress


def test_a_late_section_ends_after_three_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PAUSE", 0.0)
    contender = turns.Contender("A", lambda: {A: 1.0})
    on_time, late = Book(), Book()
    turns.take_turns(on_time, [contender], 5, in_time())
    turns.take_turns(late, [contender], 5, Progress())
    assert [len(book.samples[A]) for book in (on_time, late)] == [5, 3]
    assert late.remarks == ["3 turns instead of 5, as time was up: A."]


def test_contenders_take_turns_and_one_that_fails_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PAUSE", 0.0)
    order: list[str] = []

    def contender(key: Key, fails_in_turn: int) -> turns.Contender:
        def run() -> Mapping[Key, float]:
            order.append(key.engine)
            if order.count(key.engine) == fails_in_turn:
                raise ProgramFailed("no more")
            return {key: float(len(order))}

        return turns.Contender(key.engine, run)

    book = Book()
    turns.take_turns(book, [contender(A, 0), contender(B, 2)], 3, in_time())
    assert order == ["A", "B", "A", "B", "A"]
    assert book.samples == {A: [1.0, 3.0, 5.0], B: [2.0]}
    assert book.remarks == ["B: no more"]
