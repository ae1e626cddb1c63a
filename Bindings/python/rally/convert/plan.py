"""Matches a checkpoint's keys with the canonical names: every key is expected, and every expected key is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rally.convert.checkpoint import Checkpoint
from rally.modelfile import ModelFileError, Tensor

#: Keys named in one message.
NAMED = 3


@dataclass(frozen=True)
class Entry:
    """A weight and where it comes from.

    Attributes
    ----------
    name : str
        Canonical name.
    dims : tuple of int
        Expected shape.
    keys : tuple of str
        The checkpoint's key; or one per recursion, for a tensor of the shared block.
    copies : tuple of str
        Canonical names of the copies, one per key, for when they differ.
    first_only : bool
        The copies of later recursions are never used: keep the first alone.
    source_dims : tuple of int, optional
        Shape in the checkpoint, where it is not ``dims``.
    rows : tuple of int, optional
        The weight is this range of the key's rows.
    """

    name: str
    dims: tuple[int, ...]
    keys: tuple[str, ...]
    copies: tuple[str, ...] = ()
    first_only: bool = False
    source_dims: tuple[int, ...] | None = None
    rows: tuple[int, int] | None = None


def check_keys(checkpoint: Checkpoint, entries: Sequence[Entry], known: Iterable[str] = ()) -> None:
    """Raise an error that names keys that are missing, unknown or of another shape; ``known`` ones may be there."""
    wanted = {key: entry.source_dims or entry.dims for entry in entries for key in entry.keys}
    found = {key: source.dims for key, source in checkpoint.sources.items()}
    unknown = found.keys() - wanted.keys() - set(known)
    problems = [
        _list("missing", [f"{key} {list(wanted[key])}" for key in wanted if key not in found]),
        _list("unknown", [f"{key} {list(found[key])}" for key in found if key in unknown]),
        _list(
            "of the wrong shape",
            [
                f"{key}: expected {list(dims)}, found {list(found[key])}"
                for key, dims in wanted.items()
                if found.get(key, dims) != dims
            ],
        ),
    ]
    if any(problems):
        raise ModelFileError("; ".join(problem for problem in problems if problem))


def _list(what: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    rest = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return f"{'key' if len(items) == 1 else 'keys'} {what}: {', '.join(items[:NAMED])}{rest}"


def collect(checkpoint: Checkpoint, entries: Sequence[Entry], dtype: str | None) -> list[Tensor]:
    """Return the weights of a plan; copies that are equal bit for bit become one."""
    tensors = []
    for entry in entries:
        chosen = dtype if dtype != "bf16" or is_bulk(entry) else "f32"
        if entry.first_only or all(checkpoint.equal(entry.keys[0], key) for key in entry.keys[1:]):
            tensors.append(_part(checkpoint.tensor(entry.keys[0], entry.name, chosen), entry))
        else:
            pairs = zip(entry.copies, entry.keys, strict=True)
            tensors += [checkpoint.tensor(key, name, chosen) for name, key in pairs]
    return tensors


def _part(tensor: Tensor, entry: Entry) -> Tensor:
    if entry.rows is None and entry.source_dims is None:
        return tensor
    start, end = entry.rows or (0, tensor.dims[0])
    return replace(tensor, dims=entry.dims, load=lambda: tensor.load()[start:end].reshape(entry.dims))


def is_bulk(entry: Entry) -> bool:
    """Tell whether a weight is narrowed by ``--dtype bf16``: the large matrices, not what decides or normalises."""
    return len(entry.dims) == 2 and not entry.name.startswith(("router.", "aux_router.", "head.", "exit."))
