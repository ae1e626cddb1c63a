"""What the command line asks for, done and said."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import RallyError, Status
from .arguments import parser
from .estimate import Work
from .journal import Progress
from .kept import write_kept
from .merging import merge
from .progress import Line, RatingLine
from .questions import again
from .recovery import recover
from .report import Report, table
from .rows import Columns
from .run import Run
from .selection import Selection
from .settings import Settings

#: Flags that are no settings of a rating.
_NO_SETTINGS = (
    *("names", "files_from", "again", "merge", "recover", "json", "write", "threshold", "accept", "seed"),
    *("per_source", "discard_source", "drop_duplicates"),
)

#: Files and lines that are named on the terminal.
_MOST_NAMED = 10


def run(arguments: list[str] | None) -> int:
    """Does what the arguments say; returns the exit status."""
    flags = parser()
    given = flags.parse_args(arguments)
    _check(flags, given)
    try:
        if given.recover is not None:
            return _told(given, recover(given.recover), given.recover)
        if given.merge is not None:
            return _told(given, merge(given.merge, Path(given.out)), Path(given.out))
        if given.again is not None:
            asked = {"discard": given.discard, "form": given.format, "source": given.source}
            return _told(given, again(given.again, **asked), given.again)
        return _rated(given)
    except (RallyError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _check(flags: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Ends with 2 where flags do not go together."""
    others = [name for name in ("again", "merge", "recover") if getattr(given, name) is not None]
    if len(others) > 1:
        flags.error(f"--{others[0]} and --{others[1]}: expected one of them")
    if others and given.names:
        flags.error(f"--{others[0]}: rates nothing; leave {' '.join(given.names)} out")
    if others and given.append:
        flags.error(f"--append goes with a rater and inputs, not with --{others[0]}")
    if not others and len(given.names) + (given.files_from is not None) < 2:
        flags.error("expected RATER.onnx and at least one INPUT")
    if given.out is None and (not others or given.merge is not None):
        flags.error("expected --out DIR")
    if given.write is None:
        names = ("threshold", "accept", "per_source", "discard_source", "drop_duplicates")
        if wanted := next((name for name in names if getattr(given, name)), None):
            flags.error(f"--{wanted.replace('_', '-')} goes with --write")


def _rated(given: argparse.Namespace) -> int:
    """Rates, and says what came of it."""
    values = {name: value for name, value in vars(given).items() if name not in _NO_SETTINGS}
    inputs = [*given.names[1:], *([] if given.files_from is None else [f"@{given.files_from}"])]
    values |= {"rater": given.names[0], "inputs": tuple(inputs), "also": tuple(given.also)}
    values["format"] = given.format or "parquet"
    settings = Settings(**values)
    found = Run(settings)
    try:
        _say_all(f"warning: {one}" for one in found.warnings)
        with RatingLine(_measure(found)) as line:
            report = found.finish(line)
    finally:
        found.close()
    return _told(given, report, found.folder, f" · {line.rate:,.0f} tok/s" if line.tokens else "")


def _measure(found: Run) -> Any:
    """A function that says how much there is to rate, and how much of it is done."""
    settings = found.settings
    work: list[Work] = []

    def measured(progress: Progress) -> tuple[float, float]:
        if not work:
            columns = Columns(settings.content, None, None)
            work.append(Work(found.files, columns, settings.tokens is not None))
        return work[0].total, work[0].done(progress)

    return measured


def _told(given: argparse.Namespace, report: Report, folder: Path, speed: str = "") -> int:
    """Says what a report says, writes what stays where that is asked for, and returns the status."""
    print(json.dumps(report, indent=2, ensure_ascii=False) if given.json else table(report))
    whole = report["all"]
    lost = [f"{one['file']}: {_rows(one['rows_lost'])} lost: {one['reason']}" for one in report["incomplete"]]
    over = [one for one in report["passed_over"] if not one["reason"].startswith("its name begins")]
    lost += [f"{one['path']}: not rated: {one['reason']}" for one in over if one["is_loss"]]
    _say_all(f"incomplete: {one}" for one in lost)
    if merged := report["merged_sources"]:
        told = f"sources: the {merged:,} smallest, or more, are one in the report, named other; rows keep their own"
        print(told, file=sys.stderr)
    others = [one for one in over if not one["is_loss"]]
    _say_all(f"passed over: {one['path']}: {one['reason']}" for one in others)
    print(f"{whole['documents']:,} rated · {whole['rejected']:,} rejected{speed} · {folder}", file=sys.stderr)
    status = 1 if lost else 0
    if whole["documents"] == 0 and whole["rejected"]:
        print(f"error: nothing could be rated; {folder}/rejected.jsonl says why", file=sys.stderr)
        return 1
    if whole["documents"] == 0 and not lost:
        print("the inputs hold no documents", file=sys.stderr)
    return max(status, _written(given, report, folder))


def _written(given: argparse.Namespace, report: Report, folder: Path) -> int:
    """Writes the documents that stay."""
    if given.write is None:
        return 0
    if sum((given.threshold is not None, given.accept is not None, given.discard is not None)) > 1:
        message = "--write: expected one of --discard, --threshold and --accept, found more"
        raise RallyError(Status.INVALID_ARGUMENT, message)
    is_share = given.threshold is None and given.accept is None
    how = Selection(
        report["discard"] if is_share else None,
        given.threshold,
        given.accept,
        given.seed,
        given.per_source,
        dict(given.discard_source),
        given.drop_duplicates,
    )
    line = Line()
    found = write_kept(folder, given.write, how, lambda done, total: line.draw(done / max(total, 1), "writing", ""))
    line.clear()
    parts = [f"{found[name]:,} {name}" for name in ("dropped", "duplicates", "lost", "rejected") if found[name]]
    print(
        f"{found['kept']:,} kept + {' + '.join(parts) or '0 dropped'} = {found['all']:,} rows · {given.write}",
        file=sys.stderr,
    )
    return 1 if found["lost"] else 0


def _rows(count: int | None) -> str:
    return "an unknown number of rows" if count is None else f"{count:,} row{'' if count == 1 else 's'}"


def _say_all(lines: Any) -> None:
    """The first lines, and how many more there are."""
    found = list(lines)
    for line in found[:_MOST_NAMED]:
        print(line, file=sys.stderr)
    if len(found) > _MOST_NAMED:
        print(f"and {len(found) - _MOST_NAMED:,} more; report.json names all", file=sys.stderr)
