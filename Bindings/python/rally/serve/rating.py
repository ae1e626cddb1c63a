"""The route /rate: scores of documents."""

from __future__ import annotations

import math
from typing import Any

from ..model import Model
from .errors import ApiError, wrong
from .fields import Fields
from .options import Limits


def rate(model: Model, body: bytes, limits: Limits) -> dict[str, Any]:
    """Scores the texts of a request; they may be of any length.

    Parameters
    ----------
    model : Model
        A rater with a tokenizer.
    body : bytes
        A JSON object with ``input``, a text or a list of texts, and ``squash``, ``window``, ``stride``, ``max_windows``
        as in `Model.rate_documents`.
    """
    fields = Fields(body)
    texts = fields.strings("input", 4096)
    if not texts:
        raise wrong("input", "a text or a list of texts", [])
    window, stride, most = (fields.whole(name, 1, 2**31) for name in ("window", "stride", "max_windows"))
    squash = fields.switch("squash")
    name = fields.take("model")
    if name is not None and name != limits.alias:
        raise ApiError(
            404, f"model: {name!r} is not here; this server has {limits.alias!r}", "model", "model_not_found"
        )
    fields.end()
    scores = model.rate_documents(texts, window, stride, most, squash, timeout=limits.timeout or None)
    values = [None if math.isnan(score) else score for score in scores.score.tolist()]
    data = [{"object": "rating", "index": index, "score": score} for index, score in enumerate(values)]
    return {"object": "list", "model": limits.alias, "data": data}
