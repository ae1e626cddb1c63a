"""Rates a corpus of any size by a rater: ``python -m rally.score RATER.onnx INPUT... --out DIR``.

>>> from rally.score import Settings, score_corpus
>>> report = score_corpus(Settings("rater.onnx", ("corpus/*.parquet",), "scores", id="url"))

A reader walks the files and makes batches of documents; the models rate them; each batch goes to the journal, and when
all are there, the journal becomes shards with quantiles. A finished run answers further questions (`again`), takes more
files (``append=True``), and writes the documents that stay (`write_kept`). Needs pyarrow and fsspec:
``pip install "rally-runtime[score]"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .kept import write_kept
    from .merging import merge
    from .questions import again
    from .recovery import recover
    from .run import Run, score_corpus
    from .selection import Selection
    from .settings import Settings

__all__ = ["Run", "Selection", "Settings", "again", "merge", "recover", "score_corpus", "write_kept"]

_HOMES = {
    "Run": "run",
    "score_corpus": "run",
    "Settings": "settings",
    "Selection": "selection",
    "again": "questions",
    "write_kept": "kept",
    "merge": "merging",
    "recover": "recovery",
}


def __getattr__(name: str) -> Any:
    """Loads what is asked for: the command must be able to say what is missing."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
