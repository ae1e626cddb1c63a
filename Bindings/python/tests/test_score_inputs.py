"""What `rally.score` finds and reads: every file is rated, or named with a reason; what is damaged is read around."""

from __future__ import annotations

import bz2
import datetime
import decimal
import gzip
import json
import lzma
import os
import uuid
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpora
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

import rally
from rally import RallyError, Status
from rally.score import Selection, Settings, score_corpus, write_kept
from rally.score.__main__ import main
from rally.score.inputs import InputFile, expand, source_of
from rally.score.packings import Gap, blocks
from rally.score.readers import read_rows
from rally.score.rows import Columns, Lost, Row

TEXTS = corpora.texts(40, 7, longest=30)
LINES = b"".join(json.dumps({"id": f"d{index}", "text": text}).encode() + b"\n" for index, text in enumerate(TEXTS))


def rate(rater: Path, *inputs: Path | str, out: Path, **changes: Any) -> dict[str, Any]:
    settings = Settings(str(rater), tuple(map(str, inputs)), str(out), threads=1, max_windows=1, **changes)
    return score_corpus(settings)


def lz4(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(content)
    found: bytes = sink.getvalue().to_pybytes()
    return found


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".zstd": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE),
    ".lz4": lz4,
}


def test_every_packing_is_read(rater: rally.Model, rater_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    half = LINES.find(b"\n", len(LINES) // 2) + 1
    for name, pack in PACKINGS.items():
        (folder / f"a.jsonl{name}").write_bytes(pack(LINES))
        (folder / f"several.jsonl{name}").write_bytes(pack(LINES[:half]) + pack(LINES[half:]))
    (folder / "padded.jsonl.gz").write_bytes(gzip.compress(LINES) + bytes(700))
    (folder / "long.jsonl.zst").write_bytes(_windowed(LINES))
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0size"
    (folder / "sizes.jsonl.zst").write_bytes(skipped + zstandard.compress(LINES) + skipped)
    (folder / "misnamed.jsonl").write_bytes(gzip.compress(LINES))
    (folder / "unpacked.jsonl.gz").write_bytes(LINES)
    report = rate(rater_path, folder, out=tmp_path / "out")
    rows = corpora.read(tmp_path / "out")
    assert len(rows) == 19 * len(TEXTS)
    expected = rater.rate_documents(TEXTS, max_windows=1).mean.tolist()
    for start in range(0, len(rows), len(TEXTS)):
        assert [row["score"] for row in rows[start : start + len(TEXTS)]] == expected
    assert report["incomplete"] == report["passed_over"] == []


def test_packed_names_of_what_is_neither_packed_nor_text(rater_path: Path, tmp_path: Path) -> None:
    """One file that cannot be read, not as many bad rows as it has ends of lines."""
    (tmp_path / "a.jsonl.lz4").write_bytes(b"\x02\x21\x4c\x18" + bytes(3) + b"\xff\n" * 9)  # lz4's old form
    (tmp_path / "b.jsonl.gz").write_bytes(b"\xfe\xdc\n" * 400)
    (tmp_path / "c.jsonl.gz").write_bytes(b'{"text": "caf\xe9"}\n' + LINES)
    report = rate(rater_path, *sorted(tmp_path.glob("*.jsonl.*")), out=tmp_path / "out")
    assert report["all"]["documents"] == len(TEXTS)
    told = [(Path(one["file"]).name, one["rows_lost"], one["reason"]) for one in report["incomplete"]]
    assert told == [
        ("a.jsonl.lz4", None, "expected lz4, as the name says, or text; found neither"),
        ("b.jsonl.gz", None, "expected gzip, as the name says, or text; found neither"),
    ]
    assert [one["reason"][:9] for one in corpora.rejected(tmp_path / "out")] == ["expected ", "expected ", "not UTF-8"]


def _windowed(content: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize("name", [".gz", ".bz2", ".xz"])
def test_damage_in_one_of_several_members(name: str) -> None:
    import io

    pack = PACKINGS[name]
    parts = [bytes([65 + number]) * 50_000 + os.urandom(3000) for number in range(3)]
    packed = [bytearray(pack(part)) for part in parts]
    packed[1][len(packed[1]) // 2] ^= 255
    found = list(blocks(io.BytesIO(b"".join(packed)), {".gz": "gzip", ".bz2": "bz2", ".xz": "xz"}[name]))
    gaps = [one for one in found if isinstance(one, Gap)]
    assert [gap.is_end for gap in gaps] == [False]
    place = found.index(gaps[0])
    before = b"".join(one for one in found[:place] if isinstance(one, bytes))
    after = b"".join(one for one in found[place:] if isinstance(one, bytes))
    assert before.startswith(parts[0])
    assert after == parts[2]


@pytest.mark.parametrize("commit_tokens", [1, 100_000])
def test_rows_around_the_damage_are_kept(rater_path: Path, tmp_path: Path, commit_tokens: int) -> None:
    """Also where the run is ended and goes on right there."""
    lines = [json.dumps({"text": text}).encode() + b"\n" for text in corpora.texts(3000, 1, longest=9)]
    parts = [bytearray(gzip.compress(b"".join(lines[start : start + 1000]))) for start in (0, 1000, 2000)]
    parts[1][len(parts[1]) // 2] ^= 255
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(b"".join(parts))
    file = InputFile(str(path), "json", "gzip", path.stat().st_size, "", "a", "a.jsonl.gz")
    found = list(read_rows(file, Columns("text", None, None)))
    lost = [one for one in found if isinstance(one, Lost)]
    rows = [one for one in found if isinstance(one, Row)]
    assert [one.is_rest for one in lost] == [False]
    assert len(rows) >= 2000
    texts = [json.loads(line)["text"] for line in lines]
    good = [row.content for row in rows if row.problem is None]
    assert good[:1000] == texts[:1000]
    assert good[-999:] == texts[-999:]
    gaps = 0
    for place, one in enumerate(found[:-1:97] if commit_tokens > 1 else found[990:1600:50]):
        del place
        gaps = sum(isinstance(each, Lost) for each in found[: found.index(one) + 1])
        number = one.number + 1 if isinstance(one, Row) else one.number
        again = list(read_rows(file, Columns("text", None, None), number, one.offset, gaps))
        rest = found[found.index(one) + 1 :]
        assert [each._replace(read=0) for each in again] == [each._replace(read=0) for each in rest]


def test_a_damaged_row_group_loses_its_rows(rater_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"some words here {number}" for number in range(1000)]})
    pq.write_table(table, path, row_group_size=100, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[5000:5100] = b"\xff" * 100
    path.write_bytes(content)
    report = rate(rater_path, path, out=tmp_path / "out")
    assert (report["all"]["documents"], report["all"]["rejected"]) == (900, 100)
    (lost,) = corpora.rejected(tmp_path / "out")
    assert (lost["rows"], lost["row"] % 100) == (100, 0)
    assert [one["rows_lost"] for one in report["incomplete"]] == [100]


def test_what_is_found_is_rated_or_named(rater_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, folder = tmp_path / "store", tmp_path / "in"
    (store / "wiki").mkdir(parents=True)
    (store / "wiki" / "w.jsonl").write_bytes(LINES)
    folder.mkdir()
    (folder / "own.jsonl").write_bytes(LINES)
    os.symlink("../store/wiki", folder / "linked")
    os.symlink("../store/wiki", folder / "linked again")
    os.symlink("..", folder / "loop")
    os.symlink("own.jsonl", folder / "twice.jsonl")
    os.symlink("nothing", folder / "broken.jsonl")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "README.md").write_text("about")
    (folder / "b.jsonl.7z").write_bytes(b"7z")
    (folder / ".cache").mkdir()
    (folder / "_SUCCESS").write_text("")
    nameless = os.fsdecode(os.fsencode(folder) + b"/\xff.jsonl")
    Path(nameless).write_bytes(LINES)
    out = tmp_path / "elsewhere"
    assert main([str(rater_path), str(folder / "own.jsonl"), str(folder / "linked"), "--out", str(out)]) == 0
    found = expand([str(folder)], str(tmp_path.parent / "out"))
    told = {Path(one.path).name: (one.reason, one.is_loss) for one in found.passed_over}
    assert told["README.md"] == ("describes a data set, holds no documents", False)
    assert told["broken.jsonl"] == ("a link to nothing", True)
    assert told["pipe.jsonl"] == ("no regular file", True)
    assert told["\\xff.jsonl" if "\\xff.jsonl" in told else "\\udcff.jsonl"][1]
    assert told["b.jsonl.7z"][0].startswith("an archive")
    assert told["twice.jsonl"][0].startswith("the same file as")
    assert {"linked again", "_SUCCESS", ".cache"} <= told.keys()
    assert len([file for file in found.files if file.path.endswith("w.jsonl")]) == 1
    assert len(found.files) == len({os.path.realpath(file.path) for file in found.files})


def test_a_run_says_what_it_left_out(rater_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(LINES)
    (folder / "b.csv").write_text("text\nthe sea\n")
    (folder / "README.md").write_text("about")
    out = tmp_path / "out"
    assert main([str(rater_path), str(folder), "--out", str(out)]) == 1
    err = capsys.readouterr().err
    assert "b.csv: not rated: expected .jsonl" in err
    assert "README.md" in err
    named = {Path(one["file"]).name: one for one in corpora.rejected(out)}
    assert named["b.csv"]["row"] is None
    assert json.loads((out / "report.json").read_text())["all"]["rejected"] == 0
    assert "b.csv" in (out / "report.html").read_text()


def test_lists_of_files_and_names_with_signs(rater_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("org::set.jsonl", "a#b.jsonl", "c d.jsonl", "[e].jsonl", "f%20g.jsonl"):
        (folder / name).write_bytes(LINES)
    listed = tmp_path / "list"
    listed.write_text("".join(f"{path}\n" for path in sorted(folder.iterdir())))
    for place, given in enumerate([[str(folder)], [f"@{listed}"], list(map(str, sorted(folder.iterdir())))]):
        report = rate(rater_path, *given, out=tmp_path / f"out {place}")
        assert report["all"]["documents"] == 5 * len(TEXTS)
    with pytest.raises(RallyError, match="expected a list of files"):
        expand(["@nothing"], "out")


def test_archives_and_protocols(rater_path: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as archive:
        archive.writestr("inner/a.jsonl", LINES)
        archive.writestr("inner/b.jsonl.gz", gzip.compress(LINES))
        archive.writestr("in::ner/c::d.jsonl", LINES)
    for place, url in enumerate(
        ("zip://inner/a.jsonl", "zip://inner/*.jsonl", "zip://in::ner/c::d.jsonl", "zip://inner/*", "zip://")
    ):
        report = rate(rater_path, f"{url}::{tmp_path}/corpus.zip", out=tmp_path / f"out {place}")
        assert report["all"]["documents"] == (1, 1, 1, 2, 3)[place] * len(TEXTS)
        told = write_kept(tmp_path / f"out {place}", tmp_path / f"kept {place}", Selection(discard=0.25))
        assert told["kept"] == report["all"]["documents"] * 3 // 4
    for wrong, message in (("s4://bucket/a.jsonl", "s4"), (str(tmp_path / "corpus.zip"), "an archive")):
        with pytest.raises(RallyError, match=message) as caught:
            expand([wrong], "out")
        assert caught.value.code == Status.INVALID_ARGUMENT


def test_values_over_several_lines(rater: rally.Model, rater_path: Path, tmp_path: Path) -> None:
    objects = [json.loads(line) for line in LINES.splitlines()]
    expected = rater.rate_documents(TEXTS, max_windows=1).mean.tolist()
    forms = {
        "indented.json": json.dumps(objects, indent=2),
        "one-line.json": json.dumps(objects) + "\n",
        "bom.json": "\ufeff" + json.dumps(objects, indent=1),
        "values.json": "\n".join(json.dumps(one, indent=1) for one in objects),
        "array.jsonl": json.dumps(objects),
        "arrays.json": json.dumps(objects[:9], indent=1) + "\n\ufeff" + json.dumps(objects[9:], indent=1),
    }
    for name, content in forms.items():
        (tmp_path / name).write_text(content)
        report = rate(rater_path, tmp_path / name, out=tmp_path / f"{name} out", commit_tokens=50)
        rows = corpora.read(tmp_path / f"{name} out")
        assert [row["score"] for row in rows] == expected, name
        assert report["all"]["rejected"] == 0
        file = InputFile(str(tmp_path / name), "json", None, 1, "", "", name)
        found = list(read_rows(file, Columns("text", None, None)))
        for one in (*found[::7], found[-1]):
            again = list(read_rows(file, Columns("text", None, None), one.number + 1, one.offset))
            assert [each.content for each in again] == [each.content for each in found[one.number + 1 :]]
    for name, bytes_lost, documents in (("within", 40, len(TEXTS) - 1), ("after", 1, len(TEXTS))):
        (tmp_path / f"{name}.json").write_text(json.dumps(objects)[:-bytes_lost])
        report = rate(rater_path, tmp_path / f"{name}.json", out=tmp_path / name)
        assert report["all"]["documents"] == documents
        assert len(report["incomplete"]) == 1, "without its end it may have had more"
    (tmp_path / "empty.json").write_text("[]")
    assert rate(rater_path, tmp_path / "empty.json", out=tmp_path / "none")["all"]["documents"] == 0


@pytest.mark.parametrize("is_stream", [True, False])
def test_saved_data_sets(rater: rally.Model, rater_path: Path, tmp_path: Path, is_stream: bool) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    table = pa.table({"text": pa.array(TEXTS).dictionary_encode(), "n": range(len(TEXTS))})
    new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    for name in ("data-00000-of-00001.arrow", "cache-abc.arrow"):
        with pa.OSFile(str(folder / name), "wb") as file, new(file, table.schema) as stream:
            stream.write_table(table, max_chunksize=7)
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}, indent=2)
    )
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}}, indent=2))
    report = rate(rater_path, folder, out=tmp_path / "out", commit_tokens=60)
    expected = rater.rate_documents(TEXTS, max_windows=1).mean.tolist()
    assert [row["score"] for row in corpora.read(tmp_path / "out")] == expected
    assert {Path(one["path"]).name for one in report["passed_over"]} == {
        "cache-abc.arrow", "state.json", "dataset_info.json",
    }  # fmt: skip


