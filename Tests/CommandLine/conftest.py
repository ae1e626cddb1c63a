"""The command under test, and the models that it is tested with."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rally.convert.tokenizer import byte_alphabet
from rally.modelfile import Tokenizer
from rally.synthesize import SHAPES, synthesize

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
    """Four repetitions of random layers, after each of which a quarter of the tokens leaves; a token is a byte."""
    path = tmp_path_factory.mktemp("looped") / "ouro-tiny.onnx"
    tokenizer = Tokenizer("gpt2", False, None, None, False, False, tuple(byte_alphabet()), (), (), ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHAPES, "ouro-tiny", replace(SHAPES["ouro-tiny"], tokenizer=tokenizer))
        synthesize("ouro-tiny", path, exits=(0.25, 0.25, 0.25, 0.25), quiet=True)
    return path


@pytest.fixture(scope="session")
def rater() -> Path:
    return model("rally-rater-tiny")
