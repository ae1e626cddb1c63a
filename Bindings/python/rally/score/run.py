"""A run from beginning to end, or from where an earlier one was when it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ..errors import RallyError, Status
from .batches import batches
from .documents import DocumentMaker
from .files import publish, replacing, write_json
from .inputs import InputFile, expand
from .journal import Journal, Progress, read_records
from .page import page
from .pipeline import Ahead
from .raters import Raters
from .readers import Columns
from .report import Report, report, save_distributions
from .settings import Settings, mode_label, recommended_discard
from .statistics import Tallies
from .table import record_of, write_shard

#: Called after each batch with how far the run is and how many bytes of input there are.
Watcher = Callable[[Progress, int], None]

_VERSION = 1


class Run:
    """One run over a corpus; see `score_corpus`.

    Attributes
    ----------
    warning : str or None
        What a person should know before trusting the scores.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder, self._is_remote = _local_folder(settings)
        self.files: Sequence[InputFile] = expand(settings.inputs, settings.out)
        self._raters = Raters(settings)
        self.warning = self._raters.warning
        self.byte_count = sum(file.size for file in self.files)

    def close(self) -> None:
        """Frees the models."""
        self._raters.close()

    def finish(self, watch: Watcher = lambda progress, byte_count: None) -> Report:
        """Does what is left to do and returns the report.

        Raises
        ------
        RallyError
            MISMATCH: the folder has a run over another input, by another rater, or with other options. BUSY: another
            process writes there. Whatever reading, rating and writing raise; what was rated until then is kept.
        """
        with _journal(self.folder, self.settings.shard_rows) as journal:
            state = self._begin(journal)
            if not state["complete"]:
                journal.recover()
                watch(journal.progress, self.byte_count)
                self._rate(journal, watch)
                self._write(journal)
                if self._is_remote:
                    publish(self.folder, self.settings.out)
                state |= {"complete": True, "shards": [path.name for path in self.folder.glob("scores-*")]}
                write_json(journal.folder / "run.json", state)
            journal.remove()
        return self._finished(state["shards"])

    def _finished(self, shards: Sequence[str]) -> Report:
        """The report of a run that is complete."""
        for name in [*shards, "report.json"]:
            if not (self.folder / name).exists():
                message = f"{self.folder / name}: was written and is gone; remove the folder and begin anew"
                raise RallyError(Status.FILE_NOT_FOUND, message)
        found: Report = json.loads((self.folder / "report.json").read_text())
        return found

    # What belongs together

    def _begin(self, journal: Journal) -> dict[str, Any]:
        """The state of the run that the folder has; a new one where it has none."""
        path = journal.folder / "run.json"
        asked = {
            "version": _VERSION,
            "options": self.settings.options(),
            "models": {column.name: column.fingerprint for column in self._raters.columns},
            "inputs": {
                file.path: {key: value for key, value in asdict(file).items() if key != "path"} for file in self.files
            },
        }
        if path.exists():
            state: dict[str, Any] = json.loads(path.read_text())
            if changes := list(_changes(state, asked)):
                raise RallyError(
                    Status.MISMATCH,
                    f"{self.folder}: has a run that this one does not go on: {'; '.join(changes[:5])}"
                    f"{f'; and {len(changes) - 5} more' if len(changes) > 5 else ''}. Write to another folder",
                )
            return state
        if journal.paths:
            raise RallyError(Status.CORRUPT_FILE, f"{path}: is gone, its records are there; remove the folder")
        state = asked | {"complete": False}
        write_json(path, state)
        return state

    # Rating

    def _rate(self, journal: Journal, watch: Watcher) -> None:
        settings, start = self.settings, journal.progress.next
        if start.file >= len(self.files):
            return
        columns = Columns(settings.content, settings.id, settings.source)
        maker = DocumentMaker(
            self._raters.model,
            self._raters.vocabulary,
            is_tokens=settings.tokens is not None,
            has_id=settings.id is not None,
            has_source=settings.source is not None,
            keeps_text=self._raters.needs_text,
            ends=settings.packed is not None,
        )
        found = batches(self.files, columns, maker, start, settings.commit_tokens, settings.packed)
        with Ahead(found) as ahead:
            for batch in ahead:
                rated = self._raters.rate(batch) if batch.documents else None
                journal.append(record_of(batch, rated, self._raters.columns, settings.packed is not None))
                watch(journal.progress, self.byte_count)

    # What comes of it

    def _write(self, journal: Journal) -> None:
        """Writes everything that a run leaves, from its journal alone: the same again, whatever is there already."""
        settings, columns = self.settings, self._raters.columns
        tallies = Tallies({column.name: column.label for column in columns})
        with replacing(self.folder / "rejected.jsonl") as file:
            for path in journal.paths:
                for record in read_records(path):
                    tallies.add(record)
                    file.writelines(
                        json.dumps(asdict(one), ensure_ascii=False).encode() + b"\n" for one in record.rejected
                    )
        save_distributions(tallies, columns, self.folder / "_distributions")
        for path in journal.paths:
            shard = self.folder / f"scores-{path.stem}.{settings.format}"
            has_source = settings.source is not None
            write_shard(path, shard, columns, tallies.whole, format=settings.format, has_source=has_source)
        mode = mode_label(settings, self._raters.model.info.max_position_embeddings)
        discard = recommended_discard(settings, self._raters.model.metadata)
        found = report(tallies, columns, mode, discard)
        with replacing(self.folder / "report.html") as file:
            file.write(page(found, tallies).encode())
        write_json(self.folder / "report.json", found)


