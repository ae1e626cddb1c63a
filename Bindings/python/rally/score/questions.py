"""Questions to the scores of a finished run; nothing is rated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..content import name_of
from ..errors import RallyError, Status
from . import state as states
from .documents import NO_SOURCE
from .inputs import InputFile
from .readers import read_rows
from .report import Report
from .results import About, Parts, read_rejected, write_report, write_results
from .rows import Columns, Row
from .samples import load
from .settings import FORMATS
from .statistics import tallied
from .table import read_shard


def again(folder: Path, *, discard: float | None = None, form: str | None = None, source: str | None = None) -> Report:
    """Makes the report, and where needed the shards, again from the scores that are stored.

    Parameters
    ----------
    folder : Path
        Of a finished run.
    discard : float, optional
        ρ of the report; None: as it was.
    form : {"parquet", "jsonl"}, optional
        Of the shards; None: as they are.
    source : str, optional
        A column that the report is parted by from now on; it is read from the inputs. None: as it was.

    Raises
    ------
    RallyError
        FILE_NOT_FOUND, MISMATCH: there is no finished run. BUSY. INVALID_ARGUMENT.
    """
    if discard is not None and not 0 <= discard < 1:
        raise RallyError(Status.INVALID_ARGUMENT, f"discard: expected a share in [0, 1), found {discard}")
    if form is not None and form not in FORMATS:
        raise RallyError(Status.INVALID_ARGUMENT, f"format: expected one of {', '.join(FORMATS)}, found {form!r}")
    with states.opened(folder, 1):
        state = states.finished(folder)
        old = list(state["shards"])
        for path in [*folder.glob("scores-*"), *folder.glob(".scores-*.part")]:
            if path.name not in old:  # of an earlier question that came to no end
                path.unlink()
        form = form or state["options"]["format"]
        cascade = state.get("cascade")
        states.check_cut(folder, state, discard)
        discard = state["discard"] if discard is None else discard
        columns, rejected = states.columns_of(state), partial(read_rejected, folder / "rejected.jsonl")
        is_rewritten = source is not None or form != state["options"]["format"]
        names = None if is_rewritten else ["source", "token_count", "windows", "file", *(one.name for one in columns)]
        if cascade is not None and names is not None:
            names.append("decided_by")
        parts: Parts = {
            Path(name).stem.removeprefix("scores-"): partial(read_shard, folder / name, columns, names) for name in old
        }
        if source is not None:
            parts = _parted(parts, states.files_of(state), source)
        passed_over = states.passed_over_of(state)
        about = About(columns, state["mode"], discard, state["date"], passed_over, cascade=cascade)
        if is_rewritten:
            samples = load(folder / "_samples.jsonl")
            found = write_results(folder, about, parts, form, rejected, samples)
        else:
            tallies = tallied({one.name: one.label for one in columns}, lambda: _all(parts), rejected)
            found = write_report(folder, about, tallies, lambda: _all(parts), rejected, load(folder / "_samples.jsonl"))
        options = state["options"] | {"format": form, "source": source or state["options"]["source"]}
        shards = [f"scores-{name}.{form}" for name in parts]
        states.save(folder, state | {"options": options, "shards": shards, "discard": discard})
        for name in old:
            if name not in shards:
                (folder / name).unlink()
    return found


def _all(parts: Parts) -> Iterator[Any]:
    for rows in parts.values():
        yield from rows()


def _parted(parts: Parts, files: list[InputFile], column: str) -> Parts:
    """The rows with what a column of the inputs says their source is."""
    by_path = {file.path: file for file in files}
    return {name: partial(_with_source, rows, by_path, column) for name, rows in parts.items()}


def _with_source(rows: Any, files: dict[str, InputFile], column: str) -> Iterator[Any]:
    reader = _SourceReader(files, column)
    for part in rows():
        places = zip(part.column("file").to_pylist(), part.column("row").to_pylist(), strict=True)
        sources = pa.array([reader.source(file, row) for file, row in places], pa.string()).dictionary_encode()
        yield part.set_column(part.schema.get_field_index("source"), "source", sources)


class _SourceReader:
    """Reads a column of the inputs in the order of the scores."""

    def __init__(self, files: dict[str, InputFile], column: str) -> None:
        self._files = files
        self._column = column
        self._path: str | None = None
        self._rows: Iterator[Row] = iter(())
        self._last: Row | None = None

    def source(self, path: str, row: int) -> str:
        if path != self._path or self._last is None or self._last.number > row:
            found = read_rows(self._files[path], Columns(None, None, self._column))
            self._path, self._rows = path, (one for one in found if isinstance(one, Row))
            self._last = None
        while self._last is None or self._last.number < row:
            self._last = next(self._rows, None)
            if self._last is None:
                raise RallyError(Status.MISMATCH, f"{path}: expected a row {row}, found fewer; it has changed")
        return name_of(self._last.source) or NO_SOURCE