def test_ids_and_sources_of_every_kind(rater_path: Path, tmp_path: Path) -> None:
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([uuid.UUID(int=5).bytes, None], pa.binary(16)))
    day = datetime.date(2026, 1, 2)
    ids: dict[str, tuple[Any, list[str]]] = {
        "uuid": (uuids, [str(uuid.UUID(int=5)), ""]),
        "decimal": (pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.00")]), ["1.50", "2.00"]),
        "date": (pa.array([day, None]), ["2026-01-02", ""]),
        "float": (pa.array([1.5, float("nan")]), ["1.5", ""]),
        "bytes": (pa.array([b"\xff\x00", b"ok"]), ["ff00", "ok"]),
        "list": (pa.array([[1], None]), ["[1]", ""]),
        "bool": (pa.array([True, None]), ["true", ""]),
        "category": (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
    }
    for name, (column, expected) in ids.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"text": ["the sea", "a wind"], "name": column}), path)
        rate(rater_path, path, out=tmp_path / name, id="name", source="name")
        rows = corpora.read(tmp_path / name)
        assert [row["id"] for row in rows] == [each or f"{path}:{row}" for row, each in enumerate(expected)]
        assert [row["source"] for row in rows] == [each or "(none)" for each in expected]


def test_columns_within_columns_and_in_paths(rater_path: Path, tmp_path: Path) -> None:
    inner = {"url": "http://a.example/1", "kind": "web"}
    folder = tmp_path / "in" / "lang=en" / "year=2026"
    folder.mkdir(parents=True)
    corpora.write_parquet(folder / "a.parquet", {"text": ["the sea"], "metadata": [inner]})
    (folder / "b.jsonl").write_text(json.dumps({"text": "a wind", "metadata": inner}) + "\n")
    rate(rater_path, tmp_path / "in", out=tmp_path / "out", id="metadata.url", source="lang")
    rows = corpora.read(tmp_path / "out")
    assert [(row["id"], row["source"]) for row in rows] == [(inner["url"], "en")] * 2
    corpora.write_parquet(tmp_path / "twice.parquet", {"text": ["the sea"], "a": [1]})
    table = pa.Table.from_arrays([pa.array(["the sea"]), pa.array([1]), pa.array([2])], names=["text", "id", "id"])
    pq.write_table(table, tmp_path / "twice.parquet")
    report = rate(rater_path, tmp_path / "twice.parquet", folder, out=tmp_path / "o", id="id")
    assert [one["reason"] for one in report["incomplete"]] == ["more than one column 'id'"]
    assert report["all"]["documents"] == 2


