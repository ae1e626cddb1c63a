"""Runs the commands of docs/adapters.md as printed, from a folder that looks like the repository's root."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import rally

from conftest import RATER, ROOT

BLOCK = re.compile(r"^```sh\n(\.build/adapters/bin/python .*?)\n```$", re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCK.findall((ROOT / "docs/adapters.md").read_text()) for line in block.splitlines()]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    for entry in ROOT.iterdir():
        if entry.name != ".git":
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="module")
def expected() -> list[str]:
    lines = [json.loads(line) for line in (ROOT / "Examples/texts.jsonl").read_text().splitlines()]
    with rally.Model(RATER) as model:
        scores = model.rate([line["text"] for line in lines]).tolist()
    ranked = sorted(zip(scores, lines, strict=True), key=lambda pair: -pair[0])
    return [f"{score:+9.4f}  {line['id']}" for score, line in ranked]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: re.search(r"rate_\w+|lm_eval", command)[0])
def test_as_printed(command: str, root: Path, expected: list[str]) -> None:
    environment = {**os.environ, "HF_DATASETS_CACHE": str(root / "cache")}
    done = subprocess.run(command, shell=True, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    if "rally.adapters.lm_eval" in command:
        assert all(task in done.stdout for task in ("rally_endings", "rally_texts", "rally_continuations"))
    else:
        assert done.stdout.splitlines() == expected


def test_there_are_some() -> None:
    assert len(COMMANDS) == 6
