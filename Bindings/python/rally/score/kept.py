"""Writes the documents that stay, with all that they have, as the corpus has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RallyError, Status
from . import state as states
from .batches import check_unchanged
from .files import replacing
from .inputs import InputFile
from .kept_files import write_file
from .results import read_rejected
from .selection import Chosen, Selection, choose
from .table import read_shard

Report = dict[str, Any]

#: Called with the bytes of the input that are done, and all.
Watcher = Callable[[int, int], None]


def write_kept(folder: Path, out: Path, how: Selection, watch: Watcher = lambda done, total: None) -> Report:
    """Writes what stays of the corpus of a finished run: its files under their own names, in their own formats.

    The same call again goes on where it was; the files in the end are the same, byte for byte.

    Parameters
    ----------
    folder : Path
        Of the finished run.
    out : Path
        A new or empty folder, or one where the same was begun.
    how : Selection
    watch : callable, optional

    Returns
    -------
    dict
        ``kept``, ``dropped``, ``duplicates``, ``rejected`` and ``all``, in rows: the first four sum up to the last;
        ``lost``, rows that the rater read and that are damaged in another column; ``files``.

    Raises
    ------
    RallyError
        FILE_NOT_FOUND, MISMATCH: there is no finished run, an input has changed since, or the folder has another
        selection. UNSUPPORTED: packed sequences are no documents; a cascade's scores decide its own cut only.
    """
    state = states.finished(folder)
    if state["options"]["packed"] is not None:
        raise RallyError(Status.UNSUPPORTED, f"{folder}: rated packed sequences, which are no documents to keep")
    states.check_cut(folder, state, how.discard, how.beyond_a_share)
    files, columns = states.files_of(state), states.columns_of(state)
    asked = {"selection": how.written(), "label": columns[0].label, "inputs": state["inputs"]}
    with states.written_once(out, asked) as journal:
        if journal.result is not None:
            return journal.result
        names = ["id", "source", "score", "quantile", "file", "row", "content_hash"]
        rows = (part for name in state["shards"] for part in read_shard(folder / name, columns, names))
        chosen = choose(rows, how, columns[0].fingerprint)
        rejected = Counter[str]()
        for one in read_rejected(folder / "rejected.jsonl"):
            rejected[one.file] += one.count
        done, total = 0, sum(file.size for file in files)
        digest = state["options"]["verify"]
        for file, places in zip(files, _by_file(chosen, files), strict=True):
            watch(done, total)
            if file.path not in journal.done:
                counts = _one(file, chosen, places, out, digest)
                journal.add(file.path, counts | {"rejected": rejected[file.path]})
            done += file.size
        return journal.finish(_summed(journal.done))


def _one(file: InputFile, chosen: Chosen, places: npt.NDArray[np.intp], out: Path, digest: str) -> dict[str, int]:
    """Writes what stays of one file; its counts."""
    check_unchanged(file, digest)
    stays = places[chosen.stays[places]]
    duplicates = int(chosen.is_duplicate[places].sum())
    lost = 0
    if stays.size:
        path = out / file.inner
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as sink:
            written = write_file(file, chosen.row[stays], sink)
        check_unchanged(file, digest)
        lost = stays.size - written
    return {
        "kept": stays.size - lost,
        "dropped": places.size - stays.size - duplicates,
        "duplicates": duplicates,
        "lost": lost,
    }


def _by_file(chosen: Chosen, files: list[InputFile]) -> list[npt.NDArray[np.intp]]:
    """The places of each file's documents; the scores are in the order of the files."""
    codes = {name: code for code, name in enumerate(chosen.files)}
    order = np.argsort(chosen.file, kind="stable")
    ends = np.searchsorted(chosen.file[order], np.arange(len(codes) + 1))
    none = np.empty(0, np.intp)
    places = [none if (code := codes.get(file.path)) is None else order[ends[code] : ends[code + 1]] for file in files]
    if sum(one.size for one in places) != chosen.file.size:
        raise RallyError(Status.MISMATCH, "inputs: the scores name files that the run did not read")
    return places


def _summed(files: dict[str, dict[str, int]]) -> Report:
    names = ("kept", "dropped", "duplicates", "lost", "rejected")
    total = {name: sum(one[name] for one in files.values()) for name in names}
    return total | {"all": sum(total.values()), "files": files}
