"""Synthetic models: the published shapes, seeded weights, and tokens that leave in the wanted proportions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from compare import Graph

import rally
from rally.modelfile import LanguageModel, ModelFileError
from rally.synthesize import SHAPES, calibration, synthesize
from rally.synthesize.weights import RandomWeights, weight_dims

Q_PROJ_OF_SEED_0 = [0.031211620196700096, -0.010470169596374035, 0.008200664073228836, -0.017921501770615578]

# Non-embedding parameters, from the paper's tables.
NON_EMBEDDING = {
    "vanilla-135m": 106_203_456,
    "vanilla-360m": 314_635_200,
    "mor-360m-r2": 167_152_320,
    "mor-360m-r3": 117_991_680,
    "mor-360m-r4": 98_328_000,
}


@pytest.mark.parametrize("shape", NON_EMBEDDING)
def test_published_parameter_counts(shape: str) -> None:
    model = SHAPES[shape]
    assert isinstance(model, LanguageModel)
    dims = weight_dims(model)
    count = sum(int(np.prod(shape)) for name, shape in dims.items() if name != "embed_tokens.weight")
    routers = model.num_recursion * model.hidden_size if model.routing else 0
    assert count + routers == NON_EMBEDDING[shape]


@pytest.mark.parametrize(("shape", "layers"), [("vanilla-360m", 32), ("mor-360m-r3", 32), ("mor-360m-r4", 34)])
def test_effective_layers(shape: str, layers: int) -> None:
    model = SHAPES[shape]
    assert isinstance(model, LanguageModel)
    assert model.layer_applications == layers


def small(recursions: int) -> LanguageModel:
    model = SHAPES[f"mor-360m-r{recursions}"]
    assert isinstance(model, LanguageModel)
    sizes = {"vocab_size": 5000, "hidden_size": 256, "intermediate_size": 512, "num_block_layers": 2}
    return replace(model, name="small", num_attention_heads=4, num_key_value_heads=2, **sizes)


@pytest.mark.parametrize(("recursions", "dtype"), [(2, "f32"), (3, "f32"), (4, "f32"), (3, "bf16")])
def test_tokens_leave_in_the_wanted_proportions(
    recursions: int, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SHAPES, "small", small(recursions))
    path = tmp_path / "small.onnx"
    synthesize("small", path, seed=recursions, dtype=dtype, quiet=True)
    onnx.checker.check_model(str(path), full_check=True)
    engine = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    stream = np.random.default_rng(11)
    for rows, length in ((128, 64), (16, 512)):
        logits, depth = engine.run(None, {"input_ids": stream.integers(0, 5000, (rows, length))})
        assert np.isfinite(logits).all()
        shares = [float((depth > r).mean()) for r in range(recursions)]
        wanted = [(recursions - r) / recursions for r in range(recursions)]
        assert np.abs(np.subtract(shares, wanted)).max() < 0.02, shares


def test_the_seed_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, "small", small(2))
    monkeypatch.setattr(calibration, "Sample", lambda: calibration_sample)
    files = []
    for seed in (1, 1, 2):
        synthesize("small", tmp_path / "small.onnx", seed=seed, quiet=True)
        files.append((tmp_path / "small.onnx").read_bytes())
    assert files[0] == files[1] != files[2]


calibration_sample = calibration.Sample(rows=2, length=32)


def test_weights_do_not_change_between_platforms_and_versions() -> None:
    values = RandomWeights(0, "f32").values("block.0.self_attn.q_proj.weight", (2, 2))
    assert values.ravel().tolist() == pytest.approx(Q_PROJ_OF_SEED_0, rel=1e-7)


def test_raters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(SHAPES, "small-rater", replace(SHAPES["rater-50m"], vocab_size=100, num_block_layers=1))
    synthesize("small-rater", tmp_path / "rater.onnx")
    assert capsys.readouterr() == ("", ""), "a bar in a log"
    engine = onnxruntime.InferenceSession(tmp_path / "rater.onnx", providers=["CPUExecutionProvider"])
    ids = np.arange(10)[None]
    (score,) = engine.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert score.shape == (1,)
    assert np.isfinite(score).all()


@pytest.mark.parametrize("shape", ["bert-base", "modernbert-base"])
def test_raters_that_others_made(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their shapes, narrower: what the engine says of a row that is longer than a window is what the graph says."""
    small = replace(SHAPES[shape], vocab_size=100, hidden_size=48, head_dim=12, num_attention_heads=4)
    small = replace(small, num_key_value_heads=4, intermediate_size=40, max_position_embeddings=300)
    if small.rope_tables:
        tables = tuple(replace(table, inv_freq=table.inv_freq[:6]) for table in small.rope_tables)
        small = replace(small, rope_tables=tables)
    monkeypatch.setitem(SHAPES, "small", small)
    synthesize("small", tmp_path / "rater.onnx", quiet=True)
    engine = onnxruntime.InferenceSession(tmp_path / "rater.onnx", providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(0).integers(0, 100, (1, 200))
    (score,) = engine.run(["score"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    with rally.Model(tmp_path / "rater.onnx", threads=2) as rater:
        assert abs(rater.rate(ids)[0] - score[0]) <= 1e-5 * max(1.0, abs(score[0]))


def test_positions_are_the_longest_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, "small-rater", replace(SHAPES["rater-50m"], vocab_size=100, num_block_layers=1))
    synthesize("small-rater", str(tmp_path / "rater.onnx"), positions=4000, quiet=True)
    with rally.Model(tmp_path / "rater.onnx") as rater:
        assert rater.info.max_position_embeddings == 4000
        assert np.isfinite(rater.rate([np.arange(3000) % 100])).all()


def test_unknown_shapes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="mor-360m-r3"):
        synthesize("mor-9b", tmp_path / "out.onnx")


@pytest.mark.parametrize("shares", [(0.4, 0.3, 0.2, 0.1), (0.0, 0.5, 0.0, 0.5), None])
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_tokens_leave_a_looped_model_in_the_wanted_shares(
    shares: tuple[float, ...] | None, dtype: str, tmp_path: Path
) -> None:
    summary = synthesize("ouro-tiny", tmp_path / "one.onnx", seed=3, dtype=dtype, exits=shares, quiet=True)
    wanted = np.array(shares or (0.25,) * 4)
    assert float(summary.description.metadata()["rally.natural_depth"]) == pytest.approx(wanted @ [1, 2, 3, 4])
    graph = Graph(tmp_path / "one.onnx")
    rows = np.random.default_rng(1).integers(0, 1024, (8, 128))
    depths = np.concatenate([graph.forward(row)[1] for row in rows])
    found = np.bincount(depths, minlength=5)[1:] / depths.size
    assert np.abs(found - wanted).max() < 0.05  # three standard errors of a share of 1024 tokens
    assert (found[wanted == 0.0] == 0.0).all()


@pytest.mark.parametrize(("shape", "depth"), [("nanbeige-tiny", 2), ("retrofit-tiny", 5)])
def test_other_looped_shapes(shape: str, depth: int, tmp_path: Path) -> None:
    synthesize(shape, tmp_path / "one.onnx", quiet=True)
    logits, depths = Graph(tmp_path / "one.onnx").forward(range(40))
    assert np.isfinite(logits).all()
    assert set(depths.tolist()) == {depth}


def test_shape_of_the_published_looped_model() -> None:
    model = SHAPES["ouro-1.4b"]
    count = sum(int(np.prod(shape)) for shape in weight_dims(model).values()) + model.hidden_size + 1
    assert round(count / 1e6, 1) == 1434.7


@pytest.mark.parametrize(
    ("shape", "shares", "message"),
    [
        ("ouro-tiny", (0.5, 0.5), "expected 4 shares that add up to 1, found 0.5,0.5"),
        ("ouro-tiny", (0.5, 0.5, 0.5, -0.5), "add up to 1"),
        ("ouro-tiny", (float("nan"),) * 4, "add up to 1"),
        ("nanbeige-tiny", (0.5, 0.5), "nanbeige-tiny has no gate"),
    ],
)
def test_shares_that_cannot_be(shape: str, shares: tuple[float, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=message):
        synthesize(shape, tmp_path / "one.onnx", exits=shares, quiet=True)
