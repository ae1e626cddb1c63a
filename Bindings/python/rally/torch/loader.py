"""A loader of batches that draws more than it hands out, and hands out the best."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy.typing as npt
import torch.distributed as dist

from .. import select
from ..errors import RallyError, Status
from ..rows import Rows, integer
from ..scorer import Scorer
from . import drawing
from .ahead import Ahead
from .drawing import Place
from .dropped import DroppedLog
from .meter import Meter
from .selection import Alone, Share, Together
from .work import Batch, Rating, Work

STATE_VERSION = 1
Rate = Callable[[Rows | list[str]], npt.ArrayLike]


class RatedLoader:
    """Wraps a loader of batches: of every B rows it draws, the best ``keep · B`` make a batch.

    The rater runs on a thread alongside the trainer, some batches ahead. Every batch has exactly N rows, in the order
    in which the loader gave them, as the loader's own collate function makes them; B = ceil(N / keep). A pass ends
    with the loader: of a last short draw the same share is kept, if that is a row at least.

    Parameters
    ----------
    loader : iterable of batches
        A DataLoader, or anything that can be iterated once per epoch. A batch is a tensor [B, T] of token ids; a
        mapping with ``input_ids`` and perhaps ``attention_mask``, whose other entries have one entry per row, too; a
        tuple or list of columns, token ids first; or a list of rows.
    rater : Scorer, path or callable
        A callable gets rows (`rally.Rows`, or texts where the rows are texts) and returns their scores.
    keep : float
        Share of the rows that is kept, in (0, 1]. With 1 nothing is rated, unless for `weights`.
    batch_size : int, optional
        N; None: the rows of the loader's own batches.
    weights : bool
        Whether ``(batch, weights)`` is handed out: softmax of the kept rows' scores, [N] float32 with sum 1. The
        loss of a batch is then the SUM of weight · loss of a row.
    threads : int
        Threads that rate; 0: as the Scorer says, or as many as there are `cores`.
    cores : collection of int, optional
        Cores that rating may use (Linux).
    ahead : int
        Batches that are rated before they are asked for.
    padding : int, optional
        Token id after rows that come from batches of other lengths; None: these are refused.
    log : path, optional
        JSON lines of every dropped row: epoch, position in it, score, id. Every rank needs a file of its own.
    ids : str
        The mapping's entry that the log calls ``id``.
    select_from : {"rank", "all"}
        With torch.distributed: whether every rank keeps the best of its own rows, or all ranks together the best of
        all of them, as many for each. For "all" every rank makes a RatedLoader, iterates over it and ends it at the
        same steps as the others.
    model_parameters : int, optional
        Parameters of the model that is trained: warns where rating costs more computation than training.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT for a wrong argument. While iterating: whatever the rater or `select` raises, at the very batch.

    Notes
    -----
    `state_dict` says where the trainer is, not how far the thread has run ahead. A loader with ``state_dict`` and
    ``load_state_dict`` goes on by its own means; of another one, batches are counted and skipped, so it has to give
    the same batches again (a DataLoader that shuffles needs a ``generator``, whose state is kept).
    """

    def __init__(
        self,
        loader: Iterable[Any],
        rater: Scorer | str | os.PathLike[str] | Rate,
        keep: float,
        *,
        batch_size: int | None = None,
        weights: bool = False,
        threads: int = 0,
        cores: Collection[int] | None = None,
        ahead: int = 2,
        padding: int | None = None,
        log: str | os.PathLike[str] | None = None,
        ids: str = "id",
        select_from: str = "rank",
        model_parameters: int | None = None,
    ) -> None:
        if select_from not in ("rank", "all"):
            raise RallyError(Status.INVALID_ARGUMENT, f"select_from: expected 'rank' or 'all', found {select_from!r}")
        self._loader = loader
        self._share = Share(keep)
        size = getattr(loader, "batch_size", None) if batch_size is None else batch_size
        self._batch_size = None if size is None else integer("batch_size", size, 1, 2**31)
        self._ahead = integer("ahead", ahead, 1, 2**16)
        self._cores = None if cores is None else _checked_cores(cores)
        self._rating = Rating(
            rater, integer("threads", threads, 0, 256) or len(self._cores or ()), self._share, weights
        )
        self._padding, self._ids = padding, ids
        self._log = None if log is None else DroppedLog(log)
        # A group of its own: the thread's collectives must not mix with the trainer's.
        self._group = dist.new_group(backend="gloo") if select_from == "all" else None
        self._model_parameters = model_parameters
        self._epoch = 0
        self._begun = False  # whether a pass with this number has begun
        self._place: Place | None = None  # after the batch that was handed out last; None: of no pass
        self._resumed: Place | None = None  # where the next pass goes on; None: it begins again
        self._running: Ahead[Batch] | None = None
        self.meter = Meter()

    def __iter__(self) -> Iterator[Any]:
        """One pass over the loader, or what a loaded state leaves of it. Ends the pass that is going on."""
        self.close()
        running = self._running = self._begin()
        try:
            while (batch := self._take(running)) is not None:
                handed_out = time.perf_counter()
                yield batch.rows if batch.weights is None else (batch.rows, batch.weights)
                self.meter.training_seconds += time.perf_counter() - handed_out
            if self._running is running:
                self._epoch, self._begun, self._place = self._epoch + 1, False, None
        finally:
            running.stop()

    def _begin(self) -> Ahead[Batch]:
        """Starts the thread of a pass."""
        draws = drawing.Drawing(self._loader, self._resumed)
        if self._resumed is None and self._begun:
            self._epoch += 1
        self._place, self._resumed, self._begun = draws.place, None, True
        selection = Alone(self._share) if self._group is None else Together(self._share, self._group)
        work = Work(draws, self._rating, selection, self._share, self._batch_size, self._padding, self._ids)
        return Ahead(work.next, self._ahead, self._cores, work.leave)

    def _take(self, running: Ahead[Batch]) -> Batch | None:
        """The next batch, entered in the books as handed out."""
        if self._running is not running:
            return None  # another pass has begun
        asked = time.perf_counter()
        batch = running.take()
        self.meter.waiting_seconds += time.perf_counter() - asked
        if batch is None:
            return None
        self._place, self._batch_size = batch.place, batch.size
        batch.enter(self.meter)
        if self._log is not None:
            self._log.write(self._epoch, batch.dropped)
        self._compare_costs()
        return batch

    def _compare_costs(self) -> None:
        """Warns once where rating takes more computation than training."""
        parameters = self._rating.parameters
        if self._model_parameters is None or parameters is None or self.meter.cost_ratio is not None:
            return
        ratio = select.cost_ratio(parameters, self._model_parameters, self._share.discard)
        self.meter.cost_ratio = ratio
        if select.costs_more(ratio, self._share.discard):
            warnings.warn(
                f"rating takes {ratio:.2f} times the computation of training a model of {self._model_parameters:,}"
                " parameters, more than it can save: score the data once, store the scores, and select from them",
                RuntimeWarning,
                stacklevel=4,
            )

    # Going on later

    def state_dict(self) -> dict[str, Any]:
        """Where the trainer is: after the batch that it was given last.

        Raises
        ------
        RallyError
            UNSUPPORTED: a DataLoader that shuffles without a generator, whose order cannot be repeated.
        """
        drawing.check_repeatable(self._loader)
        place = self._place or drawing.beginning(self._loader)
        fields = {name: getattr(place, name) for name in Place.__slots__}
        return {
            "version": STATE_VERSION,
            "epoch": self._epoch,
            "batch_size": self._batch_size,
            "log_bytes": None if self._log is None else self._log.size,
            "place": fields,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a `state_dict`: the next pass begins with the row after it. Rows that were logged since go.

        Raises
        ------
        RallyError
            UNSUPPORTED_VERSION: the state of another release.
        """
        if state.get("version") != STATE_VERSION:
            raise RallyError(
                Status.UNSUPPORTED_VERSION,
                f"state: expected version {STATE_VERSION}, found {state.get('version')!r}; begin the epoch again",
            )
        self.close()
        self._epoch, self._begun, self._batch_size = state["epoch"], False, state["batch_size"]
        self._place = self._resumed = Place(**state["place"])
        if self._log is not None and state["log_bytes"] is not None:
            self._log.cut(state["log_bytes"])

    def close(self) -> None:
        """Ends the pass that is going on and its thread; the rater stays open for the next one."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def __enter__(self) -> RatedLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _checked_cores(cores: Collection[int]) -> set[int]:
    allowed = os.sched_getaffinity(0)
    found = set(cores)
    if not found or not found <= allowed:
        raise RallyError(Status.INVALID_ARGUMENT, f"cores: expected some of {sorted(allowed)}, found {sorted(found)}")
    return found
