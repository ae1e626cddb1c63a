"""Writes models of published shapes with seeded random weights, for measurements: ``python -m rally.synthesize``."""

from __future__ import annotations

from rally.synthesize.shapes import SHAPES
from rally.synthesize.synthesis import synthesize

__all__ = ["SHAPES", "synthesize"]
