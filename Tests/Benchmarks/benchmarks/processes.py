"""Programs that are timed: each in a clean environment, with the same two threads."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

#: Threads of every contender.
THREADS = 2
#: A program that takes longer hangs.
SECONDS = 900
#: Of a peer's numbers in f32.
TOLERANCE = 1e-4
PACKAGES = Path(__file__).resolve().parents[1]
ROOT = PACKAGES.parents[1]
BUILD = ROOT / ".build/benchmarks"
#: The Python that has the peers whose packages would not stand next to the others..
PEERS = ROOT / ".build/peers/bin/python"

# Settings of a shell that would favour one contender.
_TUNING = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "MALLOC_", "DNNL_", "ONEDNN_", "GGML_", "LLAMA_", "TORCH_")


class ProgramFailed(Exception):
    """A program ended badly; the message has its last line."""


def clean_environment() -> dict[str, str]:
    """Return this process's environment without settings of libraries, and with the number of threads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_TUNING)}
    paths = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"OMP_NUM_THREADS": str(THREADS), "PYTHONPATH": os.pathsep.join(paths)}


#: Words of a command line.
Command = Sequence[str | Path]


def run_program(command: Command) -> str:
    """Run a program and return what it printed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, env=clean_environment())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramFailed(f"{Path(words[0]).name}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        name = Path(words[0]).name
        raise ProgramFailed(f"{name}: {last.removeprefix(f'{name}: ')}")
    return done.stdout


def check_equal(what: str, error: float) -> None:
    """Stop where a peer does not compute what Rally does: there would be nothing to time.

    ``error`` is relative, of numbers in f32: the same mathematics, summed in another order.
    """
    if not error < TOLERANCE:
        raise ProgramFailed(f"{what} and Rally differ by {error:.1e}, more than {TOLERANCE:.0e}")


class Worker:
    """A Python process that keeps its model open and answers calls; see :mod:`benchmarks.serving`.

    Parameters
    ----------
    module : str
        Of this package, such as ``torch_worker``.
    arguments : str or Path
        For its command line.
    python : str or Path
        Which runs it; by default the one that runs the benchmark.
    """

    def __init__(self, module: str, *arguments: str | Path, python: str | Path = sys.executable) -> None:
        self.name = module
        command = [str(python), "-m", f"benchmarks.{module}", *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean_environment()
        )

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function of the worker."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"function": function, "arguments": arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ProgramFailed(f"{self.name}: ended without an answer to {function}")
        answer = json.loads(line)
        if "error" in answer:
            raise ProgramFailed(f"{self.name}: {answer['error']}")
        return answer["answer"]

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(timeout=SECONDS)
