"""What `max_memory_bytes` of models and engines bounds."""

from __future__ import annotations

from pathlib import Path

import models
import pytest
from compare import same_bits

import rally
from rally import RallyError, Status

SHORT, LONG = models.rows([3, 5]), models.rows([60] * 64)


def test_a_model_goes_on_after_what_did_not_fit(rater_path: Path) -> None:
    with rally.Model(rater_path, threads=2) as model:
        scores, needed = model.rate(SHORT), model.memory([60] * 64)
        weights = model.info.weight_bytes
    limit = weights + needed // 2
    with rally.Model(rater_path, threads=2, max_memory_bytes=limit) as model:
        for _ in range(3):
            assert same_bits(model.rate(SHORT), scores)
            with pytest.raises(RallyError, match="max_memory_bytes") as caught:
                model.rate(LONG)
            assert caught.value.code == Status.OUT_OF_MEMORY
            assert str(limit) in str(caught.value)


def test_an_engines_cache_takes_what_is_left(lm_path: Path) -> None:
    with rally.Model(lm_path, threads=1) as model:
        expected = model.generate([5, 6, 7], 10).tokens
        whole = rally.Engine.memory(model, threads=1)
        with rally.Engine(model, threads=1, max_memory_bytes=whole // 2) as engine:
            engine.submit([5, 6, 7], 10)
            assert [event.token for event in engine] == list(expected)
        with pytest.raises(RallyError) as caught:
            rally.Engine(model, threads=1, max_memory_bytes=4096)
        assert caught.value.code == Status.OUT_OF_MEMORY


def test_a_model_that_does_not_fit(lm_path: Path) -> None:
    with pytest.raises(RallyError) as caught:
        rally.Model(lm_path, max_memory_bytes=1000)
    assert caught.value.code == Status.OUT_OF_MEMORY
    assert "1000" in str(caught.value) and "max_memory_bytes" in str(caught.value)
