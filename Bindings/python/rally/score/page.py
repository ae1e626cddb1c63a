"""The report as a page of its own: a table and histograms, without a script and without anything from elsewhere."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from .report import Report
from .statistics import Tallies, Tally

_BINS = 48
_WIDTH, _HEIGHT = 480, 80

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.4rem } p { color: #555 }
table { border-collapse: collapse; width: 100% }
td, th { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left; overflow-wrap: anywhere } td svg { display: block }
.kept { fill: #2a6fb0 } .dropped { fill: #c9ced6 } .cut { stroke: #b03a2a; stroke-dasharray: 3 3 }
.flag { color: #b03a2a }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #ddd } p { color: #aaa } td, th { border-color: #333 } .dropped { fill: #4a5058 } }
"""


def page(found: Report, tallies: Tallies) -> str:
    """HTML with a row and a histogram for each source; all histograms have one axis."""
    rows = [_row(one["source"], one, tallies.sources[one["source"]], tallies.whole, found) for one in found["sources"]]
    if len(rows) != 1:
        rows.append(_row("all", found["all"], tallies.whole, tallies.whole, found))
    title = f"Scores by {escape(Path(found['rater']).name)}"
    threshold = found["threshold"]
    cut = (
        "" if threshold is None else f" The dashed line is the cut at ρ = {found['discard']:g}, score {threshold:.4f}."
    )
    heads = "".join(
        f"<th>{name}</th>" for name in ("source", "documents", "tokens", "keep", "mean", "spread", "rejected")
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>Rated: {escape(found['mode'])}.{cut}</p>"
        f"<table><tr>{heads}<th>scores</th></tr>{''.join(rows)}</table></html>\n"
    )


def _row(name: str, one: Report, tally: Tally, whole: Tally, found: Report) -> str:
    scores = one["score"]
    numbers = [f"{one['documents']:,}", f"{one['tokens']:,}"]
    if scores is None:
        numbers += ["", "", ""]
    else:
        numbers += [f"{scores['keep_rate']:.1%}", f"{scores['mean']:.4f}", f"{scores['deviation']:.4f}"]
    flag = '<br><span class="flag">nearly constant</span>' if scores and scores["nearly_constant"] else ""
    cells = "".join(f"<td>{number}</td>" for number in [*numbers, f"{one['rejected']:,}"])
    return f"<tr><td>{escape(name)}{flag}</td>{cells}<td>{_histogram(tally, whole, found['threshold'])}</td></tr>"


def _histogram(tally: Tally, whole: Tally, threshold: float | None) -> str:
    distribution, all_scores = tally.distributions["score"], whole.distributions["score"]
    if threshold is None or distribution.count == 0:
        return ""
    low, high = (float(value) for value in all_scores.quantile([0.001, 0.999]))
    if not low < high:
        low, high = low - 0.5, low + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    below = distribution.cdf(edges[1:-1])
    shares = np.diff(np.concatenate([[0.0], below, [1.0]])).clip(0)  # the outer bins hold what lies beyond
    step, scale = _WIDTH / _BINS, _HEIGHT / max(float(shares.max()), 1e-12)
    bars = [
        f'<rect class="{"kept" if edges[index] >= threshold else "dropped"}" x="{index * step:.1f}" '
        f'y="{_HEIGHT - share * scale:.1f}" width="{step - 1:.1f}" height="{share * scale:.1f}"/>'
        for index, share in enumerate(shares.tolist())
    ]
    place = min(max((threshold - low) / (high - low), 0), 1) * _WIDTH
    line = f'<line class="cut" x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{_HEIGHT}"/>'
    label = f"scores from {low:.4g} to {high:.4g}"
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH // 2}" '
        f'height="{_HEIGHT // 2}"><title>{label}</title>{"".join(bars)}{line}</svg>'
    )
