"""The command line of the corpus scorer."""

from __future__ import annotations

import argparse
import json
import sys
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from ..errors import RallyError
from .journal import Progress
from .report import table
from .run import Run
from .settings import FORMATS, Settings


class ProgressBar:
    """Bytes of the input, tokens a second and the time that is left, on standard error; on a terminal only."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._start = time.monotonic()
        self._tokens = self.tokens = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> ProgressBar:
        return self

    def __call__(self, progress: Progress, byte_count: int) -> None:
        if self._bar is None:
            sizes = {"total": byte_count, "initial": progress.read, "unit": "B", "unit_scale": True}
            self._bar = tqdm(**sizes, desc="rating", disable=None, leave=False, miniters=1)
            self._start, self._tokens = time.monotonic(), progress.tokens
            if progress.rows or progress.rejected:
                print(f"going on behind {progress.rows:,} rated rows", file=sys.stderr)
            return
        self.tokens = progress.tokens - self._tokens
        self._bar.set_postfix_str(f"{self.rate:,.0f} tok/s, {progress.rejected:,} rejected", refresh=False)
        self._bar.update(progress.read - self._bar.n)

    @property
    def rate(self) -> float:
        """Tokens a second, of this process."""
        return self.tokens / max(time.monotonic() - self._start, 1e-9)


def parser() -> argparse.ArgumentParser:
    """The flags; their names are those of `Settings`."""
    found = argparse.ArgumentParser(
        prog="python -m rally.score",
        description="Rate a corpus by a rater. The same command run again goes on where it was.",
        epilog="INPUT: .jsonl, .json, .ndjson (an object a line), .txt (a document a line), all also .gz and .zst, "
        ".parquet; folders and globs of these; local, or anything that fsspec reads.",
    )
    found.add_argument("rater", metavar="RATER.onnx")
    found.add_argument("inputs", nargs="+", metavar="INPUT")
    found.add_argument("--out", required=True, metavar="DIR", help="where shards, report and journal are written")
    found.add_argument("--journal", metavar="DIR", help="local folder for the journal, where --out is not local")
    columns = found.add_argument_group("columns")
    columns.add_argument("--id", metavar="COLUMN", help="names of the documents (default: file:row)")
    content = columns.add_mutually_exclusive_group()
    content.add_argument("--text", metavar="COLUMN", default="text", help="what is rated (default: text)")
    content.add_argument("--tokens", metavar="COLUMN", help="token ids, instead of text")
    columns.add_argument("--source", metavar="COLUMN", help="what the report is parted by (default: the file's name)")
    rating = found.add_argument_group("rating")
    rating.add_argument("--window", type=int, metavar="N", help="tokens of a window (default: the rater's longest row)")
    rating.add_argument("--stride", type=int, metavar="N", help="tokens between windows (default: a window)")
    rating.add_argument("--max-windows", type=int, metavar="N", help="windows of a document at most (default: all)")
    rating.add_argument("--packed", type=int, metavar="N", help="rate documents packed end to end, N tokens each")
    rating.add_argument("--also", action="append", default=[], metavar="RATER", help="a further rater; repeatable")
    rating.add_argument("--perplexity", metavar="LM.onnx", help="also the perplexity under a language model")
    rating.add_argument("--dtype", choices=("auto", "f32", "bf16", "int8"), default="auto")
    rating.add_argument("--threads", type=int, default=0, metavar="N", help="default: as many as the process may use")
    output = found.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="parquet")
    output.add_argument("--discard", type=float, metavar="SHARE", help="ρ of the report (default: the rater's, or 0.5)")
    output.add_argument("--shard-rows", type=int, default=1_000_000, metavar="N", help="rows of a shard, about")
    output.add_argument(
        "--commit-tokens", type=int, default=1 << 16, metavar="N", help="tokens rated and saved at once"
    )
    output.add_argument("--json", action="store_true", help="write the report as JSON")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the scorer; returns the exit status: 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    given = vars(parser().parse_args(arguments))
    as_json = given.pop("json")
    try:
        run = Run(Settings(**given | {"inputs": tuple(given["inputs"]), "also": tuple(given["also"])}))
        try:
            if run.warning:
                print(f"warning: {run.warning}", file=sys.stderr)
            with ProgressBar() as bar:
                report = run.finish(bar)
        finally:
            run.close()
    except (RallyError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    print(json.dumps(report, indent=2, ensure_ascii=False) if as_json else table(report))
    whole = report["all"]
    speed = f" · {bar.rate:,.0f} tok/s" if bar.tokens else ""
    print(f"{whole['documents']:,} rated · {whole['rejected']:,} rejected{speed} · {given['out']}", file=sys.stderr)
    if whole["documents"] == 0:
        print(f"error: nothing could be rated; {given['out']}/rejected.jsonl says why", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
