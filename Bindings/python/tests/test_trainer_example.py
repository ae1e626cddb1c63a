"""The training experiment of the examples, small: it runs, goes on where it was, and the filter leaves junk out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "Examples" / "trainer-pytorch" / "experiment.py"
SMALL = {"seeds": 2, "steps": 4, "batch": 8, "length": 64, "width": 64, "layers": 1, "heldout": 4}


def write_corpus(folder: Path) -> None:
    """A book in the form that collect.py writes: documents of 6 000 characters, the last ones held out."""
    text = (ROOT / "Tests" / "Fixtures" / "texts" / "alice.txt").read_text()
    documents = [text[start : start + 6000] for start in range(0, len(text), 6000)]
    for name, part in (("train", documents[:-3]), ("heldout", documents[-3:])):
        lines = [json.dumps({"source": "alice", "kind": "story", "text": document}) for document in part]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    wishes = [part for name, value in SMALL.items() for part in (f"--{name}", str(value))]
    places = ["--corpus", str(folder), "--out", str(folder / "runs"), "--report", str(folder / "report")]
    return subprocess.run([sys.executable, str(PROGRAM), *places, *wishes], capture_output=True, text=True, check=True)


def test_the_experiment_runs_and_goes_on(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    first = run(tmp_path)
    assert first.stderr.count(" nats, ") == 8
    runs = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*.json")}
    assert len(runs) == 8
    for seed in (0, 1):
        filtered, random, unfiltered, clean = (
            runs[f"{arm}-{seed}"] for arm in ("filtered", "random", "unfiltered", "clean-only")
        )
        assert len({one["curve"][0][1] for one in (filtered, random, unfiltered, clean)}) == 1  # the same weights
        assert filtered["junk_kept"] < 0.6 * random["junk_kept"]
        assert clean["junk_kept"] == 0
        assert filtered["drawn"] == random["drawn"]
        assert sum(filtered["drawn"].values()) == 2 * sum(filtered["kept"].values()) == 64
        for one in (filtered, random, unfiltered, clean):
            assert one["curve"][-1][0] == SMALL["steps"]
            assert one["curve"][-1][1] < one["curve"][0][1]
    (tmp_path / "runs" / "random-1.json").unlink()
    again = run(tmp_path)
    assert again.stderr.count(" nats, ") == 1
    assert again.stdout.splitlines()[:8] == (tmp_path / "report" / "results.md").read_text().splitlines()[:8]
    assert (tmp_path / "report" / "loss.png").stat().st_size > 10_000
