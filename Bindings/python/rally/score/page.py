"""The report as a page of its own: totals, figures, texts at the cut; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from .page_style import STYLE
from .report import Report, cascade_note
from .samples import Sample
from .statistics import Tallies, Tally

_BINS = 48
_WIDTH, _HEIGHT = 480, 96

#: Sources with a figure, files and reasons that are shown.
_MOST_FIGURES, _MOST_LINES = 100, 50

#: Texts on either side of the cut, and of each decile.
_AT_CUT, _OF_DECILE = 5, 3


def page(found: Report, tallies: Tallies, samples: Sequence[Sample]) -> str:
    """HTML: totals first, then sources by size, texts at the cut and by decile, what was rejected and why."""
    title = f"Scores by {escape(Path(found['rater']).name)}"
    parts = [
        f"<h1>{title}</h1><p>{escape(_summary(found))}</p>",
        _totals(found),
        _cascade(found),
        _whole(found, tallies),
        _sources(found, tallies),
        _texts(found, samples),
        _deciles(samples, tallies.whole),
        _incomplete(found),
        _reasons(found),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _summary(found: Report) -> str:
    partial = " Only a part of the corpus was rated." if found["partial"] else ""
    return f"Begun on {found['date']}. Rated: {found['mode']}.{partial}"


def _totals(found: Report) -> str:
    whole, scores = found["all"], found["all"]["score"]
    pairs = [
        ("documents", f"{whole['documents']:,}"),
        ("tokens", f"{whole['token_count']:,}"),
        ("rejected rows", f"{whole['rejected']:,}"),
        ("incomplete files", f"{len(found['incomplete']):,}"),
        ("sources", f"{len(found['sources']) + max(found['merged_sources'] - 1, 0):,}"),
    ]
    if scores:
        pairs += [
            (f"kept at ρ = {found['discard']:g}", f"{scores['keep_rate']:.1%}"),
            ("cut", f"{found['threshold']:.4f}"),
            ("mean score", f"{scores['mean']:.4f}"),
            ("score with length", _correlation(scores)),
        ]
    cards = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="totals">{cards}</dl>'


def _correlation(scores: dict[str, Any]) -> str:
    value = scores["length_correlation"]
    return "none" if value is None else f"{value:+.2f}"


def _cascade(found: Report) -> str:
    if found["cascade"] is None:
        return ""
    note = cascade_note(found["cascade"], found["all"]["documents"]).removeprefix("cascade: ")
    more = "Scores lie on the scale of the first; in the band they are places between its ends, by the second."
    return f"<h2>Two raters</h2><p>{escape(note)}. {more}</p>"


def _whole(found: Report, tallies: Tallies) -> str:
    figure = _histogram(tallies.whole, tallies.whole, found["threshold"], "all documents")
    if not figure:
        return ""
    note = "Blue is kept, grey is dropped, the dashed line is the cut. All figures of this page have this axis."
    return f"<h2>Scores of all documents</h2><figure>{figure}<figcaption>{note}</figcaption></figure>"


# Sources

_LEFT = ("reason", "first seen in")

_HEADINGS = ("source", "documents", "tokens", "keep", "mean", "spread", "with length", "rejected", "scores")


def _sources(found: Report, tallies: Tallies) -> str:
    sources = sorted(found["sources"], key=lambda one: (-one["documents"], one["source"]))
    rows = [
        _source_row(one, tallies.sources[one["source"]], tallies.whole, found, place < _MOST_FIGURES)
        for place, one in enumerate(sources)
    ]
    merged = found["merged_sources"]
    note = f" The {merged:,} smallest sources, or more, are one here, named other." if merged else ""
    return f"<h2>Sources</h2>{_table_start('Largest first.' + note, _HEADINGS)}<tbody>{''.join(rows)}</tbody></table>"


def _source_row(one: Report, tally: Tally, whole: Tally, found: Report, has_figure: bool) -> str:
    scores = one["score"]
    numbers = [f"{one['documents']:,}", f"{one['token_count']:,}"]
    if scores is None:
        numbers += ["", "", "", ""]
    else:
        numbers += [f"{scores['keep_rate']:.1%}", f"{scores['mean']:.4f}", f"{scores['deviation']:.4f}"]
        numbers.append(_correlation(scores))
    numbers.append(f"{one['rejected']:,}")
    flag = '<br><span class="flag">nearly constant</span>' if scores and scores["nearly_constant"] else ""
    cells = "".join(
        f'<td data-label="{name}">{number}</td>' for name, number in zip(_HEADINGS[1:-1], numbers, strict=True)
    )
    figure = _histogram(tally, whole, found["threshold"], one["source"]) if has_figure else ""
    return f'<tr><th scope="row">{escape(one["source"])}{flag}</th>{cells}<td class="figure">{figure}</td></tr>'


def _table_start(caption: str, headings: Iterable[str]) -> str:
    heads = "".join(f'<th scope="col"{" class=left" if name in _LEFT else ""}>{escape(name)}</th>' for name in headings)
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>"


def _histogram(tally: Tally, whole: Tally, threshold: float | None, name: str) -> str:
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
        if share > 0
    ]
    place = min(max((threshold - low) / (high - low), 0), 1) * _WIDTH
    line = f'<line class="cut" x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{_HEIGHT}"/>'
    label = f"Histogram of the scores of {escape(name)}, from {low:.4g} to {high:.4g}, cut at {threshold:.4g}"
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}"><title>{label}</title>'
        f"{''.join(bars)}{line}</svg>"
        f'<div class="axis" aria-hidden="true"><span>{low:.3g}</span><span>{high:.3g}</span></div>'
    )


# Texts


def _texts(found: Report, samples: Sequence[Sample]) -> str:
    threshold = found["threshold"]
    if threshold is None or not samples:
        return ""
    ordered = sorted(samples, key=lambda one: (one.score, one.digest))
    dropped = [one for one in ordered if one.score <= threshold][-_AT_CUT:]
    stay = [one for one in ordered if one.score > threshold][:_AT_CUT]
    return (
        f"<h2>At the cut</h2><p>The best that are dropped and the worst that stay, of {len(samples):,} texts.</p>"
        f'<h3>Best dropped</h3><ul class="texts">{"".join(_text(one, False) for one in reversed(dropped))}</ul>'
        f'<h3>Worst kept</h3><ul class="texts">{"".join(_text(one, True) for one in stay)}</ul>'
    )


def _deciles(samples: Sequence[Sample], whole: Tally) -> str:
    if not samples:
        return ""
    scores = np.array([one.score for one in samples], np.float32)
    places = np.minimum((whole.distributions["score"].cdf(scores) * 10).astype(int), 9)
    blocks = []
    for decile in range(9, -1, -1):
        own = [one for one, place in zip(samples, places.tolist(), strict=True) if place == decile][:_OF_DECILE]
        texts = "".join(_text(one, True) for one in own) or "<li>none in the sample</li>"
        blocks.append(
            f"<details><summary>{decile * 10} to {decile * 10 + 10} % of the scores</summary>"
            f'<ul class="texts">{texts}</ul></details>'
        )
    return f"<h2>By decile</h2>{''.join(blocks)}"


def _text(one: Sample, stays: bool) -> str:
    kind = ' class="stays"' if stays else ""
    text = "".join(character if character.isprintable() or character == "\n" else " " for character in one.text)
    return (
        f'<li{kind}><span class="quiet">{one.score:.4f} · {one.token_count:,} tokens · {escape(one.id)}'
        f"</span><blockquote>{escape(text)}</blockquote></li>"
    )


# What is missing


def _incomplete(found: Report) -> str:
    lost = [(one["file"], one["rows_lost"], one["reason"]) for one in found["incomplete"]]
    lost += [(one["path"], None, one["reason"]) for one in found["passed_over"] if one["is_loss"]]
    if not lost:
        return ""
    counts = ["not known" if count is None else f"{count:,}" for _, count, _ in lost]
    rows = [
        _line(file, "rows lost", count, reason)
        for (file, _, reason), count in zip(lost[:_MOST_LINES], counts, strict=False)
    ]
    table = _table_start("Rows of these files are missing.", ("file", "rows lost", "reason"))
    return f"<h2>Incomplete files</h2>{table}<tbody>{''.join(rows)}</tbody></table>{_more(len(lost))}"


def _reasons(found: Report) -> str:
    if not found["reasons"]:
        return ""
    rows = []
    for one in found["reasons"][:_MOST_LINES]:
        place = "" if one["row"] is None else f", row {one['row']:,}"
        rows.append(_line(one["reason"], "rows", f"{one['rows']:,}", one["file"] + place))
    table = _table_start("Most frequent first.", ("reason", "rows", "first seen in"))
    more = _more(len(found["reasons"]))
    return f"<h2>Why rows were rejected</h2>{table}<tbody>{''.join(rows)}</tbody></table>{more}"


def _line(head: str, label: str, number: str, text: str) -> str:
    return (
        f'<tr><th scope="row">{escape(head)}</th><td data-label="{label}">{number}</td>'
        f'<td class="left">{escape(text)}</td></tr>'
    )


def _more(count: int) -> str:
    return f"<p>And {count - _MOST_LINES:,} more, in rejected.jsonl.</p>" if count > _MOST_LINES else ""
