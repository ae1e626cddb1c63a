"""Encoders with random weights in the forms that peers read: run by the peers' Python, `python -m benchmarks.encoders FOLDER SHAPE`.

A checkpoint of `transformers`, from which Rally converts; the same as ONNX for onnxruntime and OpenVINO; quantised by
NNCF for OpenVINO; and, where CTranslate2 knows the architecture, its body in CTranslate2's form.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

BERT, MODERNBERT = "bert-base", "modernbert-base"
SHAPES = (BERT, MODERNBERT)
SEED = 0
#: Rows that the quantiser of OpenVINO looks at, and their length.
CALIBRATION = (32, 128)


def write(folder: Path, shape: str) -> None:
    """Write what is missing of ``shape`` beneath ``folder``."""
    place = folder / shape
    if (place / "done").exists():
        return
    place.mkdir(parents=True, exist_ok=True)
    model = _model(shape)
    model.save_pretrained(place / "checkpoint")
    _export(model, place / "model.onnx")
    _quantise(place / "model.onnx", place / "openvino-int8.xml", model.config.vocab_size)
    if shape == BERT:
        _ctranslate2(model, place)
    (place / "done").touch()


def _model(shape: str) -> Any:
    torch.manual_seed(SEED)
    if shape == BERT:
        model: Any = BertForSequenceClassification(BertConfig(num_labels=1))
    else:
        model = ModernBertForSequenceClassification(ModernBertConfig(num_labels=1, reference_compile=False))
    with torch.no_grad():
        model.classifier.weight.normal_(0, 0.5)
    return model.eval()


def _export(model: Any, path: Path) -> None:
    ids = torch.randint(5, 1000, (2, 16))
    names = ["input_ids", "attention_mask"]
    axes = {name: {0: "batch", 1: "tokens"} for name in names} | {"logits": {0: "batch"}}
    torch.onnx.export(
        model,
        (ids, torch.ones_like(ids)),
        str(path),
        input_names=names,
        output_names=["logits"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


def _quantise(source: Path, target: Path, vocabulary: int) -> None:
    import nncf
    import openvino

    stream = np.random.default_rng(SEED)
    rows, length = CALIBRATION
    samples = [
        {"input_ids": stream.integers(5, vocabulary, (1, length)), "attention_mask": np.ones((1, length), np.int64)}
        for _ in range(rows)
    ]
    model = openvino.Core().read_model(source)
    quantised = nncf.quantize(model, nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER, subset_size=rows)
    openvino.save_model(quantised, target, compress_to_fp16=False)


def _ctranslate2(model: Any, place: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    body = place / "body"
    model.bert.save_pretrained(body)
    # The converter copies a vocabulary.
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(5, model.config.vocab_size))]
    (body / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizer(str(body / "vocab.txt")).save_pretrained(body)
    TransformersConverter(str(body)).convert(str(place / "ctranslate2"))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(sys.stderr):
        write(Path(sys.argv[1]), sys.argv[2])
