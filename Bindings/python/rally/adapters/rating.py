"""Documents as jobs have them, rated: some are missing, some are empty, workers come and go."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from ..content import ContentError, text_bytes, token_ids
from ..documents import Reading as DocumentReading
from ..errors import RallyError, Status
from ..rows import Row, Rows, check_names, listed
from ..scorer import Scorer
from ..text_template import Template, template_of

Document: TypeAlias = "str | bytes | Row | None"

_log = logging.getLogger("rally")

_scorers: dict[tuple[Any, ...], Scorer] = {}
"""Of this process, by what they are; a model stays open from one task to the next."""


class Reading(TypedDict, total=False):
    """Keyword arguments of all adapters: how a document is read.

    Attributes
    ----------
    window, stride, max_windows : int, optional
        As in `Model.rate_documents`.
    reading : rally.Reading or str, optional
        As in `Model.rate_documents`.
    template : str, optional
        What is read of a row, such as ``{url}\\n\\n{text}``, where ``{text}`` is its text and others are what the row has
        under these names; None: as the rater's file says. ``{text}``: the text alone.
    suffix : str
        After the names of what is said of a document, for a second rater alongside a first; default: none.
    """

    window: int | None
    stride: int | None
    max_windows: int | None
    reading: DocumentReading | str | None
    template: str | None
    suffix: str


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """What is said of D documents. One that is missing, has no token, or holds no text and no ids, is not rated.

    Attributes
    ----------
    rated : ndarray, shape [D], bool
    score : ndarray, shape [D], float32
        Token-weighted mean of the windows; NaN where it is not rated.
    token_count : ndarray, shape [D], int64
    windows : ndarray, shape [D], int64
        How many there were.
    coverage : ndarray, shape [D], float32
        Share of the tokens that were in a window.
    problems : dict of str
        Why a document that is there is not rated, by its place.
    """

    rated: npt.NDArray[np.bool_]
    score: npt.NDArray[np.float32]
    token_count: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]
    coverage: npt.NDArray[np.float32]
    problems: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.rated.size


class DocumentRater:
    """A scorer and a way of reading, as one value that jobs pickle.

    In a process all that read with equal scorers share one open model, however often tasks unpickle them; a file that
    has changed since is opened again.

    Parameters
    ----------
    scorer : Scorer
        With ``threads=1`` where workers are as many as cores. Its file must be there, under its path, for each worker.
    **how
        `Reading`.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: the scorer is no `Scorer`. All else when the first document is rated.
    """

    def __init__(self, scorer: Scorer, **how: Unpack[Reading]) -> None:
        if not isinstance(scorer, Scorer):
            found = type(scorer).__name__
            raise RallyError(Status.INVALID_ARGUMENT, f"scorer: expected a rally.Scorer, found {found}")
        check_names(how, Reading)
        self._scorer = scorer
        self._windows: dict[str, Any] = {name: how.get(name) for name in ("window", "stride", "max_windows", "reading")}
        self._template = how.get("template")
        if self._template is not None:
            Template(self._template)
        self._suffix = how.get("suffix", "")

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._scorer = _shared(self._scorer)

    @property
    def scorer(self) -> Scorer:
        """What rates."""
        return self._scorer

    @property
    def names(self) -> tuple[str, str, str, str]:
        """What is said of a document: score, token_count, windows, coverage, with the suffix."""
        tail = self._suffix
        return f"score{tail}", f"token_count{tail}", f"windows{tail}", f"coverage{tail}"

    @property
    def fingerprint(self) -> str:
        """Stands for the scorer's content and the way of reading; equal ones say the same of a document."""
        how = sorted(self._windows.items())
        return f"{self._scorer.fingerprint} {how} {self._template!r} {self._suffix!r}"

    @property
    def label(self) -> str:
        """What a distribution of these scores is labelled with, as `rally.score` and ``rally score`` write it."""
        metadata, reading, template = self._scorer.model.metadata, self._windows["reading"], self._found_template()
        asked = reading if isinstance(reading, DocumentReading) else DocumentReading(reading)
        pairs = [asked.label(metadata), "" if template is None else template.label(metadata.get("rally.text_template"))]
        windows = {name: value for name, value in self._windows.items() if name != "reading"}
        return self._scorer.label(**windows, more=" ".join(pair for pair in pairs if pair))

    @property
    def members(self) -> tuple[str, ...]:
        """What is read of a row besides its text: the names in the template. Opens the model."""
        return () if (template := self._found_template()) is None else template.members

    def _found_template(self) -> Template | None:
        of_file = self._scorer.model.metadata.get("rally.text_template")
        return template_of(self._template, of_file, self._scorer.path)

    def rate(self, documents: Rows | Sequence[Document], members: Mapping[str, Sequence[Any]] | None = None) -> Ratings:
        """Rates texts, rows of token ids, or both; a document's score does not depend on the others.

        `members`: by the names of `DocumentRater.members` a value for each document.

        A document that cannot be rated ends nothing: it has no score, and `Ratings.problems` says why. A job's log
        gets one line for all of a call.

        Raises
        ------
        RallyError
            Whatever `Model` raises.
        """
        model = self._scorer.model
        rows, problems = self._readable(documents, model.info.vocab_size, members or {})
        if problems:
            place, problem = next(iter(problems.items()))
            _log.warning("%d of %d documents have no score; row %d: %s", len(problems), len(rows), place, problem)
        if not isinstance(rows, Rows):
            rows = model._documents(rows, self._windows["reading"])
        rated = rows.lengths > 0
        score = np.full(len(rows), np.nan, np.float32)
        windows, coverage = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.float32)
        if rated.any():
            # A row without tokens ends where it begins: without its end, it is gone.
            some = Rows(rows.tokens, np.concatenate([rows.offsets[:1], rows.offsets[1:][rated]]))
            found = self._scorer.rate_documents(some, **self._windows)
            score[rated], windows[rated], coverage[rated] = found.score, found.window_counts, found.coverage
        return Ratings(rated, score, rows.lengths, windows, coverage, problems)

    def _readable(
        self, documents: Any, vocabulary: int, members: Mapping[str, Sequence[Any]]
    ) -> tuple[Rows | list[Any], dict[int, str]]:
        """The documents, those that cannot be read empty, and why they cannot."""
        if isinstance(documents, Rows):
            tokens = documents.tokens
            if tokens.size == 0 or (tokens.min() >= 0 and tokens.max() < vocabulary):
                return documents, {}
            bounds = zip(documents.offsets[:-1].tolist(), documents.offsets[1:].tolist(), strict=True)
            documents = [tokens[start:end] for start, end in bounds]
        template = self._found_template()
        found: list[Any] = []
        problems: dict[int, str] = {}
        for place, document in enumerate(listed(documents)):
            try:
                one = _readable(document, vocabulary)
                if template is not None and isinstance(one, bytes) and one:
                    one = template.filled(one, [members[name][place] for name in template.members if name in members])
                found.append(one)
            except ContentError as error:
                found.append(())
                problems[place] = str(error)
        return found, problems


def _readable(document: Any, vocabulary: int) -> Any:
    """A text as bytes, or token ids."""
    if document is None or type(document).__name__ in ("NAType", "NaTType"):
        return ()
    if isinstance(document, float) and document != document:  # pandas' way to say that there is none
        return ()
    if isinstance(document, (str, bytes)):
        return text_bytes(document)
    ids = list(document) if hasattr(document, "__array__") is False and hasattr(document, "__iter__") else document
    return token_ids(ids, vocabulary)


def _shared(scorer: Scorer) -> Scorer:
    """The first scorer of this process that reads the same file in the same way."""
    try:
        file = os.stat(scorer.path)
    except OSError:  # the first use will say what is wrong
        return scorer
    described = sorted(scorer.__getstate__().items())
    return _scorers.setdefault((*described, file.st_ino, file.st_size, file.st_mtime_ns), scorer)
