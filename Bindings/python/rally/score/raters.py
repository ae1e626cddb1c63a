"""The models of a run, and what they say about a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..documents import DocumentScores, Reading
from ..errors import RallyError, Status
from ..info import ModelInfo
from ..model import Model
from ..perplexities import perplexity
from ..rows import Rows
from ..scorer import Scorer
from ..text_template import PLAIN, Template, template_of
from ..tokenizer import ANYBODYS_SPECIAL
from .documents import Document
from .settings import Settings

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One score of every document.

    Attributes
    ----------
    name, quantile : str
        Of the columns.
    path, fingerprint : str
        The model's.
    label : str
        Of the distribution of these scores.
    details : sequence of str
        Columns with what the rater says besides: ``int_score``, and of several outputs ``label`` and one of each.
    cheap : str
        Of a cascade the fingerprint of the cheap rater; else empty.
    """

    name: str
    quantile: str
    path: str
    fingerprint: str
    label: str
    details: Sequence[str] = ()
    cheap: str = ""


def _detail_names(info: ModelInfo, end: str) -> list[str]:
    """Names of the columns with what a rater says besides its score."""
    names = [f"int_score{end}"] if info.int_score else []
    if info.num_labels > 1:
        kind = "p" if info.score_rule in ("softmax", "sigmoid", "expectation") else "logit"
        names += [f"label{end}", *(f"{kind}_{label}{end}" for label in info.labels)]
    return names


def _details(info: ModelInfo, found: DocumentScores) -> list[npt.NDArray[Any]]:
    """Their values, in the same order; of equal outputs the first one's label."""
    values: list[npt.NDArray[Any]] = [] if found.int_score is None else [found.int_score]
    if found.outputs is not None:
        values.append(np.array(info.labels, object)[found.outputs.argmax(axis=1)])
        values += list(found.outputs.T)
    return values


@dataclass(slots=True)
class Rated:
    """What the models said about the documents of a batch, D of them.

    Attributes
    ----------
    windows : DocumentScores
        Of the first rater. Packed sequences are one window each.
    scores : dict of ndarray [D], float32
        By the name of the column, in the order of `Raters.columns`.
    details : dict of ndarray [D]
        By the name of the column: whole numbers, names of labels (object), outputs (float32).
    """

    windows: DocumentScores
    scores: dict[str, Floats] = field(default_factory=dict)
    details: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


