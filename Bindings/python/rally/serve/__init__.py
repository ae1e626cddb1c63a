"""An OpenAI-compatible server over one engine: ``python -m rally.serve MODEL``.

`application` is the same for another ASGI server. Both need the extra ``serve``: starlette and uvicorn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import Limits

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from ..model import Model

__all__ = ["Limits", "application"]


def application(model: Model, limits: Limits | None = None, rater: Model | None = None) -> Starlette:
    """The server as an ASGI application; its engine opens and closes with the application's lifespan.

    Parameters
    ----------
    model : Model
        A language model, or a rater: then only ``/rate`` computes.
    limits : Limits, optional
        What requests may ask for.
    rater : Model, optional
        What ``/rate`` rates with, besides a language model.
    """
    from .application import build

    return build(model, limits or Limits(), rater)
