"""How far a run is: the time that is left over mixed packings, one line as wide as the terminal, nothing in a log."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import corpora
import numpy as np
import pytest
import zstandard

import rally
from rally.score.batches import Cursor, batches
from rally.score.documents import DocumentMaker
from rally.score.estimate import Work
from rally.score.inputs import expand
from rally.score.journal import Progress
from rally.score.progress import bar, duration
from rally.score.rows import Columns


def mixed(folder: Path, count: int) -> None:
    """Files of the same texts that take very different room: packed, with long other members, as tables.

    `count`: texts of the first file; each other one has half as many more than the one before it.
    """
    folder.mkdir()
    random = np.random.default_rng(4)
    for place, name in enumerate(("a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.parquet", "e.txt", "f.jsonl.gz")):
        texts = corpora.texts(count + count // 2 * place, place, longest=60)
        other = "x" * 400 if name == "a.jsonl" else random.bytes(200).hex() if name == "f.jsonl.gz" else ""
        lines = "".join(json.dumps({"text": text, "other": other}) + "\n" for text in texts).encode()
        if name.endswith(".parquet"):
            corpora.write_parquet(folder / name, {"text": texts, "other": ["y" * 300] * len(texts)})
        elif name.endswith(".txt"):
            (folder / name).write_text("\n".join(texts))
        else:
            pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(Path(name).suffix, bytes)
            (folder / name).write_bytes(pack(lines))


def test_the_time_that_is_left(rater: rally.Model, tmp_path: Path) -> None:
    """Where a token takes a unit of time, nine of ten estimates are within a quarter of the truth."""
    mixed(tmp_path / "in", 80)
    files = expand([str(tmp_path / "in")], str(tmp_path / "out")).files
    columns = Columns("text", None, None)
    work = Work(files, columns, False)
    maker = DocumentMaker(rater, rater.info.vocab_size)
    found, tokens = [], 0
    for batch in batches(files, columns, maker, Cursor(), 1000):
        tokens += sum(document.tokens.size for document in batch.documents)
        found.append((tokens, work.done(Progress(batch.next, batch.read))))
    shares = [(time / tokens, done / work.total) for time, done in found]
    samples = [(time, share) for time, share in shares if 0.02 < time < 0.98]
    assert len(samples) > 50
    right = sum(abs(time * (1 - share) / share - (1 - time)) <= 0.25 * (1 - time) for time, share in samples)
    assert right >= 0.9 * len(samples), f"{right} of {len(samples)}"
    assert found[-1][1] == work.total
    assert all(before[1] <= after[1] + 1e-9 for before, after in itertools.pairwise(found))


@pytest.mark.parametrize("width", [20, 80, 200])
def test_the_line_fits(width: int) -> None:
    notes = "1,234,567 rows · 18,332 tok/s · 12 rejected · 1:02:03 left"
    for share in (0.0, 0.42, 1.0, 1.2):
        line = bar(share, "rating", notes, width)
        assert len(line) < width
        assert line.startswith("rating")
    assert bar(0.42, "rating", notes, 200).endswith("left")
    assert " 42% █" in bar(0.42, "rating", notes, 200)
    assert (duration(59.4), duration(62), duration(3723)) == ("0:59", "1:02", "1:02:03")


def run(rater_path: Path, folder: Path, out: Path, terminal: bool) -> str:
    command = [sys.executable, "-m", "rally.score", str(rater_path), str(folder), "--out", str(out), "--threads", "1"]
    command += ["--commit-tokens", "1000", "--max-windows", "1"]
    if not terminal:
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            parts.append(part)
        assert process.wait() == 0
    os.close(ours)
    return b"".join(parts).decode()


def test_a_bar_on_a_terminal_only(rater_path: Path, tmp_path: Path) -> None:
    mixed(tmp_path / "in", 4)
    logged = run(rater_path, tmp_path / "in", tmp_path / "log", False)
    assert logged.count("\n") == 1
    assert "\r" not in logged
    shown = run(rater_path, tmp_path / "in", tmp_path / "out", True)
    assert "\r\x1b[Krating" in shown
    assert " left" in shown
    last = shown.split("\x1b[K")[-1]
    assert "rated · 0 rejected" in last
    assert "rating" not in last
