"""What bf16, int8 and q4 cost: the shipped models on a text that they were not trained on, against f32."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from compare import relative_error
from safetensors.numpy import load_file
from scipy.stats import spearmanr

import rally
from rally.convert import convert

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "Examples" / "models"
TEXT = (ROOT / "Tests" / "Fixtures" / "texts" / "alice.txt").read_text(encoding="utf-8")
DOCUMENTS = ROOT / "Tests" / "Fixtures" / "texts" / "prose-and-junk.jsonl"
REFERENCE = ROOT / "Tests" / "Fixtures" / "mor"
Outputs = tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]


def windows(model: rally.Model, length: int) -> list[list[int]]:
    """The text in rows of `length` tokens."""
    ids = list(model.encode(TEXT))
    return [ids[start : start + length] for start in range(0, len(ids) - length + 1, length)]


def language(dtype: str, path: Path = MODELS / "rally-tiny.onnx") -> Outputs:
    """Log-probabilities of the text, row by row, and the depth of every token, [rows, 255] and [rows, 256]."""
    with rally.Model(path, dtype) as model:
        rows = windows(model, 256)
        logprobs = np.stack(model.logprobs(rows))
        depths = [forward.depth for forward in model.forward(rows, logits=False)]
    return logprobs, np.stack(depths)


def scores(dtype: str) -> npt.NDArray[np.float32]:
    with rally.Model(MODELS / "rally-rater-tiny.onnx", dtype) as model:
        return model.rate(windows(model, 96))


@pytest.fixture(scope="module")
def exact_language() -> Outputs:
    return language("f32")


@pytest.fixture(scope="module")
def exact_scores() -> npt.NDArray[np.float32]:
    return scores("f32")


@pytest.mark.parametrize(
    ("dtype", "loss", "agreement"), [("bf16", 0.01, 0.99), ("int8", 0.01, 0.99), ("q4", 0.05, 0.98)]
)
def test_language_model(dtype: str, loss: float, agreement: float, exact_language: Outputs) -> None:
    check_language(language(dtype), exact_language, loss, agreement)


def check_language(found: Outputs, exact: Outputs, loss: float, agreement: float, share: float = 1) -> None:
    """Perplexity and depths of the last `share` of the text."""
    first = int(len(exact[1]) * (1 - share))
    perplexity, exact_perplexity = (np.exp(-values[first:].astype(np.float64).mean()) for values, _ in (found, exact))
    agrees = (found[1][first:] == exact[1][first:]).mean()
    print(f"perplexity {perplexity / exact_perplexity - 1:+.3%}, equal depths {agrees:.3%}")
    assert exact[1].size >= 20_000
    assert abs(perplexity / exact_perplexity - 1) <= loss
    assert agrees >= agreement
    assert perplexity != exact_perplexity


@pytest.mark.parametrize(("dtype", "correlation"), [("bf16", 0.999), ("int8", 0.999)])
def test_rater(dtype: str, correlation: float, exact_scores: npt.NDArray[np.float32]) -> None:
    found = scores(dtype)
    assert found.size >= 200
    ranked = spearmanr(found, exact_scores).statistic
    print(f"rank correlation {ranked:.5f}")
    assert ranked >= correlation
    assert (found != exact_scores).any()


@pytest.mark.parametrize(("calibrated", "alike", "mixed"), [(False, 0.95, 0.99), (True, 0.98, 0.995)])
def test_rater_in_four_bits(
    calibrated: bool, alike: float, mixed: float, exact_scores: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    """Windows of one book, whose scores lie close together, and documents of every kind, as a corpus has them."""
    path, book = MODELS / "rally-rater-tiny.onnx", len(exact_scores) * 3 // 10
    texts = [json.loads(line)["text"] for line in DOCUMENTS.read_text(encoding="utf-8").splitlines()]
    with rally.Model(path, "f32") as model:
        rows = [model.encode(text)[:256] for text in texts]
        exact = model.rate(rows)
        pages = windows(model, 96)[book:]
    source = path
    if calibrated:
        path = tmp_path / "q4.onnx"
        rally.quantize(source, path, "q4", calibration_text=TEXT[: len(TEXT) * 3 // 10])
    with rally.Model(path, "q4") as model:
        found = {"alike": model.rate(pages), "mixed": model.rate(rows)}
    wanted = {"alike": exact_scores[book:], "mixed": exact}
    ranked = {name: spearmanr(found[name], wanted[name]).statistic for name in found}
    print(ranked)
    assert ranked["alike"] >= alike
    assert ranked["mixed"] >= mixed


def test_calibrated_language_model(tmp_path: Path, exact_language: Outputs) -> None:
    """q4 that read the beginning of the text first, asked about the rest."""
    rally.quantize(MODELS / "rally-tiny.onnx", tmp_path / "q4.onnx", "q4", calibration_text=TEXT[: len(TEXT) * 3 // 10])
    check_language(language("auto", tmp_path / "q4.onnx"), exact_language, 0.03, 0.98, share=0.6)


@pytest.mark.parametrize("case", ["expert_nr3", "expert_nr3_kvshare", "expert_nr3_mlp_auxrouter", "token_nr3"])
@pytest.mark.parametrize(("dtype", "error", "agreement"), [("bf16", 0.02, 0.95), ("int8", 0.15, 0.85)])
def test_random_weights_stay_close(case: str, dtype: str, error: float, agreement: float, tmp_path: Path) -> None:
    """Random weights are the hardest: nothing stands out, and routers stand at their thresholds."""
    path = tmp_path / "model.onnx"
    convert(REFERENCE / case, path, quiet=True)
    golden = load_file(REFERENCE / case / "golden.safetensors")
    with rally.Model(path, dtype) as model:
        (found,) = model.forward([golden["input_ids"].tolist()], "topk")
    assert relative_error(found.logits, golden["logits_upstream_eager_fp32"]) <= error
    assert (found.depth == golden["depth_upstream"]).mean() >= agreement


def test_auto_is_what_the_file_stores(tmp_path: Path) -> None:
    convert(REFERENCE / "expert_nr3", tmp_path / "wide.onnx", quiet=True)
    convert(REFERENCE / "expert_nr3", tmp_path / "narrow.onnx", dtype="bf16", quiet=True)
    sizes = {}
    for name, dtype, expected in [
        ("wide", "auto", "f32"),
        ("wide", "bf16", "bf16"),
        ("wide", "int8", "int8"),
        ("narrow", "auto", "bf16"),
        ("narrow", "f32", "f32"),
    ]:
        with rally.Model(tmp_path / f"{name}.onnx", dtype) as model:
            assert model.info.dtype == expected
            sizes[name, expected] = model.info.weight_bytes
    assert sizes["wide", "f32"] > sizes["wide", "bf16"] > sizes["wide", "int8"]
