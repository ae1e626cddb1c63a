"""The benchmark command: llama-bench's names, and numbers that belong together."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import statistics
import subprocess

import pytest
from conftest import COMMAND, run
from test_generate import default_interrupt

# Of llama-bench's documented JSON, those that mean something on a CPU.
LLAMA_BENCH_KEYS = {
    "cpu_info", "backends", "model_filename", "model_type", "model_size", "model_n_params", "n_batch", "n_threads",
    "n_prompt", "n_gen", "n_depth", "test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts",
}  # fmt: skip
OWN_KEYS = {
    "n_seq", "dtype", "type_k", "type_v", "exit_shares",
    "mean_depth", "mean_rows", "kind", "isa", "median_ts", "median_ns", "batching", "test", "seconds",
}  # fmt: skip
QUICK = ["-p", 24, "-n", 6, "-r", 2, "-t", 1]


def bench(model, *arguments) -> list[dict]:
    result = run("bench", "-m", model, "-o", "jsonl", *arguments)
    assert result.code == 0, result
    return [json.loads(line) for line in result.lines]


def names(results: list[dict]) -> list[str]:
    return [result["test"] for result in results]


def test_keys_are_those_of_llama_bench(lm):
    for result in bench(lm, *QUICK):
        assert result.keys() >= LLAMA_BENCH_KEYS | OWN_KEYS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["test_time"])
        assert (result["model_filename"], result["model_type"], result["kind"]) == (str(lm), "rally-tiny", "lm")
        assert result["n_threads"] == 1
        assert result["model_n_params"] > 0 and result["model_size"] > 0


def test_numbers_belong_together(lm):
    for result in bench(lm, *QUICK, "-r", 3):
        speeds = result["samples_ts"]
        assert len(speeds) == len(result["samples_ns"]) == 3
        assert speeds == pytest.approx(
            [tokens / time * 1e9 for tokens, time in zip(result["samples_tokens"], result["samples_ns"], strict=True)],
            rel=1e-3,
        )
        assert result["avg_ts"] == pytest.approx(statistics.mean(speeds))
        assert result["median_ts"] == pytest.approx(statistics.median(speeds))
        assert result["stddev_ts"] == pytest.approx(statistics.stdev(speeds))
        assert result["avg_ns"] == pytest.approx(statistics.mean(result["samples_ns"]), abs=1)
        parts = result["seconds"]
        assert {
            "products",
            "attention",
            "elementwise",
            "routing",
            "head",
            "sampling",
            "scheduling",
            "other",
        } == parts.keys()
        assert sum(parts.values()) == pytest.approx(sum(result["samples_ns"]) / 1e9, rel=0.01)


def test_names_and_counts_of_tests(lm):
    results = bench(lm, *QUICK, "-pg", "16,4", "-d", "0,40")
    assert names(results) == ["pp24", "tg6", "pp16+tg4", "pp24 @ d40", "tg6 @ d40", "pp16+tg4 @ d40"]
    for result in results:
        count = {(24, 0): 24, (0, 6): 6, (16, 4): 20}[result["n_prompt"], result["n_gen"]]
        assert result["samples_tokens"] == [count, count]


def test_the_defaults_are_llama_bench_s(lm):
    assert names(bench(lm, "-r", 1)) == ["pp512", "tg128"]
    assert names(bench(lm, "-r", 1, "-p", 0)) == ["tg128"]


def test_lists_and_ranges_make_every_combination(lm):
    results = bench(lm, "-p", "8,16", "-p", 4, "-n", 8, "-npl", "1-4*2", "-t", "1,2", "-r", 1)
    found = [(r["n_threads"], r["test"], r["n_seq"]) for r in results]
    # Prompts run alone where nothing else is said.
    each = [("pp8", 1), ("pp16", 1), ("pp4", 1), ("tg8", 1), ("tg8", 2), ("tg8", 4)]
    assert found == [(threads, *test) for threads in (1, 2) for test in each]
    assert [r["n_prompt"] for r in bench(lm, "-p", "8-16+4", "-n", 0, "-r", 1)] == [8, 12, 16]


def test_element_types_follow_each_other(lm):
    results = bench(lm, "--dtype", "f32,q4", "-p", 16, "-n", 0, "-r", 1)
    assert [r["dtype"] for r in results] == ["f32", "q4"]
    assert results[1]["model_size"] < results[0]["model_size"]


def test_sequences_together_are_summed(lm):
    one, eight = bench(lm, "-p", 16, "-n", 0, "-npl", "1,8", "--prompts-together", "-r", 1)
    assert (one["samples_tokens"], eight["samples_tokens"]) == ([16], [128])
    (generated,) = bench(lm, "-p", 0, "-n", 16, "-npl", 8, "-r", 1)
    # Until the first has its own, whatever the depths of the others.
    assert 16 < generated["samples_tokens"][0] <= 8 * 16
    assert 1 < generated["mean_rows"] <= 8


def test_the_mean_depth_is_the_model_s(lm, rater):
    prompt, text = bench(lm, "-p", 128, "-n", 32, "-r", 1)
    for result in (prompt, text):
        assert 1.2 < result["mean_depth"] < 2.8
    assert bench(rater, "-p", 32, "-r", 1)[0]["mean_depth"] is None


def test_the_same_seed_measures_the_same_work(lm):
    def depths(seed: int) -> list[float]:
        return [r["mean_depth"] for r in bench(lm, "-p", 100, "-n", 0, "-r", 1, "--seed", seed)]

    assert depths(5) == depths(5)
    assert depths(5) != depths(6)


def test_drawn_tokens_are_seeded(lm):
    def depth(*arguments) -> float:
        (result,) = bench(lm, "-p", 0, "-n", 64, "-npl", 4, "-r", 1, *arguments)
        return result["mean_depth"]

    assert depth("--temp", 1) == depth("--temp", 1)
    assert depth("--temp", 1) != depth()


def test_raters_score_rows(lm, rater):
    plain, ragged = bench(rater, "-p", 32, "--ragged", "8-40", "-npl", 4, "-r", 2)
    assert (plain["test"], plain["kind"], plain["n_prompt"]) == ("sc32", "rater", 32)
    assert plain["samples_tokens"] == [128, 128]
    assert ragged["test"] == "sc8-40"
    assert len(ragged["lengths"]) == 4 and all(8 <= length <= 40 for length in ragged["lengths"])
    assert ragged["samples_tokens"] == [sum(ragged["lengths"])] * 2
    both = bench(f"{lm},{rater}", *QUICK)
    assert names(both) == ["pp24", "tg6", "sc24"]


def test_jobs_run_through_a_queue(lm):
    results = bench(lm, "--jobs", 12, "--lengths", "20,6", "-npl", 4, "--batching", "depth,sequence", "-r", 2)
    assert names(results) == ["job20±6"] * 2
    assert [r["batching"] for r in results] == ["depth", "sequence"]
    for result in results:
        assert result["n_jobs"] == len(result["lengths"]) == 12
        assert len(set(result["lengths"])) > 1
        assert result["samples_tokens"] == [sum(result["lengths"])] * 2
        rates = [12 / time * 1e9 for time in result["samples_ns"]]
        assert result["jobs_per_second"] == pytest.approx(statistics.mean(rates), rel=1e-3)
        assert 1 < result["mean_rows"] <= 4
    # The same work, in another order.
    assert results[0]["lengths"] == results[1]["lengths"]
    assert results[0]["mean_depth"] == results[1]["mean_depth"]


def test_every_format_says_the_same(lm):
    table = run("bench", "-m", lm, *QUICK)
    assert table.code == 0 and table.err == ""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.lines if line.startswith("|")]
    assert rows[0] == ["model", "size", "params", "backend", "threads", "dtype", "n_seq", "test", "mean depth", "t/s"]
    assert all(re.fullmatch("-+:?", cell) for cell in rows[1])
    assert [row[7] for row in rows[2:]] == ["pp24", "tg6"]
    assert all(re.fullmatch(r"\d+\.\d\d ± \d+\.\d\d", row[9]) for row in rows[2:])

    lines = list(csv.DictReader(io.StringIO(run("bench", "-m", lm, *QUICK, "-o", "csv").out)))
    assert [line["test"] for line in lines] == ["pp24", "tg6"]
    assert float(lines[0]["avg_ts"]) > 0 and "samples_ts" not in lines[0]
    for flags in (["-o", "json"], ["--json"]):
        assert names(json.loads(run("bench", "-m", lm, *QUICK, *flags).out)) == ["pp24", "tg6"]


def test_standard_error_is_for_messages(lm):
    both = run("bench", "-m", lm, *QUICK, "-o", "csv", "-oe", "jsonl")
    assert names([json.loads(line) for line in both.err.splitlines()]) == ["pp24", "tg6"]
    assert len(list(csv.reader(io.StringIO(both.out)))) == 3
    told = run("bench", "-m", lm, *QUICK, "--progress", "-v", "-o", "jsonl")
    assert names([json.loads(line) for line in told.lines]) == ["pp24", "tg6"]
    assert "run 2 of 2" in told.err and "warm-up" in told.err
    assert re.search(r"^products +\d+\.\d+ +\d+\.\d %$", told.err, re.MULTILINE)
    assert "warm-up" not in run("bench", "-m", lm, *QUICK, "--progress", "--no-warmup").err


@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "a"],
        ["-p", "8,"],
        ["-p", "8-4"],
        ["-p", "1-8*1"],
        ["-p", "1-100000"],
        ["-p", "99999999999999999999"],
        ["-pg", "8"],
        ["-pg", "0,8"],
        ["-npl", "0"],
        ["-t", "0"],
        ["-b", "0"],
        ["-r", "0"],
        ["--delay", "-1"],
        ["--temp", "-1"],
        ["--temp", "nan"],
        ["-o", "xml"],
        ["--dtype", "f32,f64"],
        ["-ctk", "int8"],
        ["-ctk", "f32,int8", "-ctv", "int8,f32"],
        ["-ctk", "f32,int8", "-ctv", "f32"],
        ["-ctk", "q8_0", "-ctv", "q8_0"],
        ["--exit-threshold", "-1"],
        ["--ragged", "9-8"],
        ["--ragged", "0-8"],
        ["--jobs", "0"],
        ["--jobs", "1", "--lengths", "0,1"],
        ["--lengths", "8,1"],
        ["--batching", "width"],
    ],
)
def test_wrong_arguments_are_code_2(lm, arguments):
    result = run("bench", "-m", lm, *arguments)
    assert (result.code, result.out) == (2, ""), result
    assert re.fullmatch(r"rally: [^\n]+; see 'rally bench --help'\n", result.err), result.err


def test_what_a_rater_cannot_do_is_code_2(rater):
    for arguments, message in [(["--max-depth", 1], "depth"), (["-ctk", "int8", "-ctv", "int8"], "f32 for a rater")]:
        result = run("bench", "-m", rater, *arguments, "-r", 1, "-o", "jsonl")
        assert result.code != 0 and result.out == "", result
        assert message in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", 0, "-n", 0], "nothing to measure"),
        (["-p", 100000], "context"),
        (["-n", 512], "context"),
        (["-d", 500], "context"),
        (["-npl", 32, "-b", 16], "-npl"),
        (["-p", 300, "-n", 0, "-npl", 30, "--prompts-together", "-d", 64], "30 × 64"),
        (["-p", 8, "-n", 0, "-d", 8], "1 × 8"),
    ],
)
def test_what_a_model_cannot_do_is_code_2(lm, arguments, message):
    result = run("bench", "-m", lm, *arguments, "-r", 1, "-o", "jsonl")
    assert (result.code, result.out) == (2, ""), result
    assert message in result.err and result.err.count("\n") == 1


def test_results_before_a_failure_are_kept(lm, tmp_path):
    result = run("bench", "-m", f"{lm},{tmp_path / 'none.onnx'}", *QUICK, "--json")
    assert result.code == 3
    assert names(json.loads(result.out)) == ["pp24", "tg6"]


def test_caches_of_each_type(lm):
    results = bench(lm, "-p", 40, "-n", 8, "-r", 1, "-ctk", "f32,bf16,int8", "-ctv", "f32,bf16,int8")
    assert [(r["type_k"], r["type_v"], r["test"]) for r in results] == [
        (kind, kind, test) for kind in ("f32", "bf16", "int8") for test in ("pp40", "tg8")
    ]
    table = run("bench", "-m", lm, *QUICK, "-ctk", "int8", "-ctv", "int8")
    assert " cache " in table.lines[0] and " int8 " in table.lines[2]


def test_exits_of_a_looped_model(lm, looped):
    """Their shares are of the tokens that were timed, and an option changes them."""
    assert bench(lm, *QUICK)[0]["exit_shares"] == []
    assert "exits" not in run("bench", "-m", lm, *QUICK).lines[0]
    tests = [[], ["--exit-threshold", 0], ["--exit-threshold", 1], ["--min-depth", 2, "--max-depth", 2]]
    depths = []
    for options in tests:
        (result,) = bench(looped, "-p", 0, "-n", 40, "-npl", 4, "-r", 1, *options)
        shares = result["exit_shares"]
        assert len(shares) == 4 and sum(shares) == pytest.approx(1)
        assert result["mean_depth"] == pytest.approx(sum(depth * share for depth, share in enumerate(shares, 1)))
        depths.append(result["mean_depth"])
    assert 1 < depths[0] < 4 and depths[1:] == [1, 4, 2]
    lines = run("bench", "-m", looped, "-p", 0, "-n", 8, "-r", 1, "--exit-threshold", 1).lines
    assert "exits %" in lines[0] and " 0/0/0/100 " in lines[2]
    refused = run("bench", "-m", lm, *QUICK, "--exit-threshold", 0.5)
    assert refused.code != 0 and refused.err.count("\n") == 1, refused


def test_ctrl_c_keeps_what_there_is(lm):
    process = subprocess.Popen(
        [COMMAND, "bench", "-m", lm, "-p", "8", "-n", "400", "-r", "1000", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=default_interrupt,
    )
    first = b""
    while b"pp8" not in first:
        first += os.read(process.stdout.fileno(), 1 << 16)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate()
    assert (process.returncode, errors) == (130, b"")
    assert names(json.loads(first + rest)) == ["pp8"]
