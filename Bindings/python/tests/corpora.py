"""Small corpora on disk, with bad rows among the good ones, and what a run over them must say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

WORDS = ["the", "sea", "and", "a", "wind", "in", "north", "rain", "over", "an", "old", "harbour", "then", "stone"]

#: Lines that no run can rate, and the beginning of the reason.
BAD_LINES = {
    b'{"id": "x", "text"': "not JSON",
    b'{"id": "no text"}': "no 'text'; the line has id",
    b'{"id": "number", "text": 7}': "text: expected a string, found int",
    b'{"id": "bytes", "text": "\xff\xfe"}': "not UTF-8",
    b'{"id": "half", "text": "\\ud800"}': "text: not Unicode",
    b'{"id": "empty", "text": ""}': "the text is empty",
    b"[1, 2]": "not a JSON object but list",
    b'{"id": "null", "text": null}': "no text",
    b'{"id": "no end", "text": "the': "not JSON",
}


@dataclass(frozen=True)
class Corpus:
    """Texts by their ids, in the order in which they are read, and how many rows are bad."""

    folder: Path
    texts: dict[str, str]
    bad: int


def texts(count: int, seed: int = 0, longest: int = 120) -> list[str]:
    """Random sentences of 1 to `longest` words."""
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, int(random.integers(1, longest)))) for _ in range(count)]


def write_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Plain, or compressed as the name says."""
    data = b"".join(line + b"\n" for line in lines)
    if path.suffix in (".gz", ".zst"):
        with pa.CompressedOutputStream(str(path), {".gz": "gzip", ".zst": "zstd"}[path.suffix]) as stream:
            stream.write(data)
    else:
        path.write_bytes(data)


def write_parquet(path: Path, columns: dict[str, Any], group: int = 50) -> None:
    pq.write_table(pa.table(columns), path, row_group_size=group)


def mixed(folder: Path, count: int, seed: int = 0, longest: int = 120) -> Corpus:
    """Four sources of all kinds, `count` documents each; JSON with bad lines and blank ones."""
    folder.mkdir()
    found: dict[str, str] = {}
    lines: list[bytes] = []
    bad = list(BAD_LINES)
    every = max(count // (len(bad) + 1), 1)
    for index, text in enumerate(texts(count, seed, longest)):
        found[f"a{index}"] = text
        lines.append(json.dumps({"id": f"a{index}", "text": text, "other": [1]}).encode())
        if index % every == 0:
            lines += [b"", bad[index // every % len(bad)]]
    bad_count = sum(line in BAD_LINES for line in lines)
    write_lines(folder / "a-0000.jsonl", lines[: len(lines) // 3])
    write_lines(folder / "a-0001.jsonl.gz", lines[len(lines) // 3 : len(lines) // 2])
    write_lines(folder / "a-0002.json.zst", lines[len(lines) // 2 :])
    for name, start in (("b", 1), ("c", 2)):
        (folder / name).mkdir()
        own = texts(count, seed + start, longest)
        ids = [f"{name}{index}" for index in range(count)]
        found |= dict(zip(ids, own, strict=True))
        write_parquet(folder / name / "part-0.parquet", {"text": own[: count // 2], "id": ids[: count // 2]})
        write_parquet(folder / name / "part-1.parquet", {"text": own[count // 2 :], "id": ids[count // 2 :]}, group=7)
    return Corpus(folder, found, bad_count)


def read(out: Path) -> list[dict[str, Any]]:
    """The rows of all shards."""
    rows: list[dict[str, Any]] = []
    for path in sorted(out.glob("scores-*")):
        if path.suffix == ".parquet":
            rows += pq.read_table(path).to_pylist()
        else:
            rows += [json.loads(line) for line in path.read_text().splitlines()]
    return rows


def rejected(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]


def results(out: Path) -> dict[str, bytes]:
    """All that a run leaves but its journal, by name."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and "_journal" not in path.parts
    }
