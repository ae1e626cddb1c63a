"""``python python_pages.py FOLDER`` writes the pages of the Python package by pdoc; a warning of pdoc's is an error."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pdoc
import rally

# What programs import, but for what loads its parts when they are asked for (rally.score, rally.torch: docs/curation.md), adapters
# (docs/adapters.md) and model files (docs/format.md).
MODULES = (
    "rally",
    "rally.convert",
    "rally.sweep",
    "rally.verify",
)


def gather(kind: type) -> None:
    """Gives a public class, for its page, what it has from parts that are not public."""
    for base in kind.__mro__[1:-1]:
        if not base.__module__.startswith("rally."):
            continue
        for name, member in vars(base).items():
            if not name.startswith("_") and name not in vars(kind):
                setattr(kind, name, member)


def main(folder: Path) -> None:
    warnings.simplefilter("error", UserWarning)
    for name in rally.__all__:
        if isinstance(member := getattr(rally, name), type):
            gather(member)
    pdoc.render.configure(docformat="numpy", show_source=False)
    pdoc.pdoc(*MODULES, output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
