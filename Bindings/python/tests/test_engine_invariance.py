"""Whatever the company, the arrivals, the cache and the options: an engine's texts are those of `Model.generate`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import models
import pytest
import traffic

import rally

LONGEST = 120
"""Tokens of a prompt and its text."""

# Each runs in f32; the first of them in every type.
OPTIONS: list[dict[str, Any]] = [
    {"max_step_tokens": 7, "max_sequences": 5, "threads": 2},
    {"batching": "sequence"},
    {},
    {"max_step_tokens": 1},
    {"max_step_tokens": 64, "batching": "sequence", "threads": 3},
    {"max_sequences": 1},
    {"share_prefixes": False, "max_step_tokens": 100},
]
SMALL: list[dict[str, Any]] = [
    {"batching": batching, "share_prefixes": shares, "cache": size}
    for size in (1.0, 1.7)
    for batching in ("depth", "sequence")
    for shares in (True, False)
]
MODELS = [(name, dtype) for name in models.NAMES for dtype in models.DTYPES] + [("rally-tiny", "q4")]


def runs(options: list[dict[str, Any]]) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    return [(model, choice) for model in MODELS for choice in (options if model[1] == "f32" else options[:1])]


@dataclass(frozen=True)
class Traffic:
    """A model, requests to it, and what each gives alone."""

    model: rally.Model
    wishes: list[traffic.Wish]
    texts: list[rally.Generation]


@cache
def opened(folder: Path, name: str, dtype: str) -> Traffic:
    model = rally.Model(models.path(folder, name), dtype, threads=1)
    assert model.info.dtype == dtype
    wishes = traffic.wishes(model, 16, seed=11, longest=LONGEST)
    return Traffic(model, wishes, [traffic.expected(model, wish) for wish in wishes])


@pytest.fixture(params=MODELS, ids="-".join)
def case(request: pytest.FixtureRequest, folder: Path) -> Traffic:
    return opened(folder, *request.param)


def test_the_requests_show_something(case: Traffic) -> None:
    depths = {depth for text in case.texts for depth in [*text.depth.tolist(), *text.prompt_depth.tolist()]}
    assert max(depths) == case.model.info.num_recursion
    assert len(depths) > 1 or case.model.info.routing == case.model.info.exit == "none"
    assert {text.finish_reason for text in case.texts} >= {"limit"}


@pytest.mark.parametrize(("case", "options"), runs(OPTIONS), ids=str, indirect=["case"])
def test_any_options(case: Traffic, options: dict[str, Any]) -> None:
    room = 16 * LONGEST * case.model.info.kv_bytes_per_token
    with rally.Engine(case.model, cache_bytes=room, **({"threads": 1} | options)) as engine:
        for found, text in zip(traffic.run(engine, case.wishes), case.texts, strict=True):
            traffic.assert_same(found, text)
        counters = engine.counters
    assert counters["requests_finished_total"] == len(case.wishes)
    assert counters["generated_tokens_total"] == sum(len(text.tokens) for text in case.texts)
    if options.get("share_prefixes", True):
        assert counters["prompt_tokens_shared_total"] > 0
    else:
        assert counters["prompt_tokens_shared_total"] == 0
        assert counters["blocks_used"] == 0


@pytest.mark.parametrize(("case", "options"), runs(SMALL), ids=str, indirect=["case"])
def test_a_cache_that_is_too_small(case: Traffic, options: dict[str, Any]) -> None:
    """Requests lose their blocks and are computed again; nobody can tell. `cache` counts texts of full length."""
    blocks = options["cache"] * -(-min(LONGEST, case.model.info.max_position_embeddings) // 32)
    given = {name: value for name, value in options.items() if name != "cache"}
    size = int(blocks * 32 * case.model.info.kv_bytes_per_token)
    with rally.Engine(case.model, threads=1, cache_bytes=size, **given) as engine:
        for found, text in zip(traffic.run(engine, case.wishes), case.texts, strict=True):
            traffic.assert_same(found, text)
        if engine.counters["tokens_depth_0_total"] == 0:  # else few blocks are enough
            assert engine.counters["preemptions_total"] > 0
        if not given["share_prefixes"]:
            assert engine.counters["blocks_used"] == 0
