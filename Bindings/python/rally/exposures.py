"""How much samples would pass on from a teacher to a student of a base model."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from ctypes import byref
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _handles, _library
from .errors import RallyError, Status
from .model import Model
from .rows import Row, Rows

Numbers = npt.NDArray[np.float64]
Source: TypeAlias = "Model | str | os.PathLike[str]"


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """What a teacher and a base predict along N rows, in nats.

    Attributes
    ----------
    jeffreys : ndarray, shape [N], float64
        Σ over the sampled tokens of (p_T − p_0) · (z_T − z_0) = KL(p_T‖p_0) + KL(p_0‖p_T): the first-order pull of
        distilling the teacher on the row.
    log_ratio : ndarray, shape [N], float64
        Σ log p_T(y) − log p_0(y): above 0 where the teacher finds the row likelier.
    tokens : ndarray, shape [N], int64
        Tokens that were counted.
    """

    jeffreys: Numbers
    log_ratio: Numbers
    tokens: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return self.jeffreys.size

    @property
    def log_e(self) -> Numbers:
        """log E after every row, [N]: the running sum of `log_ratio`."""
        return np.cumsum(self.log_ratio)

    def rejects(self, alpha: float = 0.05) -> bool:
        """Whether "the base wrote these rows" is rejected: log E reached −log(alpha) after some row.

        If the base did, that happens with probability `alpha` at most, however many rows there are and whenever one
        stops (Ville's inequality). It takes rows whose tokens after the given ones were drawn from the base's whole
        distribution: temperature 1, nothing cut off, ended by the model itself. Prompts may be anything.
        """
        if not 0 < alpha < 1:
            raise RallyError(Status.INVALID_ARGUMENT, f"alpha: expected a number between 0 and 1, found {alpha!r}")
        return bool(len(self) and self.log_e.max() >= -math.log(alpha))

    def __repr__(self) -> str:
        return (
            f"<rally.Exposure of {len(self)} rows: {self.jeffreys.sum() / max(int(self.tokens.sum()), 1):.4g} nats "
            f"a token, log E {self.log_ratio.sum():.4g}>"
        )


def exposure(
    teacher: Source,
    base: Source,
    rows: Rows | Iterable[Row] | Iterable[str],
    given: Iterable[int] | None = None,
    batch_rows: int = 256,
) -> Exposure:
    """Compares what a teacher and a student's base predict along rows.

    Parameters
    ----------
    teacher, base : Model or path
        Language models with one tokenizer; not the same `Model` twice.
    rows : iterable of rows of token ids or of texts
        Read as it comes, `batch_rows` at a time; logits are never held for more than 64 tokens.
    given : iterable of int, optional
        Tokens at the beginning of each row that were not sampled, such as its prompt's; 1 each, for no model predicts
        a first token.
    batch_rows : int
        Rows of one call of the library.

    Raises
    ------
    RallyError
        MISMATCH: models that read other tokens. WRONG_KIND: a rater. BUSY: one model twice. All that `Model.forward`
        raises.
    """
    with ExitStack() as stack:
        models = [side if isinstance(side, Model) else stack.enter_context(Model(side)) for side in (teacher, base)]
        if models[0] is models[1]:
            raise RallyError(Status.BUSY, "base: expected another model than the teacher, found it; open it twice")
        counts = None if given is None else iter(given)
        parts = [_measure(models[0], models[1], batch, counts) for batch in _batches(rows, batch_rows)]
    if not parts:
        raise RallyError(Status.EMPTY_INPUT, "rows: expected at least one row, found none")
    if counts is not None and next(counts, None) is not None:
        raise RallyError(Status.INVALID_ARGUMENT, "given: expected one count per row, found more")
    return Exposure(*(np.concatenate([part[index] for part in parts]) for index in range(3)))


def _batches(rows: Any, size: int) -> Iterator[Any]:
    if isinstance(rows, Rows):
        rows = [rows.tokens[start:end] for start, end in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)]
    iterator = iter(rows)
    while batch := list(islice(iterator, max(1, size))):
        yield batch


def _measure(
    teacher: Model, base: Model, rows: Sequence[Any], counts: Iterator[int] | None
) -> tuple[Numbers, Numbers, npt.NDArray[np.int64]]:
    packed = teacher._rows(rows)
    given = None if counts is None else np.array(list(islice(counts, len(packed))), np.uintp)
    if given is not None and given.size != len(packed):
        raise RallyError(Status.INVALID_ARGUMENT, "given: expected one count per row, found fewer")
    jeffreys, log_ratio = np.empty(len(packed)), np.empty(len(packed))
    tokens = np.empty(len(packed), np.uintp)
    library = _library.library()
    scores = library.new("rally_exposure_scores")
    scores.jeffreys, scores.log_ratio = jeffreys.ctypes.data, log_ratio.ctypes.data
    scores.token_counts = tokens.ctypes.data
    address = None if given is None else given.ctypes.data

    def run() -> None:
        arguments = (packed.tokens.ctypes.data, packed.offsets.ctypes.data, len(packed), address)
        with base._turn:
            library.call("rally_exposure", teacher._runner(), base._runner(), *arguments, byref(scores))

    _handles.call(run, teacher.cancel, teacher._turn)
    return jeffreys, log_ratio, tokens.astype(np.int64)
