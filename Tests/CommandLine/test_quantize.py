"""Stored types: tables, files that are replaced or left alone, and what the other commands do with the result."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest
from conftest import COMMAND, run

TYPES = ["int8", "q4", "bf16", "f32"]


def scale_count(rows: int, columns: int) -> int:
    """Of an int8 or q4 matrix: rows of whole groups of 32 have one for each."""
    return rows * (columns // 32 if columns % 32 == 0 else 1)


def test_calibrate_reads_a_text(lm, tmp_path):
    """From a file or from standard input, for the same bytes; int8 and q4 alone take it."""
    text = tmp_path / "text.txt"
    text.write_text("The sea was calm, and the ship lay still. " * 20)
    results = []
    for name, source in [("a.onnx", text), ("b.onnx", "-")]:
        result = run("quantize", lm, tmp_path / name, "--calibrate", source, stdin=text.read_text())
        assert (result.code, result.err) == (0, ""), result
        results.append((tmp_path / name).read_bytes())
    assert results[0] == results[1]
    run("quantize", lm, tmp_path / "plain.onnx")
    assert results[0] != (tmp_path / "plain.onnx").read_bytes()
    for options, code, words in [
        (["--dtype", "bf16", "--calibrate", text], 2, "calibration text"),
        (["--calibrate", tmp_path / "none.txt"], 3, "none.txt"),
    ]:
        result = run("quantize", lm, tmp_path / "new.onnx", *options)
        assert result.code == code and words in result.err, result
        assert not (tmp_path / "new.onnx").exists()


@pytest.mark.parametrize("dtype", TYPES)
def test_json_says_what_the_files_say(lm, tmp_path, dtype):
    out = tmp_path / "new.onnx"
    result = run("quantize", lm, out, "--dtype", dtype, "--json")
    assert (result.code, result.err) == (0, ""), result
    report = json.loads(result.out)
    assert report["dtype"] == dtype
    assert report["bytes_before"] == lm.stat().st_size
    assert report["bytes_after"] == out.stat().st_size
    assert report["data_file"] is None
    # The head is the embedding.
    assert list(report["matrices"]) == ["embedding", "attention", "feed_forward"]
    groups = [*report["matrices"].values(), report["others"]]
    tensors = json.loads(run("inspect", out, "--tensors", "--json").out)["tensors"]
    assert sum(group["tensors"] for group in groups) == len(tensors)
    # The embedding of a file in four bits has eight.
    assert {tensor["dtype"] for tensor in tensors} == {dtype, "f32"} | ({"int8"} if dtype == "q4" else set())
    sizes = {"int8": 4, "q4": 2}
    scales = sum(sizes[t["dtype"]] * scale_count(*t["shape"]) for t in tensors if t["dtype"] in sizes)
    assert sum(group["bytes_after"] for group in groups) == sum(tensor["bytes"] for tensor in tensors) + scales
    for kind, group in report["matrices"].items():
        bound = {"int8": 0.05, "q4": 0.05 if kind == "embedding" else 0.15, "bf16": 0.004, "f32": 0}[dtype]
        assert 0 <= group["mean_error"] <= group["max_error"] <= bound
        assert (group["mean_error"] > 0) == (dtype != "f32")


def test_the_table_has_the_same_numbers(rater, tmp_path):
    report = json.loads(run("quantize", rater, tmp_path / "a.onnx", "--json").out)
    result = run("quantize", rater, tmp_path / "b.onnx")
    assert (result.code, result.err) == (0, "")
    assert " ".join(result.lines[0].split()) == "tensors count before after mean error max error"
    assert [line.split()[0] for line in result.lines[1:4]] == ["embedding", "attention", "feed-forward"]
    assert f"{report['matrices']['embedding']['max_error'] * 100:.3f} %" in result.lines[1]
    share = report["bytes_after"] / report["bytes_before"] * 100
    assert result.lines[-1].startswith("file") and result.lines[-1].endswith(f"{share:.1f} %")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


@pytest.mark.parametrize(("dtype", "loss", "error"), [("int8", 0.03, 0.05), ("q4", 0.05, 0.2), ("bf16", 0.03, 0.05)])
def test_the_result_is_a_model(lm, rater, tmp_path, dtype, loss, error):
    for model in (lm, rater):
        assert run("quantize", model, tmp_path / model.name, "--dtype", dtype).code == 0
    text = "The sea was calm, and the little boat left the harbour before sunrise."
    old, new = (
        json.loads(run("perplexity", "-m", path, "--json", stdin=text * 4).out)["nll"]
        for path in (lm, tmp_path / lm.name)
    )
    assert new == pytest.approx(old, rel=loss)
    assert run("generate", "-m", tmp_path / lm.name, "-p", text, "-n", 4).code == 0
    old, new = (
        json.loads(run("score", "-m", path, stdin=json.dumps({"text": text})).out)["score"]
        for path in (rater, tmp_path / rater.name)
    )
    assert new == pytest.approx(old, abs=error)


def test_what_stands_there_is_replaced(lm, tmp_path):
    out = tmp_path / "new.onnx"
    out.write_text("old")
    linked = tmp_path / "linked.txt"
    linked.write_text("kept")
    link = tmp_path / "link.onnx"
    link.symlink_to(linked)
    for path in (out, link):
        assert run("quantize", lm, path).code == 0
        assert run("inspect", path).code == 0
    assert linked.read_text() == "kept"
    assert not link.is_symlink()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["old.onnx", "old.onnx"], 2),
        (["old.onnx", "new.onnx", "--dtype", "f64"], 2),
        (["old.onnx", "new.onnx", "--dtype", "f16"], 2),
        (["old.onnx", "new.onnx", "--dtype", "auto"], 2),
        (["old.onnx"], 2),
        (["none.onnx", "new.onnx"], 3),
        (["old.onnx", "."], 3),
        (["old.onnx", "none/new.onnx"], 3),
        (["old.onnx", "/dev/null"], 3),
        (["new.onnx", "other.onnx"], 4),
    ],
)
def test_failures_leave_everything(lm, tmp_path, arguments, code):
    shutil.copy(lm, tmp_path / "old.onnx")
    (tmp_path / "new.onnx").write_text("kept")
    paths = [tmp_path / item if item.endswith(".onnx") or item == "." else item for item in arguments]
    result = run("quantize", *paths)
    assert (result.code, result.out) == (code, "")
    assert re.fullmatch(r"rally: [^\n]+\n", result.err), result.err
    assert (tmp_path / "new.onnx").read_text() == "kept"
    assert (tmp_path / "old.onnx").read_bytes() == lm.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.onnx", "old.onnx"]


def test_a_full_disk_leaves_everything(lm, tmp_path):
    out = tmp_path / "new.onnx"
    out.write_text("kept")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which ends a process, and is what Python takes away
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run([COMMAND, "quantize", lm, out], capture_output=True, preexec_fn=limit)
    assert done.returncode == 3
    assert b"File too large" in done.stderr and b"new.onnx" in done.stderr
    assert out.read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["new.onnx"]


def test_progress_is_for_terminals(lm, tmp_path):
    """A pipe gets nothing; a terminal gets what is erased at the end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([COMMAND, "quantize", lm, tmp_path / "new.onnx"], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    assert process.communicate()[0].startswith(b"tensors")
    drawn = b""
    try:
        while more := os.read(ours, 4096):
            drawn += more
    except OSError:
        pass
    os.close(ours)
    assert b"\n" not in drawn
    assert drawn == b"" or drawn.endswith(b"\r\x1b[K")


def test_ctrl_c_leaves_nothing(lm, tmp_path):
    """Whenever it comes, the output is there as a whole or not at all."""
    out = tmp_path / "new.onnx"
    codes = set()
    for delay in [0.002 * step for step in range(25)]:
        process = subprocess.Popen(
            [COMMAND, "quantize", lm, out],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        process.communicate()
        codes.add(process.returncode)
        left = [path.name for path in tmp_path.iterdir()]
        assert left in ([], ["new.onnx"])
        if left:
            assert run("inspect", out).code == 0
            out.unlink()
    assert codes <= {0, 130, -signal.SIGINT}
