"""What an argument stands for: files and folders, local or elsewhere."""

from __future__ import annotations

import glob
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import RallyError, Status
from .stores import first, links, located

#: Files that describe a data set or lie alongside; they hold no documents.
_DESCRIPTIONS = {
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
    "license",
}
_DESCRIBING = (".md", ".rst", ".crc", ".sha256", ".md5", ".cff", ".lock", ".yaml", ".yml", ".py")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that an argument stands for.

    Attributes
    ----------
    path : str
        Under which it is named and opened.
    place : str
        On its file system.
    inner : str
        Under the argument.
    system : object or None
        Of fsspec; None: the local one.
    real : str
        Equal for two names of one file.
    reason : str or None
        Why it is passed over.
    is_loss, is_named : bool
        Whether documents may be in what is passed over; whether the argument names this very file.
    """

    path: str
    place: str
    inner: str
    system: Any = None
    real: str = ""
    reason: str | None = None
    is_loss: bool = False
    is_named: bool = False


def local_places(argument: str, out: str) -> list[Found]:
    """The files of a local file, folder or glob, by name."""
    if argument.startswith("file://"):
        argument = unquote(urlsplit(argument).path)
    path = argument if os.path.isabs(argument) else os.path.relpath(argument)
    if os.path.isdir(path):
        if "://" not in out and _contains(path, out):
            raise RallyError(Status.INVALID_ARGUMENT, f"{out}: lies inside of the input {argument}; write elsewhere")
        return sorted(_walk(path), key=lambda found: found.path)
    if os.path.lexists(path):
        one = _file(path, os.path.basename(path))
        return [replace(one, is_named=True, is_loss=one.reason is not None)]
    found: list[Found] = []
    base = _fixed(path)
    for match in sorted(glob.glob(path, recursive=True)):
        name = os.path.relpath(match, base)
        if os.path.isdir(match):
            found += [] if "**" in path else [replace(one, inner=f"{name}/{one.inner}") for one in _walk(match)]
        elif not _hidden(name):
            found.append(_file(match, name))
    return sorted(found, key=lambda one: one.path)


def _walk(root: str) -> Iterator[Found]:
    """All files in a folder; links to folders are followed, each folder is read once. Folders before links to them."""
    seen = {os.path.realpath(root)}
    here: list[str] = [root]
    links: list[str] = []
    while here or links:
        folder = here.pop() if here else links.pop(0)
        inner = os.path.relpath(folder, root)
        if folder != root and os.path.islink(folder):
            real = os.path.realpath(folder)
            if real in seen:
                yield Found(folder, folder, inner, reason="a link to a folder that is read already")
                continue
            seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield Found(folder, folder, inner, reason=f"cannot be read: {error.strerror}", is_loss=True)
            continue
        listed = _listed_files(folder, [entry.name for entry in entries])
        for entry in entries:
            name = entry.path if folder != "." else entry.name
            inner_name = os.path.relpath(name, root)
            if _hidden(entry.name):
                yield Found(name, name, inner_name, reason="its name begins with a dot or an underscore")
            elif entry.is_dir():
                if entry.is_symlink():
                    links.append(name)
                elif (real := os.path.realpath(name)) not in seen:
                    seen.add(real)
                    here.append(name)
            elif listed is not None and entry.name.endswith(".arrow") and entry.name not in listed:
                reason = "no part of the data set that was saved here"
                yield Found(name, name, inner_name, reason=reason)
            else:
                yield _file(name, inner_name)


def _listed_files(folder: str, names: list[str]) -> set[str] | None:
    """The .arrow files of a data set that `datasets` saved or cached here; None for other folders."""
    arrow = {name for name in names if name.endswith(".arrow")}
    if "state.json" in names and arrow:
        try:
            told = json.loads(Path(folder, "state.json").read_text())
            return {str(one["filename"]) for one in told["_data_files"]}
        except (OSError, ValueError, KeyError, TypeError):
            return None
    if "dataset_info.json" in names and arrow:
        return {name for name in arrow if not name.startswith(("cache-", "tmp"))}
    return None


def _file(path: str, inner: str) -> Found:
    """A local file, with the reason why it is none that could be read."""
    real = os.path.realpath(path)
    found = Found(path, path, inner, real=real)
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        why = "a link to nothing" if os.path.islink(path) else f"cannot be read: {error.strerror}"
        return replace(found, reason=why, is_loss=True)
    if not stat.S_ISREG(mode):
        return replace(found, reason="no regular file", is_loss=True)
    if not os.access(path, os.R_OK):
        return replace(found, reason="cannot be read: Permission denied", is_loss=True)
    if _describes(os.path.basename(path)):
        return replace(found, reason="describes a data set, holds no documents")
    return found


def remote_places(argument: str) -> list[Found]:
    """The files of a URL, a chain of them, or a glob on one.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: the protocol is not known, or what reads it is not installed. IO: the store does not answer.
    """
    try:
        system, root = located(argument)
        if system.exists(root) and not system.isdir(root):
            return [_remote(argument, system, root, root.rpartition("/")[2], is_named=True)]
        is_folder = system.isdir(root)
        places = system.find(root) if is_folder else system.glob(root)
    except (ValueError, ImportError) as error:
        extra = ' (pip install "rally-runtime[s3]")' if argument.startswith(("s3://", "s3a://")) else ""
        raise RallyError(Status.INVALID_ARGUMENT, f"{argument}: {_one_line(error)}{extra}") from None
    except OSError as error:
        raise RallyError(Status.IO, f"{argument}: {_one_line(error)}") from error
    found = []
    for place in sorted(places):
        base = root if is_folder else _fixed(root)
        inner = place.removeprefix(base).strip("/") or place
        if _hidden(inner):
            if is_folder:
                found.append(_remote(argument, system, place, inner, "its name begins with a dot or an underscore"))
        elif not system.isdir(place):
            why = "describes a data set, holds no documents" if _describes(place.rpartition("/")[2]) else None
            found.append(_remote(argument, system, place, inner, why))
    return found


def _remote(
    argument: str, system: Any, place: str, inner: str, reason: str | None = None, is_named: bool = False
) -> Found:
    path = _url(argument, system, place)
    return Found(path, place, inner.strip("/"), system, path, reason, False, is_named)


def _url(argument: str, system: Any, place: str) -> str:
    """The name of a place."""
    if "::" not in argument:
        return str(system.unstrip_protocol(place))
    chain = links(argument)
    at = first(chain)
    chain[at] = f"{chain[at].partition('://')[0]}://{place}"
    return "::".join(chain)


def _contains(folder: str, out: str) -> bool:
    folder, out = os.path.realpath(folder), os.path.realpath(out)
    return os.path.commonpath([folder, out]) == folder


def _fixed(pattern: str) -> str:
    """The folders of a glob before the first that needs matching."""
    kept = []
    for part in pattern.split("/")[:-1]:
        if any(mark in part for mark in "*?["):
            break
        kept.append(part)
    return "/".join(kept) or ("/" if pattern.startswith("/") else ".")


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "_")) and part not in (".", "..") for part in name.split("/"))


def _describes(name: str) -> bool:
    low = name.lower()
    return low in _DESCRIPTIONS or low.endswith(_DESCRIBING)


def _one_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
