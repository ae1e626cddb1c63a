"""Scoring where PyTorch loads data: in workers of a DataLoader, each with a model of its own, and on many threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import torch
from compare import same_bits
from torch.utils.data import DataLoader, Dataset

import rally
from rally import Scorer
from rally.torch import RatedLoader

COUNT = 40
LENGTHS = [1 + position * 7 % 30 for position in range(COUNT)]


class Scored(Dataset[tuple[int, int, list[int], float]]):
    """Rows with their score, which whoever asks for them computes."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.rows = scorer, models.rows(LENGTHS)

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, position: int) -> tuple[int, int, list[int], float]:
        row = self.rows[position]
        return position, os.getpid(), row, float(self.scorer.rate([row])[0])


def as_it_is(samples: list[Any]) -> list[Any]:
    return samples


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_of_a_data_loader(rater_path: Path, rater: rally.Model, method: str) -> None:
    scorer = Scorer(rater_path, threads=1)
    expected = scorer.rate(models.rows(LENGTHS))  # the parent's model is open, with its threads, when workers start
    loader = DataLoader(
        Scored(scorer), batch_size=4, num_workers=2, multiprocessing_context=method, collate_fn=as_it_is
    )
    samples = [sample for batch in loader for sample in batch]
    assert [position for position, *_ in samples] == list(range(COUNT))
    workers = {process for _, process, *_ in samples}
    assert len(workers) == 2
    assert os.getpid() not in workers
    assert same_bits(np.array([score for *_, score in samples], np.float32), expected)
    assert same_bits(scorer.rate(models.rows(LENGTHS)), expected)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_rated_loader_beside_workers(rater_path: Path, method: str) -> None:
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, models.VOCAB, (64, 10)))
    scorer = Scorer(rater_path, threads=1)
    scorer.rate(ids.numpy())
    loader = DataLoader(ids, batch_size=8, num_workers=2, multiprocessing_context=method)
    one, other = (
        [batch.tolist() for batch in RatedLoader(source, scorer, keep=0.5)] for source in (loader, ids.split(8))
    )
    assert one == other


def test_many_threads_on_one_model(rater: rally.Model) -> None:
    rows = models.rows(LENGTHS)
    expected = rater.rate(rows)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda position: rater.rate([rows[position % COUNT]]), range(10 * COUNT)))
    assert same_bits(np.concatenate(found), np.tile(expected, 10))
