"""The promise of the header: a row's result is the same bits whatever runs alongside it, and however it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import models
import numpy as np
import pytest
from compare import same_bits

import rally

LENGTHS = [1, 17, 2, 64, 33, 3, 5, 128, 1, 7]
ROWS = models.rows(LENGTHS)


@pytest.fixture(scope="module", params=[*models.LANGUAGE_MODELS, *models.LOOPED])
def path(request: pytest.FixtureRequest, folder: Path) -> Path:
    return models.path(folder, request.param)


@pytest.fixture(scope="module", params=["f32", "bf16", "int8"])
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(path: Path, dtype: str) -> Iterator[rally.Model]:
    with rally.Model(path, dtype, threads=2) as opened:
        assert opened.info.dtype == dtype
        yield opened


@pytest.fixture(scope="module", params=["threshold", "topk"])
def selection(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def alone(model: rally.Model, selection: str) -> list[rally.Forward]:
    return [model.forward([row], selection, hidden=True)[0] for row in ROWS]


def assert_same(found: list[rally.Forward], expected: list[rally.Forward]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.depth.tolist() == other.depth.tolist()
        assert one.logits is not None
        assert other.logits is not None
        assert same_bits(one.logits, other.logits)
        if one.hidden is not None and other.hidden is not None:
            assert same_bits(one.hidden, other.hidden)


def test_depths_vary(alone: list[rally.Forward], model: rally.Model) -> None:
    """Else the tests below would show little."""
    depths = set(np.concatenate([row.depth for row in alone]).tolist())
    if model.info.routing == model.info.exit == "none":
        assert depths == {model.info.num_recursion}
    else:
        assert depths == {1, 2, 3}


def test_any_company_in_any_order(model: rally.Model, selection: str, alone: list[rally.Forward]) -> None:
    random = np.random.default_rng(2)
    for count in (2, 5, len(ROWS)):
        order = random.permutation(len(ROWS))[:count]
        assert_same(model.forward([ROWS[i] for i in order], selection), [alone[i] for i in order])


@pytest.mark.parametrize(("threads", "batch_tokens"), [(1, 0), (3, 0), (2, 1), (2, 100), (1, 7), (3, 100_000)])
def test_any_threads_and_batches(
    path: Path, dtype: str, selection: str, alone: list[rally.Forward], threads: int, batch_tokens: int
) -> None:
    with rally.Model(path, dtype, threads=threads, batch_tokens=batch_tokens) as other:
        assert_same(other.forward(ROWS, selection, hidden=True), alone)


def test_chosen_positions(model: rally.Model, selection: str, alone: list[rally.Forward]) -> None:
    for found, whole in zip(model.forward(ROWS, selection, positions=-1, hidden=True), alone, strict=True):
        assert found.logits is not None
        assert found.hidden is not None
        assert whole.logits is not None
        assert whole.hidden is not None
        assert same_bits(found.logits, whole.logits[-1:])
        assert same_bits(found.hidden, whole.hidden[-1:])
        assert found.depth.tolist() == whole.depth.tolist()
    chosen = [[0, -1], [], [1], [5, 3, 5], *([[0]] * 6)]
    for places, found, whole in zip(chosen, model.forward(ROWS, selection, positions=chosen), alone, strict=True):
        assert found.logits is not None
        assert whole.logits is not None
        assert same_bits(found.logits, whole.logits[np.array(places, int)])


def test_logprobs_in_any_company(model: rally.Model, selection: str, alone: list[rally.Forward]) -> None:
    together = model.logprobs(ROWS, selection)
    assert [row.size for row in together] == [length - 1 for length in LENGTHS]
    for row, found, whole in zip(ROWS, together, alone, strict=True):
        assert same_bits(found, model.logprobs([row], selection)[0])
        assert whole.logits is not None
        logits = whole.logits.astype(np.float64)
        exact = (
            logits
            - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
            - logits.max(1, keepdims=True)
        )
        np.testing.assert_allclose(found, exact[np.arange(len(row) - 1), row[1:]], rtol=1e-5, atol=1e-5)
    targets = [[*row[1:], -1] for row in ROWS]
    for found, aimed in zip(together, model.logprobs(ROWS, selection, targets=targets), strict=True):
        assert same_bits(found, aimed[:-1])
        assert np.isnan(aimed[-1])


@pytest.mark.parametrize("max_depth", [None, 1, 2])
def test_generation_is_the_full_forward(model: rally.Model, max_depth: int | None) -> None:
    prompts = [ROWS[0], ROWS[1], ROWS[4], ROWS[2]]
    exit_from = {"exit_from": 0} if model.info.exit != "none" else {}
    results = model.generate(prompts, max_tokens=24, stop_at_eos=False, max_depth=max_depth, **exit_from)
    for prompt, result in zip(prompts, results, strict=True):
        assert len(result.tokens) == 24
        whole = prompt + result.tokens
        (forward,) = model.forward([whole], max_depth=max_depth)
        (logprobs,) = model.logprobs([whole], max_depth=max_depth)
        assert forward.logits is not None
        assert same_bits(result.logprobs, logprobs[len(prompt) - 1 :])
        assert result.tokens == forward.logits[len(prompt) - 1 : -1].argmax(1).tolist()
        assert result.prompt_depth.tolist() == forward.depth[: len(prompt)].tolist()
        assert result.depth.tolist() == forward.depth[len(prompt) - 1 : -1].tolist()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_prompts_together_are_prompts_alone(model: rally.Model, temperature: float) -> None:
    prompts, seeds = [ROWS[1], ROWS[0], ROWS[5], ROWS[7], ROWS[1]], [3, 1, 4, 1, 5]
    together = model.generate(prompts, max_tokens=30, temperature=temperature, seed=seeds)
    for prompt, seed, found in zip(prompts, seeds, together, strict=True):
        single = model.generate(prompt, max_tokens=30, temperature=temperature, seed=seed)
        assert found.tokens == single.tokens
        assert same_bits(found.logprobs, single.logprobs)
        assert found.depth.tolist() == single.depth.tolist()


def test_threads_and_batches_do_not_change_a_text(path: Path, dtype: str) -> None:
    results = []
    for threads, batch_tokens in [(1, 0), (2, 5), (3, 1)]:
        with rally.Model(path, dtype, threads=threads, batch_tokens=batch_tokens) as model:
            results.append(model.generate(ROWS[:6], max_tokens=20, temperature=0.9, seed=5))
    for other in results[1:]:
        for found, expected in zip(other, results[0], strict=True):
            assert found.tokens == expected.tokens
            assert same_bits(found.logprobs, expected.logprobs)


def test_prefixes(model: rally.Model) -> None:
    """Threshold selection is causal."""
    row = ROWS[3]
    (whole,) = model.forward([row])
    assert whole.logits is not None
    for length in (1, 2, 31, 63):
        (part,) = model.forward([row[:length]])
        assert part.logits is not None
        assert same_bits(part.logits, whole.logits[:length])
        assert part.depth.tolist() == whole.depth[:length].tolist()


def test_ratings(rater_path: Path, dtype: str) -> None:
    with rally.Model(rater_path, dtype, threads=1) as rater:
        alone = np.concatenate([rater.rate([row]) for row in ROWS])
    for threads, batch_tokens in [(1, 0), (2, 0), (3, 9), (2, 1)]:
        with rally.Model(rater_path, dtype, threads=threads, batch_tokens=batch_tokens) as rater:
            assert same_bits(rater.rate(ROWS), alone)
            assert same_bits(rater.rate(ROWS[::-1]), alone[::-1].copy())
