"""Whether two models come from one initialisation, from their weights alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from ctypes import byref
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _handles, _library
from ._library import Library
from .errors import RallyError, Status
from .rows import integer

#: A matrix whose rows are hidden units, or several that share them.
Units: TypeAlias = "npt.ArrayLike | Sequence[npt.ArrayLike]"
Source: TypeAlias = "str | os.PathLike[str] | Mapping[str, Units]"

VERDICTS = {0: "not seen", 1: "shared, no exposure seen", 2: "shared, partial exposure", 3: "shared, strong exposure"}
_TENSORS, _SETS, _HEAD = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Match:
    """How well the hidden units of two matrices match, pair by pair.

    Attributes
    ----------
    name : str
        Of the matrix in the first model, or of the set.
    set : str
        Matrices of one set share their units.
    units, all_units : int
        Units that were compared, of as many as there are.
    rho : float
        Mean cosine of the pairs, less that of all units: near 1 for equal weights (by about one part
        in as many as there are units), about 0 for independent ones.
    z : float
        The same in standard deviations of random pairings.
    p : float
        (1 + reached) / (1 + permutations).
    reached : int
        Random pairings that matched as well. With 0, p < 1 / (1 + permutations) is all that is known.
    """

    name: str
    set: str
    units: int
    all_units: int
    rho: float
    z: float
    p: float
    reached: int


@dataclass(frozen=True, slots=True)
class LineageReport:
    """What a lineage test found; printing it gives a table.

    Attributes
    ----------
    tensors : tuple of Match
        One per matrix. Those of one set depend on each other.
    sets : tuple of Match
        Matrices that share their units, as one; `p` is combined from these.
    head : Match or None
        The output head, apart: heads are often made again.
    p : float
        Of all sets, by Fisher's method.
    rho : float
        Of all sets, each counted by the units that were compared.
    verdict : {"not seen", "shared, no exposure seen", "shared, partial exposure", "shared, strong exposure"}
        From p below 0.001 on shared, then by rho: from 0.75, from 0.95. Calibrated on a toy.
    text : str
        The verdict in a sentence, with what it does not prove.
    permutations, seed : int
    """

    tensors: tuple[Match, ...]
    sets: tuple[Match, ...]
    head: Match | None
    p: float
    rho: float
    verdict: str
    text: str
    permutations: int
    seed: int

    def json(self) -> str:
        """One object of JSON with everything above."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        rows = [("units", "of", "rho", "z", "p")]
        names = ["name"]
        for match in (*self.tensors, *self.sets, *([self.head] if self.head else [])):
            names.append(match.name + (" (head)" if match is self.head else ""))
            p = self._p(match.p, match.reached)
            rows.append((str(match.units), str(match.all_units), f"{match.rho:.3f}", f"{match.z:.1f}", p))
        wide = max(map(len, names))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = [
            "  ".join([name.ljust(wide), *(cell.rjust(width) for cell, width in zip(row, widths, strict=True))])
            for name, row in zip(names, rows, strict=True)
        ]
        smallest = 1 / (1 + self.permutations)
        p = f"p < {smallest:.2g}" if self.p < smallest else f"p = {self.p:.2g}"
        return "\n".join([*lines, f"{p}, rho {self.rho:.3f}: {self.text}"])

    def _p(self, p: float, reached: int) -> str:
        return f"{p:.2g}" if reached else f"< {p:.2g}"


