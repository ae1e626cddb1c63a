"""Writes models of published shapes with seeded random weights, for measurements: ``python -m rally.synthesize``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rally.synthesize.shapes import SHAPES
    from rally.synthesize.synthesis import synthesize

__all__ = ["SHAPES", "synthesize"]

_HOMES = {"SHAPES": "shapes", "synthesize": "synthesis"}


def __getattr__(name: str) -> Any:
    """Loads what is asked for: the command must be able to say what is missing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
