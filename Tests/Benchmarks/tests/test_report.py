"""The table of targets on a book made by hand, and the report around it."""

from __future__ import annotations

import pytest

from benchmarks import targets
from benchmarks.measurements import Book
from benchmarks.plan import FULL
from benchmarks.report import report, target_table
from benchmarks.sections import ceilings, depth, encoders, looped, opening, pytorch, queue, rating, vanilla
from benchmarks.shapes import HEAD, LOOPED, MOR_2, MOR_3, MOR_4, RECURSIVE, VANILLA, VANILLA_34


def filled(rally: float, others: float) -> Book:
    """Return a book in which Rally always has one rate and everybody else another."""
    book = Book()
    for dtype in ("f32", "bf16", "int8", vanilla.FOUR_BITS):
        for engine, rate in (("Rally", rally), ("llama.cpp", others), ("OpenVINO", others)):
            book.add({vanilla.prompt_key(engine, dtype): rate})
            book.add({vanilla.decode_key(engine, dtype, batch): rate for batch in vanilla.BATCHES})
    for dtype in ("f32", "bf16", "int8"):
        for engine, rate in (("Rally", rally), ("PyTorch", others)):
            book.add({pytorch.rate_key(test, engine, dtype): rate for test in ("prompt 512", "decode 1", "decode 32")})
        for engine, rate in (("Rally", rally), ("onnxruntime", others)):
            book.add({rating.rate_key(engine, dtype): rate})
        for engine, rate in (("Rally", rally), ("openvino", others)):
            book.add(
                {
                    encoders.rate_key(engine, shape, rows, dtype): rate
                    for shape in encoders.SHAPES
                    for rows in encoders.ROWS
                }
            )
        book.add({ceilings.product_key(dtype, 512, 2): 300.0})
    book.add({ceilings.read_key(2): 26.0})
    for test in depth.TESTS:
        book.add({depth.rate_key(test, model): rally for model in RECURSIVE})
        book.add({depth.rate_key(test, model): others for model in (VANILLA, VANILLA_34)})
    for batching, rate in ((queue.DEPTH, rally), (queue.SEQUENCE, others)):
        book.add({queue.rate_key(queue.SHORT, queue.SHORT_DTYPE, 8, batching, MOR_3): rate})
    for batch in (1, *looped.BATCHES):
        book.add(
            {looped.rate_key(batch, looped.CHOSEN, LOOPED): rally, looped.rate_key(batch, looped.NEVER, LOOPED): others}
        )
    book.add({looped.eager_key(LOOPED): others})
    for place in opening.PLACES:
        book.add({opening.seconds_key("Rally", place): others, opening.seconds_key("at least", place): rally})
        book.add({opening.memory_key(place): 1.5})
    return book


def test_the_ideals_are_the_published_ones() -> None:
    layers = [round(RECURSIVE[model].ideal(RECURSIVE[model].published_depth, 0), 2) for model in (MOR_2, MOR_3, MOR_4)]
    head = [round(RECURSIVE[model].ideal(RECURSIVE[model].published_depth, HEAD), 2) for model in (MOR_2, MOR_3, MOR_4)]
    assert layers == [1.31, 1.45, 1.55]
    assert head == [1.26, 1.37, 1.45]


#: Figures that compare two contenders; the others compare Rally with the machine, the file, or itself.
COMPARISONS = ("Rally / ", "depth-wise / ", "speed-up / ", "time / ", "with exits / ")


def test_every_target_is_measured_and_the_faster_one_reaches_it() -> None:
    fast, slow = filled(rally=500.0, others=100.0), filled(rally=100.0, others=500.0)
    compared = [target for target in targets.targets() if target.figure.startswith(COMPARISONS)]
    assert len(compared) == 49
    for target in targets.targets():
        assert target.measured(fast) is not None, target.what
    for target in compared:
        assert target.reached(target.measured(fast) or 0), target.what
        assert not target.reached(target.measured(slow) or 0), target.what


def test_the_ceiling_of_bf16_is_the_greater_of_two_instructions() -> None:
    book = Book({ceilings.product_key("f32", 512, 2): [310.0], ceilings.product_key("bf16", 512, 2): [165.0, 160.0]})
    assert targets.product_ceiling(book, "bf16") == 310.0
    book.add({vanilla.prompt_key("Rally", "bf16"): 400.0})
    assert targets.ceiling_share(book) == pytest.approx(400 * 2 * 314_634_240 / 310e9)


def test_the_ideal_follows_the_depth_that_was_measured() -> None:
    book = Book({depth.depth_key(depth.TESTS[0], MOR_3): [3.0]})
    assert targets.measured_ideal(book, depth.TESTS[0], MOR_3, 0.0) == 1.0


def test_the_report_marks_misses_and_keeps_remarks() -> None:
    book = filled(rally=100.0, others=500.0)
    book.remark("something happened")
    text = report(book, {"processor": "P"}, FULL, ["depth"])
    assert target_table(book) in text
    assert target_table(book).count("**missed**") == 52
    for expected in ("something happened", "plots/depth.svg", "make bench", "| processor |", "## Does depth pay"):
        assert expected in text
    assert "not measured" in target_table(Book())
