"""The files of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from .. import _files


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, whole or not at all; what a crash leaves of it is overwritten when the run goes on."""
    with _files.replacing(path, f".{path.name}.part") as file:
        yield file


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
