"""What comes of a run: shards, rejected rows, samples, distributions, the report; the same whenever it is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .documents import Rejection
from .files import replacing, write_json
from .inputs import PassedOver
from .page import page
from .raters import Column
from .report import Report, report, save_distributions
from .samples import Sample, save, smallest
from .statistics import Tallies, tallied
from .table import write_shard

#: Files of whose damage the report tells.
_MOST_INCOMPLETE = 1000

Parts = dict[str, Callable[[], Iterator[Any]]]
"""Rows of the journal, a `pyarrow.RecordBatch` after the other, by the name of the shard that they become."""


@dataclass(frozen=True, slots=True)
class About:
    """What a report says of its run besides the numbers.

    Attributes
    ----------
    columns : list of Column
    mode : str
    discard : float
        ρ.
    date : str
        Of the day when the run began, in ISO 8601.
    passed_over : list of PassedOver
    is_partial : bool
        Whether only a part was rated.
    cascade : dict, optional
        The band and what is known about its decisions.
    """

    columns: list[Column]
    mode: str
    discard: float
    date: str
    passed_over: list[PassedOver] = field(default_factory=list)
    is_partial: bool = False
    cascade: dict[str, Any] | None = None


def rejected_lines(passed_over: Iterable[PassedOver], rejected: Iterable[Rejection]) -> Iterator[bytes]:
    """The lines of ``rejected.jsonl``: files that were passed over, then rows."""
    for one in passed_over:
        if not one.reason.startswith("its name begins"):
            yield _line({"file": one.path, "row": None, "id": None, "source": None, "reason": one.reason, "rows": None})
    for found in rejected:
        yield _line(found.written())


def read_rejected(path: Path, size: int | None = None) -> Iterator[Rejection]:
    """The rejected rows of ``rejected.jsonl``, or of its first `size` bytes; not the files that were passed over."""
    with open(path, "rb") as file:
        for line in file:
            if size is not None and file.tell() > size:
                return
            found = json.loads(line)
            if found["source"] is not None:
                yield Rejection(**{"is_lost": "rows" in found} | found)


def write_results(
    folder: Path,
    about: About,
    parts: Parts,
    shard_format: str,
    rejected: Callable[[], Iterator[Rejection]],
    samples: Iterable[Sample],
    unchanged: Sequence[str] = (),
) -> Report:
    """Writes everything but ``rejected.jsonl``.

    `unchanged`: parts whose shards stay as they are.
    """
    labels = {column.name: column.label for column in about.columns}
    tallies = tallied(labels, lambda: _all(parts), rejected)
    save_distributions(tallies, about.columns, folder / "_distributions")
    kept = smallest(samples)
    save(kept, folder / "_samples.jsonl")
    for name, rows in parts.items():
        if name not in unchanged:
            write_shard(rows(), folder / f"scores-{name}.{shard_format}", about.columns, tallies.whole)
    return write_report(folder, about, tallies, lambda: _all(parts), rejected, kept)


def write_report(
    folder: Path,
    about: About,
    tallies: Tallies,
    rows: Callable[[], Iterator[Any]],
    rejected: Callable[[], Iterator[Rejection]],
    samples: Sequence[Sample],
) -> Report:
    """Writes ``report.json`` and ``report.html``."""
    found = report(tallies, about.columns, about.mode, about.discard)
    found |= {
        "date": about.date,
        "partial": about.is_partial,
        "merged_sources": tallies.merged,
        "incomplete": incomplete(rows, rejected),
        "passed_over": [asdict(one) for one in about.passed_over],
        "reasons": reasons(rejected()),
        "cascade": None if about.cascade is None else about.cascade | {"expensive_documents": _read_by_both(rows())},
    }
    with replacing(folder / "report.html") as file:
        file.write(page(found, tallies, samples).encode())
    write_json(folder / "report.json", found)
    return found


def _read_by_both(rows: Iterable[Any]) -> int:
    """Documents that the expensive rater of a cascade decided."""
    return sum(part.column("decided_by").to_pylist().count("expensive") for part in rows)


def _all(parts: Parts) -> Iterator[Any]:
    for rows in parts.values():
        yield from rows()


def incomplete(rows: Callable[[], Iterator[Any]], rejected: Callable[[], Iterator[Rejection]]) -> list[dict[str, Any]]:
    """Files of which rows are lost: damaged ones, and those of which no row could be rated."""
    lost: dict[str, dict[str, Any]] = {}
    bare: dict[str, dict[str, Any]] = {}
    for one in rejected():
        found = lost if one.is_lost else bare
        entry = found.setdefault(one.file, {"file": one.file, "rows_lost": 0, "reason": one.reason})
        if one.rows is None or entry["rows_lost"] is None:
            entry["rows_lost"] = None
        else:
            entry["rows_lost"] += one.rows
    bare = {file: entry for file, entry in bare.items() if file not in lost}
    if bare:
        for part in rows():
            for file in part.column("file").unique().to_pylist():
                bare.pop(file, None)
            if not bare:
                break
    whole = [entry | {"reason": f"none of its rows could be rated: {entry['reason']}"} for entry in bare.values()]
    return [*lost.values(), *whole][:_MOST_INCOMPLETE]


def reasons(rejected: Iterable[Rejection]) -> list[dict[str, Any]]:
    """Why rows were rejected, the most frequent first, each with one of them."""
    found: dict[str, dict[str, Any]] = {}
    for one in rejected:
        key = _kind_of(one.reason)
        if key not in found and len(found) >= 100:
            key = OTHER_REASONS
        entry = found.setdefault(key, {"reason": key, "rows": 0, "file": one.file, "row": one.row})
        entry["rows"] += one.count
    return sorted(found.values(), key=lambda entry: -entry["rows"])


OTHER_REASONS = "other reasons"


def _kind_of(reason: str) -> str:
    """A reason without what differs from row to row."""
    words = reason.split(" at ")[0].split("; ")[0]
    return "".join("#" if character.isdigit() else character for character in words)[:120]


def _line(found: dict[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode() + b"\n"
