"""What a run found out: per source, as JSON, as a table, as a page."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .files import replacing
from .raters import Column
from .statistics import Tallies, Tally

#: A source is nearly constant where the range from 5 % to 95 % of its scores is at most the one share of that of the
#: whole run, or at most the other of the scores' own size: a cut inside of it follows noise.
_NARROW, _EQUAL = 0.05, 1e-3

Report = dict[str, Any]


def read_report(folder: Path) -> Report:
    """The report of a finished run; with a warning where a version before 0.2 wrote it, which called token counts ``tokens``."""
    found: Report = json.loads((folder / "report.json").read_text())
    for one in (found["all"], *found["sources"]):
        if "token_count" not in one:
            warnings.warn(
                f"{folder}: the report's 'tokens' is called 'token_count' now; the next version reads that alone",
                FutureWarning,
                stacklevel=2,
            )
            one["token_count"] = one.pop("tokens")
    return found


def report(tallies: Tallies, columns: Sequence[Column], mode: str, discard: float) -> Report:
    """The report of a run.

    Returns
    -------
    dict
        ``rater``, ``fingerprint``, ``mode``, ``discard``; ``threshold``, the score that the share `discard` lies below;
        ``all`` and, per source, ``sources``: counts and per column mean, deviation, quantiles, keep rate. None where
        nothing was rated.
    """
    first = columns[0]
    whole = tallies.whole
    thresholds = {column.name: _threshold(whole, column.name, discard) for column in columns}
    return {
        "rater": first.path,
        "fingerprint": first.fingerprint,
        "mode": mode,
        "columns": {column.name: {"model": column.path, "label": column.label} for column in columns},
        "discard": discard,
        "threshold": thresholds[first.name],
        "all": _tally(whole, whole, thresholds),
        "sources": [
            {"source": name} | _tally(tally, whole, thresholds) for name, tally in sorted(tallies.sources.items())
        ],
    }


def _threshold(whole: Tally, column: str, discard: float) -> float | None:
    found = whole.distributions[column]
    return float(found.quantile(discard)) if found.count else None


def _tally(tally: Tally, whole: Tally, thresholds: dict[str, float | None]) -> Report:
    return {
        "documents": tally.documents,
        "token_count": tally.tokens,
        "windows": tally.windows,
        "rejected": tally.rejected,
    } | {name: _scores(tally, whole, name, threshold) for name, threshold in thresholds.items()}


def _scores(tally: Tally, whole: Tally, column: str, threshold: float | None) -> Report | None:
    found, moments = tally.distributions[column], tally.moments[column]
    if found.count == 0 or threshold is None:
        return None
    low, middle, high = (float(value) for value in found.quantile([0.05, 0.5, 0.95]))
    all_low, all_high = (float(value) for value in whole.distributions[column].quantile([0.05, 0.95]))
    spread = high - low
    narrow = spread <= _NARROW * (all_high - all_low) and tally is not whole
    equal = spread <= _EQUAL * max(abs(low), abs(high))
    return {
        "mean": moments.mean,
        "deviation": moments.deviation,
        "minimum": found.minimum,
        "p5": low,
        "median": middle,
        "p95": high,
        "maximum": found.maximum,
        "keep_rate": 1 - float(found.cdf(threshold)),
        "nearly_constant": narrow or equal,
        "length_correlation": moments.correlation,
    }


def save_distributions(tallies: Tallies, columns: Sequence[Column], folder: Path) -> None:
    """Saves ``COLUMN.distribution`` of all rows and ``COLUMN/SOURCE.distribution`` of each source."""
    for column in columns:
        inner = folder / column.name
        inner.mkdir(parents=True, exist_ok=True)
        places = {folder / f"{column.name}.distribution": tallies.whole}
        places |= {inner / f"{file_name(name)}.distribution": tally for name, tally in tallies.sources.items()}
        for path, tally in places.items():
            if tally.distributions[column.name].count:
                with replacing(path) as file:
                    file.write(tally.distributions[column.name].to_bytes())
        for path in inner.glob("*.distribution"):
            if path not in places:  # of a source that there was
                path.unlink()


def file_name(source: str) -> str:
    """A source's name as that of a file."""
    name = quote(source, safe=" ")
    if len(name) <= 200:
        return f"%2E{name[1:]}" if name.startswith(".") else name
    return f"{name[:150]}-{hashlib.sha256(source.encode()).hexdigest()[:16]}"


# For people

_HEADINGS = ("source", "documents", "tokens", "keep", "mean", "spread", "5 %", "95 %", "rejected", "")


def table(found: Report) -> str:
    """The report as lines for people, aligned."""
    rows = [_cells(one["source"], one) for one in found["sources"]]
    if len(rows) != 1:
        rows.append(_cells("all", found["all"]))
    widths = [max(len(row[place]) for row in [_HEADINGS, *rows]) for place in range(len(_HEADINGS))]
    lines = [_line(row, widths) for row in [_HEADINGS, *rows]]
    notes = [f"keep: at ρ = {found['discard']:g}" + _threshold_note(found["threshold"])]
    if found["cascade"] is not None:
        notes.append(cascade_note(found["cascade"], found["all"]["documents"]))
    for name in list(found["columns"])[1:]:
        scores = found["all"][name]
        if scores:
            notes.append(f"{name}: mean {scores['mean']:.4g}, 5 % {scores['p5']:.4g}, 95 % {scores['p95']:.4g}")
    return "\n".join([*lines, *notes])


def cascade_note(cascade: dict[str, Any], documents: int) -> str:
    """Who decided, and how far the decisions are those of one rater."""
    read = cascade["expensive_documents"]
    return (
        f"cascade: {Path(cascade['cheap']).name} decides {1 - read / max(documents, 1):.1%} of the documents, "
        f"{Path(cascade['rater']).name} {read:,}{_band(cascade['lower'], cascade['upper'])}; "
        f"of {cascade['sample_count']:,} that both read {cascade['observed']:.2%} are decided as by the second alone; "
        f"with {cascade['confidence']:.0%} confidence at least {cascade['agreement']:.2%} of all"
    )


def _band(lower: float | None, upper: float | None) -> str:
    """What the expensive rater reads, by the score of the cheap one."""
    if lower is None or upper is None:
        bound = "" if upper is None else f" up to {upper:.4f}"
        return ", all of them" if lower is None and upper is None else bound or f" from {lower:.4f} on"
    return f" between {lower:.4f} and {upper:.4f}"


def _threshold_note(threshold: float | None) -> str:
    return "" if threshold is None else f", score above {threshold:.4f}"


def _cells(name: str, one: Report) -> list[str]:
    counts = [name, f"{one['documents']:,}", f"{one['token_count']:,}"]
    scores = one["score"]
    if scores is None:
        return [*counts, "", "", "", "", "", f"{one['rejected']:,}", ""]
    numbers = [f"{scores[key]:.4f}" for key in ("mean", "deviation", "p5", "p95")]
    flag = "nearly constant" if scores["nearly_constant"] else ""
    return [*counts, f"{scores['keep_rate']:.1%}", *numbers, f"{one['rejected']:,}", flag]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    places = [f"{cells[0]:<{widths[0]}}"]
    places += [f"{cell:>{width}}" for cell, width in zip(cells[1:-1], widths[1:-1], strict=True)]
    return "  ".join([*places, cells[-1]]).rstrip()
