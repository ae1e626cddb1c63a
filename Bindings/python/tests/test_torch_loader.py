"""What a RatedLoader hands out: exactly N of the best, in order, in the loader's own form; and what it costs."""

from __future__ import annotations

import json
import os
import threading
import time
import warnings
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import rated
import torch
from torch.utils.data import DataLoader
from transformers import BatchEncoding

import rally
from rally import RallyError, Scorer, Status
from rally.torch import RatedLoader


@pytest.mark.parametrize("keep", ["0.1", "0.25", "0.3", "0.5", "0.9", "1"])
@pytest.mark.parametrize(("count", "size", "wanted"), [(97, 4, None), (97, 4, 7), (64, 8, 3), (5, 8, None), (0, 4, 2)])
def test_the_best_in_order(count: int, size: int, wanted: int | None, keep: str) -> None:
    loader = RatedLoader(rated.tensors(count, size), rated.scores, float(keep), batch_size=wanted)
    expected = rated.kept(count, wanted or min(count, size), keep) if count else []
    for _ in range(2):
        assert [rated.positions(batch) for batch in loader] == expected
    assert loader.meter.kept_rows == 2 * sum(map(len, expected))


def test_a_draw_is_exact_in_decimal() -> None:
    loader = RatedLoader(rated.tensors(40, 1), rated.scores, keep=0.1, batch_size=1)
    assert [rated.positions(batch) for batch in loader] == rated.kept(40, 1, "0.1")
    assert loader.meter.drawn_rows == 40


Pair = namedtuple("Pair", ["ids", "labels"])


class Encoding(dict):
    """A mapping of a kind of its own, as tokenizers return."""


def form(kind: str, batch: torch.Tensor) -> Any:
    names = [f"row {position}" for position in rated.positions(batch)]
    padded = torch.nn.functional.pad(batch, (0, 2), value=99)
    mask = (torch.arange(5) < 3).long().expand(len(batch), 5)
    return {
        "tensor": batch,
        "array": batch.numpy(),
        "mapping": Encoding(input_ids=padded, attention_mask=mask, id=names, labels=batch[:, 0]),
        "encoding": BatchEncoding({"input_ids": padded, "attention_mask": mask, "id": names, "labels": batch[:, 0]}),
        "columns": [batch, batch[:, 0]],
        "named": Pair(batch, batch[:, 0]),
        "rows": list(batch),
        "lists": batch.tolist(),
        "tuples": tuple(batch.tolist()),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["tensor", "array", "mapping", "encoding", "columns", "named", "rows", "lists", "tuples"]
)
def test_forms_are_kept(kind: str) -> None:
    source = [form(kind, batch) for batch in rated.tensors(50, 4)]
    found = list(RatedLoader(source, rated.scores, keep=0.4))
    expected = rated.kept(50, 4, "0.4")
    assert len(found) == len(expected)
    for batch, positions in zip(found, expected, strict=True):
        assert type(batch) is type(source[0])
        rows = (
            batch["input_ids"]
            if kind in ("mapping", "encoding")
            else batch[0]
            if kind in ("columns", "named")
            else batch
        )
        assert rated.positions(rows) == positions
        if kind in ("mapping", "encoding"):
            assert batch["id"] == [f"row {position}" for position in positions]
            assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0]] * len(positions)
            assert batch["labels"].tolist() == positions
        if kind in ("columns", "named"):
            assert batch[1].tolist() == positions


def test_texts(rater_path: Path) -> None:
    texts = [f"the sea and the wind {number} " * (1 + number % 3) for number in range(24)]
    source = [texts[start : start + 4] for start in range(0, 24, 4)]
    scores = Scorer(rater_path).rate(texts)
    found = list(RatedLoader(source, rater_path, keep=0.5))
    expected = [np.sort(np.argsort(-scores[start : start + 8], kind="stable")[:4]) + start for start in (0, 8, 16)]
    assert found == [[texts[index] for index in indices] for indices in expected]


