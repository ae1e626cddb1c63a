"""BERT-like raters: converted from a folder, equal to `transformers`, in every number format and company."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import berts
import models
import numpy as np
import onnx
import pytest
import torch
from compare import Graph, same_bits
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import rally
from rally.convert import convert
from rally.modelfile import ModelFileError
from rally.verify import verify

TOLERANCE = 1e-5
ROWS = berts.rows([1, 2, 3, 17, 31, berts.LENGTH - 1, berts.LENGTH])
ALICE = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "texts" / "alice.txt"


def converted(case: berts.Case, folder: Path, **options: Any) -> Path:
    path = folder / "model.onnx"
    convert(case.write(folder / "checkpoint"), path, quiet=True, **options)
    onnx.checker.check_model(str(path), full_check=True)
    return path


@pytest.mark.parametrize("case", berts.CASES, ids=lambda case: case.name)
def test_scores_of_transformers(case: berts.Case, tmp_path: Path) -> None:
    path = converted(case, tmp_path)
    wanted = case.score(ROWS)
    assert np.std(wanted) > 0.1
    with rally.Model(path, dtype="f32", threads=2) as model:
        assert np.abs(model.rate(ROWS) - wanted).max() < TOLERANCE
    graph = Graph(path)
    assert np.abs(np.array([graph.rate(row) for row in ROWS]) - wanted).max() < TOLERANCE
    assert all(one.agrees for one in verify(path, length=berts.LENGTH, tolerance=TOLERANCE))


@pytest.fixture(scope="module")
def text_path(folder: Path) -> Path:
    """A rater with a tokenizer that was trained on Alice."""
    text = ALICE.read_text(encoding="utf-8")
    path = folder / "bert.onnx"
    convert(berts.CASES[0].write(folder / "bert", berts.trained(text.split("\n"))), path, quiet=True)
    return path


@pytest.fixture(scope="module")
def reference(text_path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(text_path.with_suffix("") / "tokenizer.json"))


@pytest.fixture(params=models.DTYPES)
def model(request: pytest.FixtureRequest, text_path: Path) -> Iterator[rally.Model]:
    with rally.Model(text_path, dtype=request.param, threads=2) as opened:
        yield opened


def test_text_in_score_out(text_path: Path, reference: Tokenizer) -> None:
    texts = ["Alice was beginning to get very tired", "", "“Curiouser and curiouser!” cried Alice [SEP] 漢字"]
    ids = [reference.encode(text).ids for text in texts]
    with rally.Model(text_path, dtype="f32") as model:
        assert [model.encode(text) for text in texts] == ids
        assert np.abs(model.rate(ids) - berts.CASES[0].score(ids)).max() < TOLERANCE
        reference.encode_special_tokens = True  # as letters, which is how text is rated
        letters = [reference.encode(text).ids for text in texts]
        reference.encode_special_tokens = False
        assert letters[2] != ids[2]
        assert [model.encode_document(text) for text in texts] == letters
        assert np.abs(model.rate(texts) - berts.CASES[0].score(letters)).max() < TOLERANCE
        assert np.array_equal(model.rate_documents(texts).score, model.rate(texts))
        special = rally.Reading(parse_special=True)
        assert np.array_equal(model.rate_documents(texts, reading=special).score, model.rate(ids))


def test_windows_stand_alone(model: rally.Model, reference: Tokenizer) -> None:
    """[CLS] and [SEP] are around every window of a document."""
    ids = reference.encode(ALICE.read_text(encoding="utf-8")[:3000], add_special_tokens=False).ids
    documents = [[2, *ids, 3], [2, 3], [2, *ids[:7], 3]]
    found = model.rate_documents(documents)
    room = berts.LENGTH - 2
    windows = [[2, *ids[start : start + room], 3] for start in range(0, len(ids), room)]
    assert same_bits(found.windows, model.rate([*windows, *documents[1:]]))
    assert found.window_counts.tolist() == [len(windows), 1, 1]


def test_company_changes_nothing(model: rally.Model) -> None:
    together = model.rate(ROWS)
    for place, row in enumerate(ROWS):
        assert same_bits(model.rate([row]), together[place : place + 1])


@pytest.mark.parametrize("dtype", ["int8", "bf16"])
def test_quantized(dtype: str, text_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    rally.quantize(text_path, path, dtype)
    onnx.checker.check_model(str(path), full_check=True)
    with rally.Model(text_path, dtype="f32") as exact, rally.Model(path) as small:
        assert small.info.dtype == dtype
        assert small.encode("Alice, naïve") == exact.encode("Alice, naïve")
        wanted = exact.rate(ROWS)
        assert np.abs(small.rate(ROWS) - wanted).max() < 0.1 * np.ptp(wanted)
    assert all(one.agrees for one in verify(path, length=berts.LENGTH, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_checkpoints(dtype: torch.dtype, tmp_path: Path) -> None:
    """Weights as they are; positions and token types are one table, so it is f32."""
    case, path = berts.CASES[0], tmp_path / "model.onnx"
    convert(case.write(tmp_path / "checkpoint", dtype=dtype), path, quiet=True)
    module = case.module()
    module.load_state_dict({key: value.to(dtype).float() for key, value in module.state_dict().items()})
    with torch.inference_mode(), rally.Model(path, dtype="f32") as model:
        wanted = [case._score(module, torch.tensor([row])) for row in ROWS]
        assert np.abs(model.rate(ROWS) - wanted).max() < TOLERANCE


def test_old_buffers_and_names(tmp_path: Path) -> None:
    case = berts.CASES[0]
    wanted = converted(case, tmp_path, name="model").read_bytes()
    folder = tmp_path / "checkpoint"
    state = load_file(folder / "model.safetensors")
    state["bert.embeddings.position_ids"] = torch.arange(berts.LENGTH)[None]
    save_file(state, folder / "model.safetensors")
    convert(folder, tmp_path / "old.onnx", quiet=True, name="model")
    assert (tmp_path / "old.onnx").read_bytes() == wanted


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"model_type": "albert"}, "albert"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"is_decoder": True}, "is_decoder"),
        ({"hidden_act": "mish"}, "mish"),
        ({"pooling": "max"}, "max"),
        ({"num_attention_heads": 5}, "num_attention_heads"),
        ({"vocab_size": berts.VOCAB + 1}, "word_embeddings"),
        ({"type_vocab_size": 5}, "token_type_embeddings"),
        ({"num_hidden_layers": 1}, "encoder.layer.1"),
        ({"num_hidden_layers": 3}, "encoder.layer.2"),
    ],
)
def test_configurations_that_are_refused(changes: dict[str, Any], name: str, tmp_path: Path) -> None:
    folder = berts.CASES[0].write(tmp_path / "checkpoint")
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder, name)


def refused(folder: Path, name: str) -> None:
    path = folder.parent / "refused.onnx"
    with pytest.raises(ModelFileError) as caught:
        convert(folder, path, quiet=True)
    assert name in str(caught.value)
    assert not path.exists()


def test_heads_that_are_refused(tmp_path: Path) -> None:
    folder = berts.CASES[0].write(tmp_path / "checkpoint")
    state = load_file(folder / "model.safetensors")
    save_file(state | {"classifier.weight": torch.ones(3, 32)}, folder / "model.safetensors")
    refused(folder, "id2label")
    save_file({key: value for key, value in state.items() if "pooler" not in key}, folder / "model.safetensors")
    refused(folder, "pooling")
    save_file({key: value for key, value in state.items() if "classifier" not in key}, folder / "model.safetensors")
    refused(folder, "classifier.weight")
