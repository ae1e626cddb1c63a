"""The command line: `make bench` and `make bench-quick`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import machine, plots, report
from benchmarks.console import Progress
from benchmarks.context import Context
from benchmarks.files import ModelFiles
from benchmarks.llama import Llama
from benchmarks.measurements import Book
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.processes import BUILD, PACKAGES, ProgramFailed, run_program
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

SECTIONS: dict[str, Callable[[Context], None]] = {
    "ceilings": ceilings.run,
    "vanilla": vanilla.run,
    "depth": depth.run,
    "looped": looped.run,
    "pytorch": pytorch.run,
    "rating": rating.run,
    "encoders": encoders.run,
    "graph": graph.run,
    "opening": opening.run,
    "growth": growth.run,
    "queue": queue.run,
    "profile": profile.run,
}
RAW = "results.json"


def main() -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        metavar="SECTION",
        help=f"{', '.join(SECTIONS)}; results then stay beneath .build/benchmarks",
    )
    parser.add_argument("--render", action="store_true", help="measure nothing: write report and plots again")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    # What stands in the repository is a whole and full benchmark.
    folder = PACKAGES if not options.quick and not options.only else BUILD / "_".join(options.only or [plan.name])
    if not options.render:
        _measure(plan, options.only or list(plan.minutes), folder)
    _render(plan, folder)
    return 0


def _measure(plan: Plan, sections: list[str], folder: Path) -> None:
    minutes = sum(plan.minutes.get(name, FULL.minutes[name]) for name in sections)
    print(
        f"This takes about {minutes:.0f} minutes on two cores, and about 8 more the first time "
        "(llama.cpp is built, 10 GB of models are written). Leave the machine alone meanwhile."
    )
    sys.stdout.flush()
    context = _prepare(plan)
    progress = context.progress
    progress.start(minutes * 60)
    for name in sections:
        progress.begin(name, plan.minutes.get(name, FULL.minutes[name]) * 60)
        try:
            SECTIONS[name](context)
        except ProgramFailed as error:
            context.book.remark(f"section {name} ended early: {error}")
            progress.say(f"section {name} ended early: {error}")
        _save(plan, context.book, folder)
    if "ceilings" in sections and len(sections) > 1:
        progress.begin("ceilings once more")
        ceilings.run(context)
        _save(plan, context.book, folder)
    progress.begin("done")


def _save(plan: Plan, book: Book, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    raw = {"plan": plan.name, "machine": machine.describe()} | book.to_json()
    (folder / RAW).write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")


def _prepare(plan: Plan) -> Context:
    """Build and write what is missing."""
    progress = Progress()
    progress.begin("preparing")
    run_program(["make", "-s", "-C", PACKAGES / "programs"])
    llama = Llama.built(BUILD / "llama", sys.executable)
    files = ModelFiles(BUILD / "models", progress)
    files.write_all()
    return Context(plan, Book(), files, llama, progress)


def _render(plan: Plan, folder: Path) -> None:
    raw = json.loads((folder / RAW).read_text())
    book = Book.from_json(raw)
    names = plots.draw(book, plan, folder / "plots")
    (folder / "RESULTS.md").write_text(report.report(book, raw["machine"], plan, names))
    print(report.target_table(book))
    print(f"\n{folder / 'RESULTS.md'}, {folder / RAW}, {len(names)} plots")


if __name__ == "__main__":
    sys.exit(main())
