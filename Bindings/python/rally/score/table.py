"""Rows of the journal and of the shards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import RallyError, Status
from .batches import Batch
from .documents import DIGEST_BYTES, Document, Rejection
from .files import replacing
from .journal import Record
from .raters import Column, Rated
from .samples import Sampler, sample_of
from .statistics import Tally

#: Rows of a row group.
_GROUP_ROWS = 1 << 16

_NAMES = pa.dictionary(pa.int32(), pa.string())

#: Columns that the journal and the shards have alike, besides those of the scores.
COMMON = ("id", "source", "token_count", "windows", "coverage", "file", "row", "content_hash")
OPTIONAL = ("minimum", "window_scores", "documents")


def record_of(
    batch: Batch, rated: Rated | None, columns: Sequence[Column], is_packed: bool, sampler: Sampler
) -> Record:
    """The record of a batch; documents whose scores are no numbers are rejected with a reason."""
    documents, rejected = batch.documents, list(batch.rejected)
    count = len(documents)
    scores = {column.name: np.empty(0, np.float32) for column in columns} if rated is None else rated.scores
    wrong = np.zeros(count, bool)
    for column in columns:
        if column.name != "perplexity":
            wrong |= ~np.isfinite(scores[column.name])
    arrays: dict[str, Any] = {
        "id": pa.array([document.id for document in documents], pa.string()),
        "source": pa.array([document.source for document in documents], pa.string()).dictionary_encode(),
        "token_count": pa.array(np.array([document.tokens.size for document in documents], np.int64)),
    }
    arrays |= _windows(rated, documents, is_packed)
    arrays |= {name: pa.array(values) for name, values in scores.items()}
    details = {} if rated is None else rated.details
    arrays |= {
        name: pa.array(details.get(name, ()), kind, from_pandas=True)
        for column in columns
        for name, kind in _details(column).items()
    }
    arrays |= {
        "file": pa.array([document.file for document in documents], pa.string()).dictionary_encode(),
        "row": pa.array(np.array([document.row for document in documents], np.int64)),
        "content_hash": pa.array([document.digest for document in documents], pa.binary(DIGEST_BYTES)),
    }
    rows = pa.RecordBatch.from_pydict(arrays)
    if wrong.any():
        rows = rows.filter(pa.array(~wrong))
        rejected += [_not_finite(documents[index]) for index in np.flatnonzero(wrong)]
    first = scores[columns[0].name]
    samples = [
        sample_of(document, float(first[place]))
        for place, document in enumerate(documents)
        if not wrong[place] and sampler.takes(document)
    ]
    return Record(batch.next, batch.read, rejected, rows, samples)


def _windows(rated: Rated | None, documents: Sequence[Document], is_packed: bool) -> dict[str, Any]:
    found = None if rated is None else rated.windows
    none = np.empty(0, np.float32)
    counts = np.empty(0, np.int32) if found is None else found.window_counts.astype(np.int32)
    arrays = {"windows": pa.array(counts), "coverage": pa.array(none if found is None else found.coverage)}
    if is_packed:
        return arrays | {"documents": pa.array(np.array([document.count for document in documents], np.int32))}
    minimum, offsets, windows = (none, [0], none) if found is None else (found.minimum, found.offsets, found.windows)
    lists = pa.ListArray.from_arrays(pa.array(np.asarray(offsets, np.int32)), pa.array(windows))
    return arrays | {"minimum": pa.array(minimum), "window_scores": lists}


def _details(column: Column) -> dict[str, Any]:
    """The types of the columns with what a rater says besides its score."""
    return {
        name: pa.string()
        if name.startswith(("label", "decided_by"))
        else pa.int32()
        if name.startswith("int_score")
        else pa.float32()
        for name in column.details
    }


def _not_finite(document: Document) -> Rejection:
    return Rejection(document.file, document.row, document.id, document.source, "the score is not finite")


# Shards


def write_shard(rows: Iterable[Any], shard: Path, columns: Sequence[Column], whole: Tally) -> None:
    """Writes rows of the journal as a shard, with the quantiles of the whole run; without rows there is none."""
    tables = _tables(rows, columns, whole)
    if (first := next(tables, None)) is None:
        return
    with replacing(shard) as file:
        if shard.suffix == ".jsonl":
            for table in chain([first], tables):
                file.writelines(_lines(table))
        else:
            with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
                for table in chain([first], tables):
                    writer.write_table(table, row_group_size=table.num_rows)


def _tables(rows: Iterable[Any], columns: Sequence[Column], whole: Tally) -> Iterator[Any]:
    """The rows in tables of about `_GROUP_ROWS`."""
    held: list[Any] = []
    count = 0
    for part in rows:
        if part.num_rows:
            held.append(_finished(part, columns, whole))
            count += part.num_rows
        if count >= _GROUP_ROWS:
            yield pa.concat_tables(held).unify_dictionaries().combine_chunks()
            held, count = [], 0
    if held:
        yield pa.concat_tables(held).unify_dictionaries().combine_chunks()


def _finished(rows: Any, columns: Sequence[Column], whole: Tally) -> Any:
    """Rows of the journal in the columns of a shard, in their order."""
    first, *further = columns
    arrays = {
        "id": rows.column("id"),
        "score": rows.column(first.name),
        "quantile": _quantile(rows, first, whole),
        "token_count": rows.column("token_count"),
        "windows": rows.column("windows"),
        "coverage": rows.column("coverage"),
        "rater": _raters(rows, first),
        "source": rows.column("source"),
    }
    for name in OPTIONAL:
        if name in rows.schema.names:
            arrays[name] = rows.column(name)
    arrays |= {name: _known(rows.column(name)) for name in first.details}
    for column in further:
        arrays[column.name] = _known(rows.column(column.name))
        arrays[column.quantile] = _quantile(rows, column, whole)
        arrays |= {name: rows.column(name) for name in column.details}
    return pa.table(arrays | {name: rows.column(name) for name in ("file", "row", "content_hash")})


def _raters(rows: Any, column: Column) -> Any:
    """The fingerprint of the rater whose score a row carries."""
    if not column.cheap:
        return pa.DictionaryArray.from_arrays(np.zeros(rows.num_rows, np.int32), [column.fingerprint])
    decided = np.array(rows.column("decided_by").to_pylist(), object)
    places = (decided == "cheap").astype(np.int32)
    return pa.DictionaryArray.from_arrays(places, [column.fingerprint, column.cheap])


def _known(column: Any) -> Any:
    """A column of scores, in which NaN is "there is none"; others as they are."""
    if not pa.types.is_floating(column.type):
        return column
    return pa.array(column.to_numpy(zero_copy_only=False), column.type, from_pandas=True)


def _quantile(rows: Any, column: Column, whole: Tally) -> Any:
    scores = rows.column(column.name).to_numpy(zero_copy_only=False)
    found = np.full(scores.size, math.nan)
    known = ~np.isnan(scores)
    if known.any():
        found[known] = whole.distributions[column.name].cdf(np.ascontiguousarray(scores[known]))
    return pa.array(found, from_pandas=True)


def _lines(table: Any) -> Iterator[bytes]:
    for row in table.to_pylist():
        yield json.dumps(_plain(row), ensure_ascii=False).encode() + b"\n"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no bytes and no infinity; a perplexity may be one."""
    wrong = [key for key, value in row.items() if isinstance(value, float) and not math.isfinite(value)]
    found = row | dict.fromkeys(wrong)
    return found | {"content_hash": row["content_hash"].hex()}