class Raters:
    """Opens the models and checks that they fit each other and the settings.

    Attributes
    ----------
    columns : list of Column
        The rater's, those of the further raters, and that of the perplexity.
    warning : str or None
        What a person should know before trusting the scores.
    template : Template or None
        What is read of a row; None: its text alone.

    Raises
    ------
    RallyError
        What opening raises; MISMATCH where the models or settings do not belong together.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        how: dict[str, Any] = {"dtype": settings.dtype, "threads": settings.threads, "cache": settings.cache}
        self._scorers = [Scorer(path, **how) for path in self._paths()]
        self.model = self._scorers[0].model
        self._lm = None if settings.perplexity is None else Model(settings.perplexity, **how)
        if self._lm is not None and self._lm.kind != "lm":
            message = (
                f"{settings.perplexity}: perplexity needs a language model, found a model of kind {self._lm.kind!r}"
            )
            raise RallyError(Status.WRONG_KIND, message)
        if self._lm is not None:
            self._perplexity(Rows.pack([]))  # says now what it would say of the first documents
        self._check_mode()
        self._models = [scorer.model for scorer in self._scorers] + ([] if self._lm is None else [self._lm])
        self.template = self._common_template()
        self._shares = self._shared_tokens()
        self.columns = self._columns()

    def _paths(self) -> Sequence[str]:
        """Of the raters; the first one's tokens are read."""
        return self._settings.rater, *self._settings.also

    @property
    def main(self) -> Scorer:
        """The rater that the run is about."""
        return self._scorers[0]

    def close(self) -> None:
        for model in self._models:
            model.close()

    # What fits

    def _check_mode(self) -> None:
        """Whether what is to be rated is what the raters were trained on, and fits them."""
        self.warning: str | None = None
        for scorer in self._scorers:
            self._check_length(scorer)
            packing = scorer.model.metadata.get("rally.packing", "document")
            if self._settings.packed is not None and packing != "packed":
                message = f"{scorer.path}: was trained on documents (rally.packing = {packing}); leave --packed out"
                raise RallyError(Status.MISMATCH, message)
            if self._settings.packed is None and packing == "packed":
                self.warning = (
                    f"{scorer.path} was trained on packed sequences and rates single documents here: "
                    "their scores have a distribution of their own; --packed N rates what it was trained on"
                )
        if self._settings.packed is not None and self.model.info.eos_token_id is None:
            message = f"{self._settings.rater}: has no end token to put between packed documents"
            raise RallyError(Status.MISMATCH, message)

    def _check_length(self, scorer: Scorer) -> None:
        longest = scorer.model.info.max_position_embeddings
        for name in ("packed", "window"):
            asked = getattr(self._settings, name)
            if asked is not None and asked > longest:
                message = f"{scorer.path}: {name} {asked} is beyond its longest row of {longest} tokens"
                raise RallyError(Status.INVALID_ARGUMENT, message)

        options: dict[str, Any] = {name: getattr(self._settings, name) for name in ("stride", "max_windows")}
        if self._settings.packed is None:  # the library says now what it would say of the first document
            window, reading = self._settings.window, self._settings.how_read
            scorer.model.document_windows([[0]], window, **options, reading=reading)

    def _common_template(self) -> Template | None:
        settings = self._settings
        if settings.tokens is not None:
            return None
        of_files = [scorer.model.metadata.get("rally.text_template") for scorer in self._scorers]
        first, *others = [
            template_of(settings.template, text, scorer.path)
            for text, scorer in zip(of_files, self._scorers, strict=True)
        ]
        for scorer, other in zip(self._scorers[1:], others, strict=True):
            if (other and other.text) != (first and first.text):
                found, expected = (PLAIN if one is None else one.text for one in (other, first))
                message = (
                    f"{scorer.path}: reads {found!r} of a row, and {settings.rater} {expected!r}; "
                    "rate by one of them, or give a template for both"
                )
                raise RallyError(Status.MISMATCH, message)
        return first

    def _reads_alike(self, model: Model) -> bool:
        """Whether the first model's tokens are those that this one reads of the same text."""
        first = self._models[0]
        is_text = self._settings.tokens is None and self._settings.packed is None
        return model.reads_same_tokens(first) and (not is_text or self._characters(model) == self._characters(first))

    def _characters(self, model: Model) -> tuple[str, str] | None:
        """Which characters of a text a model reads; None: all."""
        asked = self._settings.how_read or Reading()
        if model.kind == "lm" or not (count := asked.characters or model.metadata.get("rally.reading_characters")):
            return None
        return str(count), asked.part or model.metadata.get("rally.reading", "windows")

    def _shared_tokens(self) -> list[bool]:
        """Of each model, whether it reads the first one's tokens. Others get the text."""
        settings = self._settings
        paths = [*self._paths(), *([] if settings.perplexity is None else [settings.perplexity])]
        shares = [self._reads_alike(model) for model in self._models]
        for path, same in zip(paths, shares, strict=True):
            if not same and (settings.tokens is not None or settings.packed is not None):
                what = "token ids" if settings.tokens is not None else "packed sequences"
                message = (
                    f"{path}: its tokenizer is another than that of {settings.rater}; {what} mean one of them only"
                )
                raise RallyError(Status.MISMATCH, message)
        if settings.tokens is None and not all(model.info.has_tokenizer for model in self._models):
            path = next(p for p, m in zip(paths, self._models, strict=True) if not m.info.has_tokenizer)
            raise RallyError(Status.UNSUPPORTED, f"{path}: has no tokenizer; give a column of token ids by --tokens")
        return shares

    @property
    def vocabulary(self) -> int:
        """Ids that all models know."""
        return min(model.info.vocab_size for model in self._models)

    def _columns(self) -> list[Column]:
        settings = self._settings
        columns = []
        how = self._windows()
        for index, scorer in enumerate(self._scorers):
            end = "" if index == 0 else f"_{Path(scorer.path).stem}"
            self._check_score(scorer)
            details = _detail_names(scorer.model.info, end)
            columns.append(
                Column(
                    f"score{end}", f"quantile{end}", scorer.path, scorer.fingerprint, self._label(scorer, how), details
                )
            )
        if self._lm is not None and settings.perplexity is not None:
            fingerprint, label = self._lm.fingerprint(), self._lm.label(**how, more=self._template_label(self.model))
            columns.append(Column("perplexity", "quantile_perplexity", settings.perplexity, fingerprint, label))
        names = [name for column in columns for name in (column.name, *column.details)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise RallyError(
                Status.INVALID_ARGUMENT, f"also: two columns would be named {twice!r}; rename a model file"
            )
        return columns

    def _windows(self) -> dict[str, Any]:
        return {name: getattr(self._settings, name) for name in ("window", "stride", "max_windows", "packed")}

    def _label(self, scorer: Scorer, how: dict[str, Any]) -> str:
        """Of a rater's scores, with what is read otherwise than by `Model.rate_documents` without arguments."""
        return scorer.label(**how, more=self.reading_label(scorer))

    def reading_label(self, scorer: Scorer | None = None) -> str:
        """Pairs for the label, of the first rater where none is given."""
        metadata, asked = (scorer or self.main).model.metadata, self._settings.how_read
        pairs = [] if asked is None else [asked.label(metadata)]
        pairs.append(self._template_label((scorer or self.main).model))
        return " ".join(pair for pair in pairs if pair)

    def _template_label(self, model: Model) -> str:
        return "" if self.template is None else self.template.label(model.metadata.get("rally.text_template"))

    def _check_score(self, scorer: Scorer) -> None:
        """What is to be selected by needs one score."""
        info = scorer.model.info
        if not info.has_score:
            message = (
                f"{scorer.path}: its {info.num_labels} outputs make no score: {', '.join(info.labels)}; convert it "
                "again with --score, such as --score softmax:LABEL"
            )
            raise RallyError(Status.UNSUPPORTED, message)

    # What they say

    def rate(self, documents: Sequence[Document]) -> Rated:
        """Scores documents, at least one, by all models in turn."""
        tokens = self._tokens(documents)
        rated: Rated | None = None
        for scorer, column, shares in zip(self._scorers, self.columns, self._shares, strict=False):
            found = self._documents(scorer, tokens if shares else self._encoded(scorer.model, documents))
            details = _details(scorer.model.info, found)
            rated = rated or Rated(found)
            rated.scores[column.name] = found.score
            rated.details |= dict(zip(column.details, details, strict=True))
        assert rated is not None
        if self._lm is not None:
            rows = tokens if self._shares[-1] else self._encoded(self._lm, documents)
            rated.scores["perplexity"] = self._perplexity(rows)
        return rated

    def _perplexity(self, rows: Rows) -> npt.NDArray[np.float32]:
        assert self._lm is not None
        return perplexity(self._lm, rows, self._settings.window, max_windows=self._settings.max_windows)

    @staticmethod
    def _tokens(documents: Sequence[Document]) -> Rows:
        return Rows.pack([document.tokens for document in documents])

    def _documents(self, scorer: Scorer, rows: Rows) -> DocumentScores:
        settings = self._settings
        how: dict[str, Any] = {"outputs": True} if scorer.model.labels[1:] else {}
        if settings.how_read is not None:
            how["reading"] = settings.how_read
        return scorer.rate_documents(rows, settings.window, settings.stride, settings.max_windows, **how)

    def _encoded(self, model: Model, documents: Sequence[Document]) -> Rows:
        texts: list[Any] = [document.text for document in documents]
        if model.kind == "lm":
            return model.encode_rows(texts, parse_special=ANYBODYS_SPECIAL)
        return Rows.pack([model.encode_document(text, self._settings.how_read) for text in texts])
