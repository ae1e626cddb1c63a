"""Converts checkpoints into Rally model files: ``python -m rally.convert CHECKPOINT_DIR OUT.onnx``."""

from __future__ import annotations

from rally.convert.conversion import Summary, convert

__all__ = ["Summary", "convert"]
