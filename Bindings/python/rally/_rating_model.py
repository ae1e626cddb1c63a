"""What raters compute: scores, outputs, pooled states, of rows and of documents."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _library, documents, tokenizer
from ._opened import arguments
from ._text_model import TextModel
from .documents import DocumentScores, Floats, Reading
from .rows import Row, Rows, choice, row_lengths


class RatingModel(TextModel):
    """What `Model` has for raters."""

    def rate(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        squash: bool = False,
        *,
        timeout: float | None = None,
    ) -> Floats:
        """Scores rows with a rater. Higher is better; the scale is the rater's own, so compare within one rater only.

        Special tokens in texts are the characters that they are written with.

        Parameters
        ----------
        rows : list of rows
        squash : bool
            False: the raw score, which ranks without ties. True: squashed as the model file says.
        timeout : float, optional
            Seconds after which the call fails with DEADLINE_EXCEEDED.

        Returns
        -------
        ndarray, shape [row_count], float32

        Raises
        ------
        RallyError
            UNSUPPORTED: the rater has several outputs and its file does not say which number is the score.
        """
        packed = self._rows(rows)
        scores = np.empty(len(packed), np.float32)
        self._rate("rally_rate", packed, scores, timeout, squash=squash)
        return scores

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of a rater's outputs; none for a language model."""
        return self._info.labels

    def rate_outputs(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        probabilities: bool = False,
        *,
        timeout: float | None = None,
    ) -> Floats:
        """All outputs of a rater, in the order of `labels`.

        Parameters
        ----------
        rows : list of rows
        probabilities : bool
            False: the outputs as they are (logits). True: what the score rule makes of them, softmax or sigmoid.
        timeout : float, optional
            As in `rate`.

        Returns
        -------
        ndarray, shape [row_count, n], float32
        """
        packed = self._rows(rows)
        outputs = np.empty((len(packed), max(1, self._info.num_labels)), np.float32)
        self._rate("rally_rate_outputs", packed, outputs, timeout, probabilities=probabilities)
        return outputs

    def pooled(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        normalize: bool = False,
        *,
        timeout: float | None = None,
    ) -> Floats:
        """What a rater's head sees of each row, after pooling and the final norm: an embedding of the row.

        Parameters
        ----------
        rows : list of rows
        normalize : bool
            Whether each state is divided by its length, √Σx².
        timeout : float, optional
            As in `rate`.

        Returns
        -------
        ndarray, shape [row_count, hidden_size], float32
        """
        packed = self._rows(rows)
        states = np.empty((len(packed), self._info.hidden_size), np.float32)
        self._rate("rally_pooled", packed, states, timeout, normalize=normalize)
        return states

    def _rate(self, function: str, rows: Rows, result: Floats, timeout: float | None, **switches: bool) -> None:
        options = self._library.new("rally_rate_options")
        for name, value in switches.items():
            setattr(options, name, choice(name, value, _library.SWITCHES))
        options.timeout_seconds = timeout or 0.0

        def rated() -> None:
            self._library.call(function, self._runner(), *arguments(rows), byref(options), result.ctypes.data)

        self._compute(rated)

    def encode_document(self, text: str | bytes, reading: Reading | str | None = None) -> list[int]:
        """The token ids of a text as a document to be rated.

        They are those of what the reading leaves of its characters, with what the tokenizer puts around a text. Special
        tokens in the text are the characters that they are written with.

        Parameters
        ----------
        text : str or bytes
        reading : Reading or str, optional
            As in `rate_documents`.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model has no tokenizer. WRONG_KIND: it is no rater.
        """
        tokens: list[int] = self._documents([text], reading).tokens.tolist()
        return tokens

    def _documents(self, rows: Any, reading: Reading | str | None) -> Rows:
        if tokenizer.has_texts(rows):
            raw = documents.options(self._library, reading=reading)
            address = self._handle.address
            rows = tokenizer.encode_texts(self._library, address, rows, raw, "rally_encode_document")
        return Rows.pack(rows)

    def rate_documents(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        window: int | None = None,
        stride: int | None = None,
        max_windows: int | None = None,
        squash: bool = False,
        *,
        reading: Reading | str | None = None,
        outputs: bool = False,
        timeout: float | None = None,
    ) -> DocumentScores:
        """Scores documents of any length with a rater, window by window; all windows share the batches.

        Parameters
        ----------
        rows : list of rows
            Documents as `encode_document` encodes them, or texts, which are encoded so: what the tokenizer puts around
            a text is put around every window.
        window : int, optional
            Tokens of a window; None: as the model file says, or the rater's longest row.
        stride : int, optional
            Tokens from the beginning of a window to that of the next; None: one window after the other.
        max_windows : int, optional
            Windows of a document at most, spread evenly over it; None: all.
        squash, timeout
            As in `rate`.
        reading : Reading or str, optional
            Which part of a document is read: "windows", "first", "middle", "ends", or with how its windows join; None:
            what the model file says.
        outputs : bool
            Whether all outputs of the rater are wanted, too.

        Returns
        -------
        DocumentScores
            The score of each document, the token-weighted mean, minimum and coverage, and the score of every window.
        """
        packed = self._documents(rows, reading)
        raw = documents.options(self._library, window, stride, max_windows, squash, timeout, reading)
        scores, places = documents.empty(self._library, packed, self._info, outputs)

        def rated() -> None:
            given = *arguments(packed), byref(raw), byref(places)
            self._library.call("rally_rate_documents", self._runner(), *given)

        self._compute(rated)
        return documents.trimmed(scores, self._info.int_score is not None)

    def document_windows(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        window: int | None = None,
        stride: int | None = None,
        max_windows: int | None = None,
        *,
        reading: Reading | str | None = None,
    ) -> npt.NDArray[np.int64]:
        """How many windows `rate_documents` would score of each document, without computing anything.

        Returns
        -------
        ndarray, shape [row_count], int64
        """
        packed = self._documents(rows, reading)
        raw = documents.options(self._library, window, stride, max_windows, reading=reading)
        offsets = np.empty(len(packed) + 1, np.uintp)
        given = *arguments(packed), byref(raw), offsets.ctypes.data
        self._library.call("rally_document_windows", self._handle.address, *given)
        return row_lengths(offsets)
