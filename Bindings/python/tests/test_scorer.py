"""The rater as a value: pickles, processes, fingerprints."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
from compare import same_bits

import rally
from rally import RallyError, Scorer, Status
from rally.modelfile.tensors import float_tensor
from rally.modelfile.writer import write_model

ROWS = models.rows([3, 20, 1, 50])


@pytest.fixture
def expected(rater: rally.Model) -> np.ndarray:
    return rater.rate(ROWS)


def test_rates_like_the_model(rater_path: Path, expected: np.ndarray) -> None:
    scorer = Scorer(rater_path, threads=1)
    assert same_bits(scorer.rate(ROWS), expected)
    assert scorer.model is scorer.model
    scorer.close()
    assert same_bits(scorer.rate(ROWS), expected)
    scorer.close()
    scorer.close()


def test_opens_once_for_threads_that_begin_together(rater_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = Scorer(rater_path, threads=1)
    found: list[rally.Model] = []
    other = threading.Thread(target=lambda: found.append(scorer.model))
    own_number = os.getpid

    def another_comes_first() -> int:
        monkeypatch.setattr(os, "getpid", own_number)
        other.start()
        other.join(0.5)  # in vain, where it waits for this thread
        return own_number()

    monkeypatch.setattr(os, "getpid", another_comes_first)
    model = scorer.model
    other.join()
    assert found == [model] == [scorer.model]
    scorer.close()


def test_opens_nothing_before_it_is_used(tmp_path: Path) -> None:
    scorer = pickle.loads(pickle.dumps(Scorer(tmp_path / "later.onnx")))
    assert scorer.path == str(tmp_path / "later.onnx")
    with pytest.raises(RallyError) as caught:
        scorer.rate(ROWS)
    assert caught.value.code == Status.FILE_NOT_FOUND


def test_pickle(rater_path: Path, expected: np.ndarray) -> None:
    scorer = Scorer(rater_path, threads=2, batch_tokens=16)
    scorer.rate(ROWS)
    data = pickle.dumps(scorer)
    assert len(data) < 1_000
    copy = pickle.loads(data)
    assert same_bits(copy.rate(ROWS), expected)
    assert copy.fingerprint == scorer.fingerprint


def _rate(scorer: Scorer) -> tuple[int, str, list[int]]:
    return os.getpid(), scorer.fingerprint, scorer.rate(ROWS).view(np.int32).tolist()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_worker_processes(rater_path: Path, expected: np.ndarray, method: str) -> None:
    scorer = Scorer(rater_path, threads=1)
    scorer.rate(ROWS)  # a forked child inherits an open model
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map(_rate, [scorer] * 4, chunksize=1)
    for process, fingerprint, bits in results:
        assert process != os.getpid()
        assert fingerprint == scorer.fingerprint
        assert bits == expected.view(np.int32).tolist()


_inherited: Any = None


def _in_child(pipe: Any) -> None:
    found = []
    for use in (lambda: _inherited[0].rate(ROWS), lambda: _inherited[0].encode("a"), lambda: _inherited[0].info):
        try:
            use()
            found.append("worked")
        except RallyError as error:
            found.append(error.code.name)
    _inherited[0].close()
    found.append(_inherited[1].rate(ROWS).view(np.int32).tolist())
    pipe.send(found)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_inherited_models_answer_forked(rater: rally.Model, rater_path: Path, expected: np.ndarray) -> None:
    global _inherited
    scorer = Scorer(rater_path)
    scorer.rate(ROWS)
    rater.rate(ROWS)
    _inherited = rater, scorer
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=[there])
    child.start()
    there.close()  # so that a child that dies is the end of the pipe
    assert here.recv() == ["FORKED", "FORKED", "FORKED", expected.view(np.int32).tolist()]
    child.join()
    assert child.exitcode == 0
    assert same_bits(rater.rate(ROWS), expected)


def test_fingerprint(rater_path: Path, tmp_path: Path) -> None:
    original = Scorer(rater_path)
    assert len(original.fingerprint) == 64
    copied = tmp_path / "another name.onnx"
    shutil.copy(rater_path, copied)
    assert Scorer(copied, threads=2, batch_tokens=7).fingerprint == original.fingerprint
    assert Scorer(copied, dtype="f32").fingerprint == original.fingerprint
    assert Scorer(copied, squash=True).fingerprint != original.fingerprint
    other = models.write(tmp_path / "other.onnx", models.RATER, seed=1)
    assert Scorer(other).fingerprint != original.fingerprint


def test_fingerprint_covers_external_data(tmp_path: Path) -> None:
    found = set()
    for seed in (0, 0, 1):
        inside = models.write(tmp_path / "inside.onnx", models.RATER, seed)
        with rally.Model(inside) as model:
            names = {tensor.name: tensor.shape for tensor in model.tensors}
        random = np.random.default_rng(seed)
        tensors = [float_tensor(name, random.standard_normal(shape)) for name, shape in names.items()]
        path = tmp_path / "model.onnx"
        write_model(path, models.RATER, tensors, external_data=True)
        assert path.with_name("model.onnx.data").exists()
        found.add(Scorer(path).fingerprint)
    assert len(found) == 2


def test_texts(rater_path: Path, rater: rally.Model) -> None:
    scorer = Scorer(rater_path)
    texts = ["the sea", b"\xff\xfe", "another one"]
    assert same_bits(scorer.rate_texts(texts), rater.rate([rater.encode(text) for text in texts]))
    assert same_bits(scorer.rate_texts(texts), rater.rate(texts))
    long = "the sea " * 1_000
    with pytest.raises(RallyError) as caught:
        scorer.rate_texts([long])
    assert caught.value.code == Status.CONTEXT_EXCEEDED
    assert same_bits(scorer.rate_texts([long], truncate=True), rater.rate([rater.encode(long)[:256]]))


def test_squash(tmp_path: Path) -> None:
    path = models.write(tmp_path / "squash.onnx", replace(models.RATER, squash="sigmoid", squash_temperature=2.0))
    raw, squashed = Scorer(path).rate(ROWS), Scorer(path, squash=True).rate(ROWS)
    np.testing.assert_allclose(squashed, 1 / (1 + np.exp(-raw.astype(np.float64) / 2)), rtol=1e-6)


def test_a_language_model_is_no_scorer(lm_path: Path) -> None:
    with pytest.raises(RallyError) as caught:
        Scorer(lm_path).rate(ROWS)
    assert caught.value.code == Status.WRONG_KIND
