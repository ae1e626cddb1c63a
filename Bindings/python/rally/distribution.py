"""The distribution of any number of scores, in little memory."""

from __future__ import annotations

import os
from ctypes import byref, c_size_t, c_void_p
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ._files import replacing
from ._handles import Handle
from ._library import library
from .errors import RallyError, Status
from .rows import integer
from .select import Numbers, numbers


@runtime_checkable
class Labelled(Protocol):
    """What has scores: `Scorer` and `Model`."""

    def label(self) -> str:
        """Of the scores that it gives without further arguments."""
        ...


class Distribution:
    """Which share of the scores lies below a score, and the reverse; can be saved, pickled and merged.

    Exact while there are at most `capacity` scores; beyond, no quantile is wrong by more than `rank_error`. That is
    certain, not likely: at most 0.11 % at a million scores in one stream and 0.23 % at a billion, in any order, and
    twice as much in any tree of merges. Reads may run together; writes take turns.

    Parameters
    ----------
    label : str or Scorer
        What the scores are of, as `Scorer.label` and `Model.label` write it; a scorer (or model) stands for its label
        without arguments. Distributions of different labels are never merged.
    capacity : int
        Scores that are kept of each doubling: even, 8 to 2**20.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT.
    """

    def __init__(self, label: str | Labelled = "", capacity: int = 4096) -> None:
        label = label.label() if isinstance(label, Labelled) else label
        if not isinstance(label, str) or "\0" in label:
            raise RallyError(Status.INVALID_ARGUMENT, f"label: expected text without NUL, found {label!r}")
        address = c_void_p()
        library().call(
            "rally_distribution_open", label.encode(), integer("capacity", capacity, 1, 2**63 - 1), byref(address)
        )
        self._own(address)

    def _own(self, address: c_void_p) -> None:
        self._handle = Handle(library(), "rally_distribution_close", address.value, "distribution")

    def __reduce__(self) -> tuple[Any, ...]:
        return Distribution.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"<rally.Distribution {self.label!r}, {self.count} scores>"

    def add(self, scores: Numbers) -> None:
        """Adds scores, infinities included; on an error none.

        Parameters
        ----------
        scores : array_like, any shape
            Taken as float32.

        Raises
        ------
        RallyError
            NOT_FINITE for a NaN.
        """
        array = numbers("scores", scores, np.float32)
        library().call("rally_distribution_add", self._handle.address, array.ctypes.data, array.size)

    def merge(self, other: Distribution) -> None:
        """Adds all that another distribution has seen, which stays as it is.

        Raises
        ------
        RallyError
            MISMATCH for another label or capacity.
        """
        library().call("rally_distribution_merge", self._handle.address, other._handle.address)

    def cdf(self, scores: Numbers) -> npt.NDArray[np.float64]:
        """The mid-rank of each score: (scores below it + half of those equal to it) / all.

        Parameters
        ----------
        scores : array_like, any shape
            Taken as float32.

        Returns
        -------
        ndarray, shape of scores, float64, in [0, 1]

        Raises
        ------
        RallyError
            EMPTY_INPUT while there are none, NOT_FINITE for a NaN.
        """
        array = numbers("scores", scores, np.float32)
        found = np.empty(array.shape, np.float64)
        library().call("rally_distribution_cdf", self._handle.address, array.ctypes.data, array.size, found.ctypes.data)
        return found

    def quantile(self, p: Numbers) -> npt.NDArray[np.float32]:
        """The lowest score that the share p of all does not exceed: the minimum at 0, the maximum at 1.

        Parameters
        ----------
        p : array_like, any shape
            In [0, 1].

        Returns
        -------
        ndarray, shape of p, float32

        Raises
        ------
        RallyError
            EMPTY_INPUT while there are none, INVALID_ARGUMENT.
        """
        array = numbers("p", p, np.float64)
        found = np.empty(array.shape, np.float32)
        library().call(
            "rally_distribution_quantile", self._handle.address, array.ctypes.data, array.size, found.ctypes.data
        )
        return found

    def _info(self) -> Any:
        info = library().new("rally_distribution_info")
        library().call("rally_distribution_get_info", self._handle.address, byref(info))
        return info

    @property
    def label(self) -> str:
        """What the scores are of."""
        return str(self._info().label.decode())

    @property
    def capacity(self) -> int:
        """Scores that are kept of each doubling."""
        return int(self._info().capacity)

    @property
    def count(self) -> int:
        """Scores that were added."""
        return int(self._info().count)

    @property
    def minimum(self) -> float:
        """The least of all scores that were added; NaN while there are none."""
        return float(self._info().minimum)

    @property
    def maximum(self) -> float:
        """The greatest of all scores that were added; NaN while there are none."""
        return float(self._info().maximum)

    @property
    def rank_error(self) -> float:
        """No quantile is wrong by more than this share of all scores."""
        return float(self._info().rank_error)

    def to_bytes(self) -> bytes:
        """All of it, with label and checksum. The same scores in the same order give the same bytes everywhere."""
        size = c_size_t()
        library().call("rally_distribution_save", self._handle.address, None, 0, byref(size))
        data = np.empty(size.value, np.uint8)
        library().call("rally_distribution_save", self._handle.address, data.ctypes.data, data.size, byref(size))
        return data.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Distribution:
        """Opens what `to_bytes` gave.

        Raises
        ------
        RallyError
            CORRUPT_FILE, UNSUPPORTED_VERSION.
        """
        held = np.frombuffer(data, np.uint8)
        address = c_void_p()
        library().call("rally_distribution_load", held.ctypes.data, held.size, byref(address))
        made = cls.__new__(cls)
        made._own(address)
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the bytes to a file, which is replaced in one step."""
        with replacing(Path(path)) as file:
            file.write(self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Distribution:
        """Reads what `save` wrote.

        Raises
        ------
        RallyError
            FILE_NOT_FOUND, CORRUPT_FILE, UNSUPPORTED_VERSION.
        """
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            raise RallyError(Status.FILE_NOT_FOUND, f"{os.fspath(path)}: expected a file, found none") from None
        try:
            return cls.from_bytes(data)
        except RallyError as error:
            raise RallyError(error.code, f"{os.fspath(path)}: {error.message}") from None
