"""The one exception of the package and its codes."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Status(IntEnum):
    """Why a call failed: the ``rally_status`` of the C interface, without its prefix."""

    UNKNOWN_STATUS = -1
    """A code that only a newer library knows."""

    OK = 0

    # The arguments of the call.
    INVALID_ARGUMENT = 1
    INVALID_TOKEN = 2
    EMPTY_INPUT = 3
    CONTEXT_EXCEEDED = 4
    WRONG_KIND = 5
    BUFFER_TOO_SMALL = 6
    WRONG_MODEL = 7
    MISMATCH = 8

    # The state of a handle or of the machine.
    CLOSED = 10
    BUSY = 11
    FORKED = 12
    CANCELLED = 13
    DEADLINE_EXCEEDED = 14
    OUT_OF_MEMORY = 15
    LIMIT_EXCEEDED = 16
    UNSUPPORTED = 17

    # The file as a file.
    FILE_NOT_FOUND = 20
    NOT_A_FILE = 21
    EMPTY_FILE = 22
    IO = 23

    # The file as a model.
    CORRUPT_FILE = 30
    NOT_A_RALLY_MODEL = 31
    UNSUPPORTED_VERSION = 32
    MISSING_KEY = 33
    UNKNOWN_KEY = 34
    DUPLICATE_KEY = 35
    INVALID_VALUE = 36
    MISSING_TENSOR = 37
    UNKNOWN_TENSOR = 38
    DUPLICATE_TENSOR = 39
    INVALID_SHAPE = 40
    INVALID_DATA_TYPE = 41
    TRUNCATED_DATA = 42
    NOT_FINITE = 43
    EXTERNAL_DATA_FORBIDDEN = 44
    EXTERNAL_DATA_MISSING = 45
    EXTERNAL_DATA_RANGE = 46
    INVALID_TOKENIZER = 47

    @classmethod
    def _missing_(cls, value: object) -> Status:
        return cls.UNKNOWN_STATUS


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
