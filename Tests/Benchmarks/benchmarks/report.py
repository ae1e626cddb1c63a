"""RESULTS.md: what was reached, on what, and every table behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks import targets
from benchmarks.measurements import Book, Key
from benchmarks.plan import Plan, Queue
from benchmarks.sections import (
    ceilings,
    depth,
    encoders,
    graph,
    growth,
    looped,
    opening,
    profile,
    pytorch,
    queue,
    rating,
    vanilla,
)
from benchmarks.shapes import HEAD, MOR_3, PAPER_SPEED_UP, RECURSIVE
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
        *_sections(book, plan),
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


def _sections(book: Book, plan: Plan) -> list[str]:
    parts = [
        ("Ceilings of the machine", _ceilings(book)),
        ("Vanilla 360M against its peers", _versus(book, vanilla.SECTION, "Rally", "llama.cpp", *vanilla.PEER_FORMATS)),
        ("Does depth pay", _depth(book)),
        (f"Do exits pay, {plan.looped}, {looped.DTYPE}", _looped(book, plan)),
        (f"The paper's queue, {queue.DTYPE}, {_lengths(plan.queue)}", _queue(book, plan)),
        (
            f"Depth-wise against sequence-wise, {queue.SHORT_DTYPE}, {_lengths(plan.short_queues[0])}",
            _batchings(book, plan),
        ),
        ("Where the time goes", _profile(book)),
        ("MoR-3 360M against PyTorch", _versus(book, pytorch.SECTION, "Rally", "PyTorch")),
        ("Rating against onnxruntime", _versus(book, rating.SECTION, "Rally", "onnxruntime")),
        ("Encoders against the best peer of each format", _encoders(book)),
        ("A prompt against onnxruntime", _versus(book, graph.SECTION, "Rally", "onnxruntime")),
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


def _versus(book: Book, section: str, ours: str, *theirs: str) -> str:
    """Return a table of what engines took turns at; the ratio is over the best of the others."""
    rows = []
    for key in book.keys(section=section, engine=ours):
        others = [Key(section, key.test, engine, key.model, key.dtype, key.unit) for engine in theirs]
        best = max(others, key=lambda other: book.median(other) or 0)
        rates = [_rate(book, other) for other in (key, *others)]
        rows.append([key.test, key.dtype, *rates, key.unit, ratio(book.ratio(key, best))])
    return table(["", "format", ours, *theirs, "unit", "ratio"], rows) if rows else ""


def _encoders(book: Book) -> str:
    """Return a row per shape, kind of rows and format: every engine, and Rally over the best of the others."""
    lines = []
    for shape in encoders.SHAPES:
        for rows in encoders.ROWS:
            for dtype in encoders.FORMATS:
                ours = encoders.rate_key("Rally", shape, rows, dtype)
                best = encoders.best_peer(book, shape, rows, dtype)
                if best is None or book.median(ours) is None:
                    continue
                peers = [encoders.rate_key(engine, shape, rows, dtype) for engine in encoders.PEER_FORMATS]
                cells = [_rate(book, key) for key in (ours, *peers)]
                lines.append([ours.test, dtype, *cells, ratio(book.ratio(ours, best))])
    return table(["tokens/s", "format", "Rally", *encoders.PEER_FORMATS, "over the best"], lines) if lines else ""


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


def _looped(book: Book, plan: Plan) -> str:
    """Return a row per threshold: rates, and how they stand to those of full depth."""
    rows = []
    for batch in looped.BATCHES:
        for threshold in looped.THRESHOLDS:
            key, full = (looped.rate_key(batch, value, plan.looped) for value in (threshold, looped.NEVER))
            if book.median(key) is not None:
                mean = book.median(looped.depth_key(batch, threshold, plan.looped))
                rows.append(
                    [
                        f"decode {batch}, threshold {threshold:g}",
                        ratio(mean),
                        _rate(book, key),
                        ratio(book.ratio(key, full)),
                    ]
                )
    eager = looped.eager_key(plan.looped)
    if book.median(eager) is not None:
        full = looped.rate_key(looped.EAGER_BATCH, looped.NEVER, plan.looped)
        name = f"{eager.test}, PyTorch eager, {eager.dtype}"
        rows.append([name, "", _rate(book, eager), ratio(book.ratio(eager, full))])
    return table(["", "mean depth", "tokens/s", "over full depth"], rows) if rows else ""


def _lengths(sizes: Queue) -> str:
    mean, deviation = sizes.lengths
    return f"{sizes.requests} requests of N({mean}, {deviation}) tokens"


def _queue(book: Book, plan: Plan) -> str:
    """Return a table of the long queues; the speed-up is over the vanilla model of the same effective depth."""
    rows = []
    for sizes in (plan.queue, plan.large_queue):
        for batching in (queue.DEPTH, queue.SEQUENCE):
            for model in (*dict.fromkeys(shape.baseline for shape in RECURSIVE.values()), *RECURSIVE):
                who = (queue.SECTION, queue.DTYPE, sizes.sequences, batching, model)
                rate = book.median(queue.rate_key(*who))
                if rate is None:
                    continue
                speed_up = None
                if model in RECURSIVE:
                    baseline = (queue.SECTION, queue.DTYPE, sizes.sequences, queue.DEPTH, RECURSIVE[model].baseline)
                    speed_up = book.ratio(queue.rate_key(*who), queue.rate_key(*baseline))
                depths, passes = book.median(queue.depth_key(*who)), book.median(queue.rows_key(*who))
                name = f"{model}, {sizes.sequences} in flight, {batching}-wise"
                rows.append([name, number(rate), ratio(depths), number(passes), ratio(speed_up), _paper(model)])
    head = ["", "jobs/s", "mean depth", "rows per pass", "speed-up", "paper, H100"]
    return table(head, rows) if rows else ""


def _paper(model: str) -> str:
    return ratio(PAPER_SPEED_UP[model]) if model in PAPER_SPEED_UP else "–"


def _batchings(book: Book, plan: Plan) -> str:
    rows = []
    for sizes in plan.short_queues:
        ours, other = (
            queue.rate_key(queue.SHORT, queue.SHORT_DTYPE, sizes.sequences, batching, MOR_3)
            for batching in (queue.DEPTH, queue.SEQUENCE)
        )
        if book.median(ours) is not None:
            cells = [_rate(book, ours), _rate(book, other), ratio(book.ratio(ours, other))]
            rows.append([f"{MOR_3}, {sizes.sequences} in flight", *cells])
    return table(["jobs/s", "depth-wise", "sequence-wise", "ratio"], rows) if rows else ""


def _profile(book: Book) -> str:
    """Return a row per test: shares of the driver's time, and what the products of the layers come to."""
    keys = book.keys(section=profile.SECTION, unit="share")
    parts = list(dict.fromkeys(key.test.split(": ")[1] for key in keys))
    rows = []
    for test, model, dtype in dict.fromkeys((key.test.split(": ")[0], key.model, key.dtype) for key in keys):
        shares = [book.median(profile.share_key(test, part, model, dtype)) for part in parts]
        cells = ["–" if share is None else f"{100 * share:.0f} %" for share in shares]
        rate = book.median(profile.product_key(test, model, dtype))
        rows.append([f"{test}, {model}, {dtype}", *cells, number(rate), _met(book, test, dtype, rate)])
    return table(["", *parts, "products, GFLOP/s", "ceiling met"], rows) if rows else ""


def _met(book: Book, test: str, dtype: str, rate: float | None) -> str:
    """Say which share of its ceiling a product reaches: reading weights where rows are few, else arithmetic."""
    read, ceiling = book.best(ceilings.read_key(2)), targets.product_ceiling(book, dtype)
    if rate is None or read is None or ceiling is None:
        return "–"
    if test == "decode 1":
        return f"{50 * rate * targets.WEIGHT_BYTES[dtype] / read:.0f} % of reading"
    return f"{100 * rate / ceiling:.0f} % of products"


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
