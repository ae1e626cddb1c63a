"""Kills ratings, and then --append, --again and --write, again and again, and compares with what nobody killed.

``python Bindings/python/tests/score_kills.py --kills 200``; exits with 1 at the first difference.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import corpora

from rally.score.journal import _records

#: Seconds after which a process that neither ends nor comes to the moment is one too slow.
_PATIENCE = 120


@dataclass
class Counts:
    """Kills, by what the process was doing.

    Attributes
    ----------
    starting, rating, finishing : int
        Before the first record of this process, while records came, while shards and report were written.
    torn : int
        Kills that left a record cut short, or a file under its name aside.
    runs : int
        Runs that were completed and compared.
    """

    starting: int = 0
    rating: int = 0
    finishing: int = 0
    torn: int = 0
    runs: int = 0

    @property
    def kills(self) -> int:
        return self.starting + self.rating + self.finishing


def kill(rater: Path, folder: Path, kills: int, seed: int) -> Counts:
    """Does it; raises AssertionError at a difference."""
    stream = random.Random(seed)
    corpus = corpora.mixed(folder / "in", 40 * min(max(kills, 5), 12), seed)
    command = [sys.executable, "-m", "rally.score", str(rater), str(corpus.folder), "--id", "id", "--threads", "1"]
    command += ["--shard-rows", str(20 * min(kills, 12)), "--commit-tokens", "2000", "--max-windows", "1", "--out"]
    expected = folder / "whole"
    _complete([*command, str(expected)])
    _check(corpus, expected)
    counts = Counts()
    while counts.kills < kills or not counts.rating:
        out = folder / f"killed {counts.runs}"
        ended = False
        while not ended and (counts.kills < kills or not counts.rating):
            late = counts.kills >= 0.8 * kills
            ended = _one([*command, str(out)], out, stream, counts, "finishing" if late and counts.rating else None)
        _complete([*command, str(out)])
        assert corpora.results(out) == corpora.results(expected), f"{out} differs after {counts}"
        counts.runs += 1
        print(counts, file=sys.stderr, flush=True)
    return counts


def kill_finished(rater: Path, folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Kills each command over finished runs at random moments of its life; the kills of each."""
    stream = random.Random(seed)
    corpus = corpora.mixed(folder / "grown", 60, seed)
    base, grown = folder / "base", folder / "appended"
    how = ["--id", "id", "--threads", "1", "--max-windows", "1", "--shard-rows", "40", "--commit-tokens", "1000"]
    rating = [sys.executable, "-m", "rally.score", str(rater), str(corpus.folder), *how]
    _complete([*rating, "--out", str(base)])
    more = corpora.mixed(folder / "more", 30, seed + 1)
    for path in more.folder.rglob("*"):
        if path.is_file():
            path.rename(corpus.folder / f"new-{path.parent.name}-{path.name}")
    shutil.copytree(base, grown)
    _complete([*rating, "--out", str(grown), "--append"])
    again = [sys.executable, "-m", "rally.score", "--again"]
    commands: dict[str, Callable[[Path], list[str]]] = {
        "append": lambda out: [*rating, "--out", str(out), "--append"],
        "again": lambda out: [*again, str(out), "--discard", "0.8", "--format", "jsonl"],
        "write": lambda out: [*again, str(grown), "--discard", "0.6", "--write", str(out), "--drop-duplicates"],
    }
    counts = dict.fromkeys(commands, 0)
    for name, command in commands.items():
        start = {"append": base, "again": grown, "write": None}[name]

        def fresh(place: str, start: Path | None = start) -> Path:
            out = folder / place
            if start is not None:
                shutil.copytree(start, out)
            return out

        expected: object = None
        turn = 0
        while counts[name] < kills:
            whole = fresh(f"{name} whole {turn}")  # its life is measured again: the machine may be busy now
            begun = time.monotonic()
            _complete(command(whole))
            life = time.monotonic() - begun
            found = corpora.results(whole)
            expected = found if expected is None else expected
            assert found == expected, f"{whole} differs after {counts}"
            shutil.rmtree(whole)
            out = fresh(f"{name} {turn}")
            for _ in range(min(4, kills - counts[name])):
                process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    process.wait(stream.uniform(0.5, 1.05) * life)
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    counts[name] += 1
            _complete(command(out))
            assert corpora.results(out) == expected, f"{out} differs after {counts}"
            shutil.rmtree(out)
            turn += 1
            print(counts, file=sys.stderr, flush=True)
    return counts


def _complete(command: list[str]) -> None:
    """Runs the command to its end."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _check(corpus: corpora.Corpus, out: Path) -> None:
    """Every row once."""
    assert [row["id"] for row in corpora.read(out)] == list(corpus.texts)
    assert len(corpora.rejected(out)) == corpus.bad


def _one(command: list[str], out: Path, stream: random.Random, counts: Counts, moment: str | None) -> bool:
    """Starts the command and kills it; whether it ended before that."""
    moment = moment or stream.choice(["starting", "rating", "rating", "rating"])
    before = _size(out)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, out, before, moment, stream)
        was_killed = process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    if was_killed and process.returncode == -signal.SIGKILL:
        if (out / "rejected.jsonl").exists() or (out / ".rejected.jsonl.part").exists():
            counts.finishing += 1
        elif _size(out) > before:
            counts.rating += 1
        else:
            counts.starting += 1
        counts.torn += _is_torn(out)
    return not was_killed


def _wait(process: subprocess.Popen[bytes], out: Path, before: int, moment: str, stream: random.Random) -> None:
    """Until the moment has come, and then for a random part of the next step."""
    patience = time.monotonic() + _PATIENCE
    records = stream.randint(1, 3)
    size, grown = before, 0
    while process.poll() is None and time.monotonic() < patience:
        now = _size(out)
        grown += now > size
        size = now
        if moment == "starting":
            time.sleep(stream.uniform(0, 1.0))
            return
        if (moment == "rating" and grown >= records) or list(out.glob("*rejected.jsonl*")):
            time.sleep(stream.uniform(0, 0.03))
            return
        time.sleep(0.0005)


def _size(out: Path) -> int:
    """Bytes of the journal."""
    return sum(path.stat().st_size for path in (out / "_journal").glob("*.journal"))


def _is_torn(out: Path) -> bool:
    journals = sorted((out / "_journal").glob("*.journal"))
    ends = [0, *(end for path in journals[-1:] for _, _, end in _records(path))]
    return bool(list(out.rglob(".*.part"))) or (bool(journals) and ends[-1] < os.stat(journals[-1]).st_size)


def main() -> None:
    import models

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rater = models.write(Path(folder) / "rater.onnx", models.RATER)
        start = time.monotonic()
        counts = kill(rater, Path(folder), max(options.kills // 4, 1), options.seed)
        (Path(folder) / "finished").mkdir()
        finished = kill_finished(rater, Path(folder) / "finished", max(options.kills // 4, 1), options.seed)
    print(f"finished runs: {finished}")
    print(f"{counts.kills} kills in {time.monotonic() - start:.0f} s: {counts}")


if __name__ == "__main__":
    main()
