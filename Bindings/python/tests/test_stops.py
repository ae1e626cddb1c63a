"""Stop strings: the table of cases that every host runs, and texts against a search in the whole text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import rally
from rally.events import FinishReason

FOLDER = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "stops"


class Case(NamedTuple):
    name: str
    prompt: str
    how: dict[str, Any]
    skip_special: bool
    max_tokens: int
    pieces: list[str]
    stop_string: int
    cut_length: int
    finish_reason: str


def cases() -> list[Case]:
    _, *lines = (FOLDER / "cases.tsv").read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines:
        name, prompt, include, skip, count, stops, pieces, stop, cut, reason = line.split("\t")
        how = {"include_stop": include == "1", "stop": stops.split(",") if stops else []}
        found.append(Case(name, prompt, how, skip == "1", int(count), pieces.split("/"), int(stop), int(cut), reason))
    return found


@pytest.fixture(scope="module")
def speaker() -> Iterator[rally.Model]:
    with rally.Model(FOLDER / "stops.onnx") as model:
        yield model


def check(case: Case, events: list[rally.Event]) -> None:
    assert [event.text for event in events] == case.pieces
    assert [event.finish_reason for event in events] == [None] * (len(events) - 1) + [FinishReason(case.finish_reason)]
    last = events[-1]
    stops = case.how["stop"]
    assert last.stop_string == (stops[case.stop_string] if case.stop_string >= 0 else None)
    assert last.cut_length == case.cut_length


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_table(speaker: rally.Model, case: Case) -> None:
    arguments: dict[str, Any] = {"skip_special": case.skip_special, **case.how}
    check(case, list(speaker.stream(case.prompt, case.max_tokens, **arguments)))
    whole = speaker.generate([case.prompt] * 2, case.max_tokens, **arguments)[1]
    assert (whole.text, len(whole.tokens)) == ("".join(case.pieces), len(case.pieces))
    assert (whole.finish_reason, whole.cut_length) == (case.finish_reason, case.cut_length)
    with rally.Engine(speaker, threads=1) as engine:
        engine.submit(case.prompt, case.max_tokens, **arguments)
        check(case, engine.run())


def test_the_table_in_asyncio(speaker: rally.Model) -> None:
    async def one(engine: rally.AsyncEngine, case: Case) -> None:
        events = engine.generate(case.prompt, case.max_tokens, skip_special=case.skip_special, **case.how)
        check(case, [event async for event in events])

    async def all_at_once() -> None:
        async with rally.AsyncEngine(speaker, threads=1) as engine:
            await asyncio.gather(*(one(engine, case) for case in cases()))

    asyncio.run(all_at_once())


def ended(text: bytes, stops: list[bytes]) -> tuple[bytes, int]:
    """The text before the stop string that is complete first, the longest of several, and that string's index."""
    ends = [(text.find(stop) + len(stop), -len(stop), index) for index, stop in enumerate(stops) if stop in text]
    if not ends:
        return text, -1
    end, length, index = min(ends)
    return text[: end + length], index


def test_random_stops_against_a_search_in_the_whole_text(speaker: rally.Model) -> None:
    random = np.random.default_rng(4)
    for prompt in ("<|go|>", "<|aa|>"):
        whole = (speaker.generate(prompt, 40).text or "").encode()
        characters = whole.decode()
        for _ in range(60):
            stops = []
            for _ in range(int(random.integers(1, 4))):
                start = int(random.integers(0, len(characters)))
                stop = characters[start : start + int(random.integers(1, 6))]
                stops.append(stop if random.random() < 0.7 else stop + "x")
            text, index = ended(whole, [stop.encode() for stop in stops])
            found = speaker.generate(prompt, 40, stop=stops)
            assert (found.text, found.stop_string) == (text.decode(), stops[index] if index >= 0 else None), stops
            assert speaker.decode_bytes(found.tokens)[: len(text)] == text
            assert len(speaker.decode_bytes(found.tokens)) - found.cut_length == len(text)


@pytest.mark.parametrize("steps", range(1, 16))
def test_a_text_goes_on_where_it_was_saved(speaker: rally.Model, steps: int) -> None:
    """Bytes of a character, and what may become a stop string, that saving finds held back."""
    how: dict[str, Any] = {"stop": ["é<|no way", "😀 never", "sat at"]}
    whole = [event.text for event in speaker.stream("<|go|>", 30, **how)]
    with rally.Engine(speaker, threads=1) as engine:
        number = engine.submit("<|go|>", 30, **how)
        before: list[str | None] = []
        while len(before) < steps:
            before += [event.text for event in engine.step()]
        data = engine.save(number)
    with rally.Engine(speaker, threads=1) as engine:
        engine.restore(data, 30, **how)
        assert before + [event.text for event in engine.run()] == whole


def test_what_is_held_back_comes_with_the_end(speaker: rally.Model) -> None:
    """An unfinished character, and the beginning of a stop string, at a limit and when cancelled."""
    assert speaker.generate("<|go|>", 8).text == "The cat sat on the m\N{REPLACEMENT CHARACTER}"
    with rally.Engine(speaker, threads=1) as engine:
        number = engine.submit("<|go|>", stop="at on no account")
        texts: list[str] = []
        while len(texts) < 5:
            texts += [event.text or "" for event in engine.step()]
        engine.cancel(number)
        last = engine.run()[-1]
    assert "".join(texts) == "The cat s"
    assert (last.text, last.finish_reason) == ("at on", FinishReason.CANCELLED)
