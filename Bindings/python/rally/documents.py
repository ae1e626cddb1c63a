"""What a rater says about documents that may be longer than its longest row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _library
from ._library import Library
from .rows import Offsets, Rows, choice, integer, row_lengths

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
    """

    mean: Floats
    minimum: Floats
    coverage: Floats
    windows: Floats
    offsets: Offsets

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


def options(
    library: Library,
    window: int | None = None,
    stride: int | None = None,
    max_windows: int | None = None,
    squash: bool = False,
    timeout: float | None = None,
) -> Any:
    """A ``rally_document_options``; None: the library's own choice."""
    raw = library.new("rally_document_options")
    raw.window_tokens = _count("window", window)
    raw.stride_tokens = _count("stride", stride)
    raw.max_windows = _count("max_windows", max_windows)
    raw.squash = choice("squash", squash, _library.SWITCHES)
    raw.timeout_seconds = timeout or 0.0
    return raw


def _count(name: str, value: int | None) -> int:
    return 0 if value is None else integer(name, value, 1, 2**63 - 1)


def empty(library: Library, rows: Rows) -> tuple[DocumentScores, Any]:
    """Room for the scores of documents, and the struct that says where it is."""
    count, tokens = len(rows), rows.tokens.size
    found = DocumentScores(
        np.empty(count, np.float32),
        np.empty(count, np.float32),
        np.empty(count, np.float32),
        np.empty(tokens, np.float32),  # there are no more windows than tokens
        np.empty(count + 1, np.uintp),
    )
    raw = library.new("rally_document_scores")
    raw.mean, raw.minimum = found.mean.ctypes.data, found.minimum.ctypes.data
    raw.coverage, raw.window_offsets = found.coverage.ctypes.data, found.offsets.ctypes.data
    raw.window_scores, raw.window_capacity = found.windows.ctypes.data, tokens
    return found, raw


def trimmed(scores: DocumentScores) -> DocumentScores:
    """Without the room for windows that there are not."""
    windows = scores.windows[: int(scores.offsets[-1])].copy()
    return DocumentScores(scores.mean, scores.minimum, scores.coverage, windows, scores.offsets)