def test_rows_of_other_lengths() -> None:
    def batch(length: int, first: int) -> dict[str, torch.Tensor]:
        ids = torch.tensor([rated.row(first + index) for index in range(2)])
        ids = torch.nn.functional.pad(ids, (0, length - 3), value=99)
        mask = (torch.arange(length) < 3).long().expand(2, length)
        return {"input_ids": ids, "attention_mask": mask, "labels": ids}

    source = [batch(5, 0), batch(4, 2)]
    with pytest.raises(RallyError, match=r"input_ids: rows of shapes \[4\] and \[5\]") as caught:
        list(RatedLoader(source, rated.scores, keep=0.5, batch_size=2))
    assert caught.value.code == Status.INVALID_ARGUMENT
    (found,) = RatedLoader(source, rated.scores, keep=0.5, batch_size=2, padding=42)
    assert found["input_ids"].tolist() == [[1, 5, 1, 99, 99], [2, 3, 1, 99, 42]]
    assert found["attention_mask"].tolist() == [[1, 1, 1, 0, 0]] * 2
    assert found["labels"].tolist() == [[1, 5, 1, 99, 99], [2, 3, 1, 99, -100]]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"ids": torch.ones(2, 3)}, "expected a column 'input_ids', found ids"),
        (
            {"input_ids": torch.ones(2, 3), "labels": torch.ones(3)},
            "columns of as many rows, found input_ids 2, labels 3",
        ),
        ({"input_ids": torch.ones(2, 3), "epoch": 3}, "epoch: expected one entry per row, found int"),
        (7, "batch: expected one entry per row, found int"),
        (torch.rand(2, 3), "expected integers, found float32"),
    ],
)
def test_what_is_no_batch(batch: Any, message: str) -> None:
    with pytest.raises(RallyError, match=message) as caught:
        list(RatedLoader([batch], rated.scores, keep=0.5))
    assert caught.value.code == Status.INVALID_ARGUMENT


def test_wrong_options(rater_path: Path) -> None:
    for keep in (0, -1, 1.01, float("nan")):
        with pytest.raises(RallyError, match="keep: expected a share"):
            RatedLoader([], rater_path, keep)
    options: list[dict[str, Any]] = [
        {"batch_size": 0},
        {"ahead": 0},
        {"threads": -1},
        {"cores": []},
        {"cores": [10_000]},
        {"select_from": "everywhere"},
    ]
    for option in options:
        with pytest.raises(RallyError) as caught:
            RatedLoader([], rater_path, 0.5, **option)
        assert caught.value.code == Status.INVALID_ARGUMENT
    with pytest.raises(RallyError, match=r"rater: expected a rally\.Scorer, a path or a callable, found int"):
        RatedLoader([], 3, 0.5)  # type: ignore[arg-type]


def test_a_rater_of_its_own(rater_path: Path, rater: rally.Model) -> None:
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, models.VOCAB, (30, 12)))
    loader = DataLoader(ids, batch_size=5)
    scorer = Scorer(rater_path, threads=1)
    scores = rater.rate(ids.numpy())
    for one in (scorer, rater_path, str(rater_path), rater.rate):
        with RatedLoader(loader, one, keep=0.5, threads=2) as batches:
            for start, batch in zip((0, 10, 20), batches, strict=True):
                best = np.sort(np.argsort(-scores[start : start + 10], kind="stable")[:5]) + start
                assert batch.tolist() == ids[best].tolist()
            assert batches.meter.rated_tokens == 30 * 12


def test_weights(rater: rally.Model) -> None:
    for keep in (1.0, 0.5):
        positions = rated.kept(40, 4, str(keep))
        found = list(RatedLoader(rated.tensors(40, 4), rated.scores, keep, weights=True))
        assert [rated.positions(batch) for batch, _ in found] == positions
        for batch, weights in found:
            expected = torch.softmax(batch[:, 1].double(), 0)
            assert weights.dtype == torch.float32
            torch.testing.assert_close(weights.double(), expected, rtol=1e-6, atol=0)


def test_with_everything_kept_nothing_is_rated() -> None:
    def never(rows: Any) -> Any:
        raise AssertionError

    batches = rated.tensors(10, 4)
    found = list(RatedLoader(batches, never, keep=1))
    assert all(one is other for one, other in zip(found, batches, strict=True))


def test_log(tmp_path: Path) -> None:
    source = [
        {"input_ids": batch, "id": [f"row {p}" for p in rated.positions(batch)]} for batch in rated.tensors(30, 4)
    ]
    path = tmp_path / "dropped.jsonl"
    loader = RatedLoader(source, rated.scores, keep=0.5, log=path)
    for _ in loader:
        lines = path.read_text().splitlines()
        assert len(lines) == loader.meter.drawn_rows - loader.meter.kept_rows
    list(loader)
    kept = {position for batch in rated.kept(30, 4, "0.5") for position in batch}
    expected = [
        {"epoch": epoch, "position": position, "score": float(rated.row(position)[1]), "id": f"row {position}"}
        for epoch in (0, 1)
        for position in range(30)
        if position not in kept
    ]
    assert [json.loads(line) for line in path.read_text().splitlines()] == expected


class Broken(Exception):
    """What a loader or rater raises in these tests."""


def broken_loader(after: int) -> Iterator[torch.Tensor]:
    yield from rated.tensors(100, 4)[:after]
    raise Broken("loader")


