"""A run that is interrupted after any batch and goes on later sees every row once, as if nothing had been."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rated
import torch
from torch.utils.data import DataLoader, TensorDataset
from torchdata.stateful_dataloader import StatefulDataLoader

from rally import RallyError, Status
from rally.torch import RatedLoader

COUNT, SIZE = 70, 6


def rows() -> torch.Tensor:
    return torch.cat(rated.tensors(COUNT, SIZE))


def shuffled(workers: int = 0) -> Callable[[], Any]:
    def make() -> Any:
        generator = torch.Generator().manual_seed(3)
        return DataLoader(rows(), batch_size=SIZE, shuffle=True, generator=generator, num_workers=workers)

    return make


def stateful() -> Any:
    generator = torch.Generator().manual_seed(3)
    return StatefulDataLoader(rows(), batch_size=SIZE, shuffle=True, generator=generator)


LOADERS: dict[str, Callable[[], Any]] = {
    "list": lambda: rated.tensors(COUNT, SIZE),
    "dataset": lambda: DataLoader(TensorDataset(rows()), batch_size=SIZE),
    "shuffled": shuffled(),
    "counted": lambda: rated.Counted(COUNT, SIZE),
}


def run(loader: RatedLoader, batches: int) -> list[list[list[int]]]:
    """The next batches over as many passes as they take."""
    found: list[Any] = []
    while len(found) < batches:
        for batch in loader:
            found.append(batch[0].tolist() if isinstance(batch, list) else batch.tolist())
            if len(found) == batches:
                break
    return found


@pytest.mark.parametrize("size", [None, 4])
@pytest.mark.parametrize("name", LOADERS)
def test_goes_on_behind_any_batch(name: str, size: int | None, tmp_path: Path) -> None:
    def loader(log: str) -> RatedLoader:
        return RatedLoader(LOADERS[name](), rated.scores, 0.4, batch_size=size, log=tmp_path / log)

    a_pass = sum(1 for _ in loader("one"))
    total = 2 * a_pass + 2
    whole = run(loader("whole"), total)
    logged = (tmp_path / "whole").read_text()
    for at in range(total):
        log = f"parts {at}"
        first = loader(log)
        file = io.BytesIO()
        begun = run(first, at)
        torch.save(first.state_dict(), file)
        if at < total - 1:
            run_on(first)  # what happens after the checkpoint is lost
        file.seek(0)
        second = loader(log)
        second.load_state_dict(torch.load(file, weights_only=True))
        assert begun + run(second, total - at) == whole
        assert (tmp_path / log).read_text() == logged


def run_on(loader: RatedLoader) -> None:
    for _ in loader:
        break


def test_a_pass_that_was_left_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    loader = RatedLoader(rated.tensors(COUNT, SIZE), rated.scores, 0.5, log=path)
    run_on(loader)
    assert [rated.positions(batch) for batch in loader] == rated.kept(COUNT, SIZE, "0.5")
    assert {json.loads(line)["epoch"] for line in path.read_text().splitlines()} == {0, 1}


def test_behind_the_last_batch_nothing_is_left() -> None:
    loader = RatedLoader(rated.tensors(COUNT, SIZE), rated.scores, 0.5)
    batches = iter(loader)
    for _ in rated.kept(COUNT, SIZE, "0.5"):
        next(batches)
    state = loader.state_dict()
    other = RatedLoader(rated.tensors(COUNT, SIZE), rated.scores, 0.5)
    other.load_state_dict(state)
    assert list(other) == []
    assert [rated.positions(batch) for batch in other] == rated.kept(COUNT, SIZE, "0.5")


def test_torchdata() -> None:
    """Its loader keeps its place in a pass, not the order of the passes after it."""
    whole = [batch.tolist() for batch in RatedLoader(stateful(), rated.scores, 0.4, batch_size=4)]
    for at in range(len(whole) + 1):
        first, second = (RatedLoader(stateful(), rated.scores, 0.4, batch_size=4) for _ in range(2))
        passing = iter(first)
        begun = [next(passing).tolist() for _ in range(at)]
        second.load_state_dict(first.state_dict())
        assert begun + [batch.tolist() for batch in second] == whole


def test_a_stateful_loader_is_not_read_again() -> None:
    first = RatedLoader(rated.Counted(COUNT, SIZE), rated.scores, 0.5)
    run(first, 3)
    source = rated.Counted(COUNT, SIZE)
    second = RatedLoader(source, rated.scores, 0.5)
    second.load_state_dict(first.state_dict())
    list(second)
    assert source.handed_out == len(source.batches) - 6


def test_workers() -> None:
    whole = run(RatedLoader(shuffled(2)(), rated.scores, 0.5), 5)
    first = RatedLoader(shuffled(2)(), rated.scores, 0.5)
    begun = run(first, 2)
    second = RatedLoader(shuffled(2)(), rated.scores, 0.5)
    second.load_state_dict(first.state_dict())
    assert begun + run(second, 3) == whole


def test_an_order_that_nobody_can_repeat() -> None:
    loader = RatedLoader(DataLoader(rows(), batch_size=SIZE, shuffle=True), rated.scores, 0.5)
    assert len(run(loader, 3)) == 3
    with pytest.raises(RallyError, match="without a generator") as caught:
        loader.state_dict()
    assert caught.value.code == Status.UNSUPPORTED


def test_states_that_do_not_fit() -> None:
    first = RatedLoader(rated.tensors(COUNT, SIZE), rated.scores, 0.5)
    run(first, 4)
    with pytest.raises(RallyError) as caught:
        first.load_state_dict({**first.state_dict(), "version": 2})
    assert caught.value.code == Status.UNSUPPORTED_VERSION
    short = RatedLoader(rated.tensors(12, SIZE), rated.scores, 0.5)
    short.load_state_dict(first.state_dict())
    with pytest.raises(RallyError, match="ended before batch 8"):
        list(short)
