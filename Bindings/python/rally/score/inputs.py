"""Which files a run reads, in which order, and how to tell that one of them has changed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ..errors import RallyError, Status

#: What a file holds, by the end of its name.
_KINDS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".txt": "text", ".parquet": "parquet"}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}

#: "-00001-of-00010", "_part3", ".7" at the end of a name: the number of a shard.
_SHARD = re.compile(r"(?:(?:^|[-_.])(?:part|shard|chunk|train|of)?[-_.]?\d+)+$")

#: What file systems say of a file's version, the first that there is.
_VERSIONS = ("ETag", "etag", "md5Hash", "version_id", "LastModified", "last_modified", "mtime", "created")


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the corpus.

    Attributes
    ----------
    path : str
        Under which it is named in ids and opened.
    kind : {"json", "text", "parquet"}
    compression : str or None
        Of the whole file, as pyarrow names it.
    size : int
        Bytes, as stored.
    version : str
        Changes when the file does: the time of its last change, or what a remote store says instead.
    source : str
        The path without its extension and shard numbers.
    """

    path: str
    kind: str
    compression: str | None
    size: int
    version: str
    source: str


def expand(inputs: Iterable[str], out: str) -> list[InputFile]:
    """The files behind files, folders and globs: in the order given, those of a folder or glob by name, each once.

    Folders are read with all folders inside. In folders and globs, names of other kinds and names that begin with a dot
    or an underscore are passed over.

    Raises
    ------
    RallyError
        FILE_NOT_FOUND: nothing there. INVALID_ARGUMENT: a file of unknown kind, or the output inside of an input.
    """
    found: dict[str, InputFile] = {}
    for argument in inputs:
        paths = list(_paths(argument, out))
        if not paths:
            raise RallyError(Status.FILE_NOT_FOUND, f"{argument}: no file here that could be read ({_names()})")
        for path, system, place in paths:
            found.setdefault(path, _describe(path, system, place))
    return list(found.values())


def open_input(file: InputFile) -> Any:
    """The bytes as stored, for reading."""
    return fsspec.open(file.path, "rb", compression=None).open()


def source_of(path: str) -> str:
    """``corpus/wiki-00003-of-00010.jsonl.gz`` is of ``corpus/wiki``, ``web/000.parquet`` of ``web``."""
    folder, _, name = path.rpartition("/")
    stem = _SHARD.sub("", _parts(name)[0]).rstrip("-_.")
    return "/".join(part for part in (folder, stem) if part) or "."


def _paths(argument: str, out: str) -> Iterator[tuple[str, Any, str]]:
    """Name, file system and place on it."""
    system, root = fsspec.core.url_to_fs(argument)
    if system.exists(root) and not system.isdir(root):
        _ = _kind(argument)
        yield _name(argument, system, root), system, root
        return
    is_folder = system.isdir(root)
    if is_folder and isinstance(system, LocalFileSystem) and "://" not in out and _contains(root, out):
        raise RallyError(Status.INVALID_ARGUMENT, f"{out}: lies inside of the input {argument}; write elsewhere")
    places = system.find(root) if is_folder else system.glob(root)
    for place in sorted(places):
        inner = place[len(root) :] if is_folder else place.rpartition("/")[2]
        hidden = any(part.startswith((".", "_")) for part in inner.split("/"))
        if not hidden and _parts(place)[1] in _KINDS and not system.isdir(place):
            yield _name(argument, system, place), system, place


def _contains(folder: str, out: str) -> bool:
    folder, out = os.path.realpath(folder), os.path.realpath(out)
    return os.path.commonpath([folder, out]) == folder


def _name(argument: str, system: Any, place: str) -> str:
    if not isinstance(system, LocalFileSystem):
        return str(system.unstrip_protocol(place))
    return place if os.path.isabs(argument) or "://" in argument else os.path.relpath(place)


def _parts(path: str) -> tuple[str, str, str]:
    """Stem, the extension that says the kind, and that of the compression, if there is one."""
    stem, last = os.path.splitext(path)
    if last.lower() not in _COMPRESSIONS:
        return stem, last.lower(), ""
    stem, inner = os.path.splitext(stem)
    return stem, inner.lower(), last.lower()


def _kind(path: str) -> str:
    _, extension, packing = _parts(path)
    kind = _KINDS.get(extension)
    if kind is None or (kind == "parquet" and packing):
        raise RallyError(Status.INVALID_ARGUMENT, f"{path}: expected {_names()}, found {extension + packing!r}")
    return kind


def _names() -> str:
    return f"{', '.join(_KINDS)}; all but .parquet also with {' or '.join(_COMPRESSIONS)}"


def _describe(path: str, system: Any, place: str) -> InputFile:
    try:
        path.encode()
    except UnicodeEncodeError:  # ids and the report could not be written
        raise RallyError(Status.INVALID_ARGUMENT, f"{path!r}: expected a name in UTF-8; rename the file") from None
    if isinstance(system, LocalFileSystem):
        status = os.stat(place)
        size, version = status.st_size, f"modified {status.st_mtime_ns}"
    else:
        told = system.info(place)
        size = int(told["size"])
        version = next((f"{key} {told[key]}" for key in _VERSIONS if told.get(key) is not None), "unknown")
    compression = _COMPRESSIONS.get(_parts(path)[2])
    return InputFile(path, _kind(path), compression, size, version, source_of(path))
