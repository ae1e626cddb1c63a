"""``python python_pages.py FOLDER`` writes the pages of the Python package by pdoc; a warning of pdoc's is an error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import is_dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pdoc
import rally
from rally import convert, modelfile, score

MODULES = (
    "rally",
    "rally.convert",
    "rally.modelfile",
    "rally.score",
    "rally.serve",
    "rally.sweep",
    "rally.torch",
    "rally.verify",
    "rally.adapters",
)

#: What the adapters adapt to: 2 GB, of which their pages name a few classes.
FRAMEWORKS = ("datasets", "datatrove", "lm_eval", "nemo_curator", "pyspark", "ray")


class StandIn:
    """Whatever a framework has: a class to inherit from or to subscript, a decorator that changes nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, decorated: Any) -> Any:
        return decorated

    def __class_getitem__(cls, _: Any) -> type:
        return cls


class Frameworks(MetaPathFinder, Loader):
    """Finds frameworks, and all their modules, where they are not installed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in FRAMEWORKS else None

    def exec_module(self, module: ModuleType) -> None:
        def member(name: str) -> type:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (StandIn,), {"__module__": module.__name__})

        module.__getattr__ = member  # type: ignore[method-assign]


def gather(kind: type) -> None:
    """Gives a public class, for its page, what it has from parts that are not public."""
    for base in kind.__mro__[1:-1]:
        if not base.__module__.startswith("rally."):
            continue
        for name, member in vars(base).items():
            if not name.startswith("_") and name not in vars(kind):
                setattr(kind, name, member)


def resolve(kind: type) -> None:
    """Gives a dataclass the types of inherited fields, whose names only the modules of its bases know."""
    hints = get_type_hints(kind)
    annotations = kind.__init__.__annotations__
    annotations.update({name: hint for name, hint in hints.items() if name in annotations})


def main(folder: Path) -> None:
    sys.meta_path.append(Frameworks())
    warnings.simplefilter("error", UserWarning)
    # What a TypedDict inherits is its own: Python keeps no bases of it.
    warnings.filterwarnings("ignore", r"Cannot determine where \S+ is taken from")
    for name in rally.__all__:
        if isinstance(member := getattr(rally, name), type):
            gather(member)
    for module in (convert, score):  # whose members are loaded when they are asked for
        for name in module.__all__:
            setattr(module, name, getattr(module, name))
    for name in modelfile.__all__:
        if is_dataclass(kind := getattr(modelfile, name)):
            resolve(kind)
    pdoc.render.configure(docformat="numpy", show_source=False)
    pdoc.pdoc(*MODULES, output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
