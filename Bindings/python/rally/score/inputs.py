"""Which files a run reads, in which order, and what is passed over."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import RallyError, Status
from .stores import located
from .versions import local_version, remote_version
from .walk import Found, local_places, remote_places

#: What a file holds, by the end of its name.
_KINDS = {
    ".jsonl": "json",
    ".ndjson": "json",
    ".jsonlines": "json",
    ".json": "json",
    ".txt": "text",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
_PACKINGS = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".zst": "zstd",
    ".zstd": "zstd",
    ".bz2": "bz2",
    ".xz": "xz",
    ".lzma": "lzma",
    ".lz4": "lz4",
}
_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")

#: The number of a shard at the end of a name, as people and programs write it: "-00001-of-00010", "_part3", ".7", with
#: Spark's, the Hub's or Ray's letters and digits after it, and what DCLM and writers of Parquet put at the end.
_NUMBER = (
    r"(?:(?:part|shard|chunk|train|test|validation|data|file|of|tid)?[-_.]?\d+|c\d{3}"
    r"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})"
)
_AFTER = r"(?:[-_.](?:snappy|gz|gzip|zstd|zst|lz4|lz4raw|brotli|uncompressed|processed))*"
_SHARD = re.compile(rf"(?:(?:^|[-_.]){_NUMBER})+{_AFTER}$", re.IGNORECASE)

#: A folder that is but a shard's: DCLM's ``global-shard_01_of_10``.
_SHARD_FOLDER = re.compile(r"(?:global|local)?[-_]?(?:shard|part|chunk)[-_]?\d+(?:[-_]of[-_]\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the corpus.

    Attributes
    ----------
    path : str
        Under which it is named in ids and opened.
    kind : {"json", "text", "parquet", "arrow"}
    compression : str or None
        Of the whole file, by its name; what it is in truth is found out when it is read.
    size : int
        Bytes, as stored.
    version : str
        Changes when the content does: a digest, or what a remote store says instead.
    source : str
        The path without its extension and shard numbers.
    inner : str
        Its path under the argument it was found by; what is kept of it is written there.
    """

    path: str
    kind: str
    compression: str | None
    size: int
    version: str
    source: str
    inner: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Something that was found and is not read.

    Attributes
    ----------
    path, reason : str
    is_loss : bool
        Whether documents may be in it; else it is no more than what lies about in such folders.
    """

    path: str
    reason: str
    is_loss: bool


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the arguments stand for."""

    files: list[InputFile]
    passed_over: list[PassedOver]


def expand(inputs: Iterable[str], out: str, digest: str = "ends") -> Inputs:
    """The files that files, folders, globs and lists of them stand for: in the order given, those of a folder by name.

    Each file is there once, by whatever names it was found. Folders are read with all folders inside, also those that
    are links. ``@FILE`` stands for the names in a file, one a line.

    Raises
    ------
    RallyError
        FILE_NOT_FOUND: nothing there. INVALID_ARGUMENT: a file of unknown kind, a file system that is not known, or the
        output inside of an input.
    """
    arguments = [name for argument in inputs for name in _listed(argument)]
    seen: dict[str, str] = {}
    files: dict[str, InputFile] = {}
    passed: dict[str, PassedOver] = {}
    for argument in arguments:
        prefix = f"{_last_name(argument)}/" if len(arguments) > 1 else ""
        count = 0
        for found in _places(argument, out):
            reason, is_loss = found.reason, found.is_loss
            if reason is None and found.real in seen and seen[found.real] != found.path:
                reason, is_loss = f"the same file as {seen[found.real]}", False
            if reason is None and found.path not in files:
                reason, is_loss = _unreadable(found), True
            count += 1
            if reason is not None:
                if found.is_named and is_loss:
                    raise RallyError(Status.INVALID_ARGUMENT, f"{_shown(found.path)}: {reason}")
                passed.setdefault(found.path, PassedOver(_shown(found.path), reason, is_loss))
            elif found.path not in files:
                seen[found.real] = found.path
                files[found.path] = _describe(found, prefix, digest)
        if count == 0:
            raise RallyError(Status.FILE_NOT_FOUND, f"{argument}: no file here that could be read ({names()})")
    if not files:
        first = next(iter(passed.values()), None)
        why = "" if first is None else f"; {first.path}: {first.reason}"
        raise RallyError(Status.FILE_NOT_FOUND, f"{', '.join(arguments)}: no file that could be read ({names()}){why}")
    return Inputs(_apart(list(files.values())), list(passed.values()))


