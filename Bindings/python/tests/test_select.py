"""Selection against its twins: fractions, NumPy, SciPy and exact sums, and hashlib for decisions."""

from __future__ import annotations

import hashlib
import math
import struct
from fractions import Fraction

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import scipy.special

from rally import RallyError, Status, select

RANDOM = np.random.default_rng(5)


def refusal(call: object, *arguments: object) -> Status:
    with pytest.raises(RallyError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


@pytest.mark.parametrize(
    "discard", ["0", "0.1", "0.25", "0.3", "0.5", "0.7", "0.75", "0.9", "0.99", "0.999999", "1e-7"]
)
def test_draw_counts_are_those_of_the_decimal_number(discard: str) -> None:
    for keep in [0, 1, 2, 3, 7, 10, 100, 127, 128, 12345, 2**40]:
        assert select.draw_count(keep, float(discard)) == math.ceil(keep / (1 - Fraction(discard)))


def test_draw_counts() -> None:
    assert select.draw_count(1, 0.9) == 10
    assert select.draw_count(1, np.float32(0.9)) == 10
    assert math.ceil(1 / (1 - 0.9)) == 11, "what arithmetic on doubles says"
    for keep, discard in [(-1, 0.5), (1, 1), (1, -0.1), (1, math.nan), (1.5, 0.5), (1, "0.5"), (True, 0.5)]:
        assert refusal(select.draw_count, keep, discard) == Status.INVALID_ARGUMENT
    assert refusal(select.draw_count, 2**62, 0.9) == Status.LIMIT_EXCEEDED


@pytest.mark.parametrize("values", [3, 50, 10**6])
def test_top(values: int) -> None:
    scores = RANDOM.integers(0, values, 2000).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    for keep in [0, 1, 2, 500, 1999, 2000]:
        kept = select.top(scores, keep)
        assert kept.dtype == np.intp
        assert kept.tolist() == sorted(order[:keep].tolist())
    assert select.top([math.inf, -math.inf, 0.0], 2).tolist() == [0, 2]
    assert refusal(select.top, [], 0) == Status.EMPTY_INPUT
    assert refusal(select.top, [1, math.nan], 1) == Status.NOT_FINITE
    assert refusal(select.top, [1, 2], 3) == Status.INVALID_ARGUMENT
    assert refusal(select.top, [[1, 2]], 1) == Status.INVALID_ARGUMENT
    assert refusal(select.top, ["a"], 1) == Status.INVALID_ARGUMENT


def test_softmax_weights() -> None:
    for scale in (1e-3, 1, 1e3, 1e30):
        scores = (RANDOM.standard_normal(257) * scale).astype(np.float32)
        np.testing.assert_allclose(
            select.softmax_weights(scores), scipy.special.softmax(scores.astype(np.float64)), rtol=1e-6, atol=1e-40
        )
    assert refusal(select.softmax_weights, []) == Status.EMPTY_INPUT
    assert refusal(select.softmax_weights, [1, math.inf]) == Status.NOT_FINITE


def quantiles() -> npt.NDArray[np.float64]:
    tiny = [0, 5e-324, 1e-308, 1e-100, 1e-16, 1e-12, 1e-6, 1e-3]
    middle = np.linspace(0, 1, 201).tolist()
    return np.unique([*tiny, *middle, *(1 - np.array(tiny)), np.nextafter(1, 0)])


def incomplete_beta(a: float, b: float, x: float) -> mpmath.mpf:
    """I_x(a, b) in 60 digits, by its continued fraction (Lentz)."""
    with mpmath.workdps(60):
        a, b, x = mpmath.mpf(a), mpmath.mpf(b), mpmath.mpf(x)
        if x > (a + 1) / (a + b + 2):
            return 1 - incomplete_beta(b, a, 1 - x)
        beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
        front = mpmath.exp(a * mpmath.log(x) + b * mpmath.log(1 - x) - beta) / a
        value, numerator, denominator = mpmath.mpf(1), mpmath.mpf(1), mpmath.mpf(0)
        for index in range(100_000):
            m = index // 2
            if index == 0:
                term = mpmath.mpf(1)
            elif index % 2 == 0:
                term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            else:
                term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            denominator = 1 / (1 + term * denominator)
            numerator = 1 + term / numerator
            value *= numerator * denominator
            if abs(1 - numerator * denominator) < mpmath.mpf(10) ** -40:
                return front * (value - 1)
        raise AssertionError("the continued fraction did not settle")


BATCHES = [1, 2, 3, 10, 128, 143, 256, 512, 10_000, 1_000_000, 4_194_304, 2**24]


@pytest.mark.parametrize("batch", BATCHES)
def test_acceptance_is_scipys(batch: int) -> None:
    """To 1e-12 of the value; where SciPy, which computes in double throughout, is further off, 60 digits decide."""
    p = quantiles()
    for keep in sorted({0, 1, 2, batch // 100, batch // 4, batch // 2, 9 * batch // 10, batch - 1, batch}):
        if not 0 <= keep <= batch:
            continue
        found = select.acceptance(p, batch, keep)
        if keep in (0, batch):
            assert (found == keep / batch).all()
            continue
        expected = scipy.special.betainc(batch - keep, keep, p)
        differs = np.abs(found - expected) > 1e-12 * np.maximum(found, 1e-300)
        assert differs.sum() <= 3
        for place in np.flatnonzero(differs):
            exact = incomplete_beta(batch - keep, keep, p[place])
            assert abs(found[place] - exact) <= 1e-12 * exact
        assert (found[0], found[-1]) == (0, 1)
        assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize(
    ("batch", "keep"), [(10_000, 2500), (10**6, 250_000), (10**6, 10), (2**24, 2**23), (2**24, 2**24 - 9)]
)
def test_acceptance_where_it_turns(batch: int, keep: int) -> None:
    """Within 30 standard deviations of where half are kept, for which a grid over [0, 1] is too coarse."""
    middle = 1 - keep / batch
    deviation = math.sqrt(middle * (1 - middle) / batch)
    p = [middle + z * deviation for z in (-30, -10, -3, -1, 0, 0.5, 2, 5, 10)]
    for place in (place for place in p if 0 < place < 1):
        exact = incomplete_beta(batch - keep, keep, place)
        assert abs(float(select.acceptance(place, batch, keep)) - exact) <= 1e-12 * exact


@pytest.mark.parametrize(("batch", "keep"), [(3, 1), (17, 5), (64, 63), (128, 32), (300, 7)])
def test_acceptance_is_the_exact_sum(batch: int, keep: int) -> None:
    for p in [1e-9, 0.001, 0.1, 0.5, 0.685, 0.75, 0.9, 0.999, 1 - 2**-53]:
        exact = Fraction(p)
        terms = (math.comb(batch - 1, s) * (1 - exact) ** s * exact ** (batch - 1 - s) for s in range(keep))
        expected = sum(terms, Fraction(0))
        found = Fraction(float(select.acceptance(p, batch, keep)))
        assert abs(found - expected) <= expected * Fraction(1, 10**12) + Fraction(1, 10**300)


def test_acceptance_as_published() -> None:
    """The table of docs/curation.md: the quantile at which 5, 50 and 95 % are kept."""
    rows = {(128, 32): (0.685, 0.751, 0.810), (512, 128): (0.718, 0.750, 0.781)}
    rows |= {(256, 128): (0.449, 0.500, 0.551), (143, 128): (0.066, 0.103, 0.150)}
    for (batch, keep), places in rows.items():
        np.testing.assert_allclose(select.acceptance(places, batch, keep), (0.05, 0.5, 0.95), atol=0.02)


def test_acceptance_shapes_and_refusals() -> None:
    assert select.acceptance(0.5, 2, 1).shape == ()
    assert select.acceptance([[0.25, 0.75]], 2, 1).tolist() == [[0.25, 0.75]]
    assert select.acceptance([], 2, 1).shape == (0,)
    for p, batch, keep in [(math.nan, 2, 1), (-0.1, 2, 1), (1.1, 2, 1), (0.5, 0, 0), (0.5, 2, 3), (0.5, 2**24 + 1, 1)]:
        assert refusal(select.acceptance, p, batch, keep) == Status.INVALID_ARGUMENT


def twin(name: bytes, probability: float, fingerprint: str, seed: int) -> bool:
    text = fingerprint.encode()
    layout = struct.pack("<QQ", seed, len(text)) + text + struct.pack("<Q", len(name)) + name
    bits = int.from_bytes(hashlib.sha256(layout).digest()[:8], "big") >> 11
    return bits / 2**53 < probability


@pytest.mark.parametrize(("fingerprint", "seed"), [("", 0), ("f" * 64, 7), ("räter", 2**64 - 1)])
def test_decisions_are_those_of_hashlib(fingerprint: str, seed: int) -> None:
    names = [b"", b"a", "räter".encode(), b"\0\xff", *(b"x" * n for n in range(140)), *(b"%d" % n for n in range(500))]
    chances = RANDOM.random(len(names))
    chances[:2] = 0, 1
    found = select.decide(names, chances, fingerprint, seed)
    assert found.dtype == np.bool_
    assert found.tolist() == [twin(name, p, fingerprint, seed) for name, p in zip(names, chances, strict=True)]
    order = RANDOM.permutation(len(names))
    assert select.decide([names[i] for i in order], chances[order], fingerprint, seed).tolist() == found[order].tolist()


def test_decisions_take_text_and_numbers() -> None:
    bytes_first = select.decide([b"12", "ä".encode()], [0.5, 0.5], "f")
    assert select.decide([12, "ä"], [0.5, 0.5], "f").tolist() == bytes_first.tolist()
    assert select.decide([], [], "f").tolist() == []
    for ids, p, fingerprint, seed in [
        (["a"], [0.5, 0.5], "f", 0),
        (["a"], [math.nan], "f", 0),
        ([1.5], [0.5], "f", 0),
        (["a"], [0.5], "f", -1),
        (["a"], [0.5], "f\0", 0),
    ]:
        assert refusal(select.decide, ids, p, fingerprint, seed) == Status.INVALID_ARGUMENT


def test_a_corpus_keeps_its_share() -> None:
    count = 40_000
    p = (np.arange(count) + 0.5) / count
    kept = select.decide(range(count), select.acceptance(p, 128, 32), "f")
    assert abs(kept.mean() - 0.25) < 4 * math.sqrt(0.25 * 0.75 / count)
    assert kept[p > 0.85].mean() > 0.99
    assert kept[p < 0.6].mean() < 0.01


def test_cost() -> None:
    assert select.cost_ratio(50e6, 1e9, 0.75) == pytest.approx(1 / 15)
    assert select.cost_ratio(50e6, 50e6, 0.75) == pytest.approx(4 / 3)
    assert not select.costs_more(1 / 15, 0.75)
    assert select.costs_more(4 / 3, 0.75)
    assert select.costs_more(0.12, 0.1)
    for rater, model, discard in [(0, 1, 0.5), (1, math.inf, 0.5), (1, 1, 1), ("1", 1, 0.5), (None, 1, 0.5)]:
        assert refusal(select.cost_ratio, rater, model, discard) == Status.INVALID_ARGUMENT
