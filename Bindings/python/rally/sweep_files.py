"""Stored scores in what the project's commands and the frameworks write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import RallyError, Status

_PLAIN = (".jsonl", ".ndjson", ".json")
_PACKINGS = (".gz", ".zst", ".zstd", ".bz2", ".xz", ".lz4")

#: Files of lines that hold no scores.
_OTHERS = ("rejected.jsonl", "report.json", "state.json", "dataset_info.json", "dataset_dict.json")


def scored_files(paths: Sequence[str]) -> list[Path]:
    """The files of files and folders, folders with all inside; names that begin with a dot or underscore are not.

    Raises
    ------
    RallyError
        FILE_NOT_FOUND.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += [child for child in sorted(path.rglob("*")) if _is_scored(child.relative_to(path), child)]
        elif path.exists():
            found.append(path)
        else:
            raise RallyError(Status.FILE_NOT_FOUND, f"{path}: expected a file or folder, found none")
    return found


def scored_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows with their numbers from 1 on, each with those of the columns that it has.

    A column may stand within ``metadata``, where datatrove writes it.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT, with file and row: what is no row.
    """
    if path.suffix in (".parquet", ".arrow"):
        yield from _table_rows(path, columns)
        return
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _invalid(f"{path}:{number}: {error}") from None
        if not isinstance(row, dict):
            raise _invalid(f"{path}:{number}: expected an object, found {type(row).__name__}")
        inner = row.get("metadata")
        yield number, (inner | row if isinstance(inner, dict) else row)


def _is_scored(inner: Path, path: Path) -> bool:
    if any(part.startswith((".", "_")) for part in inner.parts) or inner.name in _OTHERS or not path.is_file():
        return False
    stem = Path(inner.stem) if inner.suffix in _PACKINGS else inner
    return stem.suffix in _PLAIN or inner.suffix in (".parquet", ".arrow")


def _lines(path: Path) -> Iterator[bytes]:
    if path.suffix not in _PACKINGS:
        with open(path, "rb") as file:
            yield from file
        return
    from .score.lines import split_lines
    from .score.packings import Gap, blocks, sniff

    with open(path, "rb") as stored:
        packing = sniff(stored.read(8))
        stored.seek(0)
        for line, _, _ in split_lines(blocks(stored, packing), 0):
            if isinstance(line, Gap):
                raise _invalid(f"{path}: damaged: {line.reason}")
            yield line or b""


def _table_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 1
    with open(path, "rb") as stored:
        if path.suffix == ".parquet":
            file = pq.ParquetFile(stored)
            known = [name for name in (*columns, "metadata") if name in file.schema_arrow.names]
            batches = file.iter_batches(columns=known)
        else:
            from .score.arrow_files import open_arrow

            schema, every = open_arrow(stored)
            known = [name for name in (*columns, "metadata") if name in schema.names]
            batches = (pa.RecordBatch.from_arrays([one.column(name) for name in known], known) for one in every)
        for batch in batches:
            for row in batch.to_pylist():
                inner = row.pop("metadata", None)
                yield number, (inner | row if isinstance(inner, dict) else row)
                number += 1


def _invalid(message: str) -> RallyError:
    return RallyError(Status.INVALID_ARGUMENT, message)
