"""What a rater says about documents that may be longer than its longest row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _library
from ._library import Library
from .info import ModelInfo
from .rows import Offsets, Rows, choice, integer, row_lengths
from .tokenizer import ANYBODYS_SPECIAL

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class DocumentScores:
    """Scores of D documents and of all their windows.

    Attributes
    ----------
    mean : ndarray, shape [D], float32
        Mean of a document's windows, weighted by their tokens. A document of one window has its very score.
    minimum : ndarray, shape [D], float32
        The lowest window. A short last window is the noisiest.
    coverage : ndarray, shape [D], float32
        Share of the tokens that were in a window; exactly 1 where all were.
    windows : ndarray, shape [W], float32
        Of every window, document after document.
    offsets : ndarray, shape [D + 1], uintp
        Windows of document i are ``windows[offsets[i]:offsets[i + 1]]``.
    score : ndarray, shape [D], float32
        What the reading policy makes of the windows: their mean, or the highest or lowest. The document's score.
    int_score : ndarray, shape [D], int32, or None
        The score within the model file's bounds, rounded, ties to even; None where the file has no bounds.
    outputs : ndarray, shape [D, n], float32, or None
        The same of each output of the rater, as probabilities where its score rule makes some; None if not asked for.

    Where a rater's outputs make no score, all scores are NaN.
    """

    mean: Floats
    minimum: Floats
    coverage: Floats
    windows: Floats
    offsets: Offsets
    score: Floats
    int_score: npt.NDArray[np.int32] | None = None
    outputs: Floats | None = None

    def __len__(self) -> int:
        return self.mean.size

    @property
    def window_counts(self) -> npt.NDArray[np.int64]:
        """Windows per document, [D] int64."""
        return row_lengths(self.offsets)

    @property
    def window_scores(self) -> list[Floats]:
        """The windows of each document, as views."""
        return [self.windows[start:end] for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True)]


@dataclass(frozen=True, slots=True)
class Reading:
    """Which part of a document is read, and what its windows make together; None: what the model file says.

    Attributes
    ----------
    part : {"windows", "first", "middle", "ends"}, optional
        All of it, window after window; one window of its beginning; one of what ``characters`` leaves around its
        middle; the first and the last window.
    join : {"mean", "max", "min"}, optional
        What the scores of several windows make; the mean is weighted by their tokens.
    characters : int, optional
        Unicode characters that are read of a text: of its beginning, to both sides of its middle, or of each end.
    parse_special : bool
        Whether "[SEP]" in a text becomes its one token; else it is these five characters.
    """

    part: str | None = None
    join: str | None = None
    characters: int | None = None
    parse_special: bool = ANYBODYS_SPECIAL

    def label(self, metadata: Mapping[str, str]) -> str:
        """Pairs of a distribution's label: what is read otherwise than the model's file says; empty without any.

        `metadata`: the model's.
        """
        pairs = []
        for name, value, key, usual in (
            ("part", self.part, "reading", "windows"),
            ("join", self.join, "reading_join", "mean"),
            ("characters", self.characters, "reading_characters", None),
        ):
            if value is not None and str(value) != metadata.get(f"rally.{key}", usual):
                pairs.append(f"{name}={value}")
        return " ".join([*pairs, *(["special=1"] if self.parse_special else [])])


def options(
    library: Library,
    window: int | None = None,
    stride: int | None = None,
    max_windows: int | None = None,
    squash: bool = False,
    timeout: float | None = None,
    reading: Reading | str | None = None,
) -> Any:
    """A ``rally_document_options``; None: the library's own choice."""
    how = reading if isinstance(reading, Reading) else Reading(reading)
    raw = library.new("rally_document_options")
    raw.window_tokens = _count("window", window)
    raw.stride_tokens = _count("stride", stride)
    raw.max_windows = _count("max_windows", max_windows)
    raw.squash = choice("squash", squash, _library.SWITCHES)
    raw.timeout_seconds = timeout or 0.0
    raw.reading = choice("reading", how.part, _library.READINGS)
    raw.join = choice("join", how.join, _library.JOINS)
    raw.characters = _count("characters", how.characters)
    raw.parse_special = choice("parse_special", how.parse_special, _library.SWITCHES)
    return raw


def _count(name: str, value: int | None) -> int:
    return 0 if value is None else integer(name, value, 1, 2**63 - 1)


def empty(library: Library, rows: Rows, info: ModelInfo, outputs: bool) -> tuple[DocumentScores, Any]:
    """Room for the scores of documents, and the struct that says where it is."""
    count, tokens = len(rows), rows.tokens.size
    labels = info.num_labels if outputs else 0
    found = DocumentScores(
        np.full(count, np.nan, np.float32),
        np.full(count, np.nan, np.float32),
        np.empty(count, np.float32),
        np.full(tokens, np.nan, np.float32),  # there are no more windows than tokens
        np.empty(count + 1, np.uintp),
        np.full(count, np.nan, np.float32),
        np.empty(count, np.int32),
        np.empty((count, labels), np.float32) if outputs else None,
    )
    raw = library.new("rally_document_scores")
    raw.coverage, raw.window_offsets = found.coverage.ctypes.data, found.offsets.ctypes.data
    if info.has_score or not outputs:
        raw.mean, raw.minimum = found.mean.ctypes.data, found.minimum.ctypes.data
        raw.score, raw.int_score = found.score.ctypes.data, found.int_score.ctypes.data  # type: ignore[union-attr]
        raw.window_scores, raw.window_capacity = found.windows.ctypes.data, tokens
    if found.outputs is not None:
        raw.outputs = found.outputs.ctypes.data
    return found, raw


def trimmed(scores: DocumentScores, has_bounds: bool) -> DocumentScores:
    """Without the room for windows that there are not, and without whole numbers that the file does not want."""
    windows = scores.windows[: int(scores.offsets[-1])].copy()
    return replace(scores, windows=windows, int_score=scores.int_score if has_bounds else None)
