"""The command line and the table that the examples of this folder share."""

import argparse
from collections.abc import Iterable
from typing import Any


def arguments(description: str) -> argparse.Namespace:
    """RATER INPUT OUT [--workers N]; absolute, because workers may have another working folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("rater", metavar="RATER.onnx")
    parser.add_argument("input", metavar="INPUT.jsonl", help='lines with "id" and "text"')
    parser.add_argument("out", metavar="OUT", help="folder for the rated documents")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes, one core each (2)")
    return parser.parse_args()


def show(rows: Iterable[dict[str, Any]]) -> None:
    """Print what was rated, best first."""
    for row in sorted(rows, key=lambda row: row["score"], reverse=True):
        print(f"{row['score']:+9.4f}  {row['id']}")
