"""A sample of the texts, whose beginnings the report shows: those with the smallest digests, always the same."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .documents import Document
from .files import replacing

#: Texts of a sample, and characters of each.
_COUNT, _LENGTH = 2000, 400


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of one text.

    Attributes
    ----------
    digest : str
        Of the whole text, in hexadecimal.
    """

    digest: str
    id: str
    score: float
    token_count: int
    text: str


class Sampler:
    """Says of each document whether it may be in the sample; whatever it is given, it forgets none that will be."""

    def __init__(self, count: int = _COUNT) -> None:
        self._count = count
        self._largest: list[int] = []
        self._known: set[int] = set()

    def takes(self, document: Document) -> bool:
        """Whether this is one of the smallest digests so far, and new."""
        if document.text is None:
            return False
        number = int.from_bytes(document.digest, "big")
        if number in self._known or (len(self._known) >= self._count and number >= -self._largest[0]):
            return False
        heapq.heappush(self._largest, -number)
        self._known.add(number)
        if len(self._known) > self._count:
            self._known.discard(-heapq.heappop(self._largest))
        return True


def sample_of(document: Document, score: float) -> Sample:
    """The sample of a document that has a text."""
    assert document.text is not None
    text = document.text[: 4 * _LENGTH].decode("utf-8", "ignore")[:_LENGTH]
    return Sample(document.digest.hex(), document.id, score, document.tokens.size, text)


def smallest(samples: Iterable[Sample], count: int = _COUNT) -> list[Sample]:
    """Of all samples in the order of the corpus, the first of each digest, by digest."""
    kept: dict[str, Sample] = {}
    for sample in samples:
        kept.setdefault(sample.digest, sample)
        if len(kept) >= 2 * count:
            kept = {one.digest: one for one in heapq.nsmallest(count, kept.values(), key=lambda one: one.digest)}
    return heapq.nsmallest(count, kept.values(), key=lambda one: one.digest)


def save(samples: Iterable[Sample], path: Path) -> None:
    """An object a line, whole or not at all."""
    with replacing(path) as file:
        file.writelines(json.dumps(asdict(one), ensure_ascii=False).encode() + b"\n" for one in samples)


def load(path: Path) -> list[Sample]:
    """What `save` wrote; none where there is no such file."""
    if not path.exists():
        return []
    found: list[Any] = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [Sample(**one) for one in found]
