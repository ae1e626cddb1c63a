"""Finished runs over parts of a corpus as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ..errors import RallyError, Status
from . import state as states
from .documents import Rejection
from .files import replacing
from .report import Report
from .results import About, Parts, read_rejected, rejected_lines, write_results
from .samples import load
from .table import read_shard


def merge(folders: Sequence[Path], out: Path) -> Report:
    """Writes the results of several finished runs into one folder, as if one run had rated all.

    Quantiles are those among all documents. Runs of ``--shard k/n`` must be there from 1 to n. The same call again
    begins again from the start.

    Raises
    ------
    RallyError
        MISMATCH: the runs differ in rater or options, share an input, or a shard is missing. What `state.finished` and
        `state.opened` raise.
    """
    found = sorted(((states.finished(folder), folder) for folder in folders), key=_place)
    first = found[0][0]
    _check(found)
    with states.opened(out, 1):
        state = {key: first[key] for key in ("version", "models", "columns", "mode", "discard")} | {
            "options": first["options"] | {"shard": None},
            "date": min(one["date"] for one, _ in found),
            "inputs": {path: told for one, _ in found for path, told in one["inputs"].items()},
            "passed_over": list({one["path"]: one for told, _ in found for one in told["passed_over"]}.values()),
            "complete": False,
            "base": None,
            "merged": True,
        }
        if (out / "_journal" / "run.json").exists() and not states.load(out).get("merged"):
            raise RallyError(Status.MISMATCH, f"{out}: has a run of its own; merge into another folder")
        states.save(out, state)
        columns = states.columns_of(state)
        shards = [folder / name for told, folder in found for name in told["shards"]]
        parts: Parts = {f"{number:05}": partial(read_shard, shard, columns) for number, shard in enumerate(shards)}
        path = out / "rejected.jsonl"
        with replacing(path) as file:
            file.writelines(rejected_lines(states.passed_over_of(state), _rejected(found)))
        about = About(columns, state["mode"], state["discard"], state["date"], states.passed_over_of(state))
        samples = (one for _, folder in found for one in load(folder / "_samples.jsonl"))
        form = state["options"]["format"]
        report = write_results(out, about, parts, form, partial(read_rejected, path), samples)
        state |= {"complete": True, "shards": [f"scores-{name}.{form}" for name in parts], "appended": True}
        states.save(out, state)
    return report


def _place(found: tuple[states.State, Path]) -> tuple[int, str]:
    shard = found[0]["options"]["shard"]
    return (shard[0] if shard else 0), str(found[1])


def _check(found: Sequence[tuple[states.State, Path]]) -> None:
    """Refuses runs that do not belong together."""
    first, where = found[0]
    inputs: dict[str, Path] = {}
    for state, folder in found:
        states.check_cut(folder, state, None, "runs to merge" if state.get("cascade") else None)
        own, expected = state["options"] | {"shard": None}, first["options"] | {"shard": None}
        for name, value in expected.items():
            if own.get(name) != value:
                raise _mismatch(f"{folder}: {name} is {own.get(name)!r}, in {where} {value!r}")
        if state["models"] != first["models"]:
            raise _mismatch(f"{folder}: rated by other models than {where}")
        for path in state["inputs"]:
            if path in inputs:
                raise _mismatch(f"{path}: was rated in {inputs[path]} and in {folder}")
            inputs[path] = folder
    shards = [state["options"]["shard"] for state, _ in found]
    if any(shards):
        count = max(shard[1] for shard in shards if shard)
        if shards != [[number, count] for number in range(1, count + 1)]:
            there = ", ".join("none" if shard is None else f"{shard[0]}/{shard[1]}" for shard in shards)
            raise _mismatch(f"merge: expected the shards 1/{count} to {count}/{count}, found {there}")


def _rejected(found: Sequence[tuple[states.State, Path]]) -> Iterator[Rejection]:
    for _, folder in found:
        yield from read_rejected(folder / "rejected.jsonl")


def _mismatch(message: str) -> RallyError:
    return RallyError(Status.MISMATCH, message)
