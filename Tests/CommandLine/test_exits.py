"""Flags of looped models' exits: what `rally generate` and `rally perplexity` make of them is what Python does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rally
from conftest import run

TEXT = "We two alone will sing like birds i' the cage; when thou dost ask me blessing, I'll kneel down."
REQUESTS: list[dict[str, Any]] = [
    {},
    {"exit_threshold": 1e-9},
    {"exit_threshold": 0},
    {"exit_threshold": 1},
    {"exit_threshold": 0, "exit_from": 20},
    {"exit_from": 50},
    {"min_depth": 3},
    {"max_depth": 2},
    {"kv_policy": "full"},
    {"target_depth": 1, "exit_from": 40},
]


def flags(how: dict[str, Any]) -> list[str]:
    return [text for name, value in how.items() for text in ("--" + name.replace("_", "-"), str(value))]


@pytest.fixture(scope="module")
def opened(looped: Path):
    with rally.Model(looped) as model:
        yield model


@pytest.mark.parametrize("how", REQUESTS, ids=str)
def test_generate(how: dict[str, Any], looped: Path, opened: rally.Model) -> None:
    result = run("generate", "-m", looped, "-p", TEXT, "-n", 20, "--temp", 0, "--json", *flags(how))
    assert result.code == 0, result
    found = json.loads(result.out)
    wanted = opened.generate(TEXT, 20, **how)
    assert found["tokens"] == wanted.tokens
    assert found["depths"] == wanted.depth.tolist()
    assert found["prompt_depths"] == wanted.prompt_depth.tolist()


@pytest.mark.parametrize("how", REQUESTS, ids=str)
def test_perplexity(how: dict[str, Any], looped: Path, opened: rally.Model) -> None:
    result = run("perplexity", "-m", looped, "--json", *flags(how), stdin=TEXT)
    assert result.code == 0, result
    found = json.loads(result.out)
    row = opened.encode(TEXT)
    (logprobs,) = opened.logprobs([row], **how)
    (forward,) = opened.forward([row], logits=False, **how)
    assert found["nll"] == pytest.approx(-np.mean(logprobs, dtype=np.float64), rel=1e-12)
    assert found["depths"] == np.bincount(forward.depth, minlength=5).tolist()


def test_the_requests_show_something(opened: rally.Model) -> None:
    row = opened.encode(TEXT)
    found = [opened.logprobs([row], **how)[0].tobytes() for how in REQUESTS]
    assert len(set(found)) == len(REQUESTS), "each request gives numbers of its own"


@pytest.mark.parametrize("command", ["generate", "perplexity"])
@pytest.mark.parametrize(
    "wrong",
    [
        ["--exit-threshold", "nan"],
        ["--exit-threshold", "-0.5"],
        ["--exit-threshold", "inf"],
        ["--exit-from", "-1"],
        ["--min-depth", "0"],
        ["--min-depth", "5"],
        ["--min-depth", "3", "--max-depth", "2"],
        ["--kv-policy", "shared"],
        ["--kv-policy", "propagated"],
        ["--target-depth", "0.5"],
    ],
    ids=" ".join,
)
def test_wrong_values(command: str, wrong: list[str], looped: Path) -> None:
    result = run(command, "-m", looped, *(["-p", TEXT] if command == "generate" else []), *wrong, stdin=TEXT)
    assert result.code == 2, result
    assert result.err.count("\n") == 1, result
    assert wrong[0].strip("-").split("-")[-1] in result.err


@pytest.mark.parametrize(
    "option", [["--exit-threshold", "0.5"], ["--min-depth", "2"], ["--kv-policy", "full"], ["--exit-from", "1"]]
)
@pytest.mark.parametrize("command", ["generate", "perplexity"])
def test_models_without_exits(command: str, option: list[str], lm: Path) -> None:
    result = run(command, "-m", lm, *(["-p", TEXT] if command == "generate" else []), *option, stdin=TEXT)
    assert result.code == 4, result
    assert "which has none" in result.err and result.err.count("\n") == 1
