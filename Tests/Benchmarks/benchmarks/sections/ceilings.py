"""What the machine can do: bytes read per second, matrix products per format."""

from __future__ import annotations

import json

from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.processes import BUILD, run_program

SECTION = "ceilings"
#: Seconds per sample.
SECONDS = "0.1"


def read_key(threads: int) -> Key:
    """Return the key of reading memory."""
    return Key(SECTION, f"read, {threads} threads", "C", "–", "f32", "GB/s")


def product_key(dtype: str, rows: int, threads: int) -> Key:
    """Return the key of one product."""
    return Key(SECTION, f"product of {rows} rows, {threads} threads", "oneDNN", "–", dtype, "GFLOP/s")


def run(context: Context) -> None:
    """Measure once; called before and after the contenders, and the better of both counts."""
    context.progress.show("memory and matrix products")
    for line in run_program([BUILD / "programs/ceilings", SECONDS]).splitlines():
        found = json.loads(line)
        if found["what"] == "read":
            context.book.add({read_key(found["threads"]): found["gigabytes_per_second"]})
        else:
            key = product_key(found["format"], found["rows"], found["threads"])
            context.book.add({key: found["gigaflops"]})
