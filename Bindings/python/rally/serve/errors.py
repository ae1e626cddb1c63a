"""Failures as OpenAI's interface reports them."""

from __future__ import annotations

from typing import Any

from ..errors import RallyError, Status

_STATUS = {
    Status.QUEUE_FULL: 429,
    Status.OUT_OF_MEMORY: 503,
    Status.CLOSED: 503,
    Status.CANCELLED: 503,
    Status.DEADLINE_EXCEEDED: 503,
}
_CALLERS = {
    Status.INVALID_ARGUMENT,
    Status.INVALID_TOKEN,
    Status.EMPTY_INPUT,
    Status.CONTEXT_EXCEEDED,
    Status.WRONG_KIND,
    Status.LIMIT_EXCEEDED,
    Status.UNSUPPORTED,
}
_TYPES = {429: "rate_limit_error", 500: "server_error", 503: "server_error"}


class ApiError(Exception):
    """An answer that is an error.

    Attributes
    ----------
    status : int
        HTTP's.
    param : str or None
        The field of the request that it is about.
    code : str or None
        For programs.
    """

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code

    def body(self) -> dict[str, Any]:
        """What the client gets."""
        kind = _TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def of_library(error: RallyError) -> ApiError:
    """What the library refused, as an answer: 400 for what the client can mend."""
    status = _STATUS.get(error.code, 400 if error.code in _CALLERS else 500)
    return ApiError(status, error.message, code=error.code.name.lower())


def wrong(param: str, expected: str, found: Any) -> ApiError:
    """A field with a value that cannot be used."""
    text = repr(found)
    return ApiError(400, f"{param}: expected {expected}, found {text[:80]}{'…' * (len(text) > 80)}", param)
