"""A rater of BERT's shape with its tokenizer, through the commands."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import run
from rally.modelfile import Rater, Reading, WordPiece, write_model
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import float_tensor

ENTRIES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "sea", "calm", "was", "##s", ".", "a")
WIDTH, LENGTH = 16, 8
TOKENIZER = WordPiece(
    clean_text=True,
    handle_chinese_chars=True,
    strip_accents=True,
    lowercase=True,
    unk_token_id=1,
    bos_token_id=2,
    eos_token_id=3,
    add_bos=True,
    add_eos=True,
    vocab=ENTRIES,
    added=(0, 1, 2, 3),
    special=(0, 1, 2, 3),
)
MODEL = Rater(
    name="tiny BERT",
    tokenizer=TOKENIZER,
    vocab_size=len(ENTRIES),
    hidden_size=WIDTH,
    num_attention_heads=2,
    num_key_value_heads=2,
    head_dim=WIDTH // 2,
    intermediate_size=24,
    max_position_embeddings=LENGTH,
    num_block_layers=1,
    norm="layernorm",
    norm_eps=1e-12,
    norm_position="post",
    norm_bias=True,
    hidden_act="gelu",
    mlp="plain",
    attention_bias=True,
    mlp_bias=True,
    positions="learned",
    embed_norm=True,
    final_norm="none",
    pooling="cls",
    head="mlp",
    head_act="tanh",
)


def write(path, model):
    shapes = {"embed_tokens.weight": (model.vocab_size, WIDTH), "embed_positions.weight": (LENGTH, WIDTH)}
    shapes |= {"embed_norm.weight": (WIDTH,), "embed_norm.bias": (WIDTH,)}
    shapes |= {f"block.0.{name}": dims for name, dims in layer_dims(model).items()}
    shapes |= {"head.0.weight": (WIDTH, WIDTH), "head.0.bias": (WIDTH,), "head.1.weight": (model.num_labels, WIDTH)}
    shapes |= {"head.1.bias": (model.num_labels,)}
    stream = np.random.default_rng(0)
    write_model(path, model, [float_tensor(name, stream.standard_normal(dims)) for name, dims in shapes.items()])
    return path


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return write(tmp_path_factory.mktemp("bert") / "bert.onnx", MODEL)


def scored(*arguments, texts, code=0):
    result = run("score", *arguments, stdin="\n".join(json.dumps({"text": text}) for text in texts))
    assert result.code == code, result
    return [json.loads(line) for line in result.lines]


def test_inspect(bert):
    report = run("inspect", bert).out
    assert (
        "WordPiece (clean, ideographs apart, no accents, lower case), begins with 2 [CLS], ends with 3 [SEP]" in report
    )
    assert "cls pooling, mlp (tanh) head" in report
    plain = json.loads(run("inspect", bert, "--json", "--metadata").out)
    assert (plain["bos_token_id"], plain["eos_token_id"]) == (2, 3)
    assert plain["metadata"]["rally.continuing_subword_prefix"] == "##"


def test_score(bert):
    short, accents, long = scored("-m", bert, texts=["The sea was calm.", "THE SÉA WAS CALM.", "the seas " * 7])
    assert (short["token_count"], short["windows"]) == (7, 1)
    assert accents["score"] == short["score"]
    # [CLS] and [SEP] around each window leave room for six of its 21 pieces.
    assert (long["token_count"], long["windows"]) == (23, 4)


@pytest.mark.parametrize("dtype", ["int8", "bf16"])
def test_quantized(bert, tmp_path, dtype):
    out = tmp_path / "small.onnx"
    assert run("quantize", bert, out, "--dtype", dtype).code == 0
    one, other = scored("-m", out, "--also", bert, texts=["the sea", "a calm sea."])
    assert abs(one["score"] - one["score_bert"]) < 1 and one["token_count"] == 4
    assert other["score"] != one["score"]


def test_another_tokenizer_is_refused(bert, tmp_path, rater):
    cased = write(tmp_path / "cased.onnx", replace(MODEL, tokenizer=replace(TOKENIZER, lowercase=False)))
    for other in (cased, rater):
        result = run("score", "-m", bert, "--also", other, stdin='{"text": "a"}')
        assert result.code != 0 and "with the tokenizer of 'tiny BERT'" in result.err


LABELS = ("good", "bad", "ça va")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    rules = {
        "softmax": {"score": "softmax", "score_index": 1},
        "apart": {"score": "softmax"},
        "logits": {"score": "none"},
    }
    rules["expected"] = {"score": "expectation", "int_score": (0.0, 1.0)}
    return {name: write(folder / f"{name}.onnx", replace(MODEL, labels=LABELS, **rule)) for name, rule in rules.items()}


def test_every_output_is_written(labelled):
    (line,) = scored("-m", labelled["softmax"], texts=["the sea was calm"])
    probabilities = [line[f"p_{label}"] for label in LABELS]
    assert abs(sum(probabilities) - 1) < 1e-6
    assert line["score"] == line["p_bad"] and line["label"] == LABELS[int(np.argmax(probabilities))]
    assert list(line) == ["text", "score", "label", *(f"p_{label}" for label in LABELS), "token_count", "windows"]
    (apart,) = scored("-m", labelled["apart"], texts=["the sea was calm"])
    assert "score" not in apart and [apart[f"p_{label}"] for label in LABELS] == probabilities
    (logits,) = scored("-m", labelled["logits"], texts=["the sea was calm"])
    values = np.array([logits[f"logit_{label}"] for label in LABELS])
    assert "score" not in logits and not any(key.startswith("p_") for key in logits)
    assert np.allclose(np.exp(values) / np.exp(values).sum(), probabilities, atol=1e-6)
    (expected,) = scored("-m", labelled["expected"], texts=["the sea was calm"])
    assert abs(expected["score"] - np.dot(probabilities, range(3))) < 1e-6
    assert expected["int_score"] == round(min(max(expected["score"], 0), 1))
    both = ("-m", labelled["softmax"], "--also", labelled["apart"])
    (line,) = scored(*both, texts=["the sea was calm"])
    assert "score_apart" not in line and [line[f"p_{label}_apart"] for label in LABELS] == probabilities


def test_without_a_score_nothing_is_ranked(labelled):
    result = run("score", "-m", labelled["apart"], "--sort", stdin=json.dumps({"text": "the sea"}))
    assert result.code != 0 and not result.lines
    assert "good" in result.err and "--score" in result.err


def test_special_tokens_in_texts_are_letters(bert):
    letters, special = "the sea [SEP] calm", "the sea"
    (line,) = scored("-m", bert, texts=[letters])
    (parsed,) = scored("-m", bert, "--parse-special", texts=[letters])
    assert line["token_count"] > parsed["token_count"]
    assert line["score"] != parsed["score"]
    assert (
        scored("-m", bert, texts=[special])[0]["score"]
        == scored("-m", bert, "--parse-special", texts=[special])[0]["score"]
    )


def test_what_is_read_is_said(bert, labelled, tmp_path):
    text = "the sea was calm " * 20
    (first,) = scored("-m", bert, "--reading", "first", texts=[text])
    (cut,) = scored("-m", bert, "--reading", "first", "--characters", "17", texts=[text])
    assert first["windows"] == 1 and scored("-m", bert, texts=[text])[0]["windows"] > 1
    assert cut["score"] == scored("-m", bert, texts=[text[:17]])[0]["score"]
    (middle,) = scored("-m", bert, "--reading", "middle", "--characters", "8", texts=[text])
    half = len(text) // 2
    assert middle["score"] == scored("-m", bert, texts=[text[half - 8 : half + 8]])[0]["score"]
    (ends,) = scored("-m", bert, "--reading", "ends", "--join", "max", texts=[text])
    (lowest,) = scored("-m", bert, "--reading", "ends", "--join", "min", texts=[text])
    assert ends["windows"] == 2 and ends["score"] >= lowest["score"]
    named = write(tmp_path / "named.onnx", replace(MODEL, reading=Reading("ends", join="max")))
    assert scored("-m", named, texts=[text])[0]["score"] == ends["score"]
    assert scored("-m", named, "--reading", "first", texts=[text])[0]["score"] == first["score"]
    for wrong in (
        ("--reading", "last"),
        ("--join", "sum"),
        ("--characters", "5"),
        ("--reading", "ends", "--stride", "2"),
    ):
        result = run("score", "-m", bert, *wrong, stdin=json.dumps({"text": text}))
        assert result.code != 0 and not result.lines, wrong


def test_a_distribution_knows_how_texts_were_read(bert, tmp_path):
    path = tmp_path / "scores.cdf"
    texts = ["the sea", "calm", "a sea was calm."]
    scored("-m", bert, "--reading", "first", "--save-cdf", path, texts=texts)
    scored("-m", bert, "--reading", "first", "--cdf", path, texts=texts)
    for other in ((), ("--reading", "first", "--parse-special"), ("--reading", "ends")):
        result = run("score", "-m", bert, *other, "--cdf", path, stdin=json.dumps({"text": "the sea"}))
        assert result.code != 0 and "part=first" in result.err, other
