"""Finished runs: asked again, with more files, in parts and merged, and the documents that stay."""

from __future__ import annotations

import bz2
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpora
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rally
from rally import RallyError, Status, sweep
from rally import _files as files
from rally.score import Selection, Settings, again, merge, recover, score_corpus, state, write_kept
from rally.score import journal as journals
from rally.score.__main__ import main


class Crash(BaseException):
    """The process ends here."""


def settings(rater: Path, inputs: Path, out: Path, **changes: Any) -> Settings:
    how: dict[str, Any] = {"id": "id", "threads": 1, "commit_tokens": 900, "shard_rows": 20, "max_windows": 1} | changes
    return Settings(str(rater), (str(inputs),), str(out), **how)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> corpora.Corpus:
    found = corpora.mixed(tmp_path_factory.mktemp("corpus") / "in", 8, longest=60)
    more = [{"id": f"j{index}", "text": text} for index, text in enumerate(corpora.texts(8, 9))]
    (found.folder / "d.json").write_text(json.dumps(more, indent=1))
    lines = [
        json.dumps({"id": f"z{index}", "text": text, "n": index}).encode()
        for index, text in enumerate(corpora.texts(9, 11))
    ]
    (found.folder / "e.jsonl.bz2").write_bytes(bz2.compress(b"\r\n".join([*lines, lines[0]])))
    table = pa.table({"id": ["r0", "r1", "r2"], "text": ["the sea", "a wind", "the sea"], "x": [[1], [], [2, 3]]})
    with pa.OSFile(str(found.folder / "f.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as stream:
        stream.write_table(table)
    return found


@pytest.fixture(scope="module")
def scored(corpus: corpora.Corpus, rater_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored") / "out"
    score_corpus(settings(rater_path, corpus.folder, out))
    return out


@pytest.fixture(scope="module")
def few(rater_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of two sources, for what is done once for each step: lines with one that is rejected, and a table."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "in").mkdir()
    rows = [{"id": f"a{place}", "text": text, "n": place % 2} for place, text in enumerate(corpora.texts(5, 3, 12))]
    corpora.write_lines(folder / "in" / "a.jsonl", [*(json.dumps(row).encode() for row in rows), b"{"])
    texts = [*corpora.texts(4, 4, 12), rows[0]["text"]]
    ids = [f"b{place}" for place in range(5)]
    corpora.write_parquet(folder / "in" / "b.parquet", {"id": ids, "text": texts, "n": [1] * 5}, group=2)
    score_corpus(settings(rater_path, folder / "in", folder / "out", shard_rows=5, commit_tokens=40))
    return folder / "out"


def copy(folder: Path, to: Path) -> Path:
    import shutil

    shutil.copytree(folder, to)
    return to


def crashes(action: Callable[[], object], check: Callable[[], None]) -> int:
    """Ends the action before each of its steps that make something last, does it again, and checks; the number."""
    for place in range(1, 500):
        count = 0

        def guarded(step: Callable[..., Any], at: int = place) -> Callable[..., Any]:
            def checked(*arguments: Any) -> Any:
                nonlocal count
                count += 1
                if count == at:
                    raise Crash
                return step(*arguments)

            return checked

        with pytest.MonkeyPatch.context() as patch:
            for module in (files, journals, state):
                patch.setattr(module, "sync", guarded(lambda *_: None))  # an exception loses no page that was written
            patch.setattr(os, "replace", guarded(os.replace))
            try:
                action()
            except Crash:
                action()
                check()
                continue
        return place - 1
    raise AssertionError("too many steps")


# Asked again


def test_again_is_the_same(scored: Path, tmp_path: Path) -> None:
    out = copy(scored, tmp_path / "out")
    report = again(out)
    assert corpora.results(out) == corpora.results(scored)
    assert report == json.loads((scored / "report.json").read_text())


def test_again_with_another_share(scored: Path, corpus: corpora.Corpus, rater_path: Path, tmp_path: Path) -> None:
    out, fresh = copy(scored, tmp_path / "out"), tmp_path / "fresh"
    score_corpus(settings(rater_path, corpus.folder, fresh, discard=0.8))
    report = again(out, discard=0.8)
    assert report["discard"] == 0.8
    assert corpora.results(out) == corpora.results(fresh)


def test_again_in_another_format_and_back(scored: Path, tmp_path: Path) -> None:
    out = copy(scored, tmp_path / "out")
    again(out, form="jsonl")
    assert not list(out.glob("scores-*.parquet"))
    lines, rows = corpora.read(out), corpora.read(scored)
    assert [row["score"] for row in lines] == [row["score"] for row in rows]
    assert [row["content_hash"] for row in lines] == [row["content_hash"].hex() for row in rows]
    again(out, form="parquet")
    assert corpora.read(out) == rows
    assert {name: content for name, content in corpora.results(out).items() if "scores-" not in name} == {
        name: content for name, content in corpora.results(scored).items() if "scores-" not in name
    }


def test_again_by_another_source(corpus: corpora.Corpus, scored: Path, rater_path: Path, tmp_path: Path) -> None:
    out, fresh = copy(scored, tmp_path / "out"), tmp_path / "fresh"
    score_corpus(settings(rater_path, corpus.folder, fresh, source="n"))
    again(out, source="n")
    mine = {one["source"]: one["documents"] for one in json.loads((out / "report.json").read_text())["sources"]}
    assert mine["(none)"] == 35
    assert mine["8"] == 1
    assert corpora.read(out) == corpora.read(fresh)


@pytest.mark.parametrize("how", [{"discard": 0.3}, {"form": "jsonl"}, {"source": "n"}])
def test_again_after_a_crash_at_every_step(few: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    expected = copy(few, tmp_path / "whole")
    again(expected, **how)
    place = 0

    def fresh() -> Path:
        return copy(few, tmp_path / f"out {place}")

    out = fresh()

    def check() -> None:
        nonlocal out, place
        assert corpora.results(out) == corpora.results(expected)
        place += 1
        out = fresh()

    assert crashes(lambda: again(out, **how), check) > 5


def test_what_cannot_be_asked(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, code in (({"discard": 1.0}, Status.INVALID_ARGUMENT), ({"form": "csv"}, Status.INVALID_ARGUMENT)):
        with pytest.raises(RallyError) as caught:
            again(scored, **wrong)
        assert caught.value.code == code
    with pytest.raises(RallyError, match="holds no run"):
        again(tmp_path)
    assert main(["--again", str(tmp_path)]) == 1
    with pytest.raises(SystemExit):
        main(["--again", str(scored), "rater.onnx"])
    with pytest.raises(SystemExit):
        main(["--again", str(scored), "--threshold", "1"])
    capsys.readouterr()


# More files


def grown(folder: Path) -> tuple[Path, list[Path]]:
    """A corpus, and files that come later: before, between and after its own."""
    corpora.mixed(folder, 4, seed=5, longest=30)
    later = [folder / "a-0000a.jsonl", folder / "c" / "part-2.parquet", folder / "new.txt"]
    return folder, later


def add(later: list[Path]) -> None:
    corpora.write_lines(
        later[0], [b'{"id": "n0", "text": "the north"}', b"{", b'{"id": "n1", "text": "an old harbour"}']
    )
    corpora.write_parquet(later[1], {"id": ["n2"], "text": ["rain over stone"]})
    corpora.write_lines(later[2], [b"the wind"])


def test_append_rates_what_is_new(rater_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, later = grown(tmp_path / "in")
    out = tmp_path / "out"
    score_corpus(settings(rater_path, folder, out))
    before = corpora.read(out)
    add(later)
    with pytest.raises(RallyError, match="--append rates it, too"):
        score_corpus(settings(rater_path, folder, out))
    rated = 0
    honest = rally.Scorer.rate_documents

    def counted(scorer: rally.Scorer, rows: Any, *more: Any) -> Any:
        nonlocal rated
        rated += len(rows)
        return honest(scorer, rows, *more)

    monkeypatch.setattr(rally.Scorer, "rate_documents", counted)
    report = score_corpus(settings(rater_path, folder, out, append=True))
    assert rated == 4
    rows = corpora.read(out)
    assert [row["id"] for row in rows][: len(before)] == [row["id"] for row in before]
    assert [row["id"] for row in rows][len(before) :] == ["n0", "n1", "n2", f"{later[2]}:0"]
    scores = np.array([row["score"] for row in rows], np.float32)
    alone = rally.Distribution("x")
    alone.add(scores)
    np.testing.assert_allclose([row["quantile"] for row in rows], alone.cdf(scores), atol=1e-12)
    assert report["all"]["documents"] == len(rows)
    assert report["all"]["rejected"] == len(corpora.rejected(out))
    for append in (True, False):
        assert score_corpus(settings(rater_path, folder, out, append=append)) == report
    assert rated == 4
    (folder / "a-0000a.jsonl").write_text("{}")
    with pytest.raises(RallyError, match=r"a-0000a.jsonl has changed"):
        score_corpus(settings(rater_path, folder, out, append=True))


def test_append_after_a_crash_at_every_step(rater_path: Path, tmp_path: Path) -> None:
    folder, later = grown(tmp_path / "in")
    base = tmp_path / "base"
    score_corpus(settings(rater_path, folder, base))
    add(later)
    expected = copy(base, tmp_path / "whole")
    score_corpus(settings(rater_path, folder, expected, append=True, commit_tokens=4))
    place = 0
    out = copy(base, tmp_path / "out 0")

    def check() -> None:
        nonlocal out, place
        assert corpora.results(out) == corpora.results(expected), place
        place += 1
        out = copy(base, tmp_path / f"out {place}")

    assert crashes(lambda: score_corpus(settings(rater_path, folder, out, append=True, commit_tokens=4)), check) > 15


# Parts


def test_shards_of_a_corpus_merged(corpus: corpora.Corpus, scored: Path, rater_path: Path, tmp_path: Path) -> None:
    parts = [tmp_path / f"part {number}" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        score_corpus(settings(rater_path, corpus.folder, part, shard=(number, 3)))
    out = tmp_path / "all"
    report = merge(parts[::-1], out)
    whole = json.loads((scored / "report.json").read_text())
    assert report["all"]["documents"] == whole["all"]["documents"]
    assert report["all"]["rejected"] == whole["all"]["rejected"]
    mine, other = ({row["id"]: row for row in corpora.read(folder)} for folder in (out, scored))
    assert mine.keys() == other.keys()
    for name, row in mine.items():
        assert (row["score"], row["quantile"]) == (other[name]["score"], other[name]["quantile"])
    assert merge(parts, out) == report
    kept = write_kept(out, tmp_path / "kept", Selection(discard=0.5))
    assert kept["kept"] == whole["all"]["documents"] // 2
    for wrong, reason in ((parts[:2], "expected the shards 1/3 to 3/3"), ([*parts, parts[0]], "was rated in")):
        with pytest.raises(RallyError, match=reason):
            merge(wrong, tmp_path / "wrong")


def test_workers_write_the_same_bytes(corpus: corpora.Corpus, scored: Path, rater_path: Path, tmp_path: Path) -> None:
    score_corpus(settings(rater_path, corpus.folder, tmp_path / "out", workers=2, commit_tokens=900))
    assert corpora.results(tmp_path / "out") == corpora.results(scored)


def test_recover_and_go_on(corpus: corpora.Corpus, scored: Path, rater_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    calls = 0
    honest = rally.Scorer.rate_documents

    def ending(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Crash
        return honest(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rally.Scorer, "rate_documents", ending)
        with pytest.raises(Crash):
            score_corpus(settings(rater_path, corpus.folder, out))
    report = recover(out)
    rows = corpora.read(out)
    assert report["partial"]
    assert 0 < len(rows) == report["all"]["documents"] < len(corpora.read(scored))
    assert [row["score"] for row in rows] == [row["score"] for row in corpora.read(scored)][: len(rows)]
    score_corpus(settings(rater_path, corpus.folder, out))
    assert corpora.results(out) == corpora.results(scored)


def test_recover_passes_damage(corpus: corpora.Corpus, scored: Path, rater_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rally.score.results.save_distributions", lambda *_: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            score_corpus(settings(rater_path, corpus.folder, out, shard_rows=1000))
    path = out / "_journal" / "00000.journal"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    recover(out)
    found, whole = ([row["id"] for row in corpora.read(folder)] for folder in (out, scored))
    assert len(whole) * 0.6 < len(found) < len(whole)
    assert found[0] == whole[0]
    assert found[-1] == whole[-1]


# The documents that stay


def documents(folder: Path) -> list[tuple[str, str, Any]]:
    """File, id and text of every document in a folder, as their formats have them."""
    found: list[tuple[str, str, Any]] = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_file() or name.startswith((".", "_")):
            continue
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
        elif path.suffix == ".arrow":
            rows = pa.ipc.open_file(str(path)).read_all().to_pylist()
        else:
            opened = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".zst": _zstd}.get(path.suffix, bytes)
            content = opened(path.read_bytes())
            rows = (
                json.loads(content) if path.suffix == ".json" else [json.loads(line) for line in content.splitlines()]
            )
        found += [(name, row["id"], row["text"]) for row in rows]
    return found


def _zstd(content: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj().decompress(content)


def test_what_stays_is_what_the_sweep_says(corpus: corpora.Corpus, scored: Path, tmp_path: Path) -> None:
    for share in (0.0, 0.25, 0.9):
        kept = tmp_path / f"kept {share}"
        found = write_kept(scored, kept, Selection(discard=share))
        rows = sweep.read([str(scored)])
        _, places = sweep.cut(rows, share, 128)
        assert sorted(name for _, name, _ in documents(kept)) == sorted(rows.ids[place] for place in places)
        assert found["kept"] == places.size
        assert (
            found["kept"] + found["dropped"] + found["duplicates"] + found["lost"] + found["rejected"] == found["all"]
        )
        assert found["all"] == len(rows.ids) + len(corpora.rejected(scored))


def test_files_are_kept_to_the_letter(corpus: corpora.Corpus, scored: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    write_kept(scored, kept, Selection(discard=0.5))
    stays = {name for _, name, _ in documents(kept)}
    given = (corpus.folder / "a-0000.jsonl").read_bytes().splitlines(keepends=True)
    mine = (kept / "a-0000.jsonl").read_bytes().splitlines(keepends=True)
    assert mine == [line for line in given if b'"other"' in line and json.loads(line)["id"] in stays]
    bz = bz2.decompress((kept / "e.jsonl.bz2").read_bytes())
    assert all(line in bz2.decompress((corpus.folder / "e.jsonl.bz2").read_bytes()) for line in bz.split(b"\r\n"))
    for name in ("b/part-0.parquet", "c/part-1.parquet"):
        if not (kept / name).exists():
            continue
        before, after = pq.ParquetFile(corpus.folder / name), pq.ParquetFile(kept / name)
        assert after.schema_arrow.equals(before.schema_arrow, check_metadata=True)
        assert after.metadata.num_row_groups <= before.metadata.num_row_groups
        rows = [row for row in before.read().to_pylist() if row["id"] in stays]
        assert after.read().to_pylist() == rows


def test_other_ways_to_choose(corpus: corpora.Corpus, scored: Path, tmp_path: Path) -> None:
    rows = corpora.read(scored)
    cut = float(np.median([row["score"] for row in rows]))
    write_kept(scored, tmp_path / "threshold", Selection(threshold=cut))
    assert {name for _, name, _ in documents(tmp_path / "threshold")} == {
        row["id"] for row in rows if row["score"] >= np.float32(cut)
    }
    write_kept(scored, tmp_path / "accept", Selection(accept=(16, 4), seed=3))
    chance = rally.select.acceptance(np.array([row["quantile"] for row in rows]), 16, 4)
    stays = rally.select.decide([row["id"] for row in rows], chance, rows[0]["rater"], 3)
    assert {name for _, name, _ in documents(tmp_path / "accept")} == {
        row["id"] for row, stay in zip(rows, stays, strict=True) if stay
    }
    source = rows[0]["source"]
    write_kept(scored, tmp_path / "each", Selection(discard=0.5, per_source=True, source_discards={source: 0.0}))
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["source"]] = counts.get(row["source"], 0) + 1
    expected = sum(count if name == source else count // 2 for name, count in counts.items())
    assert len(documents(tmp_path / "each")) == expected
    found = write_kept(scored, tmp_path / "once", Selection(discard=0.0, drop_duplicates=True))
    texts = [text for _, _, text in documents(tmp_path / "once")]
    assert len(texts) == len(set(texts))
    assert found["duplicates"] == len(rows) - len(texts) >= 2


def test_writing_after_a_crash_at_every_step(few: Path, tmp_path: Path) -> None:
    how = Selection(discard=0.5, drop_duplicates=True)
    expected = tmp_path / "whole"
    whole = write_kept(few, expected, how)
    place = 0
    out = tmp_path / "kept 0"

    def check() -> None:
        nonlocal out, place
        assert corpora.results(out) == corpora.results(expected)
        assert write_kept(few, out, how) == whole
        place += 1
        out = tmp_path / f"kept {place}"

    assert crashes(lambda: write_kept(few, out, how), check) > 8


def test_what_cannot_be_written(corpus: corpora.Corpus, scored: Path, rater_path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    write_kept(scored, kept, Selection(discard=0.5))
    cases: list[tuple[Path, Selection, str]] = [
        (kept, Selection(discard=0.25), "was written by another selection"),
        (corpus.folder, Selection(discard=0.5), "is not empty"),
        (tmp_path / "a", Selection(discard=0.5, source_discards={"nothing": 0.5}), "no source 'nothing'"),
    ]
    for out, how, reason in cases:
        with pytest.raises(RallyError, match=reason):
            write_kept(scored, out, how)
    for wrong in (
        {},
        {"discard": 0.5, "threshold": 1.0},
        {"discard": 1.0},
        {"accept": (2, 3)},
        {"threshold": 1.0, "per_source": True},
    ):
        with pytest.raises(RallyError):
            Selection(**wrong)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("the sea\n")
    score_corpus(settings(rater_path, folder, tmp_path / "out"))
    (folder / "a.txt").write_text("the wind\n")
    with pytest.raises(RallyError, match="has changed since"):
        write_kept(tmp_path / "out", tmp_path / "b", Selection(discard=0.0))


def test_command(corpus: corpora.Corpus, rater_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, kept = tmp_path / "out", tmp_path / "kept"
    arguments = [
        str(rater_path),
        str(corpus.folder),
        "--out",
        str(out),
        "--id",
        "id",
        "--threads",
        "1",
        "--max-windows",
        "1",
    ]
    assert main([*arguments, "--write", str(kept), "--discard", "0.5"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert " kept + " in last
    numbers = [int(word.replace(",", "")) for word in last.split(" = ")[0].split() if word.replace(",", "").isdigit()]
    assert sum(numbers) == int(last.split(" = ")[1].split()[0])
    assert main(["--again", str(out), "--discard", "0.9", "--write", str(tmp_path / "few"), "--drop-duplicates"]) == 0
    assert " kept + " in capsys.readouterr().err
    assert main(["--again", str(out), "--write", str(tmp_path / "some"), "--accept", "8,2", "--seed", "1"]) == 0
    assert main(["--recover", str(out)]) == 0
    assert main([*arguments, "--append", "--discard", "0.5"]) == 0
    assert main(["--merge", str(out), "--out", str(tmp_path / "merged")]) == 0
    capsys.readouterr()
