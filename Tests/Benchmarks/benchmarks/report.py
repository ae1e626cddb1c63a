"""RESULTS.md: what was reached, on what, and every table behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks import targets
from benchmarks.measurements import Book, Key
from benchmarks.plan import Plan
from benchmarks.sections import ceilings, depth, graph, growth, opening, pytorch, rating, vanilla
from benchmarks.shapes import HEAD, RECURSIVE
from benchmarks.tables import number, ratio, table

MARKS = {True: "reached", False: "**missed**"}


def report(book: Book, machine: Mapping[str, str], plan: Plan, plots: Sequence[str]) -> str:
    """Return the whole file."""
    parts = [
        "# Results",
        f"Made by `{_command(plan)}`. Every contender had two threads; they took turns, A B A B …, "
        f"{plan.repetitions} times ({plan.growth_repetitions} per point of a curve, "
        f"{plan.opening_repetitions} for opening). Rates are medians, ± is half of what lies between the least "
        "and the greatest. A ratio is the median over the turns.",
        "## What to reach",
        target_table(book),
        "## Machine",
        table(["", ""], [[name, value] for name, value in machine.items()]),
        *_sections(book),
    ]
    parts += [f"![{name}](plots/{name}.svg)" for name in plots]
    if book.remarks:
        parts += ["## Remarks", "\n".join(f"* {remark}" for remark in book.remarks)]
    return "\n\n".join(parts) + "\n"


def target_table(book: Book) -> str:
    """Return the table of targets; rows that were not measured say so."""
    rows = []
    for target in targets.targets():
        value = target.measured(book)
        sign = "≤" if target.at_most else "≥"
        mark = "not measured" if value is None else MARKS[target.reached(value)]
        rows.append([target.what, target.figure, f"{sign} {target.bound:g}", ratio(value), mark])
    return table(["what", "figure", "to reach", "measured", ""], rows)


def _command(plan: Plan) -> str:
    return "make bench" if plan.name == "full" else "make bench-quick"


def _sections(book: Book) -> list[str]:
    parts = [
        ("Ceilings of the machine", _ceilings(book)),
        ("Vanilla 360M beside llama.cpp", _versus(book, vanilla.SECTION, "Rally", "llama.cpp")),
        ("Does depth pay", _depth(book)),
        ("MoR-3 360M beside PyTorch", _versus(book, pytorch.SECTION, "Rally", "PyTorch")),
        ("Rating beside onnxruntime", _versus(book, rating.SECTION, "Rally", "onnxruntime")),
        ("A prompt beside onnxruntime", _versus(book, graph.SECTION, "Rally", "onnxruntime")),
        ("Opening a file", _versus(book, opening.SECTION, "Rally", "at least")),
        ("Tokens per second decoded together", _curves(book, growth.BATCH)),
        ("Seconds of a prompt by its length", _curves(book, growth.PROMPT)),
        ("Seconds of rating by tokens, rows of 512", _curves(book, growth.RATING)),
    ]
    return [text for title, body in parts if body for text in (f"## {title}", body)]


def _ceilings(book: Book) -> str:
    keys = book.keys(section=ceilings.SECTION)
    rows = [[key.test, key.dtype, number(book.best(key)), key.unit] for key in keys]
    return table(["what", "format", "best", "unit"], rows) if rows else ""


def _versus(book: Book, section: str, ours: str, theirs: str) -> str:
    """Return a table of what two engines took turns at."""
    rows = []
    for key in book.keys(section=section, engine=ours):
        other = Key(section, key.test, theirs, key.model, key.dtype, key.unit)
        rows.append(
            [key.test, key.dtype, _rate(book, key), _rate(book, other), key.unit, ratio(book.ratio(key, other))]
        )
    return table(["", "format", ours, theirs, "unit", "ratio"], rows) if rows else ""


def _depth(book: Book) -> str:
    rows = []
    for test, head in ((depth.TESTS[1], HEAD), (depth.TESTS[0], 0.0)):
        for model, shape in RECURSIVE.items():
            found = targets.speed_up(book, test, model)
            if found is None:
                continue
            ideal = targets.measured_ideal(book, test, model, head)
            mean = book.median(depth.depth_key(test, model))
            cells = [_rate(book, depth.rate_key(test, name)) for name in (model, shape.baseline)]
            published = shape.ideal(shape.published_depth, head)
            rows.append(
                [f"{model}, {test}", *cells, ratio(mean), *map(ratio, (found, ideal, published, found / ideal))]
            )
    head_cells = [
        "",
        "tokens/s",
        "vanilla",
        "mean depth",
        "speed-up",
        "ideal at that depth",
        "ideal published",
        "share",
    ]
    return table(head_cells, rows) if rows else ""


def _curves(book: Book, section: str) -> str:
    """Return a table with a row per x and a column per curve."""
    keys = book.keys(section=section)
    if not keys:
        return ""
    curves = list(dict.fromkeys((key.engine, key.model, key.dtype) for key in keys))
    points = list(dict.fromkeys(key.test for key in keys))
    unit = keys[0].unit
    rows = [[x, *(number(book.median(Key(section, x, *curve, unit))) for curve in curves)] for x in points]
    return table(["", *(" ".join(curve) for curve in curves)], rows)


def _rate(book: Book, key: Key) -> str:
    value = book.median(key)
    return "–" if value is None else f"{number(value)} ±{100 * book.spread(key):.0f} %"