def lineage(
    a: Source,
    b: Source,
    permutations: int = 9999,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> LineageReport:
    """Tests whether two models share an initialisation, as a teacher and a student must not where traits matter.

    Hidden units at the same places of both models are compared with units paired at random. Under independent
    initialisations that makes no difference, whatever the models were trained on, also on each other's outputs.

    Parameters
    ----------
    a, b : str, path, or mapping of name to matrices
        Model files, ``.safetensors`` files or folders of Hugging Face's libraries. Or matrices [units, features]: rows
        are hidden units, so a down projection is passed transposed, and a list holds several matrices of the same
        units, such as ``{"layer 0": [gate, up, down.T]}``. Those called ``head`` or ``lm_head`` are the head.
    permutations : int
        Random pairings.
    seed : int
        Of the pairings; the same seed gives the same report, with any number of threads.
    threads : int, optional
        As many as this process may use.
    progress : callable, optional
        Called with the sets of units that were compared, and those in all. What it raises ends the call.

    Raises
    ------
    RallyError
        MISMATCH: models of other shapes. UNSUPPORTED: no layers by names that are known, or too few units. NOT_FINITE,
        INVALID_SHAPE, INVALID_VALUE (units all alike), INVALID_ARGUMENT, and all that opening files raises.
    """
    library = _library.library()
    options = library.new("rally_lineage_options")
    options.permutations = integer("permutations", permutations, 0, 2**63 - 1)
    options.seed = integer("seed", seed, 0, 2**64 - 1)
    options.threads = 0 if threads is None else integer("threads", threads, 1, 2**31 - 1)
    if isinstance(a, Mapping) != isinstance(b, Mapping):
        raise RallyError(Status.MISMATCH, "lineage: expected two files or two mappings, found one of each")
    handle = _library.Handle()

    def run() -> None:
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            left, right = _Matrices(library, "a", a), _Matrices(library, "b", b)
            arguments = (left.raw, len(left.raw), right.raw, len(right.raw))
            library.call("rally_lineage_matrices", *arguments, byref(options), byref(handle))
        else:
            library.call("rally_lineage", _path(a), _path(b), byref(options), byref(handle))

    _handles.call_with_progress(options, progress, run)
    opened = _handles.Handle(library, "rally_lineage_close", handle.value, "lineage report")
    try:
        return _read(library, opened.address)
    finally:
        opened.close()


def _path(source: Any) -> bytes:
    path = os.fsencode(source)
    if b"\0" in path:
        raise RallyError(Status.INVALID_ARGUMENT, f"path: {os.fsdecode(path)!r} contains a zero byte")
    return path


class _Matrices:
    """Matrices as the library takes them, and the arrays that they point into."""

    def __init__(self, library: Library, side: str, source: Mapping[str, Units]) -> None:
        self._kept: list[Any] = []
        entries = [entry for name, units in source.items() for entry in self._entries(side, name, units)]
        self.raw = (_library.Matrix * len(entries))()
        for raw, (name, group, array) in zip(self.raw, entries, strict=True):
            empty = library.new("rally_matrix")
            raw.struct_size, raw.name, raw.set = empty.struct_size, name.encode(), group.encode()
            raw.data, raw.rows, raw.columns = array.ctypes.data, *array.shape
            self._kept.append((raw.name, raw.set, array))

    @staticmethod
    def _entries(side: str, name: str, units: Units) -> list[tuple[str, str, npt.NDArray[np.float32]]]:
        if "\0" in name:
            raise RallyError(Status.INVALID_ARGUMENT, f"{side}: name {name!r} contains a zero byte")
        parts: Sequence[Any] = [units]
        if isinstance(units, (list, tuple)) and units and np.ndim(units[0]) == 2:
            parts = units
        several = parts is units
        entries = []
        for index, part in enumerate(parts):
            array = np.ascontiguousarray(part, np.float32)
            if array.ndim != 2:
                raise RallyError(
                    Status.INVALID_SHAPE, f"{side}[{name!r}]: expected a matrix [units, features], found {array.shape}"
                )
            entries.append((f"{name}[{index}]" if several else name, name, array))
        return entries


def _read(library: Library, report: int | None) -> LineageReport:
    result = library.new("rally_lineage_result")
    library.call("rally_lineage_get_result", report, byref(result))

    def matches(kind: int, count: int) -> tuple[Match, ...]:
        found = []
        for index in range(count):
            entry = library.new("rally_lineage_entry")
            library.call("rally_lineage_entry_at", report, kind, index, byref(entry))
            texts = (entry.name.decode(), entry.set.decode())
            found.append(Match(*texts, entry.units, entry.all_units, entry.rho, entry.z, entry.p, entry.reached))
        return tuple(found)

    return LineageReport(
        tensors=matches(_TENSORS, result.tensor_count),
        sets=matches(_SETS, result.set_count),
        head=next(iter(matches(_HEAD, result.head_count)), None),
        p=result.p,
        rho=result.rho,
        verdict=VERDICTS[result.verdict],
        text=library.c.rally_lineage_verdict_text(result.verdict).decode(),
        permutations=result.permutations,
        seed=result.seed,
    )
