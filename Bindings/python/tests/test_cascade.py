"""Two raters for one cut: the band, what it promises, and runs over a corpus."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import corpora
import numpy as np
import pytest

import rally
from rally import Band, RallyError, Status, select, sweep
from rally import _files as files
from rally.score import (
    Selection,
    Settings,
    again,
    cascading,
    journal,
    merge,
    recover,
    score_corpus,
    state,
    write_kept,
)
from rally.score.__main__ import main

LOOSE = {"agreement": 0.9, "confidence": 0.9, "sample": 160}


def scores(seed: int, count: int, noise: float) -> tuple[Any, Any]:
    """Cheap and expensive ones, of one quality seen twice."""
    random = np.random.default_rng(seed)
    quality = random.normal(size=count)
    cheap, expensive = (quality + noise * random.normal(size=(2, count))).astype(np.float32)
    return cheap, expensive


def decisions(values: Any, discard: float) -> set[int]:
    return set(select.top(values, sweep.kept_count(len(values), discard)).tolist())


# The band


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.4])
def test_decisions_agree_as_promised(noise: float) -> None:
    """At most 5 % of the samples may lead to a band that keeps less; the bound is cautious, so none of these does."""
    shares, agreements = [], []
    for seed in range(24):
        discard = (0.5, 0.75, 0.1, 0.9)[seed % 4]
        cheap, expensive = scores(seed, 30_000, noise)
        drawn = np.random.default_rng(seed + 100).permutation(cheap.size)[:8192]
        band = Band.choose(cheap[drawn], expensive[drawn], discard)
        assert 0.99 <= band.agreement <= 1
        read = np.where(band.reads(cheap), expensive, np.float32(np.nan))
        differing = decisions(band.scores(cheap, read), discard) ^ decisions(expensive, discard)
        agreements.append(1 - len(differing) / cheap.size)
        shares.append(float(band.reads(cheap).mean()))
    assert sum(agreement < 0.99 for agreement in agreements) <= 2, agreements
    assert np.mean(shares) < {0.0: 0.05, 0.1: 0.25, 0.4: 0.65}[noise]


def upper_bound(count: int, total: int, risk: float) -> float:
    """Clopper and Pearson's by the sum of the binomial distribution."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        seen = sum(math.comb(total, k) * middle**k * (1 - middle) ** (total - k) for k in range(count + 1))
        low, high = (middle, high) if seen > risk else (low, middle)
    return high


def test_the_plain_twin() -> None:
    cheap, expensive = scores(3, 600, 0.2)
    band = Band.choose(cheap, expensive, 0.5, 0.9, 0.9)
    count, risk, limit = 450, 0.025, 0.05
    allowed = max(k for k in range(60) if upper_bound(k, count, risk) <= limit)
    # At most so many of the sample lie below the corpus' cut, or at least so many, with all but this risk.
    below = [math.comb(count, k) * 0.5**count for k in range(count + 1)]
    low = max(rank for rank in range(1, count + 1) if sum(below[:rank]) <= risk)
    high = min(rank for rank in range(1, count + 1) if sum(below[rank:]) <= risk)
    ordered = np.sort(expensive[:count])
    staying = np.sort(cheap[:count][expensive[:count] >= ordered[low - 1]])
    dropped = np.sort(cheap[:count][expensive[:count] <= ordered[high - 1]])
    assert band.lower == staying[allowed]
    assert band.upper == np.nextafter(dropped[-1 - allowed], np.float32(np.inf))
    wrong = max((staying < band.lower).sum(), (dropped >= band.upper).sum())
    assert band.agreement == pytest.approx(1 - 2 * upper_bound(int(wrong), count, risk), abs=1e-9)
    held = slice(count, None)
    cut = np.sort(expensive[held])[75]
    errors = (
        (cheap[held] < band.lower) & (expensive[held] >= cut),
        (cheap[held] >= band.upper) & (expensive[held] < cut),
    )
    assert band.observed == pytest.approx(1 - 2 * max(error.mean() for error in errors))
    assert band.share == pytest.approx(band.reads(cheap[held]).mean())


