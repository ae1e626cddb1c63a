"""The examples of docs/cli.md, run as printed: what they show is what comes out, but for speeds and last digits."""

from __future__ import annotations

import math
import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import COMMAND, MODELS, ROOT, run

BLOCKS = re.findall(r"^```console\n(.*?)^```$", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE | re.DOTALL)
EXAMPLES = [block for block in BLOCKS if "rally bench" not in block]  # nothing but speeds


def commands(block: str) -> list[tuple[str, str]]:
    """Each command with what is shown of it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts)]


def words(text: str) -> list[str]:
    """Without lines that tell speeds, and without the names of instruction sets."""
    lines = [line for line in text.splitlines() if "tok/s" not in line]
    return [word for word in re.split(r"[\s,\[\]{}]+", "\n".join(lines)) if word not in ("avx512", "avx2", "sse4", "")]


def alike(a: str, b: str) -> bool:
    if a == b:
        return True
    try:
        return math.isclose(float(a), float(b), rel_tol=0.01, abs_tol=2e-4)
    except ValueError:
        return False


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.split("\n")[0][2:50])
def test_an_example(block: str, tmp_path: Path) -> None:
    if MODELS != ROOT / "Examples" / "models":
        pytest.skip("the examples are those of the shipped models")
    for name in ("Examples", "LICENSE"):
        os.symlink(ROOT / name, tmp_path / name)
    how = {"cwd": tmp_path, "env": {**os.environ, "PATH": f"{COMMAND.parent}:{os.environ['PATH']}"}}
    if "tiny-int8.onnx" in block:  # an earlier example has made it
        run("quantize", MODELS / "rally-tiny.onnx", tmp_path / "tiny-int8.onnx")
    for command, shown in commands(block):
        if command.startswith("cat "):
            (tmp_path / command[4:]).write_text(shown)
            continue
        done = subprocess.run(["bash", "-c", command], **how, capture_output=True, text=True)
        found, wanted = words(done.stdout + done.stderr), words(shown)
        wrong = [pair for pair in zip(found, wanted, strict=False) if not alike(*pair)]
        assert len(found) == len(wanted) and not wrong, f"{command}\n{wrong}\n{done.stdout}{done.stderr}"
