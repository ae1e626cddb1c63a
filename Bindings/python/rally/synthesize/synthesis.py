"""Puts a synthetic model together."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from rally.convert.conversion import Summary, summarise
from rally.modelfile import LanguageModel, ModelFileError, Tensor, write_model
from rally.modelfile.tensors import float_tensor
from rally.synthesize.calibration import calibrate
from rally.synthesize.exits import gate
from rally.synthesize.shapes import SHAPES
from rally.synthesize.weights import RandomWeights, weight_dims


def synthesize(
    shape: str,
    out: str | os.PathLike[str],
    *,
    seed: int = 0,
    dtype: str = "f32",
    external_data: bool = False,
    positions: int | None = None,
    exits: tuple[float, ...] | None = None,
    quiet: bool = False,
) -> Summary:
    """Write a model of a named shape with seeded random weights.

    The weights mean nothing, but they behave: activations stay of order one, and on random ids the tokens of an
    expert-choice model leave in the paper's proportions under threshold selection.

    Parameters
    ----------
    shape : str
        A key of :data:`rally.synthesize.SHAPES`.
    out : str or path
        The file to write.
    seed : int
        Same seed, same file.
    dtype : {"f32", "bf16"}
        Element type of the large matrices.
    external_data : bool
        Keep the weights in a side file whatever their size.
    positions : int, optional
        Tokens that a row may have; None: as many as the shape was published with.
    exits : tuple of float, optional
        Of a model with a gate: the share of tokens that leaves after each loop, the first first; None: equal shares.
    quiet : bool
        No progress bar.

    Returns
    -------
    Summary
        What was written.
    """
    out = Path(out)
    if shape not in SHAPES:
        raise ModelFileError(f"unknown shape {shape!r}; known: {', '.join(SHAPES)}")
    model = replace(SHAPES[shape], name=f"{shape}, random weights, seed {seed}")
    if positions is not None:
        model = replace(model, max_position_embeddings=positions)
    weights = RandomWeights(seed, dtype)
    gates: list[Tensor] = []

    def progress(layers: Iterable[int], label: str) -> Iterable[int]:
        bar: Iterable[int] = tqdm(layers, label, disable=quiet or None, leave=False)
        return bar

    if isinstance(model, LanguageModel) and model.exit == "hazard":
        shares = exits or (1 / model.num_recursion,) * model.num_recursion
        model, weights, gates = gate(model, weights, shares, progress)
    elif exits is not None:
        raise ModelFileError(f"exits: {shape} has no gate by which tokens leave")
    tensors = [weights.tensor(name, dims) for name, dims in weight_dims(model).items()] + gates
    if isinstance(model, LanguageModel):
        routers = calibrate(model, weights, progress=progress)
        tensors += [float_tensor(f"router.{index}.weight", router) for index, router in enumerate(routers)]
    total = sum(tensor.byte_count for tensor in tensors)
    with tqdm(total=total, unit="B", unit_scale=True, desc=out.name, disable=quiet or None, leave=False) as bar:
        written = write_model(out, model, tensors, external_data=external_data, progress=bar.update)
    return summarise(model, tensors, written)
