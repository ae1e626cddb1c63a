"""A run from beginning to end, or from where an earlier one was when it ended."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ..cascade import Band
from ..errors import RallyError, Status
from . import state as states
from .batches import Batch, Cursor, batches, check_unchanged
from .cascading import CascadeRaters, SampleReader, opened, told
from .check import check_tables
from .documents import DocumentMaker, Rejection
from .files import publish, replacing
from .inputs import InputFile, expand, is_local
from .journal import Journal, Progress, read_records
from .pipeline import Ahead
from .raters import Rated
from .report import Report, read_report
from .results import About, Parts, read_rejected, rejected_lines, write_results
from .rows import Columns
from .samples import Sample, Sampler, load
from .settings import Settings, mode_label, recommended_discard
from .table import read_shard, record_of
from .workers import Workers

#: Called after each batch with how far the run is and how many bytes of input there are.
Watcher = Callable[[Progress, int], None]

#: Rows that are looked at before a run ends for too many rejected ones.
_FEW_ROWS = 1000


class Run:
    """One run over a corpus; see `score_corpus`.

    Attributes
    ----------
    warnings : list of str
        What a person should know before trusting the scores.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder, self._is_remote = _local_folder(settings)
        found = expand(settings.inputs, settings.out, settings.verify)
        self.files: Sequence[InputFile] = found.files
        self._passed_over = found.passed_over
        if settings.shard is not None:
            self.files = found.files[settings.shard[0] - 1 :: settings.shard[1]]
        self._raters = opened(settings)
        self._template = self._raters.template
        extra = () if self._template is None else self._template.members
        self._columns = Columns(settings.content, settings.id, settings.source, extra)
        try:
            problems = check_tables(self.files, self._columns, settings.tokens is not None) if self.files else []
        except BaseException:
            self._raters.close()
            raise
        self.warnings = [] if self._raters.warning is None else [self._raters.warning]
        self.warnings += [f"{one.path}: {one.reason} ({_rows(one.rows)} will be missing)" for one in problems]
        self.warnings += [f"{one.path}: passed over: {one.reason}" for one in self._passed_over if one.is_loss]
        self._known_losses = sum(one.rows or 0 for one in problems)
        self.byte_count = sum(file.size for file in self.files)

    def close(self) -> None:
        """Frees the models."""
        self._raters.close()

    def finish(self, watch: Watcher = lambda progress, byte_count: None) -> Report:
        """Does what is left to do and returns the report.

        Raises
        ------
        RallyError
            MISMATCH: the folder has a run over another input, by another rater, or with other options; an input has
            changed while it was read. BUSY: another process writes there. LIMIT_EXCEEDED: more rows were rejected than
            `Settings.max_rejected` allows. Whatever reading, rating and writing raise; what was rated is kept.
        """
        with states.opened(self.folder, self.settings.shard_rows) as journal:
            state = self._begin(journal)
            if not state["complete"]:
                state = self._with_band(state, watch)
                journal.recover()
                watch(journal.progress, self.byte_count)
                self._rate(journal, watch)
                for file in self.files:
                    check_unchanged(file, self.settings.verify)
                names = self._write(journal, state)
                if self._is_remote:
                    publish(self.folder, self.settings.out)
                state |= {"complete": True, "shards": names, "base": None}
                states.save(self.folder, state)
            journal.remove()
        states.finished(self.folder)
        return read_report(self.folder)

    # What belongs together

    def _asked(self) -> states.State:
        """The state of a run that has not begun."""
        settings, model, first = self.settings, self._raters.main.model, self._raters.columns[0]
        models = {column.name: column.fingerprint for column in self._raters.columns}
        return {
            "version": states.VERSION,
            "options": settings.options(),
            "models": models | ({"score_cheap": first.cheap} if first.cheap else {}),
            "inputs": states.inputs_of(list(self.files)),
            "columns": [asdict(column) for column in self._raters.columns],
            "mode": mode_label(settings, model.info.max_position_embeddings, self._raters.reading_label()),
            "discard": recommended_discard(settings, model.metadata),
            "date": datetime.date.today().isoformat(),
            "passed_over": [asdict(one) for one in self._passed_over],
            "complete": False,
            "base": None,
        }

    def _begin(self, journal: Journal) -> states.State:
        """The state of the run that the folder has; a new one where it has none."""
        asked = self._asked()
        path = journal.folder / "run.json"
        if not path.exists():
            if journal.paths:
                raise RallyError(Status.CORRUPT_FILE, f"{path}: is gone, its records are there; remove the folder")
            states.save(self.folder, asked)
            return asked
        state = states.load(self.folder)
        if state.get("appended") or self.settings.append:
            asked["inputs"] = self._in_order(state, asked["inputs"])
        new = [name for name in asked["inputs"] if name not in state["inputs"]] if self.settings.append else []
        known = asked | {"inputs": {name: told for name, told in asked["inputs"].items() if name not in new}}
        if differences := list(states.changes(state, known)):
            more = f"; and {len(differences) - 5} more" if len(differences) > 5 else ""
            raise RallyError(
                Status.MISMATCH,
                f"{self.folder}: has a run that this one does not go on: {'; '.join(differences[:5])}{more}. "
                "Write to another folder",
            )
        if new:
            state = self._append(state, asked)
        if state.get("base"):
            journal.begin_at(len(state["base"]["shards"]), Cursor(state["base"]["files"]))
        if state.pop("recovered", None):
            for name in state.pop("shards", []):
                (self.folder / name).unlink(missing_ok=True)
            states.save(self.folder, state)
        return state

    def _in_order(self, state: states.State, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs in the order in which they came to the run; new ones at the end."""
        names = [name for name in state["inputs"] if name in inputs]
        names += [name for name in inputs if name not in state["inputs"]]
        by_path = {file.path: file for file in self.files}
        self.files = [by_path[name] for name in names]
        return {name: inputs[name] for name in names}

    def _append(self, state: states.State, asked: states.State) -> states.State:
        """The state of a run with more inputs; what it has is the base of what it will have."""
        if state["complete"]:
            size = (self.folder / "rejected.jsonl").stat().st_size
            base = {"files": len(state["inputs"]), "shards": state["shards"], "rejected": size}
            state = state | {"base": base, "complete": False}
        state |= {"inputs": asked["inputs"], "appended": True}
        seen = {one["path"] for one in state["passed_over"]}
        state["passed_over"] += [one for one in asked["passed_over"] if one["path"] not in seen]
        states.save(self.folder, state)
        return state

    # Rating

    def _maker(self) -> DocumentMaker:
        settings = self.settings
        return DocumentMaker(
            self._raters.model,
            self._raters.vocabulary,
            is_tokens=settings.tokens is not None,
            has_id=settings.id is not None,
            has_source=settings.source is not None,
            ends=settings.packed is not None,
            reading=settings.how_read,
            template=self._template,
        )

    def _with_band(self, state: states.State, watch: Watcher) -> states.State:
        """The state with the band of the cascade, which is chosen once; as it is where there is none."""
        raters = self._raters
        if not isinstance(raters, CascadeRaters) or not self.files:
            return state
        if state.get("cascade") is None:
            progress = Progress(Cursor())
            sample = SampleReader(self.folder / "_journal" / "sample.jsonl", self.files, self._columns, self.settings)
            found = sample.band(self._maker(), raters, state["discard"], lambda: watch(progress, self.byte_count))
            raters.use(found)
            state |= {"cascade": told(found, self.settings), "columns": [asdict(one) for one in raters.columns]}
            states.save(self.folder, state)
        names = Band.__dataclass_fields__
        raters.use(Band.read({name: value for name, value in state["cascade"].items() if name in names}))
        return state

    def _rate(self, journal: Journal, watch: Watcher) -> None:
        settings, start = self.settings, journal.progress.next
        if start.file >= len(self.files):
            return
        self._check_rejected(journal.progress, self._known_losses)
        how: dict[str, Any] = {"is_tokens": settings.tokens is not None, "digest": settings.verify}
        found = batches(self.files, self._columns, self._maker(), start, settings.commit_tokens, settings.packed, **how)
        sampler = Sampler()
        with Ahead(found) as ahead, Workers(settings, self._raters) as workers:
            for batch, rated in workers.rated(ahead):
                self._commit(journal, batch, rated, sampler)
                watch(journal.progress, self.byte_count)
                self._check_rejected(journal.progress, 0)

    def _commit(self, journal: Journal, batch: Batch, rated: Rated | None, sampler: Sampler) -> None:
        is_packed = self.settings.packed is not None
        journal.append(record_of(batch, rated, self._raters.columns, is_packed, sampler))

    def _check_rejected(self, progress: Progress, known: int) -> None:
        """Ends the run where more rows are rejected than is allowed."""
        share, rejected = self.settings.max_rejected, max(progress.rejected, known)
        rows = progress.rows + progress.rejected
        is_over = progress.next.file >= len(self.files)
        if share is None or (rows < _FEW_ROWS and not is_over and known < _FEW_ROWS):
            return
        if rejected > share * max(rows, rejected):
            found = f"{rejected:,} of {max(rows, rejected):,} rows"
            raise RallyError(
                Status.LIMIT_EXCEEDED,
                f"max_rejected: expected at most {share:.2%} rejected rows, found {found}; the report of --recover "
                "says why, and the same command with a higher share goes on",
            )

    # What comes of it

    def _write(self, journal: Journal, state: states.State) -> list[str]:
        """Writes everything that a run leaves, from what it has stored alone; the names of the shards."""
        columns, shard_format = self._raters.columns, self.settings.format
        parts, rejected = stored(self.folder, state, journal.paths)
        _write_rejected(self.folder, state, rejected)
        about = About(
            columns,
            state["mode"],
            state["discard"],
            state["date"],
            states.passed_over_of(state),
            cascade=state.get("cascade"),
        )
        path = self.folder / "rejected.jsonl"
        samples = stored_samples(self.folder, state, journal.paths)
        write_results(self.folder, about, parts, shard_format, lambda: read_rejected(path), samples)
        names = [f"scores-{name}.{shard_format}" for name in parts]
        return [name for name in names if (self.folder / name).exists()]


def stored(
    folder: Path, state: states.State, journals: Sequence[Path], *, passes_damage: bool = False
) -> tuple[Parts, Callable[[], Iterator[Rejection]]]:
    """The rows of a run's shards and of its journal, and the rejected rows of the journal."""
    columns = states.columns_of(state)
    shards = (state.get("base") or {}).get("shards", [])
    parts: Parts = {
        Path(name).stem.removeprefix("scores-"): partial(read_shard, folder / name, columns) for name in shards
    }

    def rows(path: Path) -> Iterator[Any]:
        return (record.rows for record in read_records(path, passes_damage=passes_damage))

    def rejected() -> Iterator[Rejection]:
        for path in journals:
            for record in read_records(path, passes_damage=passes_damage):
                yield from record.rejected

    return parts | {path.stem: partial(rows, path) for path in journals}, rejected


def stored_samples(
    folder: Path, state: states.State, journals: Sequence[Path], *, passes_damage: bool = False
) -> Iterator[Sample]:
    """The samples that are kept, and those of the journal."""
    if state.get("base"):
        yield from load(folder / "_samples.jsonl")
    for path in journals:
        for record in read_records(path, passes_damage=passes_damage):
            yield from record.samples


def _write_rejected(folder: Path, state: states.State, rejected: Callable[[], Iterator[Rejection]]) -> None:
    """Writes ``rejected.jsonl``; after an append what it had, and what came."""
    path = folder / "rejected.jsonl"
    size = (state.get("base") or {}).get("rejected", 0)
    before = b""
    if size:
        with open(path, "rb") as file:
            before = file.read(size)
    known = {json.loads(line)["file"] for line in before.splitlines()}
    passed_over = [one for one in states.passed_over_of(state) if one.path not in known]
    with replacing(path) as out:
        out.write(before)
        out.writelines(rejected_lines(passed_over, rejected()))


def _rows(count: int | None) -> str:
    return "its rows" if count is None else f"its {count:,} rows"


def _local_folder(settings: Settings) -> tuple[Path, bool]:
    """Where the run writes, and whether that is to be copied elsewhere in the end."""
    try:
        system, root = LocalFileSystem(), settings.out
        if not is_local(settings.out):
            system, root = fsspec.core.url_to_fs(settings.out)
    except (ValueError, ImportError) as error:
        raise RallyError(Status.INVALID_ARGUMENT, f"{settings.out}: {error}") from None
    if isinstance(system, LocalFileSystem):
        if settings.journal is not None:
            message = f"journal: {settings.out} is a local folder and keeps its own journal; leave --journal out"
            raise RallyError(Status.INVALID_ARGUMENT, message)
        return Path(root), False
    if settings.journal is None:
        message = f"{settings.out}: is no local folder; give one for the journal by --journal"
        raise RallyError(Status.INVALID_ARGUMENT, message)
    return Path(settings.journal), True


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
