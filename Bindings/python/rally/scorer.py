"""A rater to hand to worker processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .documents import DocumentScores, Reading
from .errors import RallyError, Status
from .model import Model
from .rows import Row, Rows
from .tokenizer import ANYBODYS_SPECIAL

_beginning = threading.Lock()  # of several threads that use a scorer first in a process one begins


def _after_fork() -> None:
    global _beginning
    _beginning = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


class Scorer:
    """A rater as a value: it can be pickled, survives a fork, and opens the model where it is first used.

    Each process opens the model for itself, once. What depends on stored scores can depend on `fingerprint`: two
    scorers that have the same one give the same scores.

    Parameters
    ----------
    path : str or path
        The rater's model file; made absolute, for workers in another folder.
    dtype, threads, batch_tokens
        As in `Model`.
    squash : bool
        Whether scores are squashed as the model file says; the raw score ranks without ties.
    cache : str or path, optional
        As in `Model`: worker processes share the weights of a prepared file in that folder. Made absolute, too.

    Raises
    ------
    RallyError
        At first use: whatever `Model` raises; WRONG_KIND where the file is no rater.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        dtype: str = "auto",
        threads: int = 0,
        batch_tokens: int = 0,
        squash: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._options: dict[str, Any] = {"dtype": dtype, "threads": threads, "batch_tokens": batch_tokens}
        self._options["cache"] = None if cache is None else os.path.abspath(os.fspath(cache))
        self._squash = squash
        self._fingerprint: str | None = None
        self._process = -1
        self._opening = threading.Lock()
        self._model: Model | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self._path, "squash": self._squash, **self._options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Scorer.__init__(self, **state)

    def __repr__(self) -> str:
        return f"<rally.Scorer {os.path.basename(self._path)}>"

    @property
    def path(self) -> str:
        """The model file, absolute."""
        return self._path

    @property
    def model(self) -> Model:
        """The rater, opened in this process."""
        with _beginning:
            if self._process != os.getpid():  # a lock or model from before a fork is of no use
                self._process, self._opening, self._model = os.getpid(), threading.Lock(), None
        with self._opening:
            if self._model is None:
                model = Model(self._path, **self._options)
                if model.kind != "rater":
                    model.close()
                    raise RallyError(
                        Status.WRONG_KIND, f"{self._path}: a scorer needs a rater, found a model of kind {model.kind!r}"
                    )
                self._model = model
            return self._model

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that stand for the file's content and the options that change scores.

        The same on every machine and for every name of the file. Reads the whole file, once.
        """
        if self._fingerprint is None:
            self._fingerprint = self.model.fingerprint(self._squash)
        return self._fingerprint

    def label(
        self,
        window: int | None = None,
        stride: int | None = None,
        max_windows: int | None = None,
        *,
        packed: int | None = None,
        more: str = "",
    ) -> str:
        """What a distribution of this scorer's scores is labelled with; see `Model.label`."""
        return self.model.label(window, stride, max_windows, packed=packed, squash=self._squash, more=more)

    def rate(self, rows: Rows | Sequence[Row] | Sequence[str]) -> npt.NDArray[np.float32]:
        """Scores rows of token ids, or texts; see `Model.rate`.

        Returns
        -------
        ndarray, shape [row_count], float32
        """
        return self.model.rate(rows, squash=self._squash)

    def rate_documents(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        window: int | None = None,
        stride: int | None = None,
        max_windows: int | None = None,
        *,
        reading: Reading | str | None = None,
        outputs: bool = False,
    ) -> DocumentScores:
        """Scores documents of any length, window by window; see `Model.rate_documents`."""
        how: dict[str, Any] = {"squash": self._squash, "reading": reading, "outputs": outputs}
        return self.model.rate_documents(rows, window, stride, max_windows, **how)

    def rate_texts(self, texts: Sequence[str | bytes], truncate: bool = False) -> npt.NDArray[np.float32]:
        """Scores texts through the rater's own tokenizer.

        Parameters
        ----------
        texts : sequence of str or bytes
        truncate : bool
            Whether a text beyond the rater's longest row is judged by its beginning; else it raises CONTEXT_EXCEEDED.

        Returns
        -------
        ndarray, shape [text_count], float32
        """
        model = self.model
        longest = model.info.max_position_embeddings if truncate else None
        return model.rate(
            [model.encode(text, parse_special=ANYBODYS_SPECIAL)[:longest] for text in texts], squash=self._squash
        )

    def close(self) -> None:
        """Closes this process' model; the next use opens it again."""
        if self._model is not None and self._process == os.getpid():
            self._model.close()
        self._model = None
