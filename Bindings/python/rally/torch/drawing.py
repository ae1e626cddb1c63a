"""Rows drawn from a loader of batches, and the place that is reached: what a later run goes on from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils.data import DataLoader

from ..errors import RallyError, Status
from . import batches


@dataclass(frozen=True, slots=True)
class Place:
    """A row of one pass over a loader.

    Attributes
    ----------
    position : int
        Rows before it.
    batches : int
        Batches before the one that it is in.
    offset : int
        Rows of that batch before it.
    loader : object
        The loader's own state before that batch, where it keeps one.
    generators : list of tensor
        States of the loader's random generators before the pass.
    """

    position: int = 0
    batches: int = 0
    offset: int = 0
    loader: Any = None
    generators: list[torch.Tensor] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows ``start`` to ``stop`` of one batch."""

    batch: Any
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class Drawing:
    """One pass over a loader, from a place on.

    Parameters
    ----------
    loader : iterable of batches
        With ``state_dict`` and ``load_state_dict`` it goes on by itself; else batches are counted, and skipped when
        the pass goes on, for which it has to give the same batches again.
    place : Place, optional
        None: from the beginning.
    """

    def __init__(self, loader: Any, place: Place | None = None) -> None:
        place = place or Place()
        self._loader = loader
        self._stateful = is_stateful(loader)
        for generator, state in zip(generators_of(loader), place.generators, strict=False):
            generator.set_state(state)
        place = replace(place, generators=[generator.get_state() for generator in generators_of(loader)])
        if self._stateful and place.loader is not None:
            self._loader.load_state_dict(place.loader)
        self._iterator: Iterator[Any] = iter(loader)
        self._place = replace(place, offset=0, loader=self._state())
        self._skipped = place.batches == 0 or self._stateful
        self._offset = place.offset
        self._batch: Any = None
        self._rows = 0

    @property
    def place(self) -> Place:
        """Of the first row that was not drawn."""
        return replace(self._place, offset=self._offset)

    def draw(self, count: int) -> list[Piece]:
        """The next `count` rows in pieces of batches; fewer, or none, at the end."""
        pieces = []
        while count > 0 and (self._batch is not None or self._next()):
            piece = Piece(self._batch, self._offset, min(self._offset + count, self._rows))
            pieces.append(piece)
            count -= len(piece)
            self._place = replace(self._place, position=self._place.position + len(piece))
            self._offset = piece.stop
            if self._offset == self._rows:
                self._finish_batch()
        return pieces

    def first_count(self) -> int | None:
        """Rows of the first batch; None where there is none."""
        return self._rows if self._batch is not None or self._next() else None

    def _next(self) -> bool:
        """Takes the next batch that has rows; False at the end."""
        self._skip()
        for batch in self._iterator:
            self._batch, self._rows = batch, batches.row_count(batch)
            if self._offset < self._rows:
                return True
            self._finish_batch()
        return False

    def _finish_batch(self) -> None:
        self._place = replace(self._place, batches=self._place.batches + 1, loader=self._state())
        self._batch, self._offset = None, 0

    def _skip(self) -> None:
        """Draws what an earlier run has seen and lets it go."""
        if self._skipped:
            return
        self._skipped = True
        for _ in range(self._place.batches):
            if next(self._iterator, self) is self:
                raise RallyError(
                    Status.INVALID_ARGUMENT,
                    f"loader: ended before batch {self._place.batches}, where the state that was loaded goes on",
                )

    def _state(self) -> Any:
        return self._loader.state_dict() if self._stateful else None


def is_stateful(loader: Any) -> bool:
    """Whether the loader can say where it is, and go on there."""
    return hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")


def generators_of(loader: Any) -> list[torch.Generator]:
    """The random generators that a plain DataLoader draws its order from."""
    if not isinstance(loader, DataLoader) or is_stateful(loader):
        return []
    found = [loader.generator, getattr(loader.sampler, "generator", None)]
    return [
        generator for index, generator in enumerate(found) if generator is not None and generator not in found[:index]
    ]


def beginning(loader: Any) -> Place:
    """The first row of a pass that has not begun.

    Raises
    ------
    RallyError
        UNSUPPORTED: the order of this loader cannot be repeated.
    """
    check_repeatable(loader)
    state = loader.state_dict() if is_stateful(loader) else None
    return Place(loader=state, generators=[generator.get_state() for generator in generators_of(loader)])


def check_repeatable(loader: Any) -> None:
    """Refuses the state of a DataLoader that shuffles by the global random generator.

    Raises
    ------
    RallyError
        UNSUPPORTED.
    """
    if not isinstance(loader, DataLoader) or is_stateful(loader):
        return
    if getattr(loader.sampler, "generator", loader) is None:
        raise RallyError(
            Status.UNSUPPORTED,
            "loader: a DataLoader that shuffles without a generator of its own cannot repeat its order; give it, or its"
            " sampler, generator=torch.Generator(), or use a loader with a state_dict",
        )
