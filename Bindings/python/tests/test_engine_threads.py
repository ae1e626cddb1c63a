"""An engine that several threads use: nothing is lost, doubled, or different."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable

import pytest

import rally
from rally import RallyError, Status

TEXTS = 12
THREADS = 4


def test_submissions_and_cancellations_from_many_threads(lm: rally.Model) -> None:
    alone = {seed: lm.generate("the sea", 20, temperature=1.0, seed=seed).tokens for seed in range(THREADS * TEXTS)}
    seeds: dict[int, int] = {}
    cancelled: set[int] = set()
    found: dict[int, list[rally.Event]] = defaultdict(list)
    remaining = THREADS
    registering = threading.Lock()

    with rally.Engine(lm, threads=2, max_sequences=7) as engine:

        def client(first: int) -> None:
            nonlocal remaining
            for seed in range(first, first + TEXTS):
                request = engine.submit("the sea", 20, temperature=1.0, seed=seed)
                with registering:
                    seeds[request] = seed
                if seed % 5 == 0:
                    engine.cancel(request)
                    cancelled.add(request)
            with registering:
                remaining -= 1

        clients = [threading.Thread(target=client, args=(index * TEXTS,)) for index in range(THREADS)]
        for thread in clients:
            thread.start()
        while remaining or engine.busy:
            for event in engine.step():
                found[event.request].append(event)
        for thread in clients:
            thread.join()

    assert sorted(found) == sorted(seeds) == list(range(THREADS * TEXTS))
    for request, events in found.items():
        assert [event.finish_reason is not None for event in events] == [False] * (len(events) - 1) + [True]
        tokens = [event.token for event in events if event.token >= 0]
        wanted = alone[seeds[request]]
        assert tokens == wanted[: len(tokens)]
        if request not in cancelled:
            assert tokens == wanted


def test_many_threads_step_one_engine(lm: rally.Model) -> None:
    wanted = lm.generate("the sea", 8).tokens
    with rally.Engine(lm, threads=1) as engine:
        found: list[rally.Event] = []

        def work() -> None:
            for _ in range(TEXTS):
                engine.submit("the sea", 8)
                found.extend(engine.step())
            found.extend(engine)

        workers = [threading.Thread(target=work) for _ in range(THREADS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    texts: dict[int, dict[int, int]] = defaultdict(dict)
    for event in found:
        texts[event.request][event.index] = event.token
    assert len(found) == 8 * THREADS * TEXTS
    assert sorted(texts) == list(range(THREADS * TEXTS))
    assert all([text[index] for index in range(8)] == wanted for text in texts.values())


class Contended(deque[rally.Event]):
    """Another thread is always quicker to take the last one."""

    def popleft(self) -> rally.Event:
        event = super().popleft()
        if not self:
            raise IndexError("pop from an empty deque")
        return event


@pytest.mark.parametrize("all_of", [rally.Engine.run, rally.Engine.step])
def test_an_event_that_another_thread_takes_first(
    lm: rally.Model, monkeypatch: pytest.MonkeyPatch, all_of: Callable[[rally.Engine], list[rally.Event]]
) -> None:
    with rally.Engine(lm, threads=1) as engine:
        monkeypatch.setattr(engine, "_events", Contended())
        for _ in range(2):
            engine.submit([1, 2, 3], 1)
        assert len(all_of(engine)) < 2


def test_two_engines_of_one_model(lm: rally.Model) -> None:
    wanted = [lm.generate("an inn", 30, temperature=1.0, seed=seed).tokens for seed in range(6)]
    results: dict[int, list[list[int]]] = {}

    def work(index: int) -> None:
        with rally.Engine(lm, threads=1) as engine:
            requests = [engine.submit("an inn", 30, temperature=1.0, seed=seed) for seed in range(6)]
            tokens: dict[int, list[int]] = {request: [] for request in requests}
            for event in engine:
                tokens[event.request].append(event.token)
            results[index] = [tokens[request] for request in requests]

    workers = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == dict.fromkeys(range(3), wanted)


def test_closing_while_another_thread_steps(lm: rally.Model) -> None:
    engine = rally.Engine(lm)
    for seed in range(8):
        engine.submit("the sea", temperature=1.0, seed=seed, stop_at_eos=False)
    started = threading.Event()
    codes: list[int] = []

    def drive() -> None:
        try:
            while engine.busy:
                engine.step()
                started.set()
        except RallyError as error:
            codes.append(error.code)

    driver = threading.Thread(target=drive)
    driver.start()
    started.wait()
    engine.close()
    driver.join()
    assert codes in ([], [Status.CLOSED])
    with pytest.raises(RallyError, match="closed"):
        engine.step()
