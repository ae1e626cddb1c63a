"""The section of looped models on a tiny shape: `rally bench` is run for real, the table and the plot are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks import plots, targets
from benchmarks.context import Context
from benchmarks.files import ModelFiles
from benchmarks.measurements import Book
from benchmarks.plan import FULL, QUICK
from benchmarks.rally_bench import COMMAND
from benchmarks.report import report
from benchmarks.sections import ceilings, looped
from benchmarks.shapes import LOOPED


class Silent:
    """Progress that says nothing."""

    is_late = False

    def show(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """What one turn of each threshold found."""
    assert COMMAND.exists(), f"{COMMAND} is not there: run `make build`"
    silent = cast(Any, Silent())
    plan = replace(QUICK, repetitions=1, looped_generated=24)
    files = ModelFiles(tmp_path_factory.mktemp("models"), silent)
    context = Context(plan, Book(), files, cast(Any, None), silent)
    looped.run(context)
    assert not context.book.remarks
    return context.book


def test_tokens_leave_in_their_shares(book: Book) -> None:
    for batch in looped.BATCHES:
        depths = [book.median(looped.depth_key(batch, threshold, QUICK.looped)) or 0 for threshold in looped.THRESHOLDS]
        assert depths == sorted(depths)
        assert depths[0] == 1
        assert depths[-1] == 4
        wanted = sum(share * (place + 1) for place, share in enumerate(looped.SHARES))
        assert depths[looped.THRESHOLDS.index(looped.CHOSEN)] == pytest.approx(wanted, abs=0.35)
    rates = book.keys(section=looped.SECTION, unit="tokens/s")
    assert len(rates) == len(looped.BATCHES) * len(looped.THRESHOLDS) + 2  # alone; and PyTorch's
    assert all((book.median(key) or 0) > 0 for key in rates)


def test_the_report_and_the_plot_show_them(book: Book, tmp_path: Path) -> None:
    text = report(book, {}, QUICK, [])
    assert f"## Do exits pay, {QUICK.looped}, int8" in text
    assert "decode 8, full depth, PyTorch eager, bf16" in text
    assert text.count(", threshold ") == len(looped.BATCHES) * len(looped.THRESHOLDS)
    assert plots.draw(book, QUICK, tmp_path) == ["exits"]
    drawn = (tmp_path / "exits.svg").read_text()
    assert "1e-06" in drawn
    assert "32 together" in drawn


def test_the_share_of_the_bandwidth() -> None:
    """A token at depth 4 reads 24 layers four times and the head once, 1.125 bytes a weight: 5.66 GB."""
    book = Book({looped.rate_key(1, looped.NEVER, LOOPED): [4.0], ceilings.read_key(2): [25.0]})
    (target,) = (target for target in targets.targets() if target.figure == "bytes read / read bandwidth")
    assert FULL.looped == LOOPED
    assert target.measured(book) == pytest.approx(4.0 * 5.66 / 25, rel=1e-3)
