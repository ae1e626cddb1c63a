"""Classifiers that others published: their own numbers, through the engine and through the graph of the same file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from compare import relative_error
from safetensors.numpy import load_file, save_file
from transformers import EuroBertConfig, EuroBertForSequenceClassification

import rally
import rally.modelfile
from rally.convert import convert
from rally.convert.raters import RaterChoices

FIXTURES = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "raters"
CASES = [
    "bert_six_labels",
    "deberta_v3",
    "gte",
    "modernbert_cls",
    "modernbert_mean",
    "qwen2_classification",
    "xlm_roberta",
]

#: What the issue of these files asks for, in f32.
TOLERANCE = 1e-5


def test_every_fixture_is_a_case() -> None:
    assert sorted(path.name for path in FIXTURES.iterdir() if path.is_dir()) == CASES


def rows_of(golden: dict[str, np.ndarray]) -> list[list[int]]:
    """The rows without their padding."""
    pairs = zip(golden["input_ids"], golden["attention_mask"], strict=True)
    return [ids[: int(mask.sum())].tolist() for ids, mask in pairs]


@pytest.mark.parametrize("case", CASES)
def test_equals_the_original(case: str, tmp_path: Path) -> None:
    path = tmp_path / f"{case}.onnx"
    convert(FIXTURES / case, path, quiet=True)
    golden = load_file(FIXTURES / case / "golden.safetensors")
    rows = rows_of(golden)
    with rally.Model(path, threads=2) as model:
        outputs = model.rate_outputs(rows)
        alone = np.concatenate([model.rate_outputs([row]) for row in rows])
        turned = model.rate_outputs(rows[::-1])[::-1]
        if model.labels[1:]:
            probabilities = model.rate_outputs(rows, probabilities=True)
            assert np.abs(probabilities - golden["softmax"]).max() <= TOLERANCE
    assert relative_error(outputs, golden["logits"].reshape(outputs.shape)) <= TOLERANCE
    assert np.array_equal(outputs, alone)
    assert np.array_equal(outputs, turned)
    session = onnxruntime.InferenceSession(str(path))
    name = "logits" if outputs.shape[1] > 1 else "score"
    feed = {"input_ids": golden["input_ids"], "attention_mask": golden["attention_mask"]}
    (found,) = session.run([name], feed)
    assert relative_error(outputs.reshape(found.shape), found) <= TOLERANCE


def test_a_row_may_end_in_padding(tmp_path: Path) -> None:
    """Its own last token is the pad id: the token before is read, as transformers does it."""
    path = tmp_path / "rater.onnx"
    convert(FIXTURES / "qwen2_classification", path, quiet=True)
    golden = load_file(FIXTURES / "qwen2_classification" / "golden.safetensors")
    row = golden["ends_in_pad_ids"].tolist()
    with rally.Model(path, threads=1) as model:
        score = model.rate([row])
        nothing_else = model.rate([[3, 3, 3]])
        assert nothing_else == model.rate([[3]])  # causal: the first token, where all are padding
    assert relative_error(score, golden["ends_in_pad_logits"].reshape(1)) <= TOLERANCE
    session = onnxruntime.InferenceSession(str(path))
    ids = np.array([row], np.int64)
    (found,) = session.run(["score"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert relative_error(score, found) <= TOLERANCE


@pytest.mark.parametrize("case", ["modernbert_mean", "deberta_v3", "gte"])
def test_number_formats_stay_near(case: str, tmp_path: Path) -> None:
    """bf16 and int8 of random weights: near the outputs in f32, and the same bits in any company."""
    path = tmp_path / "rater.onnx"
    convert(FIXTURES / case, path, quiet=True)
    rows = rows_of(load_file(FIXTURES / case / "golden.safetensors"))
    with rally.Model(path, threads=2) as model:
        expected = model.rate_outputs(rows)
    # Processors that multiply bf16 round rows as well as weights.
    for dtype, tolerance in (("bf16", 0.05), ("int8", 0.15)):
        with rally.Model(path, dtype=dtype, threads=2) as model:
            found = model.rate_outputs(rows)
            assert np.array_equal(found[2:3], model.rate_outputs(rows[2:3]))
        assert relative_error(found, expected) <= tolerance, dtype


def test_eurobert_of_before_it_came_to_transformers(tmp_path: Path) -> None:
    """The keys of the code that came with its checkpoints."""
    torch.manual_seed(3)
    sizes = {"vocab_size": 96, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2}
    heads = {
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    rope = {"rope_type": "default", "rope_theta": 250000.0}
    config = EuroBertConfig(
        **sizes, **heads, rope_parameters=rope, mask_token_id=2, num_labels=2, classifier_pooling="mean"
    )
    original = EuroBertForSequenceClassification(config).eval()
    for parameter in original.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    original.save_pretrained(tmp_path / "checkpoint")
    written = tmp_path / "checkpoint" / "config.json"
    values = json.loads(written.read_text())
    del values["rope_parameters"], values["classifier_pooling"], values["head_dim"]
    values |= {"rope_theta": 250000.0, "rope_scaling": None, "clf_pooling": "mean", "mask_token": "<|mask|>"}
    values |= {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>"}
    values |= {
        "auto_map": {"AutoConfig": "configuration_eurobert.EuroBertConfig"},
        "is_decoder": False,
        "pretraining_tp": 1,
    }
    written.write_text(json.dumps(values))
    convert(tmp_path / "checkpoint", tmp_path / "rater.onnx", quiet=True)
    rows = [[3, 4, 5], [7] * 20, [9]]
    with rally.Model(tmp_path / "rater.onnx", threads=1) as model, torch.inference_mode():
        found = model.rate_outputs(rows)
        expected = torch.cat([original(input_ids=torch.tensor([row])).logits for row in rows]).numpy()
    assert relative_error(found, expected) <= TOLERANCE


RULES = {
    "softmax:LABEL_2": lambda golden: golden["softmax"][:, 2],
    "sigmoid:LABEL_5": lambda golden: golden["sigmoid"][:, 5],
    "logit:LABEL_0": lambda golden: golden["logits"][:, 0],
    "expectation": lambda golden: golden["expectation"],
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_makes_one_score(rule: str, tmp_path: Path) -> None:
    path = tmp_path / "rater.onnx"
    convert(FIXTURES / "bert_six_labels", path, rater=RaterChoices(score=rule, int_score=(0, 3)), quiet=True)
    golden = load_file(FIXTURES / "bert_six_labels" / "golden.safetensors")
    rows = rows_of(golden)
    with rally.Model(path, threads=2) as model:
        assert model.info.score_rule == rule.split(":")[0]
        assert model.info.has_score
        scores = model.rate(rows)
        documents = model.rate_documents(rows, outputs=True)
    assert np.abs(scores - RULES[rule](golden)).max() <= TOLERANCE
    assert np.array_equal(documents.score, scores)
    assert np.array_equal(documents.int_score, np.rint(np.clip(scores, 0, 3)))
    assert documents.outputs is not None
    assert documents.outputs.shape == (4, 6)
    session = onnxruntime.InferenceSession(str(path))
    feed = {"input_ids": golden["input_ids"], "attention_mask": golden["attention_mask"]}
    (found,) = session.run(["score"], feed)
    assert relative_error(scores, found) <= TOLERANCE


def test_without_a_rule_there_is_no_score(tmp_path: Path) -> None:
    path = tmp_path / "rater.onnx"
    convert(FIXTURES / "bert_six_labels", path, quiet=True)
    with rally.Model(path, threads=2) as model:
        assert not model.info.has_score
        for call in (model.rate, model.rate_documents):
            with pytest.raises(rally.RallyError, match=r"LABEL_0.*LABEL_5.*--score") as error:
                call([[1, 2, 3]])
            assert error.value.code == rally.Status.UNSUPPORTED
        documents = model.rate_documents([[1, 2, 3]], outputs=True)
        assert documents.outputs is not None
        assert np.isnan(documents.score).all()
        assert np.array_equal(documents.outputs, model.rate_outputs([[1, 2, 3]], probabilities=True))


def test_half_goes_to_the_even_number(tmp_path: Path) -> None:
    """Python's round: 2.5 is 2, 3.5 is 4. A bias alone makes such scores."""
    import torch
    from safetensors.torch import load_file as load
    from safetensors.torch import save_file

    for score, expected in ((2.5, 2), (3.5, 4), (-1.0, 0), (7.0, 5), (0.5, 0)):
        folder = tmp_path / str(score)
        folder.mkdir()
        state = load(FIXTURES / "xlm_roberta" / "model.safetensors")
        state["classifier.out_proj.weight"] = torch.zeros_like(state["classifier.out_proj.weight"])
        state["classifier.out_proj.bias"] = torch.tensor([score])
        save_file(state, folder / "model.safetensors")
        (folder / "config.json").write_text((FIXTURES / "xlm_roberta" / "config.json").read_text())
        path = folder / "rater.onnx"
        convert(folder, path, rater=RaterChoices(policy="fineweb-edu", reading_tokens=64), quiet=True)
        with rally.Model(path, threads=1) as model:
            found = model.rate_documents([[5, 6, 7]])
        assert found.score.tolist() == [score]
        assert found.int_score is not None
        assert found.int_score.tolist() == [expected]


