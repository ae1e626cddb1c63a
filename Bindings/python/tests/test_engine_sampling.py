"""Penalties, biases, cuts and log-probabilities of an engine, against NumPy on the logits of one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from compare import same_bits

import rally

PROMPT = "the sea and the other, the inn in the rain"
COUNT = 40

Logits = npt.NDArray[np.float64]


def events_of(model: rally.Model, **how: Any) -> list[rally.Event]:
    """One request alongside three others."""
    with rally.Engine(model, threads=2, max_step_tokens=16) as engine:
        for seed in range(3):
            engine.submit("a", 25, temperature=1.0, seed=seed)
        request = engine.submit(PROMPT, COUNT, stop_at_eos=False, **how)
        return [event for event in engine if event.request == request]


def logits_before(model: rally.Model, events: list[rally.Event]) -> Logits:
    """What each token was predicted from, [COUNT, V]."""
    prompt = model.encode(PROMPT)
    (forward,) = model.forward([prompt + [event.token for event in events]])
    assert forward.logits is not None
    return forward.logits[len(prompt) - 1 : -1].astype(np.float64)


def penalised(
    logits: Logits,
    seen: list[int],
    generated: list[int],
    repetition_penalty: float = 1,
    presence_penalty: float = 0,
    frequency_penalty: float = 0,
    logit_bias: dict[int, float] | None = None,
) -> Logits:
    """The header's sentences about penalties and biases, one after the other."""
    changed = logits.copy()
    for token in set(seen):
        changed[token] = (
            changed[token] / repetition_penalty if changed[token] > 0 else changed[token] * repetition_penalty
        )
    for token in set(generated):
        changed[token] -= presence_penalty + frequency_penalty * generated.count(token)
    for token, bias in (logit_bias or {}).items():
        changed[token] += bias
    return changed


@pytest.mark.parametrize(
    "how",
    [
        {"repetition_penalty": 1.4},
        {"repetition_penalty": 0.7},
        {"presence_penalty": 0.8},
        {"frequency_penalty": 0.5},
        {"frequency_penalty": -0.3, "presence_penalty": 0.2},
        {"repetition_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": 0.2, "logit_bias": {97: 2.0}},
    ],
    ids=lambda how: "+".join(how),
)
def test_the_most_probable_token(lm: rally.Model, how: dict[str, Any]) -> None:
    events = events_of(lm, **how)
    tokens = [event.token for event in events]
    assert len(tokens) == COUNT
    seen = lm.encode(PROMPT)
    changes = 0
    for index, logits in enumerate(logits_before(lm, events)):
        wanted = penalised(logits, seen + tokens[:index], tokens[:index], **how)
        assert wanted[tokens[index]] >= wanted.max() - 1e-5
        changes += int(np.argmax(logits) != tokens[index])
    assert changes > 0, "the penalty chose nothing"


def test_biases(lm: rally.Model) -> None:
    favourites = {event.token for event in events_of(lm)[:10]}
    biases = {token: -np.inf if index % 2 else -2.5 for index, token in enumerate(sorted(favourites))} | {97: 0.5}
    events = events_of(lm, logit_bias=biases)
    tokens = [event.token for event in events]
    for token, logits in zip(tokens, logits_before(lm, events), strict=True):
        wanted = penalised(logits, [], [], logit_bias=biases)
        assert wanted[token] >= wanted.max() - 1e-5
    assert not set(tokens) & {token for token, bias in biases.items() if bias == -np.inf}


def test_logprobs_and_the_most_probable_ones(lm: rally.Model) -> None:
    events = events_of(lm, temperature=1.3, seed=5, logprobs=6, presence_penalty=0.5)
    logits = logits_before(lm, events)
    logprobs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    for event, row in zip(events, logprobs, strict=True):
        assert event.logprob == pytest.approx(row[event.token], abs=2e-5)
        assert len(event.top_logprobs) == 6
        tokens = [token for token, _ in event.top_logprobs]
        values = np.array([value for _, value in event.top_logprobs])
        np.testing.assert_allclose(values, np.sort(row)[::-1][:6], atol=2e-5)
        np.testing.assert_allclose(values, row[tokens], atol=2e-5)


@pytest.mark.parametrize("cut", [{"top_k": 4}, {"top_p": 0.5}, {"min_p": 0.3}], ids=lambda cut: next(iter(cut)))
def test_cuts_keep_what_they_say(lm: rally.Model, cut: dict[str, Any]) -> None:
    events = events_of(lm, temperature=1.5, seed=9, **cut)
    logits = logits_before(lm, events) / 1.5
    probabilities = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    for event, row in zip(events, probabilities, strict=True):
        more_probable = row[row > row[event.token] + 1e-6]
        if "top_k" in cut:
            assert more_probable.size < cut["top_k"]
        if "top_p" in cut:
            assert more_probable.sum() < cut["top_p"] + 1e-4
        if "min_p" in cut:
            assert row[event.token] >= cut["min_p"] * row.max() - 1e-6
    assert any(row[event.token] < row.max() for event, row in zip(events, probabilities, strict=True))


@pytest.mark.parametrize("target", [1.0, 1.3, 2.0, 2.6, 3.0])
def test_a_target_depth(lm: rally.Model, target: float) -> None:
    """Long rows come to the target where the router reaches it; prompts, texts and whole rows agree bit for bit."""
    row = np.random.default_rng(3).integers(0, lm.info.vocab_size, 250).tolist()
    (whole,) = lm.forward([row], target_depth=target)
    (free,) = lm.forward([row])
    assert abs(whole.depth.mean() - target) <= abs(free.depth.mean() - target) + 1e-6
    with rally.Engine(lm, max_step_tokens=24) as engine:
        engine.submit(row[:100], 50, temperature=1.0, stop_at_eos=False)
        engine.submit(row[:120], 60, target_depth=target, temperature=1.0, seed=2, stop_at_eos=False)
        events = [event for event in engine if event.request == 1]
    tokens = row[:120] + [event.token for event in events]
    (again,) = lm.forward([tokens], logits=False, target_depth=target)
    (logprobs,) = lm.logprobs([tokens], target_depth=target)
    assert [event.depth for event in events] == again.depth[119:-1].tolist()
    assert same_bits(np.array([event.logprob for event in events], np.float32), logprobs[119:])