@contextmanager
def _journal(folder: Path, shard_rows: int) -> Iterator[Journal]:
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


def _local_folder(settings: Settings) -> tuple[Path, bool]:
    """Where the run writes, and whether that is to be copied elsewhere in the end."""
    system, root = fsspec.core.url_to_fs(settings.out)
    if isinstance(system, LocalFileSystem):
        if settings.journal is not None:
            message = f"journal: {settings.out} is a local folder and keeps its own journal; leave --journal out"
            raise RallyError(Status.INVALID_ARGUMENT, message)
        return Path(root), False
    if settings.journal is None:
        message = f"{settings.out}: is no local folder; give one for the journal by --journal"
        raise RallyError(Status.INVALID_ARGUMENT, message)
    return Path(settings.journal), True


def _changes(state: dict[str, Any], asked: dict[str, Any]) -> Iterator[str]:
    """What differs between the run that is there and the one that is asked for, in words."""
    if state.get("version") != asked["version"]:
        yield f"its journal has version {state.get('version')}, this program writes {asked['version']}"
        return
    for name, value in asked["options"].items():
        if state["options"].get(name) != value:
            yield f"{name} was {state['options'].get(name)!r} and is {value!r}"
    for kind, noun in (("models", "the model of"), ("inputs", "the input")):
        before, now = state[kind], asked[kind]
        for name in [*before, *(name for name in now if name not in before)]:
            if name not in now:
                yield f"{noun} {name} is no longer there"
            elif name not in before:
                yield f"{noun} {name} is new"
            elif before[name] != now[name]:
                yield f"{noun} {name} has changed{_what_changed(before[name], now[name])}"
    if list(state["inputs"]) != list(asked["inputs"]) and sorted(state["inputs"]) == sorted(asked["inputs"]):
        yield "the inputs are in another order"


def _what_changed(before: Any, now: Any) -> str:
    if not isinstance(before, dict):
        return ", the file or the type it is computed in"
    return "".join(f", {key} was {before.get(key)} and is {now[key]}" for key in now if before.get(key) != now[key])


def score_corpus(settings: Settings, watch: Watcher = lambda progress, byte_count: None) -> Report:
    """Rates a corpus into ``settings.out``: shards, report, distributions; goes on where an earlier call ended.

    Parameters
    ----------
    settings : Settings
    watch : callable, optional
        Called with how far the run is, after each batch.

    Returns
    -------
    dict
        See `report`.

    Raises
    ------
    RallyError
        See `Run.finish`.
    """
    run = Run(settings)
    try:
        return run.finish(watch)
    finally:
        run.close()
