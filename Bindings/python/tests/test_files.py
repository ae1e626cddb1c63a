"""Files that are written whole or not at all."""

from __future__ import annotations

import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rally import Distribution, _files
from rally.score.files import write_json
from rally.synthesize import synthesize


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes: the system then answers as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_distribution(path: Path) -> None:
    scores = Distribution("test")
    scores.add([0.5, 0.25])
    scores.save(path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "distribution": write_distribution,
    "json": lambda path: write_json(path, list(range(9999))),
    "model": lambda path: synthesize("ouro-tiny", path, quiet=True),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_changes_nothing_and_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("kept")
    with full_disk(100), pytest.raises(OSError, match="File too large") as caught:
        WRITERS[name](path)
    assert caught.value.filename == str(path)
    assert path.read_text() == "kept"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", WRITERS)
def test_new_files_can_be_read_by_whom_the_process_lets(name: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    WRITERS[name](tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def write_half(path: Path) -> None:
    with _files.replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "file")
    assert not [*tmp_path.iterdir()]