def test_scores_rank_as_both_say() -> None:
    cheap, expensive = scores(5, 4000, 0.3)
    band = Band.choose(cheap, expensive, 0.5, 0.95)
    found = band.scores(cheap, expensive)
    inside = band.reads(cheap)
    assert (found[~inside] == cheap[~inside]).all()
    assert (found[inside] >= np.float32(band.lower)).all()
    assert (found[inside] < np.float32(band.upper)).all()
    order = np.argsort(expensive[inside], kind="stable")
    assert (np.diff(found[inside][order]) >= 0).all()
    extreme = band.scores(np.float32([0, 0, 0]), np.float32([-np.inf, band.middle, np.inf]))
    assert extreme[0] == np.float32(band.lower)
    assert extreme[1] == pytest.approx((band.lower + band.upper) / 2, rel=1e-6)
    assert extreme[2] < band.upper


def test_a_sample_that_is_too_small_reads_all() -> None:
    cheap, expensive = scores(1, 200, 0.1)
    band = Band.choose(cheap, expensive, 0.5)
    assert (band.lower, band.upper, band.agreement) == (-math.inf, math.inf, 1.0)
    assert band.reads(cheap).all()
    found = band.scores(cheap, expensive)
    assert (np.argsort(found, kind="stable") == np.argsort(expensive, kind="stable")).all()
    assert Band.read(json.loads(json.dumps(band.written()))) == band


def test_a_sample_in_no_random_order() -> None:
    cheap, expensive = scores(2, 4000, 0.05)
    cheap[3000:] = -cheap[3000:]
    with pytest.raises(RallyError, match="at random") as caught:
        Band.choose(cheap, expensive, 0.5)
    assert caught.value.code == Status.MISMATCH


def test_what_is_no_sample() -> None:
    one, nan = np.zeros(9, np.float32), np.full(9, np.nan, np.float32)
    for arguments, code in (
        ((one[:3], one[:3], 0.5), Status.EMPTY_INPUT),
        ((one, nan, 0.5), Status.NOT_FINITE),
        ((one, one[:8], 0.5), Status.INVALID_ARGUMENT),
        ((one, one, 0.0), Status.INVALID_ARGUMENT),
        ((one, one, 0.5, 1.0), Status.INVALID_ARGUMENT),
        ((one, one, 0.5, 0.99, math.nan), Status.INVALID_ARGUMENT),
    ):
        with pytest.raises(RallyError) as caught:
            Band.choose(*arguments)
        assert caught.value.code == code
    band = Band.choose(one, one, 0.5)
    with pytest.raises(RallyError) as caught:
        band.scores(one, nan)
    assert caught.value.code == Status.NOT_FINITE


# Documents


