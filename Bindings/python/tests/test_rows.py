"""Packing rows: no copy where none is needed, no number wrapped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rally import RallyError, Rows, Status
from rally.rows import choice, integer


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, ">i4", ">i8"]
)
def test_any_integer_type(dtype: Any) -> None:
    packed = Rows.pack([np.array([1, 2], dtype), np.array([3], dtype)])
    assert packed.tokens.dtype == np.int32
    assert packed.tokens.tolist() == [1, 2, 3]
    assert packed.offsets.tolist() == [0, 2, 3]
    assert packed.lengths.tolist() == [2, 1]


def test_rows_of_several_types() -> None:
    packed = Rows.pack([[1, 2], (3,), np.array([4], np.uint64), np.array([5], np.int64), range(6, 8), []])
    assert packed.tokens.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert packed.lengths.tolist() == [2, 1, 1, 1, 2, 0]


def test_nothing_is_copied_where_nothing_must_be() -> None:
    tokens, offsets = np.arange(6, dtype=np.int32), np.array([0, 4, 6], np.uintp)
    packed = Rows.pack(Rows(tokens, offsets))
    assert packed.tokens is tokens
    assert packed.offsets is offsets
    assert np.shares_memory(Rows.pack(tokens.reshape(2, 3)).tokens, tokens)
    assert np.shares_memory(Rows.pack([tokens]).tokens, tokens)


def test_strided_rows() -> None:
    table = np.arange(12, dtype=np.int64).reshape(3, 4)
    assert Rows.pack(table.T).tokens.tolist() == table.T.reshape(-1).tolist()
    assert Rows.pack([table[:, 1], table[0, ::2]]).tokens.tolist() == [1, 5, 9, 0, 2]


def test_misaligned_rows() -> None:
    file = bytes(1) + np.array([5, 6, 7], np.int32).tobytes()
    packed = Rows.pack([np.frombuffer(file, np.int32, offset=1)])
    assert packed.tokens.flags.aligned
    assert packed.tokens.tolist() == [5, 6, 7]


def test_no_rows() -> None:
    assert len(Rows.pack([])) == 0
    assert len(Rows.pack(np.empty((0, 5), np.int32))) == 0


@pytest.mark.parametrize("value", [2**31, 2**32, 2**32 + 1, 2**63, 2**64, 2**70, -(2**31) - 1, -(2**40), -(2**70)])
@pytest.mark.parametrize("alongside", [[], [np.array([7], np.int32)], [np.array([7], np.uint64)]])
def test_numbers_are_never_wrapped(value: int, alongside: list[Any]) -> None:
    with pytest.raises(RallyError, match=str(value)) as caught:
        Rows.pack([*alongside, [3, value]])
    assert caught.value.code == Status.INVALID_TOKEN


@pytest.mark.parametrize(
    "rows",
    [
        5, None, "text", b"text", [1, 2], [None], [["a"]], [[1.0]], [[True]], [[[1]]], [[1, [2]]], [np.array(1)],
        np.zeros((2, 2)), np.zeros((1, 1, 1), np.int32), np.array([1, 2]), [[1, None]], [{1: 2}],
    ],
)  # fmt: skip
def test_what_is_not_rows_of_integers(rows: Any) -> None:
    with pytest.raises(RallyError) as caught:
        Rows.pack(rows)
    assert caught.value.code == Status.INVALID_ARGUMENT


@pytest.mark.parametrize("offsets", [[], [0], [0, 2], [0, 4], [1, 3], [0, 2, 1, 3], [0, -1, 3], [0.0, 3.0], [[0, 3]]])
def test_offsets_must_fit_the_tokens(offsets: Any) -> None:
    with pytest.raises(RallyError) as caught:
        Rows(np.arange(3, dtype=np.int32), np.array(offsets))
    assert caught.value.code == Status.INVALID_ARGUMENT


@pytest.mark.parametrize("value", [-1, 8, 2**64, 1.0, "1", None, True, float("nan")])
def test_integers_are_checked(value: Any) -> None:
    with pytest.raises(RallyError, match="threads") as caught:
        integer("threads", value, 0, 7)
    assert caught.value.code == Status.INVALID_ARGUMENT
    assert integer("threads", np.uint8(7), 0, 7) == 7


@pytest.mark.parametrize("value", ["TOPK", "", None, 1, [1]])
def test_choices_are_checked(value: Any) -> None:
    with pytest.raises(RallyError, match="selection"):
        choice("selection", value, {"threshold": 0, "topk": 1})
