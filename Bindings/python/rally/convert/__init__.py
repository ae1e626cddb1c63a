"""Converts checkpoints into Rally model files: ``python -m rally.convert CHECKPOINT_DIR OUT.onnx``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rally.convert.conversion import Summary, convert

__all__ = ["Summary", "convert"]


def __getattr__(name: str) -> Any:
    """Loads what is asked for: the command must be able to say what is missing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rally.convert import conversion

    return getattr(conversion, name)
