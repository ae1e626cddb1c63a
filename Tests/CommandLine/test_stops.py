"""The table of cases of stop strings that every host runs, by the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import run

FOLDER = Path(__file__).resolve().parents[1] / "Fixtures" / "stops"
CASES = [line.split("\t") for line in (FOLDER / "cases.tsv").read_text(encoding="utf-8").splitlines()[1:]]


def arguments(include: str, skip: str, stops: str) -> list[str]:
    given = [part for stop in stops.split(",") if stop for part in ("--stop", stop)]
    if include == "1":
        given.append("--include-stop")
    # What shows depths shows special tokens; plain text leaves them out.
    return given if skip == "1" else [*given, "--show-depth"]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_table(case):
    _, prompt, include, skip, count, stops, pieces, _, _, reason = case
    given = ["-m", FOLDER / "stops.onnx", "-p", prompt, "-n", count, *arguments(include, skip, stops)]
    result = run("generate", "--json", *given)
    assert result.code == 0, result
    (answer,) = [json.loads(line) for line in result.lines]
    assert answer["text"] == pieces.replace("/", "")
    assert answer["finish_reason"] == reason
    assert len(answer["tokens"]) == len(pieces.split("/"))


def test_what_is_written_stops_before_the_stop_text():
    result = run("generate", "-m", FOLDER / "stops.onnx", "-p", "<|go|>", "--stop", "at on", "--no-display-prompt")
    assert (result.code, result.out) == (0, "The cat s\n")
    shown = run(
        "generate",
        "-m",
        FOLDER / "stops.onnx",
        "-p",
        "<|go|>",
        "--stop",
        "at on",
        "--no-display-prompt",
        "--show-depth",
    )
    # " cat" could still have become the stop text when its first two bytes were certain.
    assert (shown.code, shown.out) == (0, "The⟨1⟩ c⟨1⟩at s⟨1⟩⟨1,1⟩\n")
