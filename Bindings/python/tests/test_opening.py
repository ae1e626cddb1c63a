"""How files are opened: limits, what is heard meanwhile, checks that keep nothing, and what calls will take."""

from __future__ import annotations

from pathlib import Path

import pytest

import rally
from rally import RallyError, Status


@pytest.mark.parametrize("limits", [{"max_file_bytes": 1000}, {"max_tensor_bytes": 1000}])
def test_limits(lm_path: Path, limits: dict[str, int]) -> None:
    for use in (
        lambda: rally.Model(lm_path, **limits),
        lambda: rally.Model.from_bytes(lm_path.read_bytes(), **limits),
        lambda: rally.validate(lm_path, **limits),
    ):
        with pytest.raises(RallyError, match="1000") as caught:
            use()
        assert caught.value.code == Status.LIMIT_EXCEEDED
    rally.Model(lm_path, max_file_bytes=2**40, max_tensor_bytes=2**40).close()


def test_validation_finds_what_opening_finds(lm_path: Path, tmp_path: Path) -> None:
    rally.validate(lm_path)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(lm_path.read_bytes()[:-100])
    codes = []
    for use in (rally.validate, rally.Model):
        with pytest.raises(RallyError) as caught:
            use(broken)
        codes.append(caught.value.code)
    assert codes[0] == codes[1]
    with pytest.raises(RallyError, match="zero byte"):
        rally.validate("a\0b")


def test_progress_reaches_the_end_and_may_end_opening(lm_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    rally.Model(lm_path, progress=lambda done, total: seen.append((done, total)), log=lambda level, line: None).close()
    assert seen[-1][0] == seen[-1][1] > 0
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    def refuse(done: int, total: int) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        rally.Model(lm_path, progress=refuse)


def test_memory_bounds_grow_with_rows(lm: rally.Model) -> None:
    alone, both, longer = lm.memory([10]), lm.memory([10, 10]), lm.memory([10], new_tokens=100)
    assert 0 < alone <= both and alone < longer
    with pytest.raises(RallyError, match="lengths"):
        lm.memory([-1])
