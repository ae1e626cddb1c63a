"""Keys and values in bf16 and int8: every promise of same bits holds within a type, and a type costs what it says."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import traffic
from compare import relative_error, same_bits
from test_engine_states import sealed, with_word

import rally
from rally import RallyError, Status

TYPES = ("bf16", "int8")
#: Expert and token choice, shared keys, loops with exits of all policies, windows, layers without positions; heads of 12 channels.
NAMES = ("expert", "expert shared", "token", "looped", "looped by difference", "looped, untied")
#: Channels of a head: a group and a short one, and two whole ones.
WIDTHS = {"heads of 40": 40, "heads of 64": 64}
CASES = [(name, cache_type) for name in (*NAMES, *WIDTHS) for cache_type in TYPES]
LONGEST = 100
ROWS = models.rows([1, 17, 33, 64, 5, 96], seed=3)


def path(folder: Path, name: str) -> Path:
    if name not in WIDTHS:
        return models.path(folder, name)
    place = folder / f"{name}.onnx"
    if not place.exists():
        models.write(place, replace(models.VANILLA, head_dim=WIDTHS[name]))
    return place


@cache
def opened(folder: Path, name: str, cache_type: str) -> rally.Model:
    return rally.Model(path(folder, name), threads=1, cache_dtype=cache_type)


@pytest.mark.parametrize(("name", "cache_type"), CASES)
def test_rows_in_any_company_and_cut(folder: Path, name: str, cache_type: str) -> None:
    """A piece of a row attends to its own rounded keys and values, or a cut would show."""
    alone = [opened(folder, name, cache_type).forward([row])[0] for row in ROWS]
    for options in ({"threads": 2}, {"batch_tokens": 1}, {"batch_tokens": 7}):
        with rally.Model(path(folder, name), cache_dtype=cache_type, **({"threads": 1} | options)) as model:
            for found, expected in zip(model.forward(ROWS), alone, strict=True):
                assert found.depth.tolist() == expected.depth.tolist()
                assert same_bits(found.logits, expected.logits)


@pytest.mark.parametrize(("name", "cache_type"), CASES)
def test_it_is_near_f32_and_another(folder: Path, name: str, cache_type: str) -> None:
    """Up to the first token that another decision of a router sends elsewhere, and those after it."""
    exact = opened(folder, name, "f32").forward(ROWS, max_depth=1)
    found = opened(folder, name, cache_type).forward(ROWS, max_depth=1)
    errors = [relative_error(one.logits, other.logits) for one, other in zip(found, exact, strict=True)]
    assert 0 < max(errors) < 0.1


@pytest.mark.parametrize(("name", "cache_type"), CASES)
def test_requests_in_any_company(folder: Path, name: str, cache_type: str) -> None:
    """Any options, shared prefixes, and a cache that is too small; each text is its own pass over the row, too."""
    model = opened(folder, name, cache_type)
    wishes = traffic.wishes(model, 10, seed=11, longest=LONGEST)
    texts = [traffic.expected(model, wish) for wish in wishes]
    room = 10 * LONGEST * model.info.kv_bytes_per_token
    small = -(-LONGEST // 32) * 32 * model.info.kv_bytes_per_token
    wide = {"bf16": 2, "int8": 4}[cache_type]
    for options in (
        {"max_step_tokens": 7, "threads": 2, "cache_bytes": room},
        {"batching": "sequence", "cache_bytes": room, "share_prefixes": False},
        {"cache_bytes": small // wide + 6 * small // 10},
    ):
        with rally.Engine(model, cache_dtype=cache_type, **({"threads": 1} | options)) as engine:
            for found, text in zip(traffic.run(engine, wishes), texts, strict=True):
                traffic.assert_same(found, text)


# Saved states


def states(model: rally.Model, cache_type: str) -> Iterator[tuple[int, bytes]]:
    with rally.Engine(model, threads=1, cache_dtype=cache_type) as engine:
        number = engine.submit(ROWS[2], 40, stop_at_eos=False)
        for event in engine:
            if event.index % 13 == 5:
                yield event.index + 1, engine.save(number)


@pytest.mark.parametrize(("name", "cache_type"), CASES)
def test_states_go_on(folder: Path, name: str, cache_type: str) -> None:
    model = opened(folder, name, cache_type)
    text = model.generate(ROWS[2], 40, stop_at_eos=False)
    for count, data in states(model, cache_type):
        with rally.Engine(model, threads=1, max_step_tokens=5, cache_dtype=cache_type) as engine:
            engine.submit(ROWS[1], 9)
            number = engine.restore(data, 40, stop_at_eos=False)
            traffic.assert_same([event for event in engine if event.request == number], text, count)


def test_states_are_for_their_own_type(folder: Path) -> None:
    model = opened(folder, "heads of 40", "f32")
    for cache_type in ("f32", *TYPES):
        _, data = next(states(model, cache_type))
        for other in ("f32", *TYPES):
            with rally.Engine(model, threads=1, cache_dtype=other) as engine:
                if other == cache_type:
                    engine.restore(data, 40)
                    continue
                with pytest.raises(RallyError, match=f"in {other}, as this engine's, found {cache_type}") as caught:
                    engine.restore(data, 40)
                assert caught.value.code == Status.WRONG_MODEL
                assert not engine.busy


def test_states_of_version_1_are_f32(folder: Path) -> None:
    """Version 2 has a word more in front of the tokens."""
    model = opened(folder, "expert", "f32")
    text = model.generate(ROWS[2], 40, stop_at_eos=False)
    for count, data in states(model, "f32"):
        known, computed = struct.unpack_from("<QQ", data, 40)
        end = 64 + 4 * known + computed
        head = bytearray(data[:56] + data[64:end])
        struct.pack_into("<Q", head, 8, 1)
        old = sealed(bytes(head) + bytes(-len(head) % 8) + data[(end + 7) // 8 * 8 :])
        with rally.Engine(model, threads=1) as engine:
            engine.restore(old, 40, stop_at_eos=False)
            traffic.assert_same(list(engine), text, count)
        with rally.Engine(model, threads=1, cache_dtype="int8") as engine, pytest.raises(RallyError, match="found f32"):
            engine.restore(old, 40)


def test_types_that_a_checksum_vouches_for(folder: Path) -> None:
    model = opened(folder, "expert", "int8")
    _, data = next(states(model, "int8"))
    with rally.Engine(model, threads=1, cache_dtype="int8") as engine:
        for number, code in [
            (0, Status.WRONG_MODEL),
            (1, Status.WRONG_MODEL),
            (3, Status.CORRUPT_FILE),
            (-1, Status.CORRUPT_FILE),
        ]:
            with pytest.raises(RallyError) as caught:
                engine.restore(with_word(data, 7, number), 40)
            assert caught.value.code == code


# Memory


@pytest.mark.parametrize("width", [12, 40, 64])
def test_memory_is_that_of_the_type(folder: Path, width: int) -> None:
    place = models.write(folder / f"{width}.onnx", replace(models.VANILLA, head_dim=width))
    bytes_of_head = {"f32": 4 * width, "bf16": 2 * width, "int8": width + 4 * -(-width // 32)}
    with rally.Model(place, threads=1) as model:
        per_token = model.info.kv_bytes_per_token
        assert per_token == 2 * 3 * 2 * bytes_of_head["f32"]
        # Lists have 32 bytes for each block besides its keys and values.
        least = (1 << 22) // (32 * 2 * 2 * bytes_of_head["f32"])
        fixed = rally.Engine.memory(model, cache_bytes=1 << 22, max_sequences=4, threads=1) - (1 << 22) - 32 * least
        for cache_type, size in bytes_of_head.items():
            block = 32 * 2 * 2 * size
            for options in ({"cache_bytes": 1 << 22}, {}):
                found = rally.Engine.memory(model, max_sequences=4, threads=1, cache_dtype=cache_type, **options)
                blocks = (1 << 22) // block if options else 4 * 3 * 256 // 32
                assert abs(found - fixed - blocks * (block + 32)) < 32 * 2 * 2 * bytes_of_head["f32"]
            with rally.Engine(model, threads=1, cache_bytes=1 << 22, cache_dtype=cache_type) as engine:
                assert engine.counters["blocks"] == (1 << 22) // block
                assert engine.counters["cache_bytes"] == (1 << 22) // block * block


# Refusals


def test_what_is_no_type(folder: Path) -> None:
    model = opened(folder, "expert", "f32")
    wrong: list[Any] = ["auto", "f16", "q8_0", 1, None]
    for value in wrong:
        with pytest.raises(RallyError, match="cache_dtype: expected one of") as caught:
            rally.Engine(model, cache_dtype=value)
        assert caught.value.code == Status.INVALID_ARGUMENT
        with pytest.raises(RallyError, match="cache_dtype"):
            rally.Model(path(folder, "expert"), cache_dtype=value)


def test_a_rater_has_f32(folder: Path) -> None:
    place = models.write(folder / "a rater.onnx", models.RATER)
    with rally.Model(place, cache_dtype="int8") as rater:
        with pytest.raises(RallyError, match="cache_dtype: expected f32 for a rater") as caught:
            rater.rate([[1, 2, 3]])
        assert caught.value.code == Status.UNSUPPORTED
    with rally.Model(place, cache_dtype="f32") as rater:
        assert np.isfinite(rater.rate([[1, 2, 3]])).all()
