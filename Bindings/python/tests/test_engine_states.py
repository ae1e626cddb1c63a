"""Saving what a request has computed, and continuing it: bit for bit, or a refusal that leaves nothing behind."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import traffic

import rally
from rally import RallyError, Status

LONGEST = 90
MODELS = [(name, dtype) for name in models.NAMES for dtype in models.DTYPES] + [("rally-tiny", "q4")]


@cache
def opened(folder: Path, name: str, dtype: str) -> rally.Model:
    return rally.Model(models.path(folder, name), dtype, threads=1)


@pytest.mark.parametrize(("name", "dtype"), MODELS)
def test_continued_elsewhere(folder: Path, name: str, dtype: str) -> None:
    """At random steps, also amid a prompt, in engines of other options and company."""
    model = opened(folder, name, dtype)
    random = np.random.default_rng(3)
    wishes = traffic.wishes(model, 10, seed=5, longest=LONGEST)
    texts = [traffic.expected(model, wish) for wish in wishes]
    saved: list[tuple[int, int, bytes]] = []
    with rally.Engine(model, threads=1, max_step_tokens=9) as engine:
        numbers = [traffic.submit(engine, wish) for wish in wishes]
        counts = dict.fromkeys(numbers, 0)
        while engine.busy:
            for event in engine.step():
                counts[event.request] += 1
            number = int(random.integers(len(wishes)))
            if random.random() < 0.2 and counts[number] < len(texts[number].tokens):
                with suppress(RallyError):  # no step has seen it yet
                    saved.append((number, counts[number], engine.save(number)))
    assert len(saved) >= 5

    for number, count, data in saved:
        options = dict(random.choice(np.array([{}, {"max_step_tokens": 5}, {"batching": "sequence"}], object)))
        with rally.Engine(model, threads=1, **options) as engine:
            for wish in wishes[: int(random.integers(4))]:
                traffic.submit(engine, wish)
            for _ in range(int(random.integers(5))):
                engine.step()
            wish = wishes[number]
            restored = engine.restore(data, wish.max_tokens, **wish.how)
            found = [event for event in engine if event.request == restored]
            traffic.assert_same(found, texts[number], count)


def test_saving_changes_nothing(lm: rally.Model) -> None:
    alone = lm.generate([5, 6, 7], 30, stop_at_eos=False)
    with rally.Engine(lm, threads=1) as engine:
        number = engine.submit([5, 6, 7], 30, stop_at_eos=False)
        engine.step()
        events = []
        while engine.busy:
            assert engine.save(number) == engine.save(number)
            events += engine.step()
        traffic.assert_same(events, alone)
        with pytest.raises(RallyError) as caught:
            engine.save(number)
        assert caught.value.code == Status.INVALID_ARGUMENT


PROMPT = [5, 6, 7, 8, 9]


def state(model: rally.Model, count: int = 10, prompt: list[int] = PROMPT, **how: Any) -> bytes:
    """A state that `count` tokens of a text were generated for."""
    with rally.Engine(model, threads=1) as engine:
        number = engine.submit(prompt, count + 20, stop_at_eos=False, **how)
        for event in engine:
            if event.index == count - 1:
                break
        return engine.save(number)


def continued(model: rally.Model, data: bytes, max_tokens: int, **how: Any) -> list[int]:
    with rally.Engine(model, threads=1) as engine:
        engine.restore(data, max_tokens, stop_at_eos=False, **how)
        return [event.token for event in engine]


def test_a_state_may_go_on_in_another_way(lm: rally.Model) -> None:
    """Sampling, stops, penalties and limits are not part of it, but what was generated counts."""
    data = state(lm)
    text = lm.generate(PROMPT, 60, stop_at_eos=False).tokens
    assert continued(lm, data, 60) == text[10:]
    assert continued(lm, data, 12) == text[10:12]
    drawn = [continued(lm, data, 40, temperature=3.0, seed=seed) for seed in range(4)]
    assert len(set(map(tuple, drawn))) == 4
    penalties = {"repetition_penalty": 1.5, "frequency_penalty": 1.0}
    penalised = continued(lm, data, 40, **penalties)
    assert penalised != text[10:40]
    longer = lm.generate(PROMPT, 40, stop_at_eos=False, **penalties).tokens
    with rally.Engine(lm, threads=1) as engine:
        engine.restore(state(lm, **penalties), 40, stop_at_eos=False, **penalties)
        assert [event.token for event in engine] == longer[10:]
    with pytest.raises(RallyError, match="10 that were generated"):
        continued(lm, data, 10)


def test_a_stop_string_that_saving_has_cut(lm: rally.Model) -> None:
    text = lm.generate(PROMPT, 30, temperature=1.5, seed=4, stop_at_eos=False)
    for cut in range(8, 20):
        stop = lm.decode(text.tokens[cut - 2 : cut + 2])
        if "\N{REPLACEMENT CHARACTER}" in stop:
            continue
        how: dict[str, Any] = {"temperature": 1.5, "seed": 4, "stop": stop}
        alone = lm.generate(PROMPT, 30, stop_at_eos=False, **how)
        if alone.finish_reason != "stop" or len(alone.tokens) <= cut:
            continue
        with rally.Engine(lm, threads=1) as engine:
            engine.restore(state(lm, cut, temperature=1.5, seed=4), 30, stop_at_eos=False, **how)
            events = list(engine)
        assert [event.token for event in events] == alone.tokens[cut:]
        assert events[-1].stop_string == stop
        return
    pytest.fail("no stop string to try")


# Refusals

HEADER = 64
"""Bytes before the tokens of a state."""


def checksum(data: bytes) -> int:
    """Twin of the one in the file format, over all bytes but the last 8."""
    total = len(data) - 8
    for (word,) in struct.iter_unpack("<Q", data[:-8]):
        total = (total ^ word) * 0x9E3779B97F4A7C15 % 2**64
        total ^= total >> 29
    return total


def sealed(data: bytes | bytearray) -> bytes:
    """With the checksum that its content asks for."""
    return bytes(data[:-8]) + struct.pack("<Q", checksum(bytes(data)))


def with_word(data: bytes, index: int, value: int) -> bytes:
    return sealed(data[: 8 * index] + struct.pack("<Q", value % 2**64) + data[8 * index + 8 :])


def refusal(engine: rally.Engine, data: bytes, **how: Any) -> Status | None:
    """The code, or None where the state was taken and ran to its end."""
    try:
        engine.restore(data, 40, **how)
    except RallyError as error:
        return error.code
    engine.run()
    return None


@pytest.fixture
def small(lm: rally.Model) -> Any:
    with rally.Engine(lm, threads=1, share_prefixes=False) as engine:
        yield engine
        engine.run()
        counters = engine.counters
        assert counters["blocks_used"] == counters["requests_running"] == counters["requests_waiting"] == 0


def test_the_checksum_is_known(lm: rally.Model, small: rally.Engine) -> None:
    data = state(lm)
    assert sealed(data) == data
    assert refusal(small, data) is None


def test_changed_bytes(lm: rally.Model, small: rally.Engine) -> None:
    data, random = state(lm), np.random.default_rng(1)
    places = [*range(80), *random.integers(0, len(data), 300).tolist(), *range(len(data) - 8, len(data))]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << int(random.integers(8))
        code = refusal(small, bytes(changed))
        assert code == (Status.UNSUPPORTED_VERSION if 8 <= place < 16 else Status.CORRUPT_FILE), place


def test_missing_and_surplus_bytes(lm: rally.Model, small: rally.Engine) -> None:
    data = state(lm)
    lengths = [*range(100), *range(len(data) - 40, len(data)), len(data) // 16 * 8]
    cut = [data[:length] for length in lengths] + [
        sealed(data[: length // 8 * 8]) for length in lengths if length >= 64
    ]
    for changed in [*cut, data + bytes(8), sealed(data + bytes(8)), sealed(data + bytes(1024)), data + data]:
        assert refusal(small, changed) == Status.CORRUPT_FILE


NUMBERS = [0, 1, 2, 14, 15, 16, 100, 2**31 - 1, 2**31, 2**32, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


def test_numbers_that_a_checksum_vouches_for(lm: rally.Model, small: rally.Engine) -> None:
    """Nobody writes these but a forger: refused, or a state that runs to its end."""
    data = state(lm)
    for word, codes in [
        (0, {Status.CORRUPT_FILE}),
        (1, {Status.UNSUPPORTED_VERSION, Status.CORRUPT_FILE}),
        (2, {Status.WRONG_MODEL}),
        (3, {Status.WRONG_MODEL}),
        (4, {Status.CORRUPT_FILE, None}),
        (5, {Status.CORRUPT_FILE}),
        (6, {Status.CORRUPT_FILE}),
        (7, {Status.WRONG_MODEL, Status.CORRUPT_FILE}),
    ]:
        for value in NUMBERS:
            if value == struct.unpack_from("<Q", data, 8 * word)[0]:
                continue
            assert refusal(small, with_word(data, word, value)) in codes, (word, value)


def test_tokens_and_depths_that_a_checksum_vouches_for(lm: rally.Model, small: rally.Engine) -> None:
    data = state(lm)
    count, computed = struct.unpack_from("<QQ", data, 40)
    assert (count, computed) == (15, 14)
    for token in (-1, lm.info.vocab_size, 2**31 - 1, -(2**31)):
        for index in (0, 4, 5, 14):
            changed = bytearray(data)
            struct.pack_into("<i", changed, HEADER + 4 * index, token)
            assert refusal(small, sealed(changed)) == Status.INVALID_TOKEN
    for depth in (0, 1, 2, 3, 4, 5, 200, 255):
        for index in (0, 4, 13):
            changed = bytearray(data)
            changed[HEADER + 4 * count + index] = depth
            code = refusal(small, sealed(changed))
            assert code in {None, Status.CORRUPT_FILE}
            assert code is not None or depth <= 3


def test_a_state_without_a_token_to_compute(lm: rally.Model, small: rally.Engine) -> None:
    """As many depths as tokens: a state between two tokens that no engine writes."""
    data = state(lm)
    count = struct.unpack_from("<Q", data, 40)[0]
    start = HEADER + 4 * count
    for fewer in (1, 2):
        tokens = count - fewer  # the last are left out, the depths stay
        body = bytearray(data[: HEADER + 4 * tokens] + data[start : start + 14])
        struct.pack_into("<QQ", body, 40, tokens, 14)
        body += bytes(-len(body) % 8)
        assert refusal(small, sealed(body + data[(start + 14 + 7) // 8 * 8 :])) == Status.CORRUPT_FILE


def test_floats_that_are_none(lm: rally.Model, small: rally.Engine) -> None:
    """Keys and values of a forger: whatever they are, the engine goes on."""
    data = state(lm)
    start = (HEADER + 4 * 15 + 14 + 7) // 8 * 8
    for value in (np.nan, np.inf, -np.inf, 3e38):
        floats = np.full((len(data) - 8 - start) // 4, value, np.float32)
        refusal(small, sealed(data[:start] + floats.tobytes() + bytes(8)))
    assert refusal(small, data) is None


@pytest.fixture
def other_model(folder: Path) -> Any:
    with rally.Model(models.write(folder / "other.onnx", models.MOR, seed=9), threads=1) as model:
        yield model


def test_another_model(lm: rally.Model, other_model: rally.Model, small: rally.Engine) -> None:
    assert refusal(small, state(other_model)) == Status.WRONG_MODEL
    with rally.Engine(other_model, threads=1) as engine:
        assert refusal(engine, state(lm)) == Status.WRONG_MODEL


def test_another_type(folder: Path) -> None:
    opened_in = [opened(folder, "expert", dtype) for dtype in models.DTYPES]
    for model in opened_in:
        for other in opened_in:
            with rally.Engine(other, threads=1) as engine:
                assert refusal(engine, state(model)) == (None if model is other else Status.WRONG_MODEL)


DEPTHS: list[dict[str, Any]] = [{}, {"max_depth": 1}, {"max_depth": 2}, {"target_depth": 1.5}, {"target_depth": 2.0}]


def test_another_depth_budget(lm: rally.Model, small: rally.Engine) -> None:
    for how in DEPTHS:
        data = state(lm, **how)
        for other in DEPTHS:
            assert refusal(small, data, **other) == (None if how == other else Status.WRONG_MODEL)
    assert refusal(small, state(lm), max_depth=3) is None  # the model's own number


def test_no_place_now(lm: rally.Model) -> None:
    data = state(lm)
    with rally.Engine(lm, threads=1, max_sequences=1) as engine:
        engine.submit(PROMPT, 20)
        engine.step()
        assert refusal(engine, data) == Status.LIMIT_EXCEEDED
        engine.run()
        assert refusal(engine, data) is None


def test_no_blocks_now(lm: rally.Model) -> None:
    data = state(lm, 60)
    size = 96 * lm.info.kv_bytes_per_token
    with rally.Engine(lm, threads=1, cache_bytes=size, share_prefixes=False) as engine:
        number = engine.submit(list(range(80)), 10, stop_at_eos=False)
        engine.step()
        with pytest.raises(RallyError) as caught:
            engine.restore(data, 80)
        assert caught.value.code == Status.LIMIT_EXCEEDED
        assert [event.request for event in engine] == [number] * 10
        engine.restore(data, 80, stop_at_eos=False)
        assert len(engine.run()) == 20


def test_wrong_requests(lm: rally.Model, small: rally.Engine) -> None:
    data = state(lm)
    wrong: list[tuple[dict[str, Any], Status]] = [
        ({"temperature": -1.0}, Status.INVALID_ARGUMENT),
        ({"stop": [10**6]}, Status.INVALID_TOKEN),
        ({"target_depth": 9.0}, Status.INVALID_ARGUMENT),
        ({"logprobs": 65}, Status.INVALID_ARGUMENT),
    ]
    for how, code in wrong:
        assert refusal(small, data, **how) == code


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_nothing_leaks(lm: rally.Model, small: rally.Engine) -> None:
    data = state(lm)
    calls: list[Callable[[], Any]] = [
        lambda: refusal(small, data[:-8]),
        lambda: refusal(small, with_word(data, 3, 1)),
        lambda: refusal(small, data, temperature=-1.0),
        lambda: refusal(small, data),
    ]
    for call in calls:
        for _ in range(50):
            call()
        before = resident_bytes()
        for _ in range(500):
            call()
        assert resident_bytes() - before < 4 << 20