@pytest.fixture(scope="module")
def cheap_path(rater_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rater with smaller numbers: it says nearly the same."""
    path = tmp_path_factory.mktemp("cheap") / "cheap.onnx"
    rally.quantize(rater_path, path, "int8")
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> corpora.Corpus:
    return corpora.mixed(tmp_path_factory.mktemp("corpus") / "in", 90, longest=20)


def settings(rater: Path, cheap: Path | None, inputs: Path, out: Path, **changes: Any) -> Settings:
    how: dict[str, Any] = {"id": "id", "threads": 1, "commit_tokens": 900, "shard_rows": 60, "discard": 0.5}
    how |= {} if cheap is None else {"cascade": str(cheap), **LOOSE}
    return Settings(str(rater), (str(inputs),), str(out), **(how | changes))


def test_documents_in_memory(rater_path: Path, cheap_path: Path, corpus: corpora.Corpus) -> None:
    texts = list(corpus.texts.values())
    cascade = rally.Cascade(rater_path, cheap_path, discard=0.5, **LOOSE)
    found = cascade.rate_documents(texts)
    expensive = cascade.rater.rate_documents(texts).score
    assert (found.cheap == cascade.cheap.rate_documents(texts).score).all()
    assert (found.expensive[found.is_expensive] == expensive[found.is_expensive]).all()
    assert 160 <= (~np.isnan(found.expensive)).sum() < len(texts)
    assert (~found.is_expensive).mean() > 0.4
    differing = decisions(found.score, 0.5) ^ decisions(expensive, 0.5)
    assert len(differing) <= 0.1 * len(texts)
    assert cascade.rate_documents(texts).score.tobytes() == found.score.tobytes()


@pytest.fixture(scope="module")
def scored(
    rater_path: Path, cheap_path: Path, corpus: corpora.Corpus, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("scored") / "out"
    score_corpus(settings(rater_path, cheap_path, corpus.folder, out))
    return out


def test_rows_say_whose_score_they_carry(
    scored: Path, rater_path: Path, cheap_path: Path, corpus: corpora.Corpus, tmp_path: Path
) -> None:
    rows = corpora.read(scored)
    assert [row["id"] for row in rows] == list(corpus.texts)
    both = {}
    for name, path in (("cheap", cheap_path), ("expensive", rater_path)):
        with rally.Model(path, threads=1) as model:
            both[name] = model.rate_documents(list(corpus.texts.values())).score, model.fingerprint()
    report = json.loads((scored / "report.json").read_text())
    band = Band.read({key: value for key, value in report["cascade"].items() if key in Band.__dataclass_fields__})
    cheap, expensive = both["cheap"][0], both["expensive"][0]
    inside = band.reads(cheap)
    assert [row["score_cheap"] for row in rows] == cheap.tolist()
    assert [row["decided_by"] for row in rows] == np.where(inside, "expensive", "cheap").tolist()
    assert [row["rater"] for row in rows] == [both[row["decided_by"]][1] for row in rows]
    assert [row["score_expensive"] for row in rows] == [
        score if reads else None for score, reads in zip(expensive.tolist(), inside.tolist(), strict=True)
    ]
    assert [row["score"] for row in rows] == band.scores(cheap, expensive).tolist()
    assert report["cascade"]["expensive_documents"] == inside.sum() < 0.6 * len(rows)
    label = report["columns"]["score"]["label"]
    assert f"model={both['expensive'][1]}" in label
    assert f"cascade={both['cheap'][1][:16]} band=" in label
    assert "Two raters" in (scored / "report.html").read_text()


def test_what_stays(scored: Path, rater_path: Path, corpus: corpora.Corpus, tmp_path: Path) -> None:
    found = write_kept(scored, tmp_path / "kept", Selection(discard=0.5))
    score_corpus(settings(rater_path, None, corpus.folder, tmp_path / "alone"))
    names = [row["id"] for row in corpora.read(scored)]
    kept, alone = (
        {names[place] for place in decisions([row["score"] for row in corpora.read(out)], 0.5)}
        for out in (scored, tmp_path / "alone")
    )
    assert found["kept"] == len(kept) == len(alone)
    assert len(kept ^ alone) <= 0.1 * len(names)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_bytes_however_it_is_cut(
    workers: int, scored: Path, rater_path: Path, cheap_path: Path, corpus: corpora.Corpus, tmp_path: Path
) -> None:
    how = {"workers": workers, "commit_tokens": 900 if workers > 1 else 3000}
    score_corpus(settings(rater_path, cheap_path, corpus.folder, tmp_path / "out", **how))
    mine, other = corpora.results(tmp_path / "out"), corpora.results(scored)
    assert mine == other if workers > 1 else mine["report.json"] == other["report.json"]
    assert corpora.read(tmp_path / "out") == corpora.read(scored)


class Crash(BaseException):
    """The process ends here."""


def test_it_goes_on_wherever_it_ended(
    scored: Path, rater_path: Path, cheap_path: Path, corpus: corpora.Corpus, tmp_path: Path
) -> None:
    """One run that is ended again and again, at the end of longer stretches, and in the end is what nobody ended."""
    out, ends = tmp_path / "out", 0
    for length in [*[3] * 6, *range(4, 100, 9)]:
        with pytest.MonkeyPatch.context() as patch:
            steps = 0

            def step(*_: Any, length: int = length) -> None:
                nonlocal steps
                steps += 1
                if steps == length:
                    raise Crash

            for module in (files, journal, state, cascading):
                patch.setattr(module, "sync", step)
            try:
                score_corpus(settings(rater_path, cheap_path, corpus.folder, out))
                break
            except Crash:
                ends += 1
    assert ends > 5
    assert corpora.results(out) == corpora.results(scored)


def test_finished_runs(scored: Path, tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "out"
    shutil.copytree(scored, out)
    assert again(out) == json.loads((scored / "report.json").read_text())
    assert corpora.results(out) == corpora.results(scored)
    again(out, form="jsonl")
    again(out, form="parquet")
    assert corpora.read(out) == corpora.read(scored)
    assert recover(out)["cascade"] is not None


def test_what_one_cut_cannot_answer(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RallyError, match=r"decides one cut, at 0\.5; found one at 0\.8"):
        again(scored, discard=0.8)
    for how, words in (
        (Selection(discard=0.25), "one at 0.25"),
        (Selection(threshold=1.0), "a threshold"),
        (Selection(accept=(8, 4)), "by chance"),
        (Selection(discard=0.5, per_source=True), "shares of sources"),
        (Selection(discard=0.5, drop_duplicates=True), "without duplicates"),
    ):
        with pytest.raises(RallyError, match=words) as caught:
            write_kept(scored, tmp_path / "kept", how)
        assert caught.value.code == Status.UNSUPPORTED
    with pytest.raises(RallyError, match="to merge"):
        merge([scored], tmp_path / "merged")
    with pytest.raises(RallyError, match="decide one cut"):
        sweep.read([str(scored)])
    assert main(["--again", str(scored), "--discard", "0.8"]) == 1
    assert "Rate again with --cascade" in capsys.readouterr().err


def test_what_does_not_go_together(rater_path: Path, cheap_path: Path, corpus: corpora.Corpus, tmp_path: Path) -> None:
    for changes in (
        {"append": True},
        {"shard": (1, 2)},
        {"packed": 9},
        {"also": ("x.onnx",)},
        {"perplexity": "x.onnx"},
        {"agreement": 1.0},
        {"sample": 3},
    ):
        with pytest.raises(RallyError) as caught:
            settings(rater_path, cheap_path, corpus.folder, tmp_path, **changes)
        assert caught.value.code == Status.INVALID_ARGUMENT
        assert next(iter(changes)) in str(caught.value)
    with pytest.raises(RallyError, match="goes with a cascade"):
        settings(rater_path, None, corpus.folder, tmp_path, sample=9)
    with pytest.raises(RallyError, match="a share above 0"):
        score_corpus(settings(rater_path, cheap_path, corpus.folder, tmp_path / "out", discard=0.0))


def test_the_command(
    rater_path: Path, cheap_path: Path, corpus: corpora.Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(rater_path), str(corpus.folder), "--out", str(tmp_path / "out"), "--threads", "1"]
    more = ["--cascade", str(cheap_path), "--agreement", "0.9", "--confidence", "0.9", "--sample", "200"]
    assert main([*arguments, *more, "--discard", "0.75", "--write", str(tmp_path / "kept")]) == 0
    said = capsys.readouterr()
    assert "cascade: cheap.onnx decides" in said.out
    assert "with 90% confidence at least 9" in said.out
    assert os.listdir(tmp_path / "kept")
