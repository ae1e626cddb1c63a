"""Some rows of a file, written as the file has them: lines to the letter, tables group by group."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from .arrow_files import BROKEN, open_arrow
from .inputs import InputFile, open_input
from .lines import beginning, is_list, is_values, line_rows, split_lines
from .packings import Gap, blocks
from .rows import Columns, Row

Places = npt.NDArray[np.int64]

#: Rows that are decoded at once where a group is damaged: as many as the rating decodes.
_ROWS = 64


def write_file(file: InputFile, rows: Places, sink: BinaryIO) -> int:
    """Writes the rows of these numbers, which ascend; returns how many could be."""
    if file.kind in ("parquet", "arrow"):
        with open_input(file) as stored:
            return (_parquet if file.kind == "parquet" else _arrow)(stored, rows, sink)
    packing, head = beginning(file)
    packed = _Packed(sink, packing)
    if file.kind == "json" and is_values(head):
        count = _values(file, rows, packed, is_array=is_list(head))
    else:
        with open_input(file) as stored:
            count = _lines(stored, packing, rows, packed, file.kind == "json")
    packed.finish()
    return count


# Lines


def _lines(stored: Any, packing: str | None, rows: Places, sink: _Packed, is_json: bool) -> int:
    wanted = set(rows.tolist())
    number = count = 0
    for line, _, _ in split_lines(blocks(stored, packing), 0, with_ends=True, is_json=is_json):
        if isinstance(line, Gap):
            continue
        if line is not None and number in wanted:
            sink.write(line)
            count += 1
        number += 1
    return count


def _values(file: InputFile, rows: Places, sink: _Packed, *, is_array: bool) -> int:
    """The objects of an array, or of a file of objects over several lines, each to the letter."""
    wanted = set(rows.tolist())
    count = 0
    sink.write(b"[\n" if is_array else b"")
    for row in line_rows(file, Columns(None, None, None), 0, 0, 0):
        if isinstance(row, Row) and row.number in wanted and row.raw is not None:
            between = b"" if count == 0 else b",\n" if is_array else b"\n"
            sink.write(between + row.raw)
            count += 1
    sink.write(b"\n]\n" if is_array else b"\n")
    return count


class _Packed:
    """A file that is packed as it is written; the same bytes always."""

    def __init__(self, sink: BinaryIO, packing: str | None) -> None:
        self._sink = sink
        self._encoder: Any = None
        self._stream: Any = None
        if packing == "gzip":
            self._encoder = zlib.compressobj(6, wbits=31)
        elif packing == "bz2":
            self._encoder = bz2.BZ2Compressor()
        elif packing == "xz":
            self._encoder = lzma.LZMACompressor()
        elif packing == "lzma":
            self._encoder = lzma.LZMACompressor(lzma.FORMAT_ALONE)
        elif packing is not None:
            self._stream = pa.CompressedOutputStream(pa.PythonFile(_StaysOpen(sink), "w"), packing)

    def write(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.write(data)
        else:
            self._sink.write(data if self._encoder is None else self._encoder.compress(data))

    def finish(self) -> None:
        if self._encoder is not None:
            self._sink.write(self._encoder.flush())
        if self._stream is not None:
            self._stream.close()


class _StaysOpen:
    """A file that is not closed with what is written into it; it is still to be synced."""

    closed = False

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, data: Any) -> int:
        return self._sink.write(data)

    def tell(self) -> int:
        return self._sink.tell()

    def flush(self) -> None:
        self._sink.flush()

    def close(self) -> None:
        """Leaves the file as it is."""


# Tables


def _parquet(stored: Any, rows: Places, sink: BinaryIO) -> int:
    table = pq.ParquetFile(stored, pre_buffer=False)
    metadata = table.metadata
    count = start = 0
    with pq.ParquetWriter(sink, table.schema_arrow, compression=_codecs(metadata)) as writer:
        for group in range(metadata.num_row_groups):
            size = metadata.row_group(group).num_rows
            first, last = np.searchsorted(rows, [start, start + size])
            for part, number in _group_parts(table, group, start) if first < last else ():
                low, high = np.searchsorted(rows, [number, number + part.num_rows])
                if low < high:
                    kept = part if high - low == part.num_rows else part.take(pa.array(rows[low:high] - number))
                    writer.write_table(kept, row_group_size=max(kept.num_rows, 1))
                    count += kept.num_rows
            start += size
    return count


def _group_parts(table: Any, group: int, start: int) -> Iterator[tuple[Any, int]]:
    """A row group, and the number of its first row; of a damaged one what comes before the damage."""
    try:
        yield table.read_row_group(group, use_threads=False), start
        return
    except BROKEN:
        pass
    parts = []
    try:
        for batch in table.iter_batches(_ROWS, row_groups=[group], use_threads=False):
            parts.append(batch)
    except BROKEN:
        pass
    if parts:
        yield pa.Table.from_batches(parts), start


def _codecs(metadata: Any) -> Any:
    """The compression of each column, as the first row group has it."""
    if metadata.num_row_groups == 0:
        return "snappy"
    group = metadata.row_group(0)
    names = {"UNCOMPRESSED": "none", "LZ4_RAW": "lz4"}
    columns = (group.column(index) for index in range(group.num_columns))
    return {one.path_in_schema: names.get(one.compression, one.compression.lower()) for one in columns}


def _arrow(stored: Any, rows: Places, sink: BinaryIO) -> int:
    is_file = stored.read(6) == b"ARROW1"
    stored.seek(0)
    schema, batches = open_arrow(stored)
    new = pa.ipc.new_file if is_file else pa.ipc.new_stream
    number = count = 0
    with new(sink, schema) as writer:
        try:
            for batch in batches:
                low, high = np.searchsorted(rows, [number, number + len(batch)])
                if low < high:
                    writer.write_batch(batch.take(pa.array(rows[low:high] - number)))
                    count += int(high - low)
                number += len(batch)
        except BROKEN:
            pass
    return count