def test_pooled_states_train_a_head(tmp_path: Path) -> None:
    """The state that the head sees, so that the head's own product gives the outputs."""
    path = tmp_path / "rater.onnx"
    folder = FIXTURES / "bert_six_labels"
    convert(folder, path, quiet=True)
    state = load_file(folder / "model.safetensors")
    rows = rows_of(load_file(folder / "golden.safetensors"))
    with rally.Model(path, threads=2) as model:
        pooled, outputs = model.pooled(rows), model.rate_outputs(rows)
        unit = model.pooled(rows, normalize=True)
        assert np.array_equal(pooled[1:2], model.pooled(rows[1:2]))
    inner = np.tanh(pooled @ state["bert.pooler.dense.weight"].T + state["bert.pooler.dense.bias"])
    assert relative_error(outputs, inner @ state["classifier.weight"].T + state["classifier.bias"]) <= TOLERANCE
    assert np.allclose(unit, pooled / np.linalg.norm(pooled, axis=1, keepdims=True), atol=1e-6)


WRONG = {
    "label": ({}, {"score": "softmax:good"}, "no output is called 'good'; the labels are LABEL_0"),
    "which": ({}, {"score": "logit"}, "say which output"),
    "names": ({"id2label": {"0": "a", "1": "b"}}, {}, "names of the outputs 0 to 5"),
    "empty": ({"id2label": {str(i): "" for i in range(6)}}, {}, "a name for each"),
    "equal": ({"id2label": {str(i): "a" for i in range(6)}}, {}, "6 different names"),
    "rule": ({}, {"score": "best"}, "score 'best' is not supported"),
    "architecture": ({"model_type": "distilbrt"}, {}, "closest: distilbert"),
    "policy": ({}, {"policy": "fineweb"}, "known: fineweb-edu"),
    "characters": ({}, {"reading_characters": 5}, "expected a reading of first"),
    "bounds": ({}, {"int_score": (5, 0)}, "two bounds"),
    "pooling": ({"model_type": "roberta"}, {"pooling": "mean"}, "--pooling is for BERT"),
    "window": ({}, {"reading": "first", "reading_tokens": 4096}, "reading_tokens 4096: expected 1 to the model's"),
}


