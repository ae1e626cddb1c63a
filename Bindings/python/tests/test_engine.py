"""`rally.Engine` as an object: requests, events, order, ends, threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import rally
from rally import RallyError, Status

PROMPTS = ["the sea and the other", "a", "an inn in the rain"]


@pytest.fixture
def engine(lm: rally.Model) -> Iterator[rally.Engine]:
    with rally.Engine(lm, threads=2) as opened:
        yield opened


def by_request(events: list[rally.Event]) -> dict[int, list[rally.Event]]:
    sorted_events: dict[int, list[rally.Event]] = {}
    for event in events:
        sorted_events.setdefault(event.request, []).append(event)
    return sorted_events


def test_events_are_the_texts(engine: rally.Engine, lm: rally.Model) -> None:
    numbers = [engine.submit(prompt, 30, temperature=1.0, seed=i) for i, prompt in enumerate(PROMPTS)]
    assert numbers == [0, 1, 2]
    events = by_request(list(engine))
    assert not engine.busy
    for number, prompt in zip(numbers, PROMPTS, strict=True):
        alone = lm.generate(prompt, 30, temperature=1.0, seed=number)
        found = events[number]
        assert [event.token for event in found] == alone.tokens
        assert [event.index for event in found] == list(range(len(found)))
        assert [event.depth for event in found] == alone.depth.tolist()
        assert [event.logprob for event in found] == alone.logprobs.tolist()
        assert "".join(event.text or "" for event in found) == alone.text
        assert [event.finish_reason for event in found] == [None] * (len(found) - 1) + [alone.finish_reason]


def test_leaving_a_loop_loses_nothing(engine: rally.Engine) -> None:
    for prompt in PROMPTS:
        engine.submit(prompt, 10, stop_at_eos=False)
    found = []
    for event in engine:
        found.append(event)
        if len(found) == 2:
            break
    found += engine.step()
    found += engine.run()
    assert {number: [event.index for event in events] for number, events in by_request(found).items()} == {
        number: list(range(10)) for number in range(3)
    }
    assert engine.step() == []


def test_a_closed_engine(lm: rally.Model) -> None:
    engine = rally.Engine(lm)
    engine.submit(PROMPTS[0])
    engine.close()
    engine.close()
    assert list(engine) == []
    engine.cancel(0)
    engine.cancel_all()
    calls = (engine.step, lambda: engine.submit("a"), lambda: engine.save(0), lambda: engine.counters)
    for call in calls:
        with pytest.raises(RallyError) as caught:
            call()
        assert caught.value.code == Status.CLOSED
    assert lm.generate("a", 2).tokens
