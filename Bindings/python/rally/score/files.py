"""Files that are there whole or not at all, also after a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import fsspec


def sync(file: int) -> None:
    """Waits until what was written to a file or folder is on the disk."""
    os.fsync(file)


def sync_folder(folder: Path) -> None:
    """Makes names that were added to a folder, or changed in it, last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its name when it is complete; after an error nothing has changed.

    The same name is written aside each time, so what a crash leaves is overwritten when the run goes on.
    """
    aside = path.with_name(f".{path.name}.part")
    with open(aside, "wb") as file:
        yield file
        file.flush()
        sync(file.fileno())
    os.replace(aside, path)
    sync_folder(path.parent)


def publish(folder: Path, url: str) -> None:
    """Copies what is in a local folder to a folder elsewhere, but for names that begin with a dot, and the journal."""
    system, root = fsspec.core.url_to_fs(url)
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.is_file() and inner.parts[0] != "_journal" and not path.name.startswith("."):
            place = f"{root.rstrip('/')}/{inner.as_posix()}"
            system.makedirs(place.rpartition("/")[0], exist_ok=True)
            system.put_file(os.fspath(path), place)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON for people and programs, whole or not at all."""
    with replacing(path) as file:
        file.write(json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n")
