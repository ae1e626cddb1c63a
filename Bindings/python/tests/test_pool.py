"""Pools of threads that models and engines share."""

from __future__ import annotations

import threading
from pathlib import Path

import models
import numpy as np
import pytest
from compare import same_bits

import rally
from rally import Pool, RallyError, Status

ROWS = models.rows([3, 20, 1, 50, 100])


def thread_count() -> int:
    return sum(name.read_text().startswith("rally-worker") for name in Path("/proc/self/task").glob("*/comm"))


def test_results_are_those_of_own_threads(rater_path: Path, lm_path: Path) -> None:
    with rally.Model(rater_path, threads=2) as rater, rally.Model(lm_path, threads=2) as lm:
        scores, text = rater.rate(ROWS), lm.generate([5, 6, 7], 20, temperature=0.7, seed=3).tokens
    before = thread_count()
    pool = Pool(3)
    shared = [rally.Model(rater_path, pool=pool) for _ in range(3)]
    lm = rally.Model(lm_path, pool=pool)
    engine = rally.Engine(lm, pool=pool)
    found: list[np.ndarray] = []
    texts: list[list[int]] = []

    def rate(model: rally.Model) -> None:
        for _ in range(5):
            found.append(model.rate(ROWS))

    def generate() -> None:
        engine.submit([5, 6, 7], 20, temperature=0.7, seed=3)
        texts.append([event.token for event in engine])
        texts.append(lm.generate([5, 6, 7], 20, temperature=0.7, seed=3).tokens)

    workers = [threading.Thread(target=rate, args=(model,)) for model in shared] + [threading.Thread(target=generate)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert thread_count() == before + 2, "two threads besides those that call, however many share them"
    assert len(found) == 15 and all(same_bits(one, scores) for one in found)
    assert [list(one) for one in texts] == [list(text), list(text)]
    pool.close()
    assert same_bits(shared[0].rate(ROWS), scores), "those that have the threads keep them"
    for model in shared:
        model.close()
    engine.close()
    lm.close()
    assert thread_count() == before


def test_what_is_refused(lm_path: Path) -> None:
    pool = Pool(1)
    with pytest.raises(RallyError) as caught:
        rally.Engine(lm_path, pool=pool, threads=2)
    assert caught.value.code == Status.INVALID_ARGUMENT and "pool" in str(caught.value)
    pool.close()
    with pytest.raises(RallyError) as caught:
        rally.Engine(lm_path, pool=pool)
    assert caught.value.code == Status.CLOSED
    with pytest.raises(RallyError) as caught:
        rally.Model(lm_path, pool=pool)
    assert caught.value.code == Status.CLOSED
    with pytest.raises(RallyError) as caught:
        Pool(1000)
    assert caught.value.code == Status.INVALID_ARGUMENT
