"""Exposure against NumPy over whole logits, and the guarantee of its e-value by simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import models
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import rally
from rally.convert import convert


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[rally.Model, rally.Model]]:
    folder = tmp_path_factory.mktemp("exposure")
    teacher = models.write(folder / "teacher.onnx", models.VANILLA, seed=1)
    base = models.write(folder / "base.onnx", models.MOR, seed=2)
    with rally.Model(teacher, threads=2) as left, rally.Model(base, threads=2) as right:
        yield left, right


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def twin(teacher: rally.Model, base: rally.Model, row: list[int], given: int) -> tuple[float, float]:
    if given == len(row):
        return 0.0, 0.0
    places = slice(given - 1, len(row) - 1)
    p, q = (log_softmax(model.forward([row])[0].logits[places]) for model in (teacher, base))
    targets = row[given:]
    steps = np.arange(len(targets))
    ratio = (p[steps, targets] - q[steps, targets]).sum()
    divergence = (np.exp(p) * (p - q)).sum() + (np.exp(q) * (q - p)).sum()
    return float(divergence), float(ratio)


def test_equals_the_twin(pair: tuple[rally.Model, rally.Model]) -> None:
    teacher, base = pair
    rows = models.rows([1, 2, 3, 65, 130, 200], seed=3)
    for given in (None, [1, 2, 2, 30, 64, 199]):
        found = rally.exposure(teacher, base, rows, given)
        for index, row in enumerate(rows):
            count = given[index] if given else 1
            divergence, ratio = twin(teacher, base, row, count)
            assert found.jeffreys[index] == pytest.approx(divergence, rel=2e-5, abs=1e-5)
            assert found.log_ratio[index] == pytest.approx(ratio, rel=2e-5, abs=2e-4)
            assert found.tokens[index] == len(row) - count
    assert np.array_equal(found.log_e, np.cumsum(found.log_ratio))


def test_rows_do_not_depend_on_their_company(pair: tuple[rally.Model, rally.Model]) -> None:
    rows = models.rows([40, 90, 5, 64, 65], seed=4)
    whole = rally.exposure(*pair, rows)
    for batch in (1, 2):
        part = rally.exposure(*pair, iter(rows), batch_rows=batch)
        assert np.array_equal(part.jeffreys, whole.jeffreys)
        assert np.array_equal(part.log_ratio, whole.log_ratio)
    packed = rally.exposure(*pair, rally.Rows.pack(rows))
    assert np.array_equal(packed.jeffreys, whole.jeffreys)


def test_a_model_is_not_exposed_to_itself(lm_path: Path) -> None:
    found = rally.exposure(lm_path, lm_path, ["The sea was calm.", "An inner theatre"])
    assert not found.jeffreys.any()
    assert not found.log_ratio.any()
    assert not found.rejects(0.05)


def test_data_of_the_teacher_is_told_from_data_of_the_base(pair: tuple[rally.Model, rally.Model]) -> None:
    teacher, base = pair
    texts = teacher.generate([[3]] * 6, max_tokens=30, temperature=1.0, seed=list(range(6)))
    rows = [[3, *text.tokens] for text in texts]
    assert rally.exposure(teacher, base, rows).rejects(0.001)
    assert rally.exposure(base, teacher, rows).log_e[-1] < 0


def test_the_base_is_rejected_no_more_often_than_alpha(tmp_path: Path) -> None:
    """400 streams of 60 rows, each one token that the base drew behind a random one, beside a teacher that is near."""
    for seed in (0, 1):
        torch.manual_seed(seed)
        sizes = {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
        config = LlamaConfig(vocab_size=101, tie_word_embeddings=False, bos_token_id=None, eos_token_id=None, **sizes)
        LlamaForCausalLM(config).save_pretrained(tmp_path / str(seed))
        convert(tmp_path / str(seed), tmp_path / f"{seed}.onnx", quiet=True)
    with rally.Model(tmp_path / "0.onnx") as teacher, rally.Model(tmp_path / "1.onnx") as base:
        random = np.random.default_rng(0)
        streams, count = 400, 60
        prompts = list(range(20))
        chances = [np.exp(log_softmax(found.logits[-1])) for found in base.forward([[prompt] for prompt in prompts])]
        rows = []
        for prompt in random.choice(prompts, streams * count):
            chance = chances[prompt] / chances[prompt].sum()
            rows.append([int(prompt), int(random.choice(chance.size, p=chance))])
        found = rally.exposure(teacher, base, rows, batch_rows=4000)
    log_e = np.cumsum(found.log_ratio.reshape(streams, count), axis=1)
    shares = {alpha: np.mean(log_e.max(1) >= -math.log(alpha)) for alpha in (0.05, 0.2, 0.5)}
    for alpha, share in shares.items():
        assert share <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / streams)
    assert shares[0.5] > 0.2, "and not by never rejecting"
    last = np.exp(log_e[:, -1])
    assert abs(last.mean() - 1) < 4 * last.std() / math.sqrt(streams), "a martingale of mean 1"


def test_what_is_refused(pair: tuple[rally.Model, rally.Model], rater_path: Path, tmp_path: Path) -> None:
    teacher, base = pair

    def status(*arguments: object, **options: object) -> rally.Status:
        with pytest.raises(rally.RallyError) as error:
            rally.exposure(*arguments, **options)  # type: ignore[arg-type]
        return error.value.code

    assert status(teacher, teacher, [[1, 2]]) == rally.Status.BUSY
    assert status(teacher, rater_path, [[1, 2]]) == rally.Status.WRONG_KIND
    assert status(teacher, base, []) == rally.Status.EMPTY_INPUT
    assert status(teacher, base, [[1], []]) == rally.Status.EMPTY_INPUT
    assert status(teacher, base, [[1, 10**6]]) == rally.Status.INVALID_TOKEN
    assert status(teacher, base, [[1] * 1000]) == rally.Status.CONTEXT_EXCEEDED
    assert status(teacher, base, [[1, 2]], given=[0]) == rally.Status.INVALID_ARGUMENT
    assert status(teacher, base, [[1, 2]], given=[3]) == rally.Status.INVALID_ARGUMENT
    assert status(teacher, base, [[1, 2]], given=[]) == rally.Status.INVALID_ARGUMENT
    assert status(teacher, base, [[1, 2]], given=[1, 1]) == rally.Status.INVALID_ARGUMENT
    other = Path(__file__).resolve().parents[3] / "Examples" / "models" / "rally-tiny.onnx"
    assert status(teacher, other, [[1, 2]]) == rally.Status.MISMATCH
    with pytest.raises(rally.RallyError, match="alpha"):
        rally.exposure(teacher, base, [[1, 2]]).rejects(0)
