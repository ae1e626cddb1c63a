"""What to reach, as data: each row of the table, and how it is computed from the book."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.measurements import Book, Key
from benchmarks.sections import ceilings, depth, encoders, looped, opening, pytorch, queue, rating, vanilla
from benchmarks.shapes import HEAD, HEAD_PARAMETERS, LAYER_PARAMETERS, LOOPED, LOOPED_BYTES, MOR_3, RECURSIVE

#: Bytes of one weight as it is computed with.
WEIGHT_BYTES = {"f32": 4, "bf16": 2, "int8": 1}


@dataclass(frozen=True)
class Target:
    """One row.

    Attributes
    ----------
    what, figure : str
        What is done, and what is divided by what.
    bound : float
        The figure to reach.
    at_most : bool
        Whether smaller is better.
    measured : callable
        Returns the figure, None where it was not measured.
    """

    what: str
    figure: str
    bound: float
    measured: Callable[[Book], float | None]
    at_most: bool = False

    def reached(self, value: float) -> bool:
        """Whether a measured figure is good enough, at the two digits that the table shows."""
        shown = round(value, 2)
        return shown <= self.bound if self.at_most else shown >= self.bound


def targets() -> list[Target]:
    """Return all rows, in the order of the table."""
    return [*_vanilla(), *_depth(), *_looped(), *_raters(), *_encoders(), *_pytorch(), *_opening()]


def _vanilla() -> Iterator[Target]:
    against = "Rally / llama.cpp"
    for dtype, bound in {"f32": 1.4, "bf16": 1.4, "int8": 3.0}.items():
        yield Target(f"prompt 512, vanilla 360M, {dtype}", against, bound, _ratio(_prompt_keys(dtype)))
    for dtype, bound in {"f32": 1.0, "bf16": 1.0, "int8": 1.1}.items():
        yield Target(f"decode, batch 1, {dtype}", against, bound, _ratio(_decode_keys(dtype, 1)))
    for dtype in WEIGHT_BYTES:
        yield Target(f"decode, batch 1, {dtype}", "weight bytes / read bandwidth", 0.9, _bandwidth_share(dtype))
    for dtype, bound in {"f32": 1.3, "bf16": 1.5, "int8": 3.0}.items():
        yield Target(f"decode, batch 32, {dtype}", against, bound, _ratio(_decode_keys(dtype, 32)))
    for dtype, prompt, decode in (("f32", 1.4, 1.15), ("bf16", 1.3, 1.3), ("int8", 2.0, 1.8)):
        what, figure = f"prompt 512, vanilla 360M, {dtype}", "Rally / OpenVINO"
        yield Target(what, figure, prompt, _ratio(_prompt_keys(dtype, "OpenVINO")))
        yield Target(f"decode, batch 32, {dtype}", figure, decode, _ratio(_decode_keys(dtype, 32, "OpenVINO")))
    four = vanilla.FOUR_BITS
    yield Target(f"prompt 512, vanilla 360M, {four}", against, 3.0, _ratio(_prompt_keys(four)))
    for batch, bound in ((1, 1.1), (8, 2.5)):
        yield Target(f"decode, batch {batch}, {four}", against, bound, _ratio(_decode_keys(four, batch)))
    keys = (vanilla.decode_key("Rally", four, 1), vanilla.decode_key("Rally", "int8", 1))
    yield Target(f"decode, batch 1, {four}", f"Rally {four} / Rally int8", 1.4, _ratio(keys))
    yield Target("prompt 512, vanilla 360M, bf16", "FLOPs / measured product ceiling", 0.8, ceiling_share)


def _depth() -> Iterator[Target]:
    for test, head, which in ((depth.TESTS[1], HEAD, "with the head"), (depth.TESTS[0], 0.0, "layers alone")):
        for model in RECURSIVE:
            what = f"depth pays: {model}, {depth.DTYPE}, {test}"
            yield Target(what, f"speed-up / ideal, {which}", 0.95, _of_ideal(test, model, head))
    keys = tuple(
        queue.rate_key(queue.SHORT, queue.SHORT_DTYPE, 8, batching, MOR_3) for batching in (queue.DEPTH, queue.SEQUENCE)
    )
    what = f"queue of {MOR_3}, {queue.SHORT_DTYPE}, 8 in flight"
    yield Target(what, "depth-wise / sequence-wise, jobs/s", 1.2, _ratio((keys[0], keys[1])))


def _looped() -> Iterator[Target]:
    for batch in looped.BATCHES:
        keys = tuple(looped.rate_key(batch, threshold, LOOPED) for threshold in (looped.CHOSEN, looped.NEVER))
        what = f"decode {batch}, {LOOPED}, {looped.DTYPE}, mean depth 2"
        yield Target(what, "with exits / at depth 4", 1.86, _ratio((keys[0], keys[1])))
    keys = (looped.rate_key(looped.EAGER_BATCH, looped.CHOSEN, LOOPED), looped.eager_key(LOOPED))
    what = f"decode {looped.EAGER_BATCH}, {LOOPED}, {looped.DTYPE}, mean depth 2"
    yield Target(what, f"Rally / PyTorch eager, {looped.EAGER_DTYPE}, depth 4", 2.5, _ratio(keys))
    yield Target(
        f"decode, batch 1, {LOOPED} at depth 4, {looped.DTYPE}", "bytes read / read bandwidth", 0.85, _looped_share
    )


def _raters() -> Iterator[Target]:
    for dtype, bound in {"f32": 1.5, "int8": 4.0}.items():
        keys = (rating.rate_key("Rally", dtype), rating.rate_key("onnxruntime", "f32"))
        yield Target(f"rating 64–2048, 50M rater, {dtype}", "Rally / onnxruntime, f32", bound, _ratio(keys))


def _encoders() -> Iterator[Target]:
    for shape in encoders.SHAPES:
        for rows in encoders.ROWS:
            for dtype, bound in {"f32": 1.2, "bf16": 1.25, "int8": 1.25}.items():
                what = f"{shape}, rows of {rows[0]}–{rows[1]}, {dtype}"
                yield Target(what, "Rally / the best peer", bound, _over_best(shape, rows, dtype))


def _pytorch() -> Iterator[Target]:
    against = "Rally / PyTorch"
    for dtype, bound in {"f32": 1.25, "bf16": 1.3}.items():
        yield Target(f"prompt 512, MoR-3 360M, {dtype}", against, bound, _ratio(_torch_keys("prompt 512", dtype)))
    keys = (pytorch.rate_key("prompt 512", "Rally", "int8"), pytorch.rate_key("prompt 512", "Rally", "bf16"))
    yield Target("prompt 512, MoR-3 360M, int8", "Rally int8 / Rally bf16", 2.2, _ratio(keys))
    for batch in pytorch.BATCHES:
        for dtype in ("f32", "bf16"):
            keys = _torch_keys(f"decode {batch}", dtype)
            yield Target(f"decode, MoR-3 360M, batch {batch}, {dtype}", against, 1.8, _ratio(keys))


def _opening() -> Iterator[Target]:
    # External data is no part of what libprotobuf parses: only the pass would be left, and packing counts.
    keys = (opening.seconds_key("Rally", "inline"), opening.seconds_key("at least", "inline"))
    yield Target("opening 724 MB, inline", "time / (parse + one pass)", 1.3, _ratio(keys), at_most=True)
    for place, bound in {"inline": 2.0, "external data": 1.5}.items():
        measured = _median(place)
        yield Target(f"opening 724 MB, {place}", "peak memory / file", bound, measured, at_most=True)


# How they are computed

Keys = tuple[Key, Key]


def _prompt_keys(dtype: str, peer: str = "llama.cpp") -> Keys:
    return vanilla.prompt_key("Rally", dtype), vanilla.prompt_key(peer, dtype)


def _decode_keys(dtype: str, batch: int, peer: str = "llama.cpp") -> Keys:
    return vanilla.decode_key("Rally", dtype, batch), vanilla.decode_key(peer, dtype, batch)


def _torch_keys(test: str, dtype: str) -> Keys:
    return pytorch.rate_key(test, "Rally", dtype), pytorch.rate_key(test, "PyTorch", dtype)


def _ratio(keys: Keys) -> Callable[[Book], float | None]:
    return lambda book: book.ratio(*keys)


def _over_best(shape: str, rows: tuple[int, int], dtype: str) -> Callable[[Book], float | None]:
    def measured(book: Book) -> float | None:
        best = encoders.best_peer(book, shape, rows, dtype)
        return None if best is None else book.ratio(encoders.rate_key("Rally", shape, rows, dtype), best)

    return measured


def _median(place: str) -> Callable[[Book], float | None]:
    return lambda book: book.median(opening.memory_key(place))


def _bandwidth_share(dtype: str) -> Callable[[Book], float | None]:
    def share(book: Book) -> float | None:
        rate = book.median(vanilla.decode_key("Rally", dtype, 1))
        read = book.best(ceilings.read_key(2))
        if rate is None or read is None:
            return None
        return rate * (32 * LAYER_PARAMETERS + HEAD_PARAMETERS) * WEIGHT_BYTES[dtype] / (read * 1e9)

    return share


def _looped_share(book: Book) -> float | None:
    rate, read = book.median(looped.rate_key(1, looped.NEVER, LOOPED)), book.best(ceilings.read_key(2))
    return None if rate is None or read is None else rate * LOOPED_BYTES / (read * 1e9)


def product_ceiling(book: Book, dtype: str) -> float | None:
    """Return the GFLOP/s that matrix products of a format can reach with two threads.

    bf16 can be widened to f32 on the way into the multipliers, so its ceiling is the greater of the two: there are
    processors whose bf16 instruction is slower than f32's.
    """
    names = ("bf16", "f32") if dtype == "bf16" else (dtype,)
    rates = [book.best(ceilings.product_key(name, 512, 2)) for name in names]
    return max((rate for rate in rates if rate is not None), default=None)


def ceiling_share(book: Book) -> float | None:
    """Return the share of the bf16 ceiling that a prompt reaches; only products with weights count as work."""
    rate, ceiling = book.median(vanilla.prompt_key("Rally", "bf16")), product_ceiling(book, "bf16")
    if rate is None or ceiling is None:
        return None
    return rate * 2 * 32 * LAYER_PARAMETERS / (ceiling * 1e9)


def speed_up(book: Book, test: str, model: str) -> float | None:
    """Return MoR's rate over that of the vanilla model of the same effective depth."""
    return book.ratio(depth.rate_key(test, model), depth.rate_key(test, RECURSIVE[model].baseline))


def queue_speed_up(book: Book, sequences: int, model: str) -> float | None:
    """Return MoR's jobs per second over those of the vanilla model of the same effective depth."""
    names = (model, RECURSIVE[model].baseline)
    who = [(queue.SECTION, queue.DTYPE, sequences, queue.DEPTH, name) for name in names]
    return book.ratio(queue.rate_key(*who[0]), queue.rate_key(*who[1]))


def measured_ideal(book: Book, test: str, model: str, head: float) -> float:
    """Return the ideal speed-up for the depth that the tokens really had: weights are random, shares scatter."""
    shape = RECURSIVE[model]
    found = book.median(depth.depth_key(test, model))
    return shape.ideal(shape.published_depth if found is None else found, head)


def _of_ideal(test: str, model: str, head: float) -> Callable[[Book], float | None]:
    def share(book: Book) -> float | None:
        found = speed_up(book, test, model)
        return None if found is None else found / measured_ideal(book, test, model, head)

    return share
