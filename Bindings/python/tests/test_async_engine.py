"""`rally.AsyncEngine`: tasks of one event loop that generate together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading

import pytest

import rally
from rally import RallyError, Status

PROMPTS = ["the sea and the other", "a", "an inn in the rain"]


async def text(engine: rally.AsyncEngine, prompt: str, seed: int, count: int = 25) -> list[int]:
    return [event.token async for event in engine.generate(prompt, count, temperature=1.0, seed=seed)]


def test_tasks_get_their_own_texts(lm: rally.Model) -> None:
    async def main() -> list[list[int]]:
        async with rally.AsyncEngine(lm, threads=2) as engine:
            first = await asyncio.gather(*(text(engine, prompt, seed) for seed, prompt in enumerate(PROMPTS * 4)))
            assert await text(engine, PROMPTS[0], 0) == first[0]  # after a pause, its thread goes on
            counters = await engine.counters()
            assert counters["requests_finished_total"] == 13
            return list(first)

    for seed, (prompt, tokens) in enumerate(zip(PROMPTS * 4, asyncio.run(main()), strict=True)):
        assert tokens == lm.generate(prompt, 25, temperature=1.0, seed=seed).tokens


def test_the_loop_is_not_blocked(lm: rally.Model) -> None:
    """A step waits for something that only the loop does."""
    inside, ticked = threading.Event(), threading.Event()

    def wait(rows: list[rally.Logits]) -> None:
        inside.set()
        ticked.wait()

    async def main() -> int:
        async with rally.AsyncEngine(lm) as engine:
            events = engine.generate(PROMPTS[0], 5, stop_at_eos=False, on_logits=wait)
            while not inside.is_set():
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)  # the loop has its timers as well
            ticked.set()
            return len([event async for event in events])

    assert asyncio.run(main()) == 5


def test_a_cancelled_task_ends_its_request(endless: rally.Model) -> None:
    async def main() -> None:
        async with rally.AsyncEngine(endless) as engine:
            events = engine.generate(PROMPTS[0], stop_at_eos=False)
            await anext(events)

            async def rest() -> list[rally.Event]:
                return [event async for event in events]

            reader = asyncio.create_task(rest())
            await asyncio.sleep(0)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            while (await engine.counters())["requests_cancelled_total"] < 1:
                await asyncio.sleep(0.001)
            assert await text(engine, PROMPTS[1], 3) == endless.generate(PROMPTS[1], 25, temperature=1.0, seed=3).tokens

    asyncio.run(main())


def test_letting_go_of_the_events_ends_the_request(endless: rally.Model) -> None:
    async def main() -> None:
        async with rally.AsyncEngine(endless) as engine:
            async with contextlib.aclosing(engine.generate(PROMPTS[0], stop_at_eos=False)) as events:
                await anext(events)
            events = engine.generate(PROMPTS[0], stop_at_eos=False)
            await anext(events)
            del events
            gc.collect()
            while (await engine.counters())["requests_cancelled_total"] < 2:
                await asyncio.sleep(0.001)

    asyncio.run(main())


def test_a_wrong_request_raises_at_once(lm: rally.Model) -> None:
    async def main() -> None:
        async with rally.AsyncEngine(lm) as engine:
            with pytest.raises(RallyError) as caught:
                engine.generate(PROMPTS[0], temperature=-1.0)
            assert caught.value.code == Status.INVALID_ARGUMENT
            assert len(await text(engine, PROMPTS[0], 0)) > 0

    asyncio.run(main())


def test_a_closed_engine_and_another_loop(lm: rally.Model) -> None:
    async def opened() -> rally.AsyncEngine:
        engine = rally.AsyncEngine(lm)
        await text(engine, PROMPTS[0], 0, 3)
        return engine

    async def closed(engine: rally.AsyncEngine) -> None:
        with pytest.raises(RuntimeError, match="event loop"):
            engine.generate(PROMPTS[0], 3)
        await engine.aclose()
        await engine.aclose()
        with pytest.raises(RallyError) as caught:
            engine.generate(PROMPTS[0], 3)
        assert caught.value.code == Status.CLOSED

    asyncio.run(closed(asyncio.run(opened())))


def test_saved_from_a_task(endless: rally.Model) -> None:
    how: rally.Sampling = {"temperature": 1.0, "stop_at_eos": False}

    async def main() -> bytes:
        async with rally.AsyncEngine(endless) as engine:
            events = engine.generate(PROMPTS[0], seed=4, **how)
            await anext(events)
            return await engine.save(events.request)

    state = asyncio.run(main())
    with rally.Engine(endless) as engine:
        engine.restore(state, seed=4, **how)
        rest = list(itertools.islice(engine, 20))
    whole = endless.generate(PROMPTS[0], rest[-1].index + 1, seed=4, **how).tokens
    assert [event.token for event in rest] == whole[rest[0].index :]
