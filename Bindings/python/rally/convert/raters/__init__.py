"""Plans the conversion of classifiers that others published, an architecture a module."""

from __future__ import annotations

from rally.convert.raters.architectures import convert_classifier, is_classifier
from rally.convert.raters.choices import RaterChoices

__all__ = ["RaterChoices", "convert_classifier", "is_classifier"]
