"""Rates a corpus of any size by a rater: ``python -m rally.score RATER.onnx INPUT... --out DIR``.

>>> from rally.score import Settings, score_corpus
>>> report = score_corpus(Settings("rater.onnx", ("corpus/*.parquet",), "scores", id="url"))

A reader walks the files and makes batches of documents; the models rate them; each batch goes to the journal, and when
all are there, the journal becomes shards with quantiles. Needs pyarrow and fsspec: ``pip install "rally-runtime[score]"``.
"""

from .run import Run, score_corpus
from .settings import Settings

__all__ = ["Run", "Settings", "score_corpus"]
