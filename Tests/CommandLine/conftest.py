"""The command under test, and the models that it is tested with."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("RALLY_CLI", ROOT / ".build/release/rally"))
MODELS = Path(os.environ.get("RALLY_TEST_MODELS", ROOT / "Examples/models"))


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def run(*arguments: object, stdin: str | bytes = b"", **environment: str) -> Result:
    """Runs the command; nothing it reads or writes is a terminal."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        env={**os.environ, **environment},
    )
    # Strict: whatever the command writes is UTF-8.
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def model(name: str) -> Path:
    path = MODELS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture(scope="session")
def lm() -> Path:
    return model("rally-tiny")


@pytest.fixture(scope="session")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four repetitions of random layers, after each of which a quarter of the tokens leaves."""
    path = tmp_path_factory.mktemp("looped") / "ouro-tiny.onnx"
    arguments = ["ouro-tiny", path, "--exits", ".25,.25,.25,.25"]
    subprocess.run([sys.executable, "-m", "rally.synthesize", *map(str, arguments)], check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def rater() -> Path:
    return model("rally-rater-tiny")
