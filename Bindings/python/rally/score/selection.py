"""Which documents stay, by their stored scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import select
from ..errors import RallyError, Status
from ..sweep import kept_count

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Selection:
    """How documents are chosen; exactly one of the first three.

    Attributes
    ----------
    discard : float, optional
        ρ: of n documents the ⌊n (1 - ρ)⌋ with the highest scores stay, of equal ones the earlier.
    threshold : float, optional
        Those that score at least so much.
    accept : (int, int), optional
        B and K: each with the probability that it is among the best K of B, decided by its id.
    seed : int
        Of `accept`.
    per_source : bool
        Whether ρ is taken of each source by itself.
    source_discards : dict of float
        ρ of single sources; those that are not named have `discard`.
    drop_duplicates : bool
        Whether of documents with the same content only the first is looked at.
    """

    discard: float | None = None
    threshold: float | None = None
    accept: tuple[int, int] | None = None
    seed: int = 0
    per_source: bool = False
    source_discards: Mapping[str, float] = field(default_factory=dict)
    drop_duplicates: bool = False

    def __post_init__(self) -> None:
        given = [name for name in ("discard", "threshold", "accept") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise _invalid(f"selection: expected one of discard, threshold and accept, found {found}")
        for share in (self.discard, *self.source_discards.values()):
            if share is not None and not 0 <= share < 1:
                raise _invalid(f"discard: expected a share in [0, 1), found {share}")
        if self.accept is not None and not 0 <= self.accept[1] <= self.accept[0] <= 1 << 24:
            raise _invalid(f"accept: expected B,K with K from 0 to B, found {self.accept[0]},{self.accept[1]}")
        if (self.per_source or self.source_discards) and self.discard is None:
            raise _invalid("per_source: goes with a share to discard")

    @property
    def beyond_a_share(self) -> str | None:
        """What is asked for besides one share of all documents, in words; None: nothing."""
        asked = {
            "a threshold": self.threshold is not None,
            "a choice by chance": self.accept is not None,
            "shares of sources": self.per_source or bool(self.source_discards),
            "one without duplicates": self.drop_duplicates,
        }
        return next((words for words, is_asked in asked.items() if is_asked), None)

    def written(self) -> dict[str, Any]:
        """For the file that says what was kept."""
        accept = None if self.accept is None else list(self.accept)
        return asdict(self) | {"accept": accept, "source_discards": dict(self.source_discards)}


@dataclass(slots=True)
class Chosen:
    """The decision on every document, in the order of the scores.

    Attributes
    ----------
    stays, is_duplicate : ndarray [n], bool
    file : ndarray [n], int32
        Places in `files`.
    files : list of str
    row : ndarray [n], int64
    """

    stays: Mask
    is_duplicate: Mask
    file: npt.NDArray[np.int32]
    files: list[str]
    row: npt.NDArray[np.int64]


def choose(rows: Iterable[Any], how: Selection, fingerprint: str) -> Chosen:
    """Decides on all documents.

    Parameters
    ----------
    rows : iterable of pyarrow.RecordBatch
        With id, source, score, quantile, file, row and content_hash.
    fingerprint : str
        The rater's.
    """
    scores, rows_, files, sources, hashes, drawn = [], [], [], [], [], []
    file_codes: dict[str, int] = {}
    source_codes: dict[str, int] = {}
    for part in rows:
        scores.append(part.column("score").to_numpy(zero_copy_only=False).astype(np.float32))
        rows_.append(part.column("row").to_numpy())
        files.append(_codes(part.column("file"), file_codes))
        if how.per_source or how.source_discards:
            sources.append(_codes(part.column("source"), source_codes))
        if how.drop_duplicates:
            hashes.append(np.frombuffer(b"".join(part.column("content_hash").to_pylist()), "S16"))
        if how.accept is not None:
            drawn.append(_drawn(part, how, fingerprint))
    count = sum(one.size for one in scores)
    score = _joined(scores, np.float32)
    duplicate = _duplicates(_joined(hashes, "S16")) if how.drop_duplicates else np.zeros(count, bool)
    stays = ~duplicate
    if how.threshold is not None:
        stays &= score >= np.float32(how.threshold)
    elif how.accept is not None:
        stays &= _joined(drawn, bool)
    else:
        assert how.discard is not None
        for places, share in _groups(stays, sources, source_codes, how):
            kept = select.top(np.ascontiguousarray(score[places]), kept_count(places.size, share))
            stays[places] = False
            stays[places[kept]] = True
    return Chosen(stays, duplicate, _joined(files, np.int32), list(file_codes), _joined(rows_, np.int64))


def _groups(
    looked_at: Mask, sources: list[npt.NDArray[np.int32]], codes: dict[str, int], how: Selection
) -> list[tuple[npt.NDArray[np.intp], float]]:
    """Places of documents that are ranked among each other, and the share of them to discard."""
    assert how.discard is not None
    if not sources:
        return [(np.flatnonzero(looked_at), how.discard)]
    source = _joined(sources, np.int32)
    if unknown := how.source_discards.keys() - codes.keys():
        raise _invalid(f"discard: no source {min(unknown)!r}; there are {', '.join(sorted(codes)[:10])}")
    order = np.argsort(source, kind="stable")
    ends = np.searchsorted(source[order], np.arange(len(codes) + 1))
    named = {codes[name]: share for name, share in how.source_discards.items()}
    groups, rest = [], []
    for code in range(len(codes)):
        places = order[ends[code] : ends[code + 1]]
        places = places[looked_at[places]]
        if how.per_source or code in named:
            groups.append((places, named.get(code, how.discard)))
        else:
            rest.append(places)
    if rest:
        groups.append((np.sort(np.concatenate(rest)), how.discard))
    return groups


def _drawn(part: Any, how: Selection, fingerprint: str) -> Mask:
    assert how.accept is not None
    batch, keep = how.accept
    chance = select.acceptance(part.column("quantile").to_numpy(zero_copy_only=False), batch, keep)
    found: Mask = np.asarray(select.decide(part.column("id").to_pylist(), chance, fingerprint, how.seed), bool)
    return found


def _duplicates(hashes: npt.NDArray[Any]) -> Mask:
    """Whether the same content came before."""
    # Two numbers instead of bytes, of which NumPy drops zeros at the end.
    numbers = hashes.view(np.uint64).reshape(-1, 2) if hashes.size else np.empty((0, 2), np.uint64)
    order = np.lexsort((numbers[:, 1], numbers[:, 0]))
    ordered = numbers[order]
    again = np.zeros(order.size, bool)
    again[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
    found = np.zeros(order.size, bool)
    found[order] = again
    return found


def _codes(column: Any, known: dict[str, int]) -> npt.NDArray[np.int32]:
    own = np.array([known.setdefault(name, len(known)) for name in column.dictionary.to_pylist()], np.int32)
    found: npt.NDArray[np.int32] = own[column.indices.to_numpy()]
    return found


def _joined(parts: list[Any], kind: Any) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _invalid(message: str) -> RallyError:
    return RallyError(Status.INVALID_ARGUMENT, message)
