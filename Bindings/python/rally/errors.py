"""The one exception of the package and its codes, which are the header's ``rally_status`` without the prefix."""

from __future__ import annotations

from ._c.codes import Status

__all__ = ["RallyError", "Status"]


class RallyError(Exception):
    """A call that the engine refused or could not finish.

    Attributes
    ----------
    code : Status
        What kind of failure it was; stable, made for programs.
    message : str
        One line for people: the thing, what was expected, what was found and what to do.
    """

    def __init__(self, code: Status | int, message: str) -> None:
        super().__init__(int(code), message)
        self.code = Status(code)
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} [{self.code.name}]"