def test_a_wrong_column_is_known_before_the_start(
    rater_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpora.write_parquet(tmp_path / "a.parquet", {"text": TEXTS})
    corpora.write_parquet(tmp_path / "b.parquet", {"content": TEXTS, "text": list(range(len(TEXTS)))})
    arguments = [str(rater_path), str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet"), "--out"]
    assert main([*arguments, str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"warning: {tmp_path}/b.parquet: column 'text': expected text, found int64 (its 40 rows")
    assert f"incomplete: {tmp_path}/b.parquet: 40 rows lost" in err
    assert main([*arguments, str(tmp_path / "early"), "--max-rejected", "0.1"]) == 1
    assert "max_rejected: expected at most 10.00%" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "none"), "--text", "body"]) == 1
    assert "no column 'body'; there are text; --text names another" in capsys.readouterr().err
    (tmp_path / "c.jsonl").write_text('{"content": "x"}\n' * 3)
    pq.write_table(pa.table({}), tmp_path / "without-rows.parquet")
    assert main([*arguments[:2], str(tmp_path / "without-rows.parquet"), "--out", str(tmp_path / "empty")]) == 0
    assert "incomplete" not in capsys.readouterr().err, "no rows are missing"
    (tmp_path / "d.json").write_text('{"content": "x"}')
    assert main([*arguments[:2], str(tmp_path / "d.json"), "--out", str(tmp_path / "d")]) == 1
    assert "none of its rows could be rated: no 'text'; the line has content" in capsys.readouterr().err
    assert (
        main([str(rater_path), str(tmp_path / "a.parquet"), str(tmp_path / "c.jsonl"), "--out", str(tmp_path / "c")])
        == 1
    )
    assert "none of its rows could be rated: no 'text'; the line has content" in capsys.readouterr().err


