"""Generation: sampling, ends, streams, cancelling."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import torch
from streams import TextStream

import rally
from rally import FinishReason, RallyError, Status

PROMPT = "the sea and the other"


def test_one_prompt_or_many(lm: rally.Model) -> None:
    ids = lm.encode(PROMPT)
    single = lm.generate(PROMPT, max_tokens=8)
    assert isinstance(single, rally.Generation)
    assert single.text == lm.decode(single.tokens)
    assert len(single.tokens) == single.depth.size == single.logprobs.size == 8
    assert single.prompt_depth.shape == (len(ids),)
    for many in (
        [PROMPT],
        [ids],
        [np.array(ids)],
        np.array([ids]),
        rally.Rows.pack([ids]),
        [PROMPT.encode()],
        (PROMPT,),
    ):
        (result,) = lm.generate(many, max_tokens=8)
        assert result.tokens == single.tokens
    for one in (ids, np.array(ids, np.uint16), tuple(ids), PROMPT.encode()):
        assert lm.generate(one, max_tokens=8).tokens == single.tokens
    assert lm.generate(torch.tensor(ids), max_tokens=8).tokens == single.tokens
    assert lm.generate(torch.tensor([ids]), max_tokens=8)[0].tokens == single.tokens
    mixed = lm.generate([PROMPT, ids, "another"], max_tokens=8)
    assert mixed[0].tokens == mixed[1].tokens == single.tokens


def test_seeds(lm: rally.Model) -> None:
    def texts(**options: Any) -> list[list[int]]:
        return [result.tokens for result in lm.generate([PROMPT] * 6, max_tokens=12, temperature=1.0, **options)]

    first = texts(seed=7)
    assert first == texts(seed=7) == [first[0]] * 6
    several = texts(seed=range(6))
    assert several == texts(seed=list(range(6)))
    assert len(set(map(tuple, several))) == 6
    assert several[::-1] == texts(seed=np.arange(6)[::-1])
    assert texts(seed=2**64 - 1) != first


def test_cuts(lm: rally.Model) -> None:
    greedy = lm.generate(PROMPT, max_tokens=16).tokens
    options: list[dict[str, Any]] = [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}]
    for cut in options:
        assert lm.generate(PROMPT, max_tokens=16, temperature=1.5, seed=3, **cut).tokens == greedy
    (forward,) = lm.forward([lm.encode(PROMPT)], positions=-1)
    assert forward.logits is not None
    best = set(np.argsort(-forward.logits[0])[:5].tolist())
    drawn = lm.generate([PROMPT] * 200, max_tokens=1, temperature=3.0, top_k=5, seed=range(200))
    assert {result.tokens[0] for result in drawn} == best


def test_sampling_follows_the_model(lm: rally.Model) -> None:
    """The frequencies of 4 000 draws against the probabilities: chi-squared, far beyond chance only if wrong."""
    (forward,) = lm.forward([lm.encode(PROMPT)], positions=-1)
    assert forward.logits is not None
    logits = forward.logits[0].astype(np.float64) / 0.7
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    draws = 4_000
    drawn = lm.generate([PROMPT] * draws, max_tokens=1, temperature=0.7, seed=range(draws))
    counts = np.bincount([result.tokens[0] for result in drawn], minlength=logits.size)
    often = probabilities * draws >= 10
    expected = np.append(probabilities[often], probabilities[~often].sum()) * draws
    found = np.append(counts[often], counts[~often].sum())
    expected, found = expected[expected > 0], found[expected > 0]
    statistic = ((found - expected) ** 2 / expected).sum()
    degrees = expected.size - 1
    assert degrees >= 5
    assert statistic < degrees + 5 * (2 * degrees) ** 0.5


def test_logprobs_are_before_temperature(lm: rally.Model) -> None:
    result = lm.generate(PROMPT, max_tokens=10, temperature=2.0, top_k=7, seed=1)
    ids = lm.encode(PROMPT)
    (expected,) = lm.logprobs([ids + result.tokens])
    np.testing.assert_array_equal(result.logprobs, expected[len(ids) - 1 :])


def test_finish_reasons(lm: rally.Model) -> None:
    ids = lm.encode(PROMPT)
    free = lm.generate(ids, max_tokens=12, stop_at_eos=False)
    assert free.finish_reason == "limit"
    assert free.finish_reason is FinishReason.LIMIT

    token = free.tokens[5]
    first = free.tokens.index(token)
    for stop in (token, [token], [lm.info.vocab_size - 1, token], np.array([token])):
        stopped = lm.generate(ids, max_tokens=12, stop=stop, stop_at_eos=False)
        assert stopped.finish_reason == "stop"
        assert stopped.tokens == free.tokens[: first + 1]

    full = lm.generate(ids, stop_at_eos=False)
    assert full.finish_reason == "context_full"
    assert len(full.tokens) == lm.info.max_position_embeddings - len(ids) + 1
    assert full.tokens[:12] == free.tokens
    assert lm.generate(ids, max_tokens=10**15, stop_at_eos=False).tokens == full.tokens


def test_eos(lm: rally.Model) -> None:
    eos = lm.info.eos_token_id
    assert eos is not None
    for seed in range(400):
        result = lm.generate(PROMPT, max_tokens=100, temperature=3.0, seed=seed)
        if result.finish_reason == "stop":
            break
    assert result.tokens[-1] == eos
    assert eos not in result.tokens[:-1]
    longer = lm.generate(PROMPT, max_tokens=100, temperature=3.0, seed=seed, stop_at_eos=False)
    assert longer.tokens[: len(result.tokens)] == result.tokens
    assert longer.finish_reason == "limit"


def test_max_depth(lm: rally.Model) -> None:
    free = lm.generate(PROMPT, max_tokens=40)
    assert free.depth.max() > 1
    for depth in (1, 2):
        capped = lm.generate(PROMPT, max_tokens=40, max_depth=depth)
        assert capped.depth.max() == depth
        assert capped.prompt_depth.max() == depth
    assert lm.generate(PROMPT, max_tokens=40, max_depth=99).tokens == free.tokens


# Streams


def test_a_stream_is_the_text(lm: rally.Model) -> None:
    whole = lm.generate(PROMPT, max_tokens=60, temperature=1.0, seed=11)
    events = list(lm.stream(PROMPT, max_tokens=60, temperature=1.0, seed=11))
    assert [event.token for event in events] == whole.tokens
    assert [event.depth for event in events] == whole.depth.tolist()
    assert [event.logprob for event in events] == whole.logprobs.tolist()
    assert [event.index for event in events] == list(range(len(events)))
    assert [event.finish_reason for event in events] == [None] * (len(events) - 1) + [whole.finish_reason]
    assert "".join(event.text or "" for event in events) == whole.text


@pytest.mark.parametrize("text", ["naïve café", "ラリーの長さ", "🎾👩‍👩‍👧 and é", "𝔐𝔬ℜ"])
def test_a_stream_never_splits_a_character(lm: rally.Model, text: str) -> None:
    stream = TextStream(lm)
    tokens = lm.encode(text)
    assert len(tokens) > len(text) / 2
    pieces = [stream.push(token) for token in tokens] + [stream.finish()]
    assert "".join(pieces) == text
    assert pieces[-1] == ""
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)
    assert [stream.push(token) for token in lm.encode("🎾")[:-1]] == [""] * 3
    assert stream.finish() == "\N{REPLACEMENT CHARACTER}"


def test_pieces_are_the_decoded_text_for_any_bytes(lm: rally.Model) -> None:
    random = np.random.default_rng(5)
    for _ in range(200):
        tokens = random.integers(100, 256, 30).tolist()
        stream = TextStream(lm)
        assert "".join([*map(stream.push, tokens), stream.finish()]) == lm.decode(tokens)


def test_special_tokens_in_streams(lm: rally.Model) -> None:
    eos = lm.info.eos_token_id
    assert eos is not None
    kept = TextStream(lm)
    assert kept.push(eos) == models.END
    left_out = TextStream(lm, skip_special=True)
    assert left_out.push(eos) == ""


def test_leaving_a_stream_ends_it(endless: rally.Model) -> None:
    for event in endless.stream(PROMPT, stop_at_eos=False):
        if event.index == 3:
            break
    computed: list[int] = []
    stream = endless.stream(PROMPT, stop_at_eos=False, on_logits=lambda rows: computed.append(len(rows)))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(endless.generate(PROMPT, max_tokens=5, stop_at_eos=False).tokens) == 5
    assert 0 < len(computed) < 20_000  # of 30 000, had it gone on
    assert all(thread.name != "rally stream" for thread in threading.enumerate())


def test_a_call_inside_a_stream_waits_and_works(lm: rally.Model) -> None:
    events = []
    for event in lm.stream(PROMPT, max_tokens=20):
        events.append(event)
        assert lm.forward([lm.encode(PROMPT)])[0].depth.size == len(lm.encode(PROMPT))
    assert len(events) == 20


def test_a_stream_checks_its_arguments_at_once(lm: rally.Model, rater: rally.Model) -> None:
    with pytest.raises(RallyError, match="max_tokens"):
        lm.stream(PROMPT, max_tokens=-1)
    with pytest.raises(RallyError) as caught:
        list(rater.stream(PROMPT))
    assert caught.value.code == Status.WRONG_KIND


# Cancelling


def test_cancel_from_another_thread(endless: rally.Model) -> None:
    begun, steps = threading.Event(), itertools.count(1)

    def cancel() -> None:
        begun.wait()
        endless.cancel()

    def watch(rows: Any) -> None:
        if next(steps) > 2:
            begun.set()

    thread = threading.Thread(target=cancel)
    thread.start()
    first, second = endless.generate([PROMPT, "another"], stop_at_eos=False, on_logits=watch)
    thread.join()
    assert first.finish_reason == second.finish_reason == "cancelled"
    assert 2 <= len(first.tokens) < 29_000
    again = endless.generate(PROMPT, max_tokens=len(first.tokens) // 2, stop_at_eos=False)
    assert first.tokens[: len(again.tokens)] == again.tokens


def test_cancel_a_stream(endless: rally.Model) -> None:
    events = []
    for event in endless.stream(PROMPT, stop_at_eos=False):
        events.append(event)
        if event.index == 2:
            endless.cancel()
    assert events[-1].finish_reason == "cancelled"


def test_cancel_when_nothing_runs(lm: rally.Model) -> None:
    lm.cancel()
    assert len(lm.generate(PROMPT, max_tokens=3).tokens) == 3
    lm.cancel()
    assert len(lm.generate(PROMPT, max_tokens=3).tokens) == 3


def test_a_prompt_that_did_not_run_has_no_depth(lm: rally.Model) -> None:
    ids = lm.encode(PROMPT) * 10
    junk = [np.full(len(ids), 7, np.int32) for _ in range(20)]
    del junk  # what a buffer of this size that nobody fills would hold
    results = lm.generate([ids, ids], 5, timeout=1e-9)
    assert all(result.finish_reason == "cancelled" and not result.tokens for result in results)
    assert all(result.prompt_depth.tolist() == [0] * len(ids) for result in results)


def test_timeouts(endless: rally.Model) -> None:
    for timeout in (0.1, 1, 10, 100):  # until it suffices for a token, however slow the machine is
        result = endless.generate(PROMPT, stop_at_eos=False, timeout=timeout)
        assert result.finish_reason == "cancelled"
        if result.tokens:
            break
    assert result.tokens
    with pytest.raises(RallyError) as caught:
        endless.forward(models.rows([20_000]), logits=False, timeout=0.001)
    assert caught.value.code == Status.DEADLINE_EXCEEDED


INTERRUPTED = """
import os, signal, sys, threading
import rally
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with SIGINT ignored
model = rally.Model(sys.argv[1], threads=1)
rows = [[index % 250 for index in range(30_000)]] * 50
calls = {
    "generate": lambda: model.generate([[1]] * 50, stop_at_eos=False),
    "stream": lambda: list(model.stream([1], stop_at_eos=False)),
    "forward": lambda: model.forward(rows, logits=False),
}
timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
try:
    timer.start()
    calls[sys.argv[2]]()
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted")
timer.join()
print(len(model.generate([1], max_tokens=3, stop_at_eos=False).tokens))
"""


@pytest.mark.parametrize("what", ["generate", "stream", "forward"])
def test_interrupt(endless_path: Path, what: str) -> None:
    """Ctrl-C ends what runs and leaves a model that works."""
    command = [sys.executable, "-c", INTERRUPTED, str(endless_path), what]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split("\n") == ["interrupted", "3", ""]
    assert result.stderr == ""


def test_close_ends_what_runs(endless: rally.Model) -> None:
    begun = threading.Event()
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(endless.generate(PROMPT, stop_at_eos=False, on_logits=lambda rows: begun.set()).finish_reason)
        except RallyError as error:
            found.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    endless.close()
    thread.join()
    assert found
    assert found[0] in {FinishReason.CANCELLED, Status.CANCELLED, Status.CLOSED}


def test_many_threads_share_a_model(lm: rally.Model) -> None:
    prompts = models.rows([5, 9, 2, 14, 3, 7], seed=3)
    expected = [lm.generate(prompt, max_tokens=10).tokens for prompt in prompts]
    found: list[Any] = [None] * len(prompts)

    def work(index: int) -> None:
        for _ in range(5):
            lm.logprobs([prompts[index]])
            assert lm.decode(lm.encode(PROMPT)) == PROMPT
        found[index] = lm.generate(prompts[index], max_tokens=10).tokens

    threads = [threading.Thread(target=work, args=[index]) for index in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
