"""The card of a rater: how it ranks good text and junk of every kind, alongside the baselines, as Markdown and HTML."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pools import HELD_OUT, KINDS, Sample

GOOD = ("english", "other languages")


def area(good: np.ndarray, bad: np.ndarray) -> float:
    """Probability that good text scores above junk; ties count half."""
    ranks = np.sort(bad)
    below, above = np.searchsorted(ranks, good, "left"), np.searchsorted(ranks, good, "right")
    return float((below + above).sum() / 2 / (len(good) * len(bad)))


def by_kind(samples: Sequence[Sample], scores: np.ndarray) -> dict[str, float]:
    """AUC of all good text against each kind of junk."""
    kinds = np.array([sample.kind for sample in samples])
    good = scores[np.isin(kinds, GOOD)]
    return {kind: area(good, scores[kinds == kind]) for kind in KINDS}


def precision(samples: Sequence[Sample], scores: np.ndarray, share: float, good_share: float = 0.5) -> float:
    """Share of good text in the best ``share`` of a mixture of which ``good_share`` is good, all kinds of junk alike."""
    good = np.array([sample.good for sample in samples])
    weight = np.where(good, good_share / good.sum(), (1 - good_share) / (~good).sum())
    order = np.argsort(-scores, kind="stable")
    reached = np.cumsum(weight[order]) <= share
    return float(weight[order][reached & good[order]].sum() / weight[order][reached].sum())


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation."""
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])


def figures(samples: Sequence[Sample], scores: np.ndarray) -> dict[str, float]:
    """Every figure of one column of the card."""
    each = by_kind(samples, scores)
    good = np.array([sample.good for sample in samples])
    foreign = np.array([sample.kind == "other languages" for sample in samples])
    lengths = np.array([len(sample.text) for sample in samples])
    return {
        "all kinds": float(np.mean(list(each.values()))),
        "kinds it learned from": float(np.mean([v for k, v in each.items() if k not in HELD_OUT])),
        "kinds held out": float(np.mean([each[k] for k in HELD_OUT])),
        **each,
        "other languages above English": area(scores[foreign], scores[good & ~foreign]),
        "precision of the best 10 %": precision(samples, scores, 0.1),
        "precision of the best 30 %": precision(samples, scores, 0.3),
        "rank correlation with length, good text": correlation(scores[good], lengths[good]),
        "rank correlation with length, all": correlation(scores, lengths),
    }


def table(columns: dict[str, dict[str, float]]) -> list[list[str]]:
    """Return the card's rows: a heading, then every figure; kinds that were held out are marked."""
    first = next(iter(columns.values()))
    rows = [["", *columns]]
    for name in first:
        mark = " (held out)" if name in HELD_OUT else ""
        rows.append([name + mark, *(f"{column[name]:.3f}" for column in columns.values())])
    return rows


def markdown(title: str, text: str, rows: list[list[str]]) -> str:
    """Return the card as Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" + "|---:" * (len(rows[0]) - 1) + "|")
    return f"# {title}\n\n{text}\n\n" + "\n".join(lines) + "\n"


def page(title: str, text: str, rows: list[list[str]]) -> str:
    """Return the card as a page whose cells are the darker the nearer they are to 1."""

    def cell(value: str) -> str:
        try:
            shade = max(0.0, min(1.0, (float(value) - 0.5) * 2))
        except ValueError:
            return f"<td>{html.escape(value)}</td>"
        return f'<td style="background:rgba(46,125,80,{shade * 0.6:.2f})">{value}</td>'

    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "\n".join(f"<tr><th>{html.escape(row[0])}</th>{''.join(map(cell, row[1:]))}</tr>" for row in rows[1:])
    paragraphs = "".join(f"<p>{html.escape(part)}</p>" for part in text.split("\n\n"))
    style = "body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}td{text-align:right}th{text-align:left}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title><style>{style}'
        f"table{{border-collapse:collapse}}td,th{{padding:.2em .6em;font-weight:normal}}</style><h1>{html.escape(title)}</h1>"
        f"{paragraphs}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></html>\n"
    )


def write(out: Path, name: str, text: str, columns: dict[str, dict[str, float]]) -> str:
    """Write ``NAME.md`` and ``NAME.html``; returns the Markdown."""
    rows = table(columns)
    card = markdown(name, text, rows)
    (out / f"{name}.md").write_text(card)
    (out / f"{name}.html").write_text(page(name, text, rows))
    return card
