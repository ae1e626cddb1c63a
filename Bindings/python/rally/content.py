"""What a cell of a table is as a text, as token ids, as a name; and why it is none."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from typing import Any

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]


class ContentError(Exception):
    """Why a value is no text or no token ids; one sentence."""


def text_bytes(value: object, what: str = "text") -> bytes:
    """A text as UTF-8.

    Raises
    ------
    ContentError
        It is missing, is something else, has half a surrogate pair, or is not UTF-8.
    """
    try:
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = bytes(value)
            value.decode("utf-8")
            return value
        if isinstance(value, str):
            return value.encode("utf-8")
    except UnicodeError as error:
        raise ContentError(f"{what}: not Unicode: {getattr(error, 'reason', error)}") from None
    raise ContentError(f"no {what}" if _is_missing(value) else f"{what}: expected a string, found {kind(value)}")


def token_ids(value: object, vocabulary: int) -> Tokens:
    """Token ids, each below `vocabulary`, as int32; there may be none.

    Raises
    ------
    ContentError
        They are missing, something else, have a null among them, or lie outside of the vocabulary.
    """
    if _is_missing(value):
        raise ContentError("no tokens")
    array = value if isinstance(value, np.ndarray) else _array(value)
    if array.size == 0:
        return np.empty(0, np.int32)
    if array.ndim != 1:
        raise ContentError(f"tokens: expected one dimension, found shape {list(array.shape)}")
    if array.dtype.kind not in "iu":
        array = _integers(array)
    outside = (array < 0) | (array >= vocabulary)
    if bool(outside.any()):
        at = int(np.argmax(outside))
        raise ContentError(f"tokens: expected ids in [0, {vocabulary}), found {array[at]} at place {at}")
    return array.astype(np.int32)


def _array(value: object) -> npt.NDArray[Any]:
    if not isinstance(value, (list, tuple)):
        raise ContentError(f"tokens: expected a list, found {kind(value)}")
    if set(map(type, value)) <= {int}:
        plain = np.array(value)
        if plain.dtype.kind in "iu":
            return plain
    array = np.empty(len(value), object)
    array[:] = value
    return array


def _integers(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of objects as one of Python's integers, which cannot overflow."""
    for place, each in enumerate(array.tolist()):
        if _is_missing(each):
            raise ContentError(f"tokens: expected integers, found null at place {place}")
        if not isinstance(each, int) or isinstance(each, bool):
            raise ContentError(f"tokens: expected integers, found {kind(each)} at place {place}")
    return array.astype(object)


def name_of(value: object) -> str | None:
    """What a document or source is called: the text of its id; None where there is none or it is no Unicode.

    Numbers as they are written, dates and times in ISO 8601, a UUID by its digits, bytes that are no text in
    hexadecimal, lists and objects as JSON.
    """
    if _is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (int, float, decimal.Decimal, uuid.UUID, datetime.timedelta)):
        return str(value)
    try:
        name = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        name.encode("utf-8")
    except (UnicodeError, ValueError, RecursionError):
        return None
    return name


def kind(value: object) -> str:
    """The type of a value, for messages."""
    return "null" if value is None else type(value).__name__


def _is_missing(value: object) -> bool:
    """None, NaN, and pandas' NA and NaT, which equal nothing."""
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return True
    return type(value).__name__ in ("NAType", "NaTType")
