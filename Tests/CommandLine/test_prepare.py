"""Prepared files through the command: what is written, what is said, and that nothing changes but the time to open."""

from __future__ import annotations

import pytest
from conftest import run

TYPES = ["f32", "bf16", "int8"]


@pytest.mark.parametrize("dtype", TYPES)
def test_generates_the_same(lm, tmp_path, dtype):
    out = tmp_path / "lm.rally"
    result = run("prepare", lm, out, "--dtype", dtype, "-t", 1)
    assert (result.code, result.err) == (0, "") and dtype in result.out, result
    options = ["-p", "The sea", "-n", 12, "--temp", 0.7, "--seed", 7]
    wanted = run("generate", "-m", lm, "--dtype", dtype, *options)
    assert run("generate", "-m", out, *options).out == wanted.out != ""
    assert run("generate", "-m", lm, "--dtype", dtype, "--cache", tmp_path / "cache", *options).out == wanted.out
    assert len(list((tmp_path / "cache").glob(f"*-{dtype}-*.rally"))) == 1


def test_rates_the_same(rater, tmp_path):
    out = tmp_path / "rater.rally"
    assert run("prepare", rater, out).code == 0
    texts = "The sea was calm.\n7 7 7 7 7\n"
    assert (
        run("score", "-m", out, "--plain", stdin=texts).out
        == run("score", "-m", rater, "--plain", stdin=texts).out
        != ""
    )


def test_verify_reads_every_byte(rater, tmp_path):
    out = tmp_path / "rater.rally"
    run("prepare", rater, out)
    result = run("prepare", "--verify", out)
    assert result.code == 0 and "every byte" in result.out
    data = bytearray(out.read_bytes())
    data[-5000] ^= 1
    bad = tmp_path / "bad.rally"
    bad.write_bytes(data)
    result = run("prepare", "--verify", bad)
    assert result.code != 0 and "bad.rally" in result.err and "prepare it again" in result.err, result
    result = run("prepare", "--verify", rater)
    assert result.code != 0 and "a prepared file" in result.err, result


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare", "IN"], "file to write"),
        (["prepare", "IN", "OUT", "--verify"], "--verify"),
        (["prepare", "IN", "OUT", "-t", "0"], "--threads"),
    ],
)
def test_wrong_usage(rater, tmp_path, arguments, words):
    names = {"IN": rater, "OUT": tmp_path / "out.rally"}
    result = run(*(names.get(one, one) for one in arguments))
    assert result.code == 2 and words in result.err, result
    assert not (tmp_path / "out.rally").exists()


def test_calibrates(lm, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("The sea was calm, and the ship lay still. " * 20)
    assert run("quantize", lm, tmp_path / "int8.onnx", "--calibrate", text).code == 0
    assert run("prepare", lm, tmp_path / "lm.rally", "--dtype", "int8", "--calibrate", text).code == 0
    options = ["-p", "The sea", "-n", 12, "--temp", 0.7, "--seed", 7]
    wanted = run("generate", "-m", tmp_path / "int8.onnx", *options)
    assert run("generate", "-m", tmp_path / "lm.rally", *options).out == wanted.out != ""
