"""Models that many tests share, written once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import models
import pytest

import rally


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def lm_path(folder: Path) -> Path:
    return models.write(folder / "lm.onnx", models.MOR)


@pytest.fixture(scope="session")
def rater_path(folder: Path) -> Path:
    return models.write(folder / "rater.onnx", models.RATER)


@pytest.fixture
def lm(lm_path: Path) -> Iterator[rally.Model]:
    with rally.Model(lm_path, threads=2) as model:
        yield model


@pytest.fixture(scope="session")
def endless_path(folder: Path) -> Path:
    """A model whose texts last until they are ended: no machine gets through one while a test does something else."""
    return models.write(folder / "endless.onnx", replace(models.MOR, max_position_embeddings=30_000))


@pytest.fixture
def endless(endless_path: Path) -> Iterator[rally.Model]:
    with rally.Model(endless_path, threads=2) as model:
        yield model


@pytest.fixture
def rater(rater_path: Path) -> Iterator[rally.Model]:
    with rally.Model(rater_path, threads=2) as model:
        yield model
