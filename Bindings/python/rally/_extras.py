"""What to install when a module of an extra is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

#: The name of this package for pip.
_PACKAGE = "rally-runtime"


def sentence(error: ModuleNotFoundError, who: str, extra: str) -> str:
    """Which module is missing, and the extra of this package that brings it."""
    return (
        f"{who} needs the module {error.name!r}, which is not installed; "
        f'install rally with its extra {extra}: pip install "{_PACKAGE}[{extra}]"'
    )


def _is_foreign(error: ModuleNotFoundError) -> bool:
    """Whether the module is missing from the environment, and not from this package."""
    return error.name is not None and error.name.partition(".")[0] != "rally"


@contextmanager
def extra(name: str, who: str = "this adapter of rally") -> Iterator[None]:
    """Around the imports of what an extra brings: names the extra.

    Raises
    ------
    ImportError
        In place of the one for the module that is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not _is_foreign(error):
            raise
        raise ImportError(sentence(error, who, name), name=error.name) from error


@contextmanager
def program(name: str, extra: str) -> Iterator[None]:
    """Around the imports of a command: where a module is missing, it ends with status 1 and one sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not _is_foreign(error):
            raise
        raise SystemExit(f"error: {sentence(error, name, extra)}") from None
