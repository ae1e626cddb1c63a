"""Parameter sharing of plain Recursive models: which unrolled layer is which physical layer."""

from __future__ import annotations

from rally.convert.checkpoint import Checkpoint
from rally.modelfile import ModelFileError

#: Matrices by which two layers are recognised as copies. Attention and norms may differ between copies.
_EVIDENCE = ("mlp.up_proj.weight", "mlp.down_proj.weight")

Layers = tuple[int, ...]


def physical_layers(sharing: str, count: int, recursions: int) -> tuple[Layers, tuple[Layers, ...], Layers]:
    """Return the unrolled layers before the block, of each recursion of it, and after it.

    Parameters
    ----------
    sharing : str
        A strategy, or ``none``.
    count : int
        L, unrolled layers.
    recursions : int
        R.

    Returns
    -------
    first, block, last
        ``block[r][j]`` is the unrolled layer at which recursion r runs layer j of the block.
    """
    if sharing == "none":
        return (), (tuple(range(count)),), ()
    middle = sharing.startswith("middle_")
    inner = count - 2 if middle else count
    if inner < recursions or inner % recursions:
        raise ModelFileError(f"sharing {sharing} cannot divide {count} layers into {recursions} recursions")
    start, depth = (1 if middle else 0), inner // recursions
    if sharing.endswith("sequence"):
        block = tuple(tuple(start + j * recursions + r for j in range(depth)) for r in range(recursions))
    else:
        block = tuple(tuple(start + r * depth + j for j in range(depth)) for r in range(recursions))
    return ((0,), block, (count - 1,)) if middle else ((), block, ())


def explain_sharing(checkpoint: Checkpoint, count: int) -> tuple[str, int]:
    """Find the strategy and R that explain which layers are equal bit for bit; ``("none", 1)`` if none are."""
    classes = _classes(checkpoint, count)
    if len(set(classes)) == count:
        return "none", 1
    for sharing in ("middle_cycle", "cycle", "middle_sequence", "sequence"):
        for recursions in range(count, 1, -1):
            inner = count - 2 if sharing.startswith("middle_") else count
            if inner >= recursions and inner % recursions == 0 and classes == _expected(sharing, count, recursions):
                return sharing, recursions
    return "none", 1


def _classes(checkpoint: Checkpoint, count: int) -> list[int]:
    """Return for each layer the first layer that it is a copy of."""
    classes: list[int] = []
    for layer in range(count):
        copies = (other for other in sorted(set(classes)) if _same(checkpoint, layer, other))
        classes.append(next(copies, layer))
    return classes


def _same(checkpoint: Checkpoint, layer: int, other: int) -> bool:
    pairs = [(f"model.layers.{layer}.{kind}", f"model.layers.{other}.{kind}") for kind in _EVIDENCE]
    return all(a in checkpoint.sources and b in checkpoint.sources and checkpoint.equal(a, b) for a, b in pairs)


def _expected(sharing: str, count: int, recursions: int) -> list[int]:
    first, block, last = physical_layers(sharing, count, recursions)
    classes = {index: index for index in (*first, *last)}
    for copy in block:
        classes |= dict(zip(copy, block[0], strict=True))
    return [classes[index] for index in range(count)]
