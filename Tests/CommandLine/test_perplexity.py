"""Perplexities, against sums over the log-probabilities of single runs."""

from __future__ import annotations

import json
import math

import pytest
import rally
from conftest import ROOT, run

TEXT = (ROOT / "LICENSE").read_text()[:4000]


def perplexity(model, *arguments, text=TEXT) -> dict:
    result = run("perplexity", "-m", model, "--json", *arguments, stdin=text)
    assert result.code == 0, result
    return json.loads(result.out)


def test_the_numbers_belong_together(lm):
    measured = perplexity(lm)
    assert measured["perplexity"] == pytest.approx(math.exp(measured["nll"]))
    assert measured["perplexity_error"] == pytest.approx(measured["perplexity"] * measured["nll_error"])
    bits = measured["nll"] * measured["token_count"] / math.log(2)
    assert measured["bits_per_byte"] == pytest.approx(bits / measured["byte_count"])
    # Every token was computed, the scored ones and the text's first.
    assert sum(measured["depths"]) == measured["token_count"] + 1
    mean = sum(depth * count for depth, count in enumerate(measured["depths"])) / sum(measured["depths"])
    assert measured["mean_depth"] == pytest.approx(mean)


def test_every_token_is_scored_once_whatever_the_windows(lm):
    counts = {perplexity(lm, *window)["token_count"] for window in ([], ["-c", 64], ["-c", 64, "--stride", 5])}
    assert len(counts) == 1


@pytest.mark.parametrize("window", [[], ["-c", 64], ["-c", 64, "--stride", 5], ["-c", 2], ["-c", 300]])
def test_the_command_and_python_say_the_same(lm, window):
    model = rally.Model(lm)
    named = {key.strip("-"): value for key, value in zip(window[::2], window[1::2], strict=True)}
    found = rally.perplexity(model, [model.encode(TEXT)], named.get("c"), named.get("stride"))
    assert float(found[0]) == pytest.approx(perplexity(lm, *window)["perplexity"], rel=1e-6)


def test_more_context_predicts_better(lm):
    short, long = perplexity(lm, "-c", 8, "--stride", 7), perplexity(lm, "-c", 256, "--stride", 32)
    assert long["nll"] < short["nll"]


def test_windows_do_not_change_what_fits_into_one(lm):
    text = TEXT[:300]
    assert perplexity(lm, text=text)["nll"] == perplexity(lm, "-t", 1, text=text)["nll"]
    one = perplexity(lm, text=text)
    assert one["windows"] == 1


def test_a_depth_limit_and_the_selection_of_training(lm):
    shallow = perplexity(lm, "--max-depth", 1)
    assert sum(shallow["depths"][2:]) == 0
    assert perplexity(lm, "--selection", "topk")["nll"] != perplexity(lm)["nll"]


def test_the_table_names_the_same_numbers(lm, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    measured = perplexity(lm)
    table = run("perplexity", "-m", lm, "-f", path).out
    assert f"{measured['perplexity']:.4f} ± {measured['perplexity_error']:.4f}" in table
    assert "depth  tokens  share" in table


def test_a_context_beyond_the_model_is_refused(lm):
    result = run("perplexity", "-m", lm, "-c", 10**6, stdin=TEXT)
    assert result.code == 2
    assert "context" in result.err
