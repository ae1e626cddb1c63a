"""The flags of the corpus scorer; those of a rating are named as in `Settings`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .settings import FORMATS
from .versions import DIGESTS

_EPILOG = """\
INPUT: .jsonl, .json, .ndjson (an object a line, or an array of objects), .txt (a document a line), each also packed
(.gz .zst .bz2 .xz .lz4); .parquet, .arrow; folders and globs of these; @FILE for the names in a file; local, or
anything that fsspec reads.

exit status: 0 all is rated; 1 an error, or rows are missing: files that are damaged, without the column, or of a kind
that cannot be read (they are named on the terminal, in rejected.jsonl and in the report); 2 flags that are unknown or
do not go together; 130 interrupted. Single rows that hold nothing to rate are named in rejected.jsonl and leave the status 0;
--max-rejected limits them.
"""


def parser() -> argparse.ArgumentParser:
    """The flags."""
    found = argparse.ArgumentParser(
        prog="python -m rally.score",
        usage="python -m rally.score RATER.onnx INPUT... --out DIR [options]\n"
        "       python -m rally.score --again DIR [--discard SHARE] [--source COLUMN] [--format F] [--write KEPT ...]\n"
        "       python -m rally.score --merge DIR... --out DIR\n"
        "       python -m rally.score --recover DIR",
        description="Rate a corpus by a rater, and write the documents that stay. The same command run again goes on "
        "where it was.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("names", nargs="*", metavar="RATER.onnx INPUT", help="the rater, and what it rates")
    found.add_argument("--out", metavar="DIR", help="where shards, report and journal are written")
    found.add_argument("--journal", metavar="DIR", help="local folder for the journal, where --out is not local")
    found.add_argument("--files-from", metavar="FILE", help="further inputs, a name a line")
    _finished(found)
    _columns(found)
    _rating(found)
    _output(found)
    _keeping(found)
    return found


def _finished(found: argparse.ArgumentParser) -> None:
    group = found.add_argument_group("finished runs")
    group.add_argument("--again", metavar="DIR", type=Path, help="make report and files again; nothing is rated")
    group.add_argument("--append", action="store_true", help="rate what is new in the inputs, and add it to --out")
    group.add_argument("--merge", metavar="DIR", nargs="+", type=Path, help="runs over parts of a corpus as one")
    group.add_argument("--recover", metavar="DIR", type=Path, help="take out what was rated, however the run ended")


def _columns(found: argparse.ArgumentParser) -> None:
    columns = found.add_argument_group("columns (metadata.url is one within an object)")
    columns.add_argument("--id", metavar="COLUMN", help="names of the documents (default: file:row)")
    content = columns.add_mutually_exclusive_group()
    content.add_argument("--text", metavar="COLUMN", default="text", help="what is rated (default: text)")
    content.add_argument("--tokens", metavar="COLUMN", help="token ids, instead of text")
    columns.add_argument("--source", metavar="COLUMN", help="what the report is parted by (default: the file's name)")


def _rating(found: argparse.ArgumentParser) -> None:
    rating = found.add_argument_group("rating")
    rating.add_argument("--window", type=int, metavar="N", help="tokens of a window (default: the rater's longest row)")
    rating.add_argument("--stride", type=int, metavar="N", help="tokens between windows (default: a window)")
    rating.add_argument("--max-windows", type=int, metavar="N", help="windows of a document at most (default: all)")
    rating.add_argument(
        "--reading", choices=("windows", "first", "middle", "ends"), help="part that is read (default: the rater's)"
    )
    rating.add_argument("--join", choices=("mean", "max", "min"), help="what windows make (default: the rater's)")
    rating.add_argument("--characters", type=int, metavar="N", help="characters that are read (default: the rater's)")
    rating.add_argument(
        "--parse-special", action="store_const", const=True, help="read special tokens in texts, such as [SEP], as such"
    )
    rating.add_argument(
        "--template", metavar="TEXT", help="what is read, such as '{title}: {text}' (default: the rater's, or {text})"
    )
    rating.add_argument("--packed", type=int, metavar="N", help="rate documents packed end to end, N tokens each")
    rating.add_argument("--also", action="append", default=[], metavar="RATER", help="a further rater; repeatable")
    rating.add_argument("--perplexity", metavar="LM.onnx", help="also the perplexity under a language model")
    rating.add_argument(
        "--cascade", metavar="CHEAP.onnx", help="a cheap rater, which decides what is clear at --discard; see the docs"
    )
    rating.add_argument(
        "--agreement", type=float, metavar="SHARE", help="decisions that are RATER.onnx' own (default: 0.99)"
    )
    rating.add_argument("--confidence", type=float, metavar="SHARE", help="of that (default: 0.95)")
    rating.add_argument("--sample", type=int, metavar="N", help="rows that both raters read first (default: 8192)")
    rating.add_argument("--dtype", choices=("auto", "f32", "bf16", "int8", "q4"), default="auto")
    rating.add_argument("--threads", type=int, default=0, metavar="N", help="default: as many as the process may use")
    rating.add_argument(
        "--cache", metavar="DIR", help="open models through prepared files in DIR, whose pages workers share"
    )
    rating.add_argument("--workers", type=int, default=1, metavar="N", help="processes that rate (default: 1)")
    rating.add_argument("--shard", type=_shard, metavar="K/N", help="every N-th file, from the K-th on; see --merge")
    rating.add_argument("--max-rejected", type=float, metavar="SHARE", help="end where more of the rows are rejected")
    rating.add_argument(
        "--verify", choices=DIGESTS, default="ends", help="what of a file tells that it has changed (default: ends)"
    )


def _output(found: argparse.ArgumentParser) -> None:
    output = found.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, help="of the shards (default: parquet)")
    output.add_argument("--discard", type=float, metavar="SHARE", help="ρ of the report (default: the rater's, or 0.5)")
    output.add_argument("--shard-rows", type=int, default=1_000_000, metavar="N", help="rows of a shard, about")
    output.add_argument(
        "--commit-tokens", type=int, default=1 << 16, metavar="N", help="tokens rated and saved at once"
    )
    output.add_argument("--json", action="store_true", help="write the report as JSON")


def _keeping(found: argparse.ArgumentParser) -> None:
    keeping = found.add_argument_group("the documents that stay (by --discard, unless one of these is given)")
    keeping.add_argument("--write", metavar="DIR", type=Path, help="write them, as the inputs have them")
    keeping.add_argument("--threshold", type=float, metavar="SCORE", help="those that score at least so much")
    keeping.add_argument("--accept", type=_two, metavar="B,K", help="by the chance to be among the best K of B")
    keeping.add_argument("--seed", type=int, default=0, metavar="N", help="with --accept")
    keeping.add_argument("--per-source", action="store_true", help="take --discard of each source by itself")
    keeping.add_argument(
        "--discard-source", type=_named, action="append", default=[], metavar="SOURCE=SHARE", help="of one; repeatable"
    )
    keeping.add_argument("--drop-duplicates", action="store_true", help="of equal contents only the first")


def _shard(value: str) -> tuple[int, int]:
    first, _, second = value.partition("/")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise argparse.ArgumentTypeError(f"expected K/N with K from 1 to N, found {value!r}")
    return int(first), int(second)


def _two(value: str) -> tuple[int, int]:
    first, _, second = value.partition(",")
    if not (first.isdecimal() and second.isdecimal() and int(second) <= int(first)):
        raise argparse.ArgumentTypeError(f"expected B,K with K at most B, found {value!r}")
    return int(first), int(second)


def _named(value: str) -> tuple[str, float]:
    name, _, share = value.rpartition("=")
    try:
        return name, float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected SOURCE=SHARE, found {value!r}") from None
