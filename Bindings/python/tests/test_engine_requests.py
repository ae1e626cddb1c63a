"""What a server asks of `rally.Engine`: users, deadlines, a bounded queue, waiting, one's own sampler."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import rally
from rally import FinishReason, RallyError, Status

PROMPTS = ["the sea and the other", "a", "an inn in the rain"]


@pytest.fixture
def engine(lm: rally.Model) -> Iterator[rally.Engine]:
    with rally.Engine(lm, threads=1, max_sequences=2, max_queue=1) as opened:
        yield opened


def test_events_bring_the_user(engine: rally.Engine) -> None:
    users = [object(), None, ["a list"]]
    numbers = [engine.submit(prompt, 4, user=user) for prompt, user in zip(PROMPTS, users, strict=True)]
    events = engine.run()
    assert {event.request for event in events} == set(numbers)
    assert all(event.user is users[event.request] for event in events)


def test_a_user_is_let_go_at_the_end(engine: rally.Engine) -> None:
    class User:
        pass

    user = User()
    seen = weakref.ref(user)
    engine.submit("a", 2, user=user, on_logits=lambda rows: None)
    with pytest.raises(RallyError):
        engine.submit("a", 2, user=user, top_p=7.0)
    del user
    gc.collect()
    assert seen() is not None
    engine.run()
    gc.collect()
    assert seen() is None


def test_a_full_queue(engine: rally.Engine) -> None:
    for prompt in PROMPTS:
        engine.submit(prompt, 3, stop_at_eos=False)
    with pytest.raises(RallyError) as caught:
        engine.submit("a", 3)
    assert caught.value.code == Status.QUEUE_FULL
    assert len(engine.run()) == 9
    engine.submit("a", 3)


def test_a_deadline(engine: rally.Engine) -> None:
    late = engine.submit("a", 200, stop_at_eos=False, timeout=1e-9)
    other = engine.submit("a", 3, stop_at_eos=False, timeout=3600)
    ends = {event.request: event.finish_reason for event in engine if event.finish_reason}
    assert ends == {late: FinishReason.DEADLINE, other: FinishReason.LIMIT}
    with pytest.raises(RallyError) as caught:
        engine.submit("a", 3, timeout=-1.0)
    assert caught.value.code == Status.INVALID_ARGUMENT


def test_waiting(engine: rally.Engine) -> None:
    assert not engine.wait(0)
    waiting = threading.Barrier(2)
    found: list[bool] = []

    def wait() -> None:
        waiting.wait()
        found.append(engine.wait())

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    engine.submit("a", 2)
    thread.join()
    assert found == [True]
    assert engine.wait(0)
    engine.run()
    assert not engine.wait(0.01)


def test_closing_ends_a_wait(lm: rally.Model) -> None:
    engine = rally.Engine(lm, threads=1)
    codes: list[Status] = []

    def wait() -> None:
        try:
            engine.wait()
        except RallyError as error:
            codes.append(error.code)

    thread = threading.Thread(target=wait)
    thread.start()
    engine.close()
    thread.join()
    assert codes == [Status.CLOSED]


def test_a_sampler_of_ones_own(engine: rally.Engine, lm: rally.Model) -> None:
    scripts = {0: [5, 6, 7], 1: [9, 8, 10]}
    batches: list[int] = []

    def follow(rows: list[rally.Logits]) -> None:
        batches.append(len(rows))
        for row in rows:
            assert row.values.shape == (lm.info.vocab_size,)
            assert (
                row.tokens.tolist()
                == lm.encode(PROMPTS[row.user]) + scripts[row.user][: row.tokens.size - row.prompt_count]
            )
            assert 1 <= row.depth <= lm.info.num_recursion
            chosen = scripts[row.user][row.tokens.size - row.prompt_count]
            row.values[np.arange(row.values.size) != chosen] = -np.inf

    numbers = [engine.submit(PROMPTS[user], 3, user=user, temperature=1.0, on_logits=follow) for user in scripts]
    events = engine.run()
    for user, number in enumerate(numbers):
        assert [event.token for event in events if event.request == number] == scripts[user]
    assert all(event.logprob == 0 for event in events)
    assert max(batches) == 2  # one call for both

    first = lm.generate(
        PROMPTS, 3, on_logits=lambda rows: [row.values.__setitem__(slice(None), -row.values) for row in rows]
    )
    assert first[0].tokens != lm.generate(PROMPTS[0], 3).tokens


def test_an_engine_outlives_its_model(lm_path: Path) -> None:
    with rally.Model(lm_path, threads=1) as model:
        wanted = model.generate([5, 6], 4, stop_at_eos=False)
        engine = rally.Engine(model, threads=1)
    with engine:
        engine.submit([5, 6], 4, stop_at_eos=False)
        assert [event.token for event in engine] == wanted.tokens and not engine.busy
        with pytest.raises(RallyError, match="already closed"):
            engine.submit("a text", 4)


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_sampler_that_forbids_all(engine: rally.Engine, value: float) -> None:
    for how in ({}, {"temperature": 1.0, "logit_bias": {3: -np.inf}}):
        engine.submit("a", 5, on_logits=lambda rows: [row.values.fill(value) for row in rows], **how)
        (event,) = engine.run()
        assert (event.token, event.finish_reason) == (-1, FinishReason.STOP)


def test_forbidden_tokens_are_not_among_the_most_probable(lm: rally.Model) -> None:
    def leave_three(rows: list[rally.Logits]) -> None:
        for row in rows:
            row.values[3:] = -np.inf

    (top,) = lm.generate("a", 1, logprobs=8, on_logits=leave_three).top_logprobs
    assert sorted(token for token, _ in top) == [0, 1, 2]


def test_a_sampler_that_raises(engine: rally.Engine, lm: rally.Model) -> None:
    def raising(rows: list[rally.Logits]) -> None:
        raise KeyError("mine")

    wrong = engine.submit("a", 5, on_logits=raising)
    right = engine.submit("a", 5)
    ends = {event.request: event for event in engine if event.finish_reason}
    assert isinstance(ends[wrong].error, KeyError)
    assert ends[right].error is None and ends[right].finish_reason is not FinishReason.CANCELLED
    with pytest.raises(KeyError, match="mine"):
        lm.generate("a", 5, on_logits=raising)
    with pytest.raises(KeyError, match="mine"):
        list(lm.stream("a", 5, on_logits=raising))
    with pytest.raises(RallyError, match="on_logits: expected a function"):
        lm.generate("a", 5, on_logits=3)  # type: ignore[typeddict-item]

    async def main() -> None:
        async with rally.AsyncEngine(lm, threads=1) as engine:
            with pytest.raises(KeyError, match="mine"):
                [event async for event in engine.generate("a", 5, on_logits=raising, user=1)]
            assert [event.user async for event in engine.generate("a", 1, user=7, timeout=3600)] == [7]

    asyncio.run(main())


def test_the_vocabulary(lm: rally.Model, rater: rally.Model) -> None:
    vocabulary = lm.vocabulary()
    assert len(vocabulary.tokens) == lm.info.vocab_size == vocabulary.special.size
    assert vocabulary.longest == max(map(len, vocabulary.tokens))
    for token in [*lm.encode("the sea é"), lm.info.eos_token_id]:
        assert vocabulary.tokens[token] == lm.decode_bytes([token])
    assert np.flatnonzero(vocabulary.special).tolist() == [lm.info.eos_token_id]


def test_how_it_was_built() -> None:
    built = rally.build_info()
    assert built["version"] == rally.version()
    assert {"commit", "compiler", "architecture"} <= set(built)
