"""What an installed wheel must do: generate, continue and rate, and for many threads at once give the bits that one gets.

`smoke.py FOLDER`, with the two shipped models in it.
"""

import sys
import sysconfig
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import rally

THREADS, ROUNDS = 8, 20
TEXTS = ["The tide had gone out, and the boats lay on the sand.", "CLICK here >>> win win win", "x9$ q"]
T = TypeVar("T")


def at_once(work: Callable[[int], T]) -> list[T]:
    """What each of the threads gets, which begin together."""
    barrier = Barrier(THREADS)

    def begin(index: int) -> T:
        barrier.wait()
        return work(index)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(begin, range(THREADS)))


def rate(path: Path) -> None:
    """One model, and a scorer that all threads use first at the same time."""
    with rally.Model(path) as model:
        expected = model.rate(TEXTS).tobytes()
        found = at_once(lambda _: {model.rate(TEXTS).tobytes() for _ in range(ROUNDS)})
        assert found == [{expected}] * THREADS, "other scores from several threads"
        assert len({text for found in at_once(lambda _: model.encode(TEXTS[0])) for text in [tuple(found)]}) == 1
    for _ in range(ROUNDS):
        scorer = rally.Scorer(path, threads=1)
        found = at_once(lambda _, scorer=scorer: (id(scorer.model), scorer.rate_texts(TEXTS).tobytes()))
        assert {scores for _, scores in found} == {expected}, "other scores from a scorer"
        assert len({model for model, _ in found}) == 1, "a scorer opened its model more than once"
        scorer.close()


def generate(path: Path) -> None:
    """One model, and an engine that all threads give requests to and step."""
    with rally.Model(path) as model, rally.Engine(model) as engine:
        expected = model.generate(["The sea"], max_tokens=6)[0].tokens
        assert at_once(lambda _: model.generate(["The sea"], max_tokens=6)[0].tokens) == [expected] * THREADS

        def work(_: int) -> list[rally.Event]:
            for _ in range(ROUNDS):
                engine.submit("The sea", 6)
            return list(engine)

        tokens: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for event in (event for events in at_once(work) for event in events):
            tokens[event.request].append((event.index, event.token))
        assert sorted(tokens) == list(range(THREADS * ROUNDS)), "requests without events"
        for events in tokens.values():
            assert [token for _, token in sorted(events)] == expected, "another text from the engine"


def main() -> None:
    folder = Path(sys.argv[1])
    rate(folder / "rally-rater-tiny.onnx")
    generate(folder / "rally-tiny.onnx")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert not sys._is_gil_enabled(), "the global interpreter lock was taken back"


if __name__ == "__main__":
    main()
