"""What every section works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

# Sections name their keys without the packages that only a run needs.
if TYPE_CHECKING:
    from benchmarks.console import Progress
    from benchmarks.files import ModelFiles
    from benchmarks.llama import Llama
    from benchmarks.measurements import Book
    from benchmarks.plan import Plan


@dataclass(frozen=True)
class Context:
    """The plan, where results go, and what contenders need."""

    plan: Plan
    book: Book
    files: ModelFiles
    llama: Llama
    progress: Progress
