"""What to install when a framework is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the imports of a framework: names the extra of this package that brings it.

    Raises
    ------
    ImportError
        In place of the one for the module that is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"this adapter of rally needs the module {error.name!r}, which is not installed; "
            f'install rally with its extra {name!r}: pip install "Bindings/python[{name}]"',
            name=error.name,
        ) from error