def read_shard(shard: Path, columns: Sequence[Column], names: Sequence[str] | None = None) -> Iterator[Any]:
    """The rows of a shard as the journal has them.

    Parameters
    ----------
    names : sequence of str, optional
        The columns to read; None: all.

    Raises
    ------
    RallyError
        MISMATCH: a column is not there that the run wrote.
    """
    kinds = {column.name: pa.float32() for column in columns}
    kinds |= {"id": pa.string(), "source": _NAMES, "token_count": pa.int64(), "windows": pa.int32()}
    kinds |= {"coverage": pa.float32(), "file": _NAMES, "row": pa.int64(), "content_hash": pa.binary(DIGEST_BYTES)}
    kinds |= {"minimum": pa.float32(), "window_scores": pa.list_(pa.float32()), "documents": pa.int32()}
    kinds |= {column.quantile: pa.float64() for column in columns}
    kinds |= {name: kind for column in columns for name, kind in _details(column).items()}
    expected = [*(one for column in columns for one in (column.name, *column.details)), "id", "row"]
    for table in _shard_tables(shard, names, kinds):
        missing = [name for name in expected if name not in table.schema.names and name in (names or expected)]
        if missing:
            message = f"{shard}: expected the column {missing[0]!r}, found none; rate again into another folder"
            raise RallyError(Status.MISMATCH, message)
        wanted = [name for name in table.schema.names if name in kinds]
        arrays = {name: _typed(table.column(name), kinds[name]) for name in wanted}
        yield pa.RecordBatch.from_pydict(arrays)


def _shard_tables(shard: Path, names: Sequence[str] | None, kinds: dict[str, Any]) -> Iterator[Any]:
    if shard.suffix == ".parquet":
        with pq.ParquetFile(shard) as file:
            known = [name for name in names or kinds if name in file.schema_arrow.names]
            yield from file.iter_batches(_GROUP_ROWS, columns=known, use_threads=False)
        return
    with open(shard, "rb") as lines:
        held: list[dict[str, Any]] = []
        for line in lines:
            row = json.loads(line)
            row["content_hash"] = bytes.fromhex(row["content_hash"])
            held.append({name: row[name] for name in names or kinds if name in row})
            if len(held) == _GROUP_ROWS >> 2:
                yield pa.RecordBatch.from_pylist(held, _schema(held[0], kinds))
                held = []
        if held:
            yield pa.RecordBatch.from_pylist(held, _schema(held[0], kinds))


def _schema(row: dict[str, Any], kinds: dict[str, Any]) -> Any:
    plain = {name: pa.string() if kinds[name] == _NAMES else kinds[name] for name in row}
    return pa.schema(list(plain.items()))


def _typed(column: Any, kind: Any) -> Any:
    if kind == _NAMES:
        return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    if pa.types.is_floating(kind) and column.null_count:
        return pa.array(column.to_numpy(zero_copy_only=False).astype(kind.to_pandas_dtype()))
    return column.cast(kind)
