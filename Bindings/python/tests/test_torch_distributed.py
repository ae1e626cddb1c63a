"""Two processes under gloo: each selects from its own rows, or both together from all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rated
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from rally import RallyError
from rally.torch import RatedLoader

SIZE, KEEP = 4, 0.4


def share_of(rank: int, counts: list[int]) -> list[torch.Tensor]:
    """Batches of one rank: its rows stand after those of the ranks before."""
    first = sum(counts[:rank])
    data = torch.cat(rated.tensors(first + counts[rank] + 1, 1))[first:-1]
    return list(data.split(SIZE)) if len(data) else []


def pass_over(rank: int, folder: Path, counts: list[int], select_from: str) -> None:
    """Batches of a pass, and of one that is interrupted after its second batch, where it has one, and goes on again."""

    def loader() -> RatedLoader:
        log = folder / f"dropped-{rank}.jsonl"
        return RatedLoader(share_of(rank, counts), rated.scores, KEEP, select_from=select_from, log=log)

    first, second = loader(), loader()
    begun, together = [], []
    for batch in first:
        begun.append(rated.positions(batch))
        if len(begun) == 2:
            break
        total = torch.tensor(len(batch))  # the trainer's own collectives, alongside those of the loader
        dist.all_reduce(total)
        together.append(int(total))
    rest = []
    if len(begun) == 2:
        second.load_state_dict(first.state_dict())
        rest = [rated.positions(batch) for batch in second]
    (folder / f"dropped-{rank}.jsonl").unlink(missing_ok=True)
    whole = [rated.positions(batch) for batch in loader()]
    found = {"begun": begun, "rest": rest, "whole": whole, "together": together}
    (folder / f"{rank}.json").write_text(json.dumps(found))


def fail(rank: int, folder: Path, broken: str) -> None:
    """Rank 1 fails or leaves at its third batch; rank 0 hears of it, in its place."""

    def rate(rows: Any) -> Any:
        if broken == "rater" and rank == 1 and rows.tokens[0] >= 400 + 2 * 10:
            raise ValueError("no score")
        return rated.scores(rows)

    loader = RatedLoader(share_of(rank, [400, 400]), rate, KEEP, select_from="all")
    found, message = 0, ""
    try:
        for _ in loader:
            found += 1
            if broken == "loop" and rank == 1 and found == 3:
                break
    except (RallyError, ValueError) as error:
        message = str(error)
    (folder / f"{rank}.json").write_text(json.dumps({"found": found, "message": message}))


def start(rank: int, folder: Path, function: Any, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    function(rank, folder, *arguments)
    dist.barrier()
    dist.destroy_process_group()


def run(folder: Path, function: Any, *arguments: Any) -> list[Any]:
    """What both ranks write."""
    mp.start_processes(start, (folder, function, arguments), nprocs=2, start_method="fork")
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_every_rank_by_itself(tmp_path: Path) -> None:
    counts = [50, 50]
    for rank, found in enumerate(run(tmp_path, pass_over, counts, "rank")):
        first = sum(counts[:rank])
        expected = rated.kept(first + counts[rank], SIZE, str(KEEP), first)
        assert found["whole"] == found["begun"] + found["rest"] == expected


def best_of_all(counts: list[int]) -> list[list[int]]:
    """Positions that both ranks keep in every round."""
    rounds = []
    at, ends = [0, counts[0]], [counts[0], sum(counts)]
    draw = 10  # ceil(4 / .4)
    while True:
        drawn = [p for rank in (0, 1) for p in range(at[rank], min(at[rank] + draw, ends[rank]))]
        number = 2 * SIZE if len(drawn) == 2 * draw else 2 * (len(drawn) * 2 // 5 // 2)
        if number == 0:
            return rounds
        best = sorted(drawn, key=lambda position: (-rated.row(position)[1], position))[:number]
        rounds.append(sorted(best))
        at = [start + draw for start in at]


@pytest.mark.parametrize("counts", [[50, 50], [47, 25], [12, 60], [0, 45], [3, 2]])
def test_all_ranks_together(tmp_path: Path, counts: list[int]) -> None:
    ranks = run(tmp_path, pass_over, counts, "all")
    expected = best_of_all(counts)
    lengths = [[len(batch) for batch in found["whole"]] for found in ranks]
    assert lengths[0] == lengths[1] == [len(best) // 2 for best in expected]
    for one, other, best in zip(*(found["whole"] for found in ranks), expected, strict=True):
        assert sorted(one + other) == best
    for rank, found in enumerate(ranks):
        assert found["whole"] == found["begun"] + found["rest"]
        kept_here = {p for batch in found["whole"] for p in batch}
        dropped = [
            json.loads(line)["position"] for line in (tmp_path / f"dropped-{rank}.jsonl").read_text().splitlines()
        ]
        assert len(set(dropped)) == len(dropped)
        assert not {p + sum(counts[:rank]) for p in dropped} & {p for best in expected for p in best}
        assert kept_here <= {p for best in expected for p in best}


@pytest.mark.parametrize("broken", ["rater", "loop"])
def test_what_one_rank_does_the_others_hear(tmp_path: Path, broken: str) -> None:
    one, other = run(tmp_path, fail, broken)
    if broken == "rater":
        assert (other["found"], other["message"]) == (2, "no score")
        assert one["found"] == 2
        assert one["message"] == "rank 1: ValueError: no score [CANCELLED]"
    else:
        assert (other["found"], other["message"]) == (3, "")
        assert 3 <= one["found"] <= 6
        assert one["message"] == "rank 1: left the loop before its end [CANCELLED]"