def test_exceptions_come_at_their_batch() -> None:
    expected = rated.kept(100, 4, "0.5")
    for after in (0, 1, 2, 7):
        found = []
        with pytest.raises(Broken, match="loader"):  # noqa: PT012
            for batch in RatedLoader(broken_loader(after), rated.scores, keep=0.5, batch_size=4, ahead=3):
                found.append(rated.positions(batch))
        assert found == expected[: after // 2]

    def rate(rows: Any) -> Any:
        if 17 in rows.tokens[:: rated.WIDTH]:
            raise Broken("rater")
        return rated.scores(rows)

    found = []
    with pytest.raises(Broken, match="rater"):  # noqa: PT012
        for batch in RatedLoader(rated.tensors(100, 4), rate, keep=0.5, ahead=5):
            found.append(rated.positions(batch))
    assert found == expected[:2]


@pytest.mark.parametrize(
    ("score", "code"),
    [
        (lambda rows: np.full(len(rows), np.nan), Status.NOT_FINITE),
        (lambda rows: np.zeros(len(rows) + 1), Status.INVALID_SHAPE),
    ],
)
def test_wrong_scores(score: Any, code: Status) -> None:
    with pytest.raises(RallyError) as caught:
        list(RatedLoader(rated.tensors(10, 4), score, keep=0.5))
    assert caught.value.code == code


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "rally-ahead"]


def test_no_thread_is_left() -> None:
    loader = RatedLoader(rated.tensors(1000, 4), rated.scores, keep=0.5)
    for number, _ in enumerate(loader):
        assert threads() == ["rally-ahead"]
        if number == 3:
            break
    assert not threads()
    passing = iter(loader)
    next(passing)
    assert [rated.positions(batch) for batch in loader] == rated.kept(1000, 4, "0.5")
    assert list(passing) == []  # another pass has begun since
    with loader:
        next(iter(loader))
    assert not threads()
    with pytest.raises(Broken):
        list(RatedLoader(broken_loader(5), rated.scores, keep=0.5))
    assert not threads()


def test_runs_no_further_ahead_than_it_may() -> None:
    source = rated.Counted(1000, 4)
    loader = RatedLoader(source, rated.scores, keep=0.5, ahead=2)
    for number, _ in enumerate(loader, start=1):
        time.sleep(0.001)
        assert source.handed_out <= 2 * (number + 2)
        if number == 20:
            break


def test_cores(rater_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    seen = []

    def rate(rows: Any) -> Any:
        seen.append((os.sched_getaffinity(0), threading.current_thread().name))
        return rated.scores(rows)

    before = os.sched_getaffinity(0)
    list(RatedLoader(rated.tensors(20, 4), rate, keep=0.5, cores=[core]))
    assert set(map(str, seen)) == {str(({core}, "rally-ahead"))}
    assert os.sched_getaffinity(0) == before

    known = {int(name) for name in os.listdir("/proc/self/task")}
    loader = RatedLoader(rated.tensors(20, 4), Scorer(rater_path), keep=0.5, cores=[core], threads=3)
    batches = iter(loader)
    next(batches)
    workers = {int(name) for name in os.listdir("/proc/self/task")} - known
    assert len(workers) >= 3  # the thread alongside the trainer is one of them
    assert all(os.sched_getaffinity(worker) == {core} for worker in workers)


def test_meter(rater_path: Path) -> None:
    def slow(rows: Any) -> Any:
        time.sleep(0.01)
        return rated.scores(rows)

    loader = RatedLoader(rated.tensors(40, 4), slow, keep=0.5)
    for _ in loader:
        time.sleep(0.002)
    meter = loader.meter
    assert (meter.batches, meter.drawn_rows, meter.kept_rows) == (5, 40, 20)
    assert meter.rated_tokens == 40 * rated.WIDTH
    assert meter.rating_seconds >= 0.05
    assert meter.training_seconds >= 0.01
    assert 0 < meter.waiting_share < 1
    assert meter.rating_share > 0
    assert meter.cost_ratio is None
    assert str(meter).startswith("5 batches, 20 of 40 rows kept; rated ")


def test_warns_where_rating_costs_more_than_training(rater_path: Path) -> None:
    size = Scorer(rater_path).model.info.parameter_count
    batches = rated.tensors(40, 4)
    loader = RatedLoader(batches, rater_path, keep=0.5, model_parameters=size // 2)
    with pytest.warns(RuntimeWarning, match=r"rating takes 1\.33 times") as caught:
        assert len(list(loader)) + len(list(loader)) == 10
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cheap = RatedLoader(batches, rater_path, keep=0.5, model_parameters=10 * size)
        list(cheap)
    assert cheap.meter.cost_ratio == pytest.approx(1 / 15)