def test_inputs_that_change_are_noticed(rater_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    rate(rater_path, path, out=tmp_path / "whole")
    os.utime(path, (1, 1))
    rate(rater_path, path, out=tmp_path / "whole")
    honest = rally.Scorer.rate_documents

    def grow(*arguments: Any) -> Any:
        path.write_bytes(LINES * 2)
        return honest(*arguments)

    monkeypatch.setattr(rally.Scorer, "rate_documents", grow)
    with pytest.raises(RallyError, match="has changed since the run began") as caught:
        rate(rater_path, path, out=tmp_path / "out", commit_tokens=20)
    assert caught.value.code == Status.MISMATCH
    assert main(["--recover", str(tmp_path / "out")]) == 0
    found = corpora.read(tmp_path / "out")
    assert 0 < len(found) <= 2 * len(TEXTS), "what was read before it was noticed, by a thread that reads ahead"
    first = [row["id"] for row in found[: len(TEXTS)]]
    assert first == [f"{path}:{index}" for index in range(len(first))]


def test_many_sources_are_merged(rater_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [{"text": "the sea", "s": f"source {number % 1300 if number < 2000 else 7}"} for number in range(2100)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = rate(rater_path, tmp_path / "a.jsonl", out=tmp_path / "out", source="s")
    counts = {one["source"]: one["documents"] for one in report["sources"]}
    assert len(counts) == 1000
    assert report["merged_sources"] == 301
    assert counts["source 7"] == 102
    assert sum(counts.values()) == 2100
    assert counts["other"] == 301
    assert len({row["source"] for row in corpora.read(tmp_path / "out")}) == 1300
    assert main(["--again", str(tmp_path / "out")]) == 0
    assert "sources: the 301 smallest, or more, are one in the report, named other" in capsys.readouterr().err


def test_names_of_shards() -> None:
    one = "6f1c2a3e-8b2d-4f0c-9c1b-3f5a1c2d4e5f"
    names = {
        f"s/part-00000-{one}-c000.snappy.parquet": "s",
        f"s/part-00001-tid-4870254-{one}-12-1-c000.snappy.parquet": "s",
        "dclm/global-shard_01_of_10/local-shard_0_of_10/shard_00000000_processed.jsonl.zstd": "dclm",
        "hub/train-00000-of-00003-0123456789abcdef.parquet": "hub",
        "hub/en/validation-00000-of-00003.parquet": "hub/en",
        "saved/data-00000-of-00001.arrow": "saved",
        f"ray/{one}_000000_000001-0.parquet": "ray",
        "fineweb/CC-MAIN-2013-20/000_00000.parquet": "fineweb/CC-MAIN-2013-20",
        "c4/c4-train.00000-of-01024.json.gz": "c4/c4",
        "a/processed.jsonl": "a/processed",
    }
    assert {path: source_of(path) for path in names} == names


def test_bombs_are_unpacked_piece_by_piece() -> None:
    import io

    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(bytes(1 << 26)) + packer.flush()
    sizes = [len(block) for block in blocks(io.BytesIO(bomb), "gzip") if isinstance(block, bytes)]
    assert sum(sizes) == 1 << 26
    assert max(sizes) <= 1 << 20


def test_digests_of_content(rater_path: Path, tmp_path: Path) -> None:
    import hashlib

    corpora.write_parquet(
        tmp_path / "a.parquet", {"text": ["the sea", "a wind", "the sea"], "ids": [[1, 2], [3], [1, 2]]}
    )
    rate(rater_path, tmp_path / "a.parquet", out=tmp_path / "text")
    found = [row["content_hash"] for row in corpora.read(tmp_path / "text")]
    assert found == [hashlib.blake2b(text, digest_size=16).digest() for text in (b"the sea", b"a wind", b"the sea")]
    rate(rater_path, tmp_path / "a.parquet", out=tmp_path / "ids", tokens="ids", format="jsonl")
    ids = [row["content_hash"] for row in corpora.read(tmp_path / "ids")]
    assert ids[0] == ids[2] == hashlib.blake2b(np.array([1, 2], "<i4").tobytes(), digest_size=16).hexdigest()


def test_marks_where_files_were_put_together(rater_path: Path, tmp_path: Path) -> None:
    """`cat a.jsonl b.jsonl` of files that begin with a byte order mark."""
    line = b'\xef\xbb\xbf{"text": "the sea"}\n'
    (tmp_path / "a.jsonl").write_bytes(line * 3)
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfthe sea\n" * 2)
    out = tmp_path / "out"
    score_corpus(Settings(str(rater_path), (str(tmp_path / "a.jsonl"), str(tmp_path / "b.txt")), str(out), threads=1))
    assert corpora.rejected(out) == []
    assert len({row["score"] for row in corpora.read(out)}) == 1


def test_durations_are_names(rater_path: Path, tmp_path: Path) -> None:
    ids = [datetime.timedelta(days=1, seconds=2), None]
    pq.write_table(pa.table({"text": ["the sea", "a wind"], "i": ids}), tmp_path / "a.parquet")
    out = tmp_path / "out"
    score_corpus(Settings(str(rater_path), (str(tmp_path / "a.parquet"),), str(out), id="i", threads=1))
    assert [row["id"] for row in corpora.read(out)] == ["1 day, 0:00:02", f"{tmp_path / 'a.parquet'}:1"]