def open_input(file: InputFile) -> Any:
    """The bytes as stored, for reading."""
    if is_local(file.path):
        return open(file.path, "rb")
    system, place = located(file.path)
    stored = system.open(place, "rb")
    with contextlib.suppress(AttributeError):
        stored.rally_system = system  # an archive is closed with the last name of its file system
    return stored


def is_local(path: str) -> bool:
    """Whether a name is that of a local file; ``file://`` has been taken off before."""
    return "://" not in path


def version_now(file: InputFile, digest: str) -> str:
    """What `InputFile.version` would be if the file were found now; OSError where it is gone."""
    if is_local(file.path):
        return local_version(file.path, digest)
    system, place = located(file.path)
    system.invalidate_cache()
    return remote_version(system, place, system.info(place))


def source_of(path: str) -> str:
    """``corpus/wiki-00003-of-00010.jsonl.gz`` is of ``corpus/wiki``, ``web/000.parquet`` of ``web``."""
    folder, _, name = path.rpartition("/")
    stem = _SHARD.sub("", parts(name)[0]).rstrip("-_.")
    kept = [part for part in folder.split("/") if not _SHARD_FOLDER.fullmatch(part)] if folder else []
    return "/".join([*kept, stem] if stem else kept) or "."


def parts(path: str) -> tuple[str, str, str]:
    """Stem, the extension that says the kind, and that of the packing, if there is one."""
    stem, last = os.path.splitext(path)
    if last.lower() not in _PACKINGS:
        return stem, last.lower(), ""
    stem, inner = os.path.splitext(stem)
    return stem, inner.lower(), last.lower()


def names() -> str:
    """What can be read, for messages."""
    packings = "; those of lines also with " + ", ".join(_PACKINGS)
    return ", ".join(_KINDS) + packings


def _listed(argument: str) -> list[str]:
    """The argument, or the names in the file that it names after an @."""
    if not argument.startswith("@") or os.path.lexists(argument):
        return [argument]
    try:
        with open(argument[1:], encoding="utf-8-sig") as file:
            found = [line.rstrip("\r\n") for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise RallyError(
            Status.FILE_NOT_FOUND, f"{argument}: expected a list of files, a name a line, in {argument[1:]!r}: {error}"
        ) from None
    if not found:
        raise RallyError(Status.FILE_NOT_FOUND, f"{argument}: expected a name a line, found none")
    return found


def _places(argument: str, out: str) -> list[Found]:
    if is_local(argument) or (argument.startswith("file://") and "::" not in argument):
        return local_places(argument, out)
    return remote_places(argument)


def _unreadable(found: Found) -> str | None:
    """Why a file that is there cannot be read."""
    path = found.path
    try:
        path.encode()
    except UnicodeEncodeError:  # ids and the report could not be written
        return "expected a name in UTF-8; rename the file"
    _, extension, packing = parts(found.place)
    kind = _KINDS.get(extension)
    if kind is None and found.place.lower().endswith(_ARCHIVES):
        return "an archive; unpack it, or name what is inside: zip://*.jsonl::corpus.zip, tar://*.jsonl::corpus.tar"
    if kind is None or (kind in ("parquet", "arrow") and packing):
        return f"expected {names()}, found {extension + packing!r}"
    return None


def _describe(found: Found, prefix: str, digest: str) -> InputFile:
    _, extension, packing = parts(found.place)
    if found.system is None:
        size, version = os.stat(found.path).st_size, local_version(found.path, digest)
    else:
        told = found.system.info(found.place)
        size, version = int(told["size"]), remote_version(found.system, found.place, told)
    inner = prefix + found.inner
    return InputFile(found.path, _KINDS[extension], _PACKINGS.get(packing), size, version, source_of(found.path), inner)


def _last_name(argument: str) -> str:
    """The last folder that an argument names, of those that need no matching."""
    fixed = argument.split("::")[0].partition("://")[2] or argument
    whole = [part for part in fixed.split("/") if part not in ("", ".", "..") and not any(c in part for c in "*?[")]
    is_folder = os.path.isdir(argument)
    names = whole if is_folder else whole[:-1]
    return names[-1] if names else "."


def _apart(files: Sequence[InputFile]) -> list[InputFile]:
    """The files, those whose inner paths are equal with a number before them."""
    from dataclasses import replace

    counts: dict[str, int] = {}
    found = []
    for file in files:
        inner = os.path.normpath(file.inner)
        number = counts[inner] = counts.get(inner, 0) + 1
        found.append(replace(file, inner=inner if number == 1 else f"{number}/{inner}"))
    return found


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
