"""A rater of BERT's shape with its tokenizer, through the commands."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import run

from rally.modelfile import Rater, WordPiece, write_model
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
    shapes |= {"head.0.weight": (WIDTH, WIDTH), "head.0.bias": (WIDTH,), "head.1.weight": (1, WIDTH), "head.1.bias": (1,)}
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
    assert "WordPiece (clean, ideographs apart, no accents, lower case), begins with 2 [CLS], ends with 3 [SEP]" in report
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
