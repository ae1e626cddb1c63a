"""Opening a file of 700 MB: time against libprotobuf's parse and one pass over the bytes, memory against its size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.processes import BUILD, run_program
from benchmarks.shapes import VANILLA
from benchmarks.turns import Contender, take_turns

SECTION = "opening"
DTYPE = "bf16"
PLACES = {"inline": False, "external data": True}


def seconds_key(engine: str, place: str) -> Key:
    """Return the key of a time; engine ``Rally`` or ``at least``."""
    return Key(SECTION, f"open, {place}", engine, VANILLA, DTYPE, "s")


def memory_key(place: str) -> Key:
    """Return the key of the greatest memory over the file's size."""
    return Key(SECTION, f"peak memory / file, {place}", "Rally", VANILLA, DTYPE, "×")


def run(context: Context) -> None:
    """Read each file once, so that all find it in memory, then take turns."""
    contenders = []
    for place, external in PLACES.items():
        path = context.files.onnx(VANILLA, DTYPE, external_data=external)
        contenders += [_rally(place, path), _least(place, path)]
        for file in _files(path):
            context.progress.show(f"reading {file.name}")
            _read(file)
    take_turns(context.book, contenders, context.plan.opening_repetitions, context.progress)


def _rally(place: str, path: Path) -> Contender:
    size = sum(file.stat().st_size for file in _files(path))

    def run() -> Mapping[Key, float]:
        found = json.loads(run_program([BUILD / "programs/open", path, DTYPE]))
        return {seconds_key("Rally", place): found["seconds"], memory_key(place): found["peak_bytes"] / size}

    return Contender(f"Rally, {place}", run)


def _least(place: str, path: Path) -> Contender:
    def run() -> Mapping[Key, float]:
        found = json.loads(run_program([BUILD / "programs/parse", path]))
        return {seconds_key("at least", place): found["parse_seconds"] + found["pass_seconds"]}

    return Contender(f"parse and one pass, {place}", run)


def _files(path: Path) -> list[Path]:
    return [file for file in (path, path.with_name(path.name + ".data")) if file.exists()]


def _read(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass
