"""The sweep over discard shares: what each leaves, what it costs, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rally import RallyError, Status, sweep

RANDOM = np.random.default_rng(3)
COUNT = 1000
SCORES = RANDOM.standard_normal(COUNT).astype(np.float32)
TOKENS = RANDOM.integers(1, 500, COUNT)


def rows() -> list[dict[str, Any]]:
    values = zip(SCORES.tolist(), TOKENS.tolist(), strict=True)
    return [{"id": f"d{i}", "score": score, "token_count": tokens} for i, (score, tokens) in enumerate(values)]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "scored.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = sweep.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_what_each_share_leaves(lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, lines, "--out", tmp_path / "cuts", "--batch", 128)
    assert (code, err) == (0, "")
    table = [line.split() for line in out.splitlines()]
    assert table[0] == ["discard", "B", "threshold", "kept", "tokens", "of", "all"]
    assert [row[:2] for row in table[1:]] == [
        ["0.1", "143"], ["0.25", "171"], ["0.5", "256"], ["0.75", "512"], ["0.9", "1,280"],
    ]  # fmt: skip
    order = np.argsort(-SCORES, kind="stable")
    for row, share in zip(table[1:], ("0.1", "0.25", "0.5", "0.75", "0.9"), strict=True):
        count = round(COUNT * (1 - float(share)))
        best = np.sort(order[:count])
        written = [json.loads(line) for line in (tmp_path / "cuts" / f"kept-{share}.jsonl").read_text().splitlines()]
        assert [one["id"] for one in written] == [f"d{i}" for i in best]
        assert [np.float32(one["score"]) for one in written] == SCORES[best].tolist()
        assert row[2:5] == [f"{SCORES[best].min():.4f}", f"{count:,}", f"{TOKENS[best].sum():,}"]
    assert len(list((tmp_path / "cuts").iterdir())) == 5


def test_shards_of_the_scorer(lines: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    for name, part in (("0", rows()[:400]), ("1", rows()[400:])):
        renamed = [{"id": row["id"], "score": row["score"], "tokens": row["token_count"]} for row in part]
        pq.write_table(pa.Table.from_pylist(renamed), shards / f"part-{name}.parquet")
    (shards / "rejected.jsonl").write_text('{"reason": "no text"}\n')
    with pytest.warns(FutureWarning, match="token_count") as warned:
        from_shards = sweep.read([str(shards)])
    assert len(warned) == 1
    from_lines = sweep.read([str(lines)])
    assert from_shards.ids == from_lines.ids
    assert from_shards.tokens.tolist() == from_lines.tokens.tolist()
    assert from_shards.scores.tolist() == SCORES.tolist()


def test_costs_and_losses(lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = tmp_path / "losses.json"
    losses.write_text('{"0.10": 3.3, "0.25": 3.1, "0.5": 3.2}')
    parameters = ("--rater-parameters", "50e6", "--model-parameters", "50e6")
    code, out, err = run(capsys, lines, *parameters, "--losses", losses, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["best"] == 0.25
    assert [one["discard"] for one in found["cuts"]] == [0.1, 0.25, 0.5, 0.75, 0.9]
    for one in found["cuts"]:
        assert one["cost"] == pytest.approx(1 / 3 / (1 - one["discard"]))
        assert one["net"] == pytest.approx(one["kept_tokens"] / TOKENS.sum() + 1 / 3)
    assert [one.get("loss") for one in found["cuts"]] == [3.3, 3.1, 3.2, None, None]
    assert "at 0.1, 0.25, 0.75, 0.9: rating inside the training loop costs more" in err
    assert "0.5" not in err.replace("0.75", "")

    losses.write_text('{"0.1": 3.0, "0.9": 3.3}')
    code, out, err = run(capsys, lines, "--rater-parameters", 50e6, "--model-parameters", 10e9, "--losses", losses)
    assert out.splitlines()[1].endswith("  best")
    assert "end of the sweep" in err
    assert "costs more" not in err


def test_a_share_may_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text('{"id": 1, "score": 0.1, "token_count": 3}\n{"id": 2, "score": 0.2, "token_count": 0}\n')
    assert "nan" not in run(capsys, path)[1]
    _, out, _ = run(capsys, path, "--json", "--discard", "0.5,0.9", "--out", tmp_path)
    half, most = json.loads(out)["cuts"]
    assert (half["threshold"], half["kept"], half["kept_tokens"]) == (0.2, 1, 0)
    assert (most["kept"], "threshold" in most) == (0, False)
    assert (tmp_path / "kept-0.5.jsonl").read_text() == '{"id": 2, "score": 0.2}\n'
    assert (tmp_path / "kept-0.9.jsonl").read_text() == ""


def test_refusals(lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = tmp_path / "losses.json"
    losses.write_text('{"0.3": 3.0}')
    for arguments, reason in [
        ((tmp_path / "none.jsonl",), "expected a file or folder"),
        ((lines, "--discard", "0.1,much"), "expected shares"),
        ((lines, "--discard", "1"), "expected a share in [0, 1)"),
        ((lines, "--rater-parameters", "1"), "expected both"),
        ((lines, "--losses", losses), "found one of 0.3"),
        ((lines, "--score", "other"), f"{lines}:1: expected a number in column 'other'"),
        ((lines, "--id", "other"), f"{lines}:1: expected a column 'other'"),
        ((lines, "--tokens", "id"), f"{lines}:1: expected a number of tokens in 'id'"),
    ]:
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (1, ""), arguments
        assert err.startswith("error: ")
        assert reason in err
    bad = tmp_path / "bad.jsonl"
    for content in ("{", "[1]", '{"id": 1, "score": true, "tokens": 1}', '{"id": 1, "score": 1, "tokens": [1]}'):
        bad.write_text(content)
        with pytest.raises(RallyError, match=r"bad\.jsonl:1: "):
            sweep.read([str(bad)])
    bad.write_text('{"id": 1, "score": NaN, "tokens": 1}\n')
    assert run(capsys, bad)[0] == 1
    bad.write_text("\n")
    with pytest.raises(RallyError) as caught:
        sweep.read([str(bad)])
    assert caught.value.code == Status.EMPTY_INPUT


@pytest.mark.parametrize("share", ["0.1", "0.3", "0.7", "0.9", "0.99"])
def test_what_is_kept_is_what_was_drawn_for(share: str) -> None:
    from rally import select

    for keep in (1, 7, 128, 1000):
        assert sweep.kept_count(select.draw_count(keep, float(share)), share) == keep


def test_what_frameworks_write(tmp_path: Path) -> None:
    import gzip

    folder = tmp_path / "datatrove"
    folder.mkdir()
    lines = [
        json.dumps({"id": row["id"], "text": "x", "metadata": {name: row[name] for name in ("score", "token_count")}})
        for row in rows()[:5]
    ]
    (folder / "00000.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    spark = tmp_path / "spark" / "day=1"
    spark.mkdir(parents=True)
    (tmp_path / "spark" / "_SUCCESS").write_text("")
    (spark / ".part-0.parquet.crc").write_text("x")
    unrated = [*rows()[5:9], {"id": "none", "score": None, "token_count": 0}]
    pq.write_table(pa.Table.from_pylist(unrated), spark / "part-0.snappy.parquet")
    saved = tmp_path / "saved"
    saved.mkdir()
    table = pa.Table.from_pylist(rows()[9:12])
    path = str(saved / "data-00000-of-00001.arrow")
    with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)
    (saved / "state.json").write_text("{}")
    found = sweep.read([str(folder), str(tmp_path / "spark"), str(saved)])
    assert found.ids == [f"d{i}" for i in range(12)]
    assert found.scores.tolist() == SCORES[:12].tolist()
    assert found.left_out == 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_is_no_error(unbuffered: str) -> None:
    read, write = os.pipe()
    os.close(read)
    code = "from rally._program import run; run(lambda: print('a line') or 0)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
