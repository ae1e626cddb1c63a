"""Rows of the journal and of the shards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .batches import Batch
from .documents import Document, Rejection
from .files import replacing
from .journal import Record, read_records
from .raters import Column, Rated
from .statistics import Tally

#: Rows of a row group.
_GROUP_ROWS = 1 << 16


def record_of(batch: Batch, rated: Rated | None, columns: Sequence[Column], is_packed: bool) -> Record:
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
        "tokens": pa.array(np.array([document.tokens.size for document in documents], np.int64)),
    }
    arrays |= _windows(rated, documents, is_packed)
    arrays |= {name: pa.array(values) for name, values in scores.items()}
    rows = pa.RecordBatch.from_pydict(arrays)
    if wrong.any():
        rows = rows.filter(pa.array(~wrong))
        rejected += [_not_finite(documents[index]) for index in np.flatnonzero(wrong)]
    return Record(batch.next, batch.read, rejected, rows)


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


def _not_finite(document: Document) -> Rejection:
    return Rejection(document.file, document.row, document.id, document.source, "the score is not finite")


# Shards


def write_shard(
    journal: Path, shard: Path, columns: Sequence[Column], whole: Tally, *, format: str, has_source: bool
) -> None:
    """Writes one file of the journal as a shard, with the quantiles of the whole run.

    A shard that is there already is complete and stays as it is; a file without rated rows becomes none.
    """
    tables = _tables(journal, columns, whole, has_source)
    if shard.exists() or (first := next(tables, None)) is None:
        return
    with replacing(shard) as file:
        if format == "jsonl":
            for table in chain([first], tables):
                file.writelines(_lines(table))
        else:
            with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
                for table in chain([first], tables):
                    writer.write_table(table, row_group_size=table.num_rows)


def _tables(journal: Path, columns: Sequence[Column], whole: Tally, has_source: bool) -> Iterator[Any]:
    """The rows in tables of about `_GROUP_ROWS`."""
    held: list[Any] = []
    count = 0
    for record in read_records(journal):
        if record.rows.num_rows:
            held.append(_finished(record.rows, columns, whole, has_source))
            count += record.rows.num_rows
        if count >= _GROUP_ROWS:
            yield pa.concat_tables(held).unify_dictionaries().combine_chunks()
            held, count = [], 0
    if held:
        yield pa.concat_tables(held).unify_dictionaries().combine_chunks()


def _finished(rows: Any, columns: Sequence[Column], whole: Tally, has_source: bool) -> Any:
    """Rows of the journal in the columns of a shard, in their order."""
    first, *further = columns
    rater = pa.DictionaryArray.from_arrays(np.zeros(rows.num_rows, np.int32), [first.fingerprint])
    arrays = {
        "id": rows.column("id"),
        "score": rows.column(first.name),
        "quantile": _quantile(rows, first, whole),
        "tokens": rows.column("tokens"),
        "windows": rows.column("windows"),
        "coverage": rows.column("coverage"),
        "rater": rater,
    }
    if has_source:
        arrays["source"] = rows.column("source")
    for name in ("minimum", "window_scores", "documents"):
        if name in rows.schema.names:
            arrays[name] = rows.column(name)
    for column in further:
        values = rows.column(column.name).to_numpy(zero_copy_only=False)
        arrays[column.name] = pa.array(values, from_pandas=True)  # NaN is "there is none"
        arrays[column.quantile] = _quantile(rows, column, whole)
    return pa.table(arrays)


def _quantile(rows: Any, column: Column, whole: Tally) -> Any:
    scores = rows.column(column.name).to_numpy(zero_copy_only=False)
    found = np.full(scores.size, math.nan)
    known = ~np.isnan(scores)
    if known.any():
        found[known] = whole.distributions[column.name].cdf(scores[known])
    return pa.array(found, from_pandas=True)


def _lines(table: Any) -> Iterator[bytes]:
    for row in table.to_pylist():
        yield json.dumps(_finite(row), ensure_ascii=False).encode() + b"\n"


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity; a perplexity may be one."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
