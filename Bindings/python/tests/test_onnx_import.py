"""Classifiers from exported ONNX files: three ways of exporting that are given, and those of this PyTorch."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers
from compare import relative_error
from safetensors.numpy import load_file

import rally
from rally.convert import convert
from rally.modelfile import ModelFileError

FIXTURES = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "onnx"
GOLDENS = {"bert_torchscript": "logits", "bert_dynamo": "logits", "bert_ort_int8": "logits_dequantised_weights"}


@pytest.mark.parametrize("case", GOLDENS)
def test_equals_the_export(case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rater.onnx"
    convert(FIXTURES / case / "model.onnx", path, quiet=True)
    golden = load_file(FIXTURES / case / "golden.safetensors")
    pairs = zip(golden["input_ids"], golden["attention_mask"], strict=True)
    rows = [ids[: int(mask.sum())].tolist() for ids, mask in pairs]
    with rally.Model(path, threads=2) as model:
        outputs = model.rate_outputs(rows)
    assert relative_error(outputs, golden[GOLDENS[case]].reshape(outputs.shape)) <= 1e-5
    assert ("8-bit" in capfd.readouterr().err) == case.endswith("int8")


class Exported(torch.nn.Module):
    """What is exported: ids and mask in, logits out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


SIZES: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": 96}
SIZES |= {"num_hidden_layers": 2}


def made(kind: str) -> Any:
    """A classifier with random weights."""
    torch.manual_seed(7)
    long: dict[str, Any] = {"max_position_embeddings": 256, "num_labels": 2, "pad_token_id": 0}
    if kind == "roberta":
        config: Any = transformers.RobertaConfig(**SIZES, max_position_embeddings=66, num_labels=1, type_vocab_size=1)
        model: Any = transformers.RobertaForSequenceClassification(config)
    elif kind == "electra":
        config = transformers.ElectraConfig(**SIZES, **long, embedding_size=32)
        model = transformers.ElectraForSequenceClassification(config)
    elif kind == "eurobert":
        config = transformers.EuroBertConfig(**SIZES, **long, num_key_value_heads=2)
        model = transformers.EuroBertForSequenceClassification(config)
    elif kind == "distilbert":
        sizes = {"dim": 32, "n_heads": 4, "hidden_dim": 48, "n_layers": 2, "vocab_size": 96}
        config = transformers.DistilBertConfig(**sizes, max_position_embeddings=64, num_labels=2)
        model = transformers.DistilBertForSequenceClassification(config)
    elif kind == "modernbert":
        tokens = {"cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}
        config = transformers.ModernBertConfig(
            **(SIZES | {"num_hidden_layers": 4}), **long, **tokens, local_attention=8
        )
        model = transformers.ModernBertForSequenceClassification(config)
    else:
        config = transformers.LlamaConfig(**SIZES, **long, num_key_value_heads=2)
        model = transformers.LlamaForSequenceClassification(config)
    model.set_attn_implementation("eager")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "dynamo"),
    [
        ("roberta", False),
        ("distilbert", False),
        ("electra", False),
        ("eurobert", False),
        ("eurobert", True),
        ("modernbert", False),
        ("modernbert", True),
        ("llama", True),
    ],
)
def test_equals_what_pytorch_exports(kind: str, dynamo: bool, tmp_path: Path) -> None:
    model = made(kind)
    ids = torch.randint(3, 96, (2, 9))
    names = ("input_ids", "attention_mask")
    axes: dict[str, Any] = {"dynamic_axes": {name: {0: "rows", 1: "tokens"} for name in names}}
    if dynamo:
        sizes = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens")}
        axes = {"dynamic_shapes": dict.fromkeys(names, sizes)}
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Exported(model).eval(), (ids, torch.ones_like(ids)), str(tmp_path / "model.onnx"), input_names=list(names),
            output_names=["logits"], opset_version=18 if dynamo else 17, dynamo=dynamo, verbose=False, **axes,
        )  # fmt: skip
    logging.disable(logging.NOTSET)
    (tmp_path / "config.json").write_text(model.config.to_json_string())
    path = tmp_path / "rater.onnx"
    convert(tmp_path / "model.onnx", path, quiet=True)
    rows = [torch.randint(3, 96, (length,)) for length in (1, 5, 40)]
    with rally.Model(path, threads=2) as rater, torch.inference_mode():
        found = rater.rate_outputs([row.tolist() for row in rows])
        expected = torch.cat([model(input_ids=row[None]).logits for row in rows]).numpy()
    assert relative_error(found, expected) <= 1e-5


def refused(path: Path, message: str, config: Path | None = None) -> None:
    out = path.parent / "out.onnx"
    with pytest.raises(ModelFileError, match=message) as error:
        convert(path, out, config=config, quiet=True)
    assert "\n" not in str(error.value)
    assert not out.exists()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder with an export and its configuration."""
    source = FIXTURES / "bert_torchscript"
    for name in ("model.onnx", "config.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    return tmp_path


def test_a_wrong_configuration_is_found_out(export: Path) -> None:
    """Heads are not in the graph: the proof finds that they are others."""
    config = json.loads((export / "config.json").read_text())
    (export / "config.json").write_text(json.dumps(config | {"num_attention_heads": config["num_attention_heads"] * 2}))
    refused(export / "model.onnx", "differs from it by")
    (export / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    refused(export / "model.onnx", "eps")
    (export / "config.json").unlink()
    refused(export / "model.onnx", "--config")
    good = export / "elsewhere.json"
    good.write_text(json.dumps(config))
    convert(export / "model.onnx", export / "out.onnx", config=good, quiet=True)


def test_graphs_that_hide_their_modules(export: Path) -> None:
    model = onnx.load(export / "model.onnx")
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, export / "model.onnx")
    refused(export / "model.onnx", "neither node names nor metadata say which module a weight belongs to")
    model.graph.node[0].domain = "com.microsoft"
    model.graph.node[0].op_type = "SkipLayerNormalization"
    onnx.save(model, export / "model.onnx")
    refused(export / "model.onnx", "without optimisation")
    (export / "model.onnx").write_bytes(b"no protobuf")
    refused(export / "model.onnx", "model.onnx")


def test_a_weight_that_is_no_number(export: Path) -> None:
    model = onnx.load(export / "model.onnx")
    for tensor in model.graph.initializer:
        if tensor.name.endswith("classifier.bias"):
            tensor.raw_data = np.array([np.nan], np.float32).tobytes()
    onnx.save(model, export / "model.onnx")
    refused(export / "model.onnx", "NaN|differs")
