"""Exit codes and messages: one line that names the thing and says what to do."""

from __future__ import annotations

import json
import re

import pytest
from conftest import run


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["generate"],
        ["generate", "-m"],
        ["generate", "-m", "x", "-p", "a", "-n", "0"],
        ["generate", "-m", "x", "-p", "a", "--temp", "-1"],
        ["generate", "-m", "x", "-p", "a", "--temp", "nan"],
        ["generate", "-m", "x", "-p", "a", "--top-p", "1.5"],
        ["generate", "-m", "x", "-p", "a", "--min-p", "2"],
        ["generate", "-m", "x", "-p", "a", "--max-depth", "0"],
        ["generate", "-m", "x", "-p", "a", "--stop", ""],
        ["generate", "-m", "x", "-p", "a", "-t", "0"],
        ["generate", "-m", "x", "-p", "a", "-t", "1000"],
        ["generate", "-m", "x", "-p", "a", "--dtype", "f64"],
        ["inspect"],
        ["inspect", "a.onnx", "-m", "b.onnx"],
        ["perplexity", "-m", "x", "-c", "1"],
        ["perplexity", "-m", "x", "-c", "8", "--stride", "8"],
        ["score", "-m", "x", "--field", "windows"],
    ],
)
def test_wrong_arguments_are_code_2(arguments):
    result = run(*arguments)
    assert result.code == 2, result
    assert re.fullmatch(r"rally: [^\n]+; see 'rally( \w+)? --help'\n", result.err), result.err
    assert result.out == ""


@pytest.mark.parametrize("command", [["inspect"], ["generate", "-p", "x"], ["score"], ["perplexity"]])
def test_missing_files_are_code_3(command, tmp_path):
    result = run(*command, "-m", tmp_path / "none.onnx", stdin="a text of some words")
    assert (result.code, result.out) == (3, "")
    assert result.err.count("\n") == 1
    assert "none.onnx" in result.err


def test_a_folder_is_code_3(tmp_path):
    assert run("inspect", tmp_path).code == 3


def test_missing_input_is_code_3(lm, rater, tmp_path):
    missing = tmp_path / "none.txt"
    for arguments in (["generate", "-m", lm, "-f"], ["perplexity", "-m", lm, "-f"], ["score", "-m", rater]):
        result = run(*arguments, missing)
        assert result.code == 3, result
        assert str(missing) in result.err


def test_a_file_that_is_no_model_is_code_4(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("not a model")
    result = run("inspect", path)
    assert result.code == 4
    assert "text.onnx" in result.err


def test_a_truncated_model_is_code_4(lm, tmp_path):
    path = tmp_path / "half.onnx"
    path.write_bytes(lm.read_bytes()[: lm.stat().st_size // 2])
    assert run("inspect", path).code == 4


def test_the_wrong_kind_is_code_4(lm, rater):
    assert run("score", "-m", lm, stdin='{"text": "a"}').code == 4
    assert run("generate", "-m", rater, "-p", "a").code == 4
    assert run("perplexity", "-m", rater, stdin="a text").code == 4


def test_an_empty_text_is_code_5(lm):
    assert run("perplexity", "-m", lm, stdin="").code == 5


def test_a_prompt_longer_than_the_context_is_code_5(lm):
    result = run("generate", "-m", lm, "-p", "word " * 20000)
    assert result.code == 5
    assert "context" in result.err


def test_a_full_disk_is_code_3(lm):
    import subprocess

    from conftest import COMMAND

    with open("/dev/full", "wb") as full:
        done = subprocess.run([COMMAND, "inspect", lm], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert b"standard output" in done.stderr


def test_help_and_version_go_to_standard_output():
    for arguments in (["--help"], ["generate", "--help"], ["help", "score"], ["--version"]):
        result = run(*arguments)
        assert result.code == 0
        assert result.out
        assert not result.err
    assert re.match(r"rally \d+\.\d+\.\d+ ", run("--version").out)


def test_help_documents_the_exit_codes():
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert re.search(rf"^ +{code}  \w", run("--help").out, re.M)


def test_inspect_shows_the_model(lm, rater):
    tables = run("inspect", lm, "--metadata", "--tensors")
    assert tables.code == 0
    assert "rally.num_recursion" in tables.out
    assert "embed_tokens.weight" in tables.out
    for path, kind in ((lm, "lm"), (rater, "rater")):
        report = json.loads(run("inspect", "-m", path, "--json", "--metadata", "--tensors").out)
        assert report["kind"] == kind
        assert report["metadata"]["rally.hidden_size"] == str(report["hidden_size"])
        elements = 0
        for tensor in report["tensors"]:
            count = 1
            for extent in tensor["shape"]:
                count *= extent
            elements += count
        assert report["parameters"]["stored"] == elements
        assert report["memory"]["weight_bytes"] > 0
        assert report["memory"]["workspace_bytes"] > 0


def test_nothing_piped_has_colour(lm, rater):
    results = [
        run("inspect", lm),
        run("generate", "-m", lm, "-p", "The", "-n", 4, "--show-depth"),
        run("score", "-m", rater, "--sort", stdin='{"text": "a"}'),
        run("frobnicate"),
    ]
    for result in results:
        assert "\x1b" not in result.out + result.err
