"""Runs that end at any moment and go on: nothing lost, nothing twice, the same bytes in the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import corpora
import models
import pytest
import score_kills

from rally import RallyError, Status
from rally import _files as files
from rally.score import Settings, journal, score_corpus


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> corpora.Corpus:
    return corpora.mixed(tmp_path_factory.mktemp("corpus") / "in", 9, longest=60)


def settings(rater: Path, inputs: Path, out: Path, **changes: Any) -> Settings:
    how: dict[str, Any] = {"id": "id", "threads": 1, "commit_tokens": 900, "shard_rows": 12} | changes
    return Settings(str(rater), (str(inputs),), str(out), **how)


def crash_at(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Ends the run before its `place`-th step that makes something last."""
    count = 0

    def guarded(step: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            if count == place:
                raise Crash
            return step(*arguments)

        return checked

    for module in (files, journal):
        monkeypatch.setattr(module, "sync", guarded(lambda *_: None))  # an exception loses no page that was written
    monkeypatch.setattr(os, "replace", guarded(os.replace))


@pytest.mark.parametrize("packed", [None, 50])
def test_crash_at_every_step(folder: Path, corpus: corpora.Corpus, tmp_path: Path, packed: int | None) -> None:
    path = folder / f"crash {packed}.onnx"
    models.write(path, replace(models.RATER, packing="document" if packed is None else "packed"))
    how = {"packed": packed, "commit_tokens": 500}
    score_corpus(settings(path, corpus.folder, tmp_path / "whole", **how))
    expected = corpora.results(tmp_path / "whole")
    crashes, ended = 0, False
    for place in range(1, 1000):
        out = tmp_path / f"crash at {place}"
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, place)
            try:
                score_corpus(settings(path, corpus.folder, out, **how))
                ended = True
            except Crash:
                crashes += 1
        score_corpus(settings(path, corpus.folder, out, **how))
        assert corpora.results(out) == expected, f"crash at step {place}"
        if ended:
            break
    assert crashes > 30


def test_torn_records(rater_path: Path, corpus: corpora.Corpus, tmp_path: Path) -> None:
    how = {"shard_rows": 1000, "commit_tokens": 900}
    score_corpus(settings(rater_path, corpus.folder, tmp_path / "whole", **how))
    expected = corpora.results(tmp_path / "whole")
    out = tmp_path / "torn"
    rate_all(settings(rater_path, corpus.folder, out, **how))
    record_file = out / "_journal" / "00000.journal"
    content = record_file.read_bytes()
    for length in [*range(0, 30, 7), *range(30, len(content), len(content) // 6), len(content) - 1]:
        for tail in (b"", bytes(40), b"\xff" * 3):
            record_file.write_bytes(content[:length] + tail)
            (out / "_journal" / "run.json").write_text(
                (out / "_journal" / "run.json").read_text().replace('"complete": true', '"complete": false')
            )
            for name in corpora.results(out):
                (out / name).unlink()
            score_corpus(settings(rater_path, corpus.folder, out, **how))
            assert corpora.results(out) == expected, f"{length} bytes and {tail!r}"


def rate_all(wishes: Settings) -> None:
    """A run that ends when all is rated and nothing is written but the journal."""

    def crash(*_: Any) -> None:
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rally.score.results.save_distributions", crash)
        with pytest.raises(Crash):
            score_corpus(wishes)


def test_what_has_changed_is_named(rater_path: Path, folder: Path, tmp_path: Path) -> None:
    corpus = corpora.mixed(tmp_path / "in", 10)
    out = tmp_path / "out"
    other = models.write(folder / "rater of another seed.onnx", models.RATER, seed=9)
    score_corpus(settings(rater_path, corpus.folder, out))
    before = corpora.results(out)

    def refused(message: str, rater: Path = rater_path, **changes: Any) -> None:
        with pytest.raises(RallyError, match=message) as caught:
            score_corpus(settings(rater, corpus.folder, out, **changes))
        assert caught.value.code == Status.MISMATCH
        assert corpora.results(out) == before

    refused("the model of score has changed", other)
    refused("the model of score_rater of another seed is new", also=(str(other),))
    refused("window was None and is 9", window=9)
    refused("text was 'text' and is 'body'", text="body")
    score_corpus(settings(rater_path, corpus.folder, out, threads=2, commit_tokens=99))
    (corpus.folder / "new.txt").write_text("x\n")
    refused("the input .*new.txt is new")
    (corpus.folder / "new.txt").unlink()
    part = corpus.folder / "b" / "part-0.parquet"
    content = part.read_bytes()
    part.write_bytes(content + b" ")
    refused(f"part-0.parquet has changed, size was {len(content)} and is {len(content) + 1}, version was")
    part.unlink()
    refused("part-0.parquet is no longer there")


def test_folders_of_others(rater_path: Path, corpus: corpora.Corpus, tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("mine")
    with pytest.raises(RallyError, match="is not empty") as caught:
        score_corpus(settings(rater_path, corpus.folder, tmp_path))
    assert caught.value.code == Status.MISMATCH
    out = tmp_path / "out"
    (out / "_journal").mkdir(parents=True)
    with journal.Journal(out / "_journal", 10), pytest.raises(RallyError, match="another run writes here") as caught:
        score_corpus(settings(rater_path, corpus.folder, out))
    assert caught.value.code == Status.BUSY


def test_damage_that_no_crash_explains(rater_path: Path, corpus: corpora.Corpus, tmp_path: Path) -> None:
    out = tmp_path / "out"
    score_corpus(settings(rater_path, corpus.folder, out))
    (out / "scores-00001.parquet").unlink()
    with pytest.raises(RallyError, match=r"scores-00001.parquet: was written and is gone"):
        score_corpus(settings(rater_path, corpus.folder, out))
    out = tmp_path / "rated"
    rate_all(settings(rater_path, corpus.folder, out))
    first = out / "_journal" / "00000.journal"
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    with pytest.raises(RallyError, match=r"00000.journal: damaged at byte") as caught:
        score_corpus(settings(rater_path, corpus.folder, out))
    assert caught.value.code == Status.CORRUPT_FILE
    (out / "_journal" / "run.json").unlink()
    with pytest.raises(RallyError, match="its records are there"):
        score_corpus(settings(rater_path, corpus.folder, out))


def test_kills(rater_path: Path, tmp_path: Path) -> None:
    counts = score_kills.kill(rater_path, tmp_path, kills=5, seed=1)
    assert counts.kills >= 5
    assert counts.rating >= 1
