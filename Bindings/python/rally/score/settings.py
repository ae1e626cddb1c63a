"""What a run was asked for, and what of it must stay the same when it goes on."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from ..documents import Reading
from ..errors import RallyError, Status
from .versions import DIGESTS

FORMATS = ("parquet", "jsonl")

#: What may differ when a run goes on: it changes no result, or is compared by what comes of it.
_FREE = (
    *("rater", "inputs", "out", "journal", "also", "perplexity", "dtype", "threads", "commit_tokens"),
    *("workers", "append", "max_rejected", "cascade", "cache"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One run over a corpus.

    Attributes
    ----------
    rater : str
        Model file of the rater.
    inputs : tuple of str
        Files, folders and globs, local or of any file system that fsspec knows.
    out : str
        Folder for the shards and the report; local, or of any file system that fsspec knows.
    journal : str, optional
        Local folder for the journal; needed where `out` is elsewhere.
    id, text, tokens, source : str, optional
        Columns. Without an id a row is named ``file:row``. `tokens` is read instead of `text` where it is given.
        Without a source a row belongs to that of its file.
    format : {"parquet", "jsonl"}
        Of the shards.
    window, stride, max_windows : int, optional
        As in `Model.rate_documents`.
    reading, join, characters, parse_special : optional
        As the members of `Reading` in `Model.rate_documents`: which part of a document is read, what its windows make,
        how many characters are read, and whether special tokens in texts are read as such.
    template : str, optional
        What is read of a row, such as ``{url}\\n\\n{text}``, where ``{text}`` is the column `text`; None: as the
        rater's file says. ``{text}``: the text alone.
    packed : int, optional
        Tokens of a packed sequence; None: documents are rated.
    also : tuple of str
        Model files of further raters.
    perplexity : str, optional
        Model file of a language model.
    discard : float, optional
        Share ρ in [0, 1) that the report is about; None: what the rater's file recommends, or one half.
    dtype, threads, cache
        As in `Model`.
    shard_rows : int
        Rows of a shard, at least, but for the last one.
    commit_tokens : int
        Tokens that are rated, and then written to the journal, together.
    workers : int
        Processes that rate, each with its share of the threads; 1: this one. The results are the same.
    shard : (int, int), optional
        k and n: of all files only the k-th of every n, from 1 on, for a run on one of n machines.
    append : bool
        Whether files that the finished run in `out` has not seen are rated and put after the others.
    max_rejected : float, optional
        Share of the rows in [0, 1] that may be rejected before the run ends; None: any.
    cascade : str, optional
        Model file of a cheap rater that decides what is clear; `rater` reads the band around the cut at `discard`.
    agreement, confidence : float, optional
        Of a cascade: which share of the decisions is to be that of `rater` alone, and how sure that is to be; None: 0.99
        and 0.95.
    sample : int, optional
        Of a cascade: rows that both raters read before there is a band; None: 8192.
    verify : {"ends", "full"}
        Of what of a local file it is told that it has changed: its size, first and last 64 KiB, or all of it.
    """

    rater: str
    inputs: tuple[str, ...]
    out: str
    journal: str | None = None
    id: str | None = None
    text: str = "text"
    tokens: str | None = None
    source: str | None = None
    format: str = "parquet"
    window: int | None = None
    stride: int | None = None
    max_windows: int | None = None
    reading: str | None = None
    join: str | None = None
    characters: int | None = None
    parse_special: bool | None = None
    template: str | None = None
    packed: int | None = None
    also: tuple[str, ...] = ()
    perplexity: str | None = None
    discard: float | None = None
    dtype: str = "auto"
    threads: int = 0
    shard_rows: int = 1_000_000
    commit_tokens: int = 1 << 16
    workers: int = 1
    shard: tuple[int, int] | None = None
    append: bool = False
    max_rejected: float | None = None
    verify: str = "ends"
    cascade: str | None = None
    agreement: float | None = None
    confidence: float | None = None
    sample: int | None = None
    cache: str | None = None

    def __post_init__(self) -> None:
        given = (self.inputs,) if isinstance(self.inputs, (str, os.PathLike)) else self.inputs
        for name in ("rater", "out"):
            object.__setattr__(self, name, os.fspath(getattr(self, name)))
        object.__setattr__(self, "inputs", tuple(os.fspath(one) for one in given))
        object.__setattr__(self, "also", tuple(os.fspath(one) for one in self.also))
        if not self.inputs:
            raise _invalid("inputs: expected at least one file, folder or glob")
        for name, choices in (("format", FORMATS), ("verify", DIGESTS)):
            if getattr(self, name) not in choices:
                raise _invalid(f"{name}: expected one of {', '.join(choices)}, found {getattr(self, name)!r}")
        self._check_numbers()
        self._check_cascade()

    def _check_numbers(self) -> None:
        for name in ("shard_rows", "commit_tokens", "packed", "workers", "characters"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise _invalid(f"{name}: expected at least 1, found {value}")
        if self.discard is not None and not 0 <= self.discard < 1:
            raise _invalid(f"discard: expected a share in [0, 1), found {self.discard}")
        if self.max_rejected is not None and not 0 <= self.max_rejected <= 1:
            raise _invalid(f"max_rejected: expected a share in [0, 1], found {self.max_rejected}")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise _invalid(f"shard: expected k/n with k from 1 to n, found {self.shard[0]}/{self.shard[1]}")
        if self.packed is not None:
            self._check_packed()
        for name in ("characters", "template", "parse_special"):
            if self.tokens is not None and getattr(self, name):
                raise _invalid(f"{name}: is about texts, and --tokens gives token ids; leave one of them out")

    def _check_cascade(self) -> None:
        if self.cascade is None:
            for name in ("agreement", "confidence", "sample"):
                if getattr(self, name) is not None:
                    raise _invalid(f"{name}: goes with a cascade")
            return
        object.__setattr__(self, "cascade", os.fspath(self.cascade))
        for name in ("agreement", "confidence"):
            value = getattr(self, name)
            if value is not None and not 0.5 <= value < 1:
                raise _invalid(f"{name}: expected a share in [0.5, 1), found {value}")
        if self.sample is not None and self.sample < 4:
            raise _invalid(f"sample: expected at least 4 rows, found {self.sample}")
        why = {
            "packed": "rates documents",
            "also": "has two raters of its own",
            "perplexity": "has two raters of its own",
            "shard": "is for one cut over the whole corpus, which a shard is not",
            "append": "has its band for the files that were there; rate all of them into another folder",
        }
        for name, reason in why.items():
            if getattr(self, name):
                raise _invalid(f"{name}: a cascade {reason}; leave one of them out")

    def _check_packed(self) -> None:
        for name in ("window", "stride", "max_windows", "reading", "join", "characters", "source", "perplexity"):
            if getattr(self, name) is not None:
                raise _invalid(f"packed: packed sequences are rated whole and by raters only; leave {name} out")

    @property
    def how_read(self) -> Reading | None:
        """What is asked for besides windows; None: all as the rater's file says."""
        asked = (self.reading, self.join, self.characters, self.parse_special)
        if all(one is None for one in asked):
            return None
        return Reading(self.reading, self.join, self.characters, bool(self.parse_special))

    @property
    def content(self) -> str:
        """The column that is rated."""
        return self.tokens or self.text

    def options(self) -> dict[str, Any]:
        """What shapes the results, besides the files, by name."""
        found = {name: getattr(self, name) for name in Settings.__dataclass_fields__ if name not in _FREE}
        return found | {"shard": None if self.shard is None else list(self.shard)}


def mode_label(settings: Settings, longest: int, more: str = "") -> str:
    """What is rated, for people.

    `longest`: the model's longest row, in tokens. `more`: how it is read besides.
    """
    if settings.packed is not None:
        return f"packed {settings.packed}"
    window = longest if settings.window is None else settings.window
    stride = window if settings.stride is None else settings.stride
    limit = "" if settings.max_windows is None else f" max_windows {settings.max_windows}"
    return f"document window {window} stride {stride}{limit}{more and ' '}{more}"


def recommended_discard(settings: Settings, metadata: dict[str, str]) -> float:
    """The share that the report is about."""
    if settings.discard is not None:
        return settings.discard
    try:
        share = float(metadata.get("rally.discard_fraction", "none"))
    except ValueError:
        return 0.5
    return share if math.isfinite(share) and 0 <= share < 1 else 0.5


def _invalid(message: str) -> RallyError:
    return RallyError(Status.INVALID_ARGUMENT, message)
