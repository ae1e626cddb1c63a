"""What a folder says of the run that it holds."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from .._files import sync
from ..errors import RallyError, Status
from .files import write_json
from .inputs import InputFile, PassedOver
from .journal import Journal
from .raters import Column

VERSION = 2

State = dict[str, Any]
"""The content of ``_journal/run.json``."""


def load(folder: Path) -> State:
    """The state of the run in a folder.

    Raises
    ------
    RallyError
        FILE_NOT_FOUND: there is none. VERSION: another program wrote it.
    """
    path = folder / "_journal" / "run.json"
    try:
        found: State = json.loads(path.read_text())
    except FileNotFoundError:
        raise RallyError(Status.FILE_NOT_FOUND, f"{folder}: holds no run of rally.score") from None
    except (OSError, ValueError) as error:
        raise RallyError(Status.CORRUPT_FILE, f"{path}: {error}") from None
    if found.get("version") != VERSION:
        message = f"{path}: expected a journal of version {VERSION}, found {found.get('version')}; rate again elsewhere"
        raise RallyError(Status.MISMATCH, message)
    return found


def save(folder: Path, state: State) -> None:
    """Writes the state, whole or not at all."""
    write_json(folder / "_journal" / "run.json", state)


def finished(folder: Path) -> State:
    """The state of a run that is complete.

    Raises
    ------
    RallyError
        MISMATCH: it is not. What `load` raises; FILE_NOT_FOUND also where what it wrote is gone.
    """
    found = load(folder)
    if not found["complete"]:
        message = f"{folder}: its run is not complete; let it go on, or take out what was rated by --recover"
        raise RallyError(Status.MISMATCH, message)
    for name in [*found["shards"], "report.json", "rejected.jsonl"]:
        if not (folder / name).exists():
            message = f"{folder / name}: was written and is gone; remove the folder and rate again"
            raise RallyError(Status.FILE_NOT_FOUND, message)
    return found


def check_cut(folder: Path, state: State, discard: float | None, more: str | None = None) -> None:
    """Refuses what the scores of a cascade cannot say: they decide one cut.

    `more`: what else is asked for, in words.

    Raises
    ------
    RallyError
        UNSUPPORTED.
    """
    if state.get("cascade") is None or (more is None and discard in (None, state["discard"])):
        return
    found = more or f"one at {discard:g}"
    raise RallyError(
        Status.UNSUPPORTED,
        f"{folder}: its scores are of a cascade, which decides one cut, at {state['discard']:g}; found {found}. "
        "Rate again with --cascade and another --discard, or by one rater",
    )


def files_of(state: State) -> list[InputFile]:
    """The inputs, in their order."""
    return [InputFile(path, **told) for path, told in state["inputs"].items()]


def inputs_of(files: list[InputFile]) -> dict[str, Any]:
    """The inputs as the state has them."""
    return {file.path: {key: value for key, value in asdict(file).items() if key != "path"} for file in files}


def columns_of(state: State) -> list[Column]:
    """The scores of every document."""
    names = {one.name for one in fields(Column)}
    return [Column(**{key: value for key, value in told.items() if key in names}) for told in state["columns"]]


def passed_over_of(state: State) -> list[PassedOver]:
    """What was found and not read."""
    return [PassedOver(**told) for told in state["passed_over"]]


@contextmanager
def opened(folder: Path, shard_rows: int) -> Iterator[Journal]:
    """The journal of a folder that is empty, new, or has a run.

    Raises
    ------
    RallyError
        MISMATCH: it holds something else. IO. What `Journal` raises.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inner = folder / "_journal"
        if not inner.exists() and any(folder.iterdir()):
            message = f"{folder}: is not empty and has no run to go on; give an empty folder or a new one"
            raise RallyError(Status.MISMATCH, message)
        with Journal(inner, shard_rows) as journal:
            yield journal
    except OSError as error:
        raise RallyError(Status.IO, f"{error.filename or folder}: {error.strerror or error}") from error


def changes(state: State, asked: State) -> Iterator[str]:
    """What differs between the run that is there and the one that is asked for, in words."""
    for name, value in asked["options"].items():
        if state["options"].get(name) != value:
            again = "; --again makes the report and the files with another" if name in ("discard", "format") else ""
            yield f"{name} was {state['options'].get(name)!r} and is {value!r}{again}"
    for kind, noun in (("models", "the model of"), ("inputs", "the input")):
        before, now = state[kind], asked[kind]
        for name in [*before, *(name for name in now if name not in before)]:
            if name not in now:
                yield f"{noun} {name} is no longer there"
            elif name not in before:
                again = "; --append rates it, too" if kind == "inputs" else ""
                yield f"{noun} {name} is new{again}"
            elif before[name] != now[name]:
                yield f"{noun} {name} has changed{_what_changed(before[name], now[name])}"
    if list(state["inputs"]) != list(asked["inputs"]) and sorted(state["inputs"]) == sorted(asked["inputs"]):
        yield "the inputs are in another order"


def _what_changed(before: Any, now: Any) -> str:
    if not isinstance(before, dict):
        return ", the file or the type it is computed in"
    return "".join(f", {key} was {before.get(key)} and is {now[key]}" for key in now if before.get(key) != now[key])


class Written:
    """What was begun in a folder by `written_once`: the files that are done, and the result once all are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "_files.jsonl"
        self.done: dict[str, Any] = {}
        self.result: dict[str, Any] | None = None
        if (folder / "_kept.json").exists() and "result" in (told := json.loads((folder / "_kept.json").read_text())):
            self.result = told["result"]
            self._path.unlink(missing_ok=True)
        elif self._path.exists():
            lines = self._path.read_bytes().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith(b"\n")]
            self.done = dict(json.loads(line) for line in whole)
            os.truncate(self._path, sum(map(len, whole)))

    def add(self, name: str, told: Any) -> None:
        """Writes down that a file is done."""
        self.done[name] = told
        with open(self._path, "ab") as file:
            file.write(json.dumps([name, told]).encode() + b"\n")
            file.flush()
            sync(file.fileno())

    def finish(self, result: dict[str, Any]) -> dict[str, Any]:
        """Writes down the result of all."""
        path = self._folder / "_kept.json"
        write_json(path, json.loads(path.read_text()) | {"result": result})
        self._path.unlink(missing_ok=True)
        return result


@contextmanager
def written_once(folder: Path, asked: dict[str, Any]) -> Iterator[Written]:
    """A folder that is written by one selection only, and by one process at a time.

    Raises
    ------
    RallyError
        MISMATCH: it holds something else. BUSY. IO.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "_kept.json"
        names = {one.name for one in folder.iterdir()}
        if path.exists():
            told = json.loads(path.read_text())
            if any(told.get(key) != value for key, value in asked.items()):
                message = f"{folder}: was written by another selection, or from other scores; write to another folder"
                raise RallyError(Status.MISMATCH, message)
        elif names - {"._kept.json.part", ".lock"}:
            raise RallyError(Status.MISMATCH, f"{folder}: is not empty; give an empty folder or a new one")
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise RallyError(Status.BUSY, f"{folder}: another process writes here; wait for it or end it") from None
        try:
            if not path.exists():
                write_json(path, asked)
            yield Written(folder)
        finally:
            os.close(lock)
    except OSError as error:
        raise RallyError(Status.IO, f"{error.filename or folder}: {error.strerror or error}") from error
