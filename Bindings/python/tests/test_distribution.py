"""Distributions: exact ranks while small, and never further off than they say."""

from __future__ import annotations

import math
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from rally import Distribution, RallyError, Status

Floats = npt.NDArray[np.float32]
RANDOM = np.random.default_rng(11)
MILLION = 1_000_000


def mid_ranks(probes: Floats, scores: Floats) -> npt.NDArray[np.float64]:
    ascending = np.sort(scores)
    below, upto = np.searchsorted(ascending, probes, "left"), np.searchsorted(ascending, probes, "right")
    return (below + upto) / (2 * scores.size)


def of(scores: Floats, label: str = "", capacity: int = 4096) -> Distribution:
    made = Distribution(label, capacity)
    made.add(scores)
    return made


SHAPES: dict[str, Callable[[int], Floats]] = {
    "normal": lambda n: RANDOM.standard_normal(n).astype(np.float32),
    "sorted": lambda n: np.arange(n, dtype=np.float32),
    "reversed": lambda n: np.arange(n, 0, -1).astype(np.float32),
    "constant": lambda n: np.full(n, 2.5, np.float32),
    "few values": lambda n: RANDOM.integers(0, 5, n).astype(np.float32),
    "heavy tail": lambda n: RANDOM.standard_cauchy(n).astype(np.float32),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_million_scores(shape: str) -> None:
    scores = SHAPES[shape](MILLION)
    made = of(scores)
    probes = np.unique(np.concatenate([scores[::997], [scores.min(), scores.max()]]))
    worst = np.abs(made.cdf(probes) - mid_ranks(probes, scores)).max()
    assert worst <= made.rank_error + 1e-15
    assert made.rank_error <= 9 / 8192
    assert (made.count, made.minimum, made.maximum) == (MILLION, scores.min(), scores.max())
    p = np.linspace(0, 1, 101)
    found = made.quantile(p)
    ascending = np.sort(scores)
    below, upto = np.searchsorted(ascending, found, "left"), np.searchsorted(ascending, found, "right")
    slack = made.rank_error + 1 / MILLION
    assert (below / MILLION <= p + slack).all()
    assert (upto / MILLION >= p - slack).all()


def test_merging_is_the_same_promise() -> None:
    scores = SHAPES["normal"](MILLION)
    parts = [of(part) for part in np.array_split(scores, [10, 5_000, 200_000, 200_001, 700_000])]
    one = Distribution()
    for part in parts:
        one.merge(part)
    probes = scores[::997]
    assert np.abs(one.cdf(probes) - mid_ranks(probes, scores)).max() <= one.rank_error
    assert one.rank_error <= (math.log2(MILLION / 4096) + 1) / 4096
    assert one.count == MILLION
    assert parts[1].count == 4990
    one.merge(one)
    assert one.count == 2 * MILLION


def test_few_scores_are_exact(tmp_path: Path) -> None:
    scores = RANDOM.integers(0, 300, 4096).astype(np.float32)
    made = of(scores, "f:document")
    assert made.rank_error == 0
    probes = np.arange(-1, 301).astype(np.float32)
    assert made.cdf(probes).tolist() == mid_ranks(probes, scores).tolist()
    p = np.linspace(0, 1, 57)
    assert made.quantile(p).tolist() == np.quantile(scores, p, method="inverted_cdf").tolist()
    assert made.cdf(scores).mean() == pytest.approx(0.5, abs=1e-12)
    assert made.cdf(scores.reshape(64, 64)).shape == (64, 64)
    assert made.cdf(0).shape == ()

    path = tmp_path / "scores.cdf"
    path.write_text("what was there")
    made.save(path)
    assert [child.name for child in tmp_path.iterdir()] == ["scores.cdf"]
    for opened in (Distribution.load(path), Distribution.from_bytes(made.to_bytes()), pickle.loads(pickle.dumps(made))):
        assert opened.to_bytes() == made.to_bytes()
        assert (opened.label, opened.capacity, opened.count) == ("f:document", 4096, 4096)
        opened.add(scores)
        assert opened.count == 8192
    assert made.count == 4096


def test_the_same_scores_give_the_same_bytes() -> None:
    scores = SHAPES["normal"](100_000)
    pieces = Distribution()
    for part in np.array_split(scores, 77):
        pieces.add(part)
    assert pieces.to_bytes() == of(scores).to_bytes()
    assert len(pieces.to_bytes()) < 120_000


def test_refusals(tmp_path: Path) -> None:
    made = of(np.array([1, 2], np.float32), "a")
    cases: list[tuple[Callable[[], object], Status]] = [
        (lambda: made.merge(Distribution("b")), Status.MISMATCH),
        (lambda: made.merge(Distribution("a", 8)), Status.MISMATCH),
        (lambda: made.add([1, math.nan]), Status.NOT_FINITE),
        (lambda: made.add("1"), Status.INVALID_ARGUMENT),
        (lambda: made.cdf([math.nan]), Status.NOT_FINITE),
        (lambda: made.quantile([1.5]), Status.INVALID_ARGUMENT),
        (lambda: made.quantile([math.nan]), Status.INVALID_ARGUMENT),
        (lambda: Distribution().cdf([1]), Status.EMPTY_INPUT),
        (lambda: Distribution().quantile([0.5]), Status.EMPTY_INPUT),
        (lambda: Distribution("a\0"), Status.INVALID_ARGUMENT),
        (lambda: Distribution("a" * 70_000), Status.INVALID_ARGUMENT),
        (lambda: Distribution(capacity=9), Status.INVALID_ARGUMENT),
        (lambda: Distribution.load(tmp_path / "none"), Status.FILE_NOT_FOUND),
        (lambda: Distribution.from_bytes(b""), Status.CORRUPT_FILE),
        (lambda: Distribution.from_bytes(made.to_bytes()[:-1]), Status.CORRUPT_FILE),
    ]
    before = made.to_bytes()
    for call, status in cases:
        with pytest.raises(RallyError) as caught:
            call()
        assert caught.value.code == status
    assert made.to_bytes() == before
    assert math.isnan(Distribution().minimum)
    assert Distribution().rank_error == 0


def test_many_threads_write_and_read() -> None:
    made = Distribution()

    def work() -> None:
        for _ in range(50):
            made.add(np.ones(100, np.float32))
            assert made.cdf([1.0])[0] == 0.5

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.count == 40_000
