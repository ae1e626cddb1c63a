"""Files that are there whole or not at all, also after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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
def replacing(path: Path, aside: str | None = None) -> Iterator[BinaryIO]:
    """A file to write, which takes its name when the block ends well; after an error nothing has changed.

    Parameters
    ----------
    path : Path
        Where the file shall stand.
    aside : str, optional
        Its name in the same folder until then; one of this process, if it is left out.

    Raises
    ------
    OSError
        It names ``path``, also where the system only said that the disk is full.
    """
    temporary = path.with_name(aside or f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            sync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except (Exception, KeyboardInterrupt) as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = os.fspath(path)
        raise