def test_a_head_that_is_no_number(tmp_path: Path) -> None:
    """A NaN in it, or none at all: a sentence, and no file."""
    folder, source = tmp_path / "checkpoint", FIXTURES / "bert_six_labels"
    folder.mkdir()
    (folder / "config.json").symlink_to(source / "config.json")
    tensors = load_file(source / "model.safetensors")
    broken = tensors["classifier.weight"].copy()
    broken[3, 1] = np.nan
    headless = {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier")}
    for state, message in ((tensors | {"classifier.weight": broken}, "NaN|finite"), (headless, "classifier.weight")):
        save_file(state, folder / "model.safetensors")
        with pytest.raises(rally.modelfile.ModelFileError, match=message) as error:
            convert(folder, tmp_path / "rater.onnx", quiet=True)
        assert "\n" not in str(error.value)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str, tmp_path: Path) -> None:
    changes, choices, message = WRONG[case]
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    source = FIXTURES / "bert_six_labels"
    (folder / "model.safetensors").symlink_to(source / "model.safetensors")
    config = json.loads((source / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    path = tmp_path / "rater.onnx"
    with pytest.raises(rally.modelfile.ModelFileError, match=message) as error:
        convert(folder, path, rater=RaterChoices(**choices), quiet=True)
    assert "\n" not in str(error.value)
    assert not path.exists()
