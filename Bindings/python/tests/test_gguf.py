"""GGUF files, written by the gguf package: weights as transformers reads them, tokenizers, and what is refused."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import gguf
import models
import numpy as np
import pytest
import torch
from compare import TOLERANCE, Graph, relative_error
from gguf import GGMLQuantizationType as Kind
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from rally.convert import convert
from rally.convert.gguf_file import GgufFile
from rally.convert.gguf_tokenizer import tokenizer_content
from rally.modelfile import LanguageModel, ModelFileError

WIDTH, HEADS, GROUPS, INNER, LAYERS = 256, 8, 2, 256, 2
HEAD = WIDTH // HEADS
WIDE = 128  # of a Qwen3's heads: what transformers takes, whatever the file says
VOCAB = len(models.TOKENIZER.vocab)

#: Types that the package can write, and those of which blocks are made up: a scale for 256 weights, and random bits.
WRITTEN = (Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0)
SCALES = {Kind.Q4_K: (0, 2), Kind.Q5_K: (0, 2), Kind.Q6_K: (208,), Kind.Q2_K: (80, 82), Kind.Q3_K: (108,)}


def quantized(values: np.ndarray, kind: Kind, random: np.random.Generator) -> np.ndarray:
    if kind in WRITTEN:
        return gguf.quantize(values, kind)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (values.size // block, size), dtype=np.uint8)
    for place in SCALES[kind]:
        blocks[:, place : place + 2] = np.array([2e-4], np.float16).view(np.uint8)
    return blocks.reshape(*values.shape[:-1], -1)


def write(path: Path, kind: Kind = Kind.F32, architecture: str = "llama", **changes: Any) -> Path:
    """Write a small model; `changes`: keys with other values, None: without it, and `tensors` with more of them."""
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, architecture)
    values: dict[str, Any] = {
        f"{architecture}.block_count": LAYERS,
        f"{architecture}.context_length": 128,
        f"{architecture}.embedding_length": WIDTH,
        f"{architecture}.feed_forward_length": INNER,
        f"{architecture}.attention.head_count": HEADS,
        f"{architecture}.attention.head_count_kv": GROUPS,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-6,
        f"{architecture}.rope.freq_base": 5000.0,
        f"{architecture}.vocab_size": VOCAB,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": list(models.TOKENIZER.vocab),
        "tokenizer.ggml.token_type": [1] * (VOCAB - 1) + [3],
        "tokenizer.ggml.merges": list(models.MERGES),
        "tokenizer.ggml.eos_token_id": VOCAB - 1,
    }
    if architecture == "qwen3":
        values |= {"qwen3.attention.key_length": WIDE, "qwen3.attention.value_length": WIDE}
    tensors = changes.pop("tensors", {})
    for key, value in (values | changes).items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)
        elif value is not None:
            {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[type(value)](key, value)
    for name, shape in shapes(architecture).items():
        values_of = random.standard_normal(shape).astype(np.float32) * (1.5 / shape[-1] ** 0.5)
        if len(shape) == 1:
            writer.add_tensor(name, values_of if name.endswith("bias") else 1 + 0.1 * values_of)
        else:
            writer.add_tensor(name, quantized(values_of, kind, random), raw_dtype=kind)
    for name, array in tensors.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (VOCAB, WIDTH), "output_norm.weight": (WIDTH,)}
    head = WIDE if architecture == "qwen3" else HEAD
    queries, keys = HEADS * head, GROUPS * head
    for layer in range(LAYERS):
        found |= {f"blk.{layer}.{name}_norm.weight": (WIDTH,) for name in ("attn", "ffn")}
        rows = {"q": queries, "k": keys, "v": keys}
        found |= {f"blk.{layer}.attn_{name}.weight": (count, WIDTH) for name, count in rows.items()}
        found[f"blk.{layer}.attn_output.weight"] = (WIDTH, queries)
        if architecture == "qwen2":
            found |= {f"blk.{layer}.attn_{name}.bias": (rows[name],) for name in "qkv"}
        if architecture == "qwen3":
            found |= {f"blk.{layer}.attn_{name}_norm.weight": (head,) for name in "qk"}
        found |= {f"blk.{layer}.ffn_{name}.weight": (INNER, WIDTH) for name in ("gate", "up", "down")}
    return found


def check(path: Path, out: Path) -> None:
    """Compare a file with what transformers computes from it."""
    convert(path, out, dtype="f32", quiet=True)
    reference = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    row = [3, 1, 4, 1, 5, 9, 2, 6] * 3
    with torch.no_grad():
        expected = reference(torch.tensor([row])).logits[0].numpy()
    assert relative_error(Graph(out).forward(row)[0], expected) <= TOLERANCE


@pytest.mark.parametrize("kind", [*WRITTEN, *SCALES], ids=lambda kind: kind.name)
def test_weights_of_every_type(kind: Kind, tmp_path: Path) -> None:
    check(write(tmp_path / "one.gguf", kind), tmp_path / "one.onnx")


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3"])
def test_other_architectures(architecture: str, tmp_path: Path) -> None:
    check(write(tmp_path / "one.gguf", Kind.Q8_0, architecture), tmp_path / "one.onnx")


def test_narrow_types_stay(tmp_path: Path) -> None:
    assert convert(write(tmp_path / "one.gguf", Kind.BF16), tmp_path / "one.onnx", quiet=True).elements == (
        "bf16",
        "f32",
    )


def test_factors_of_the_frequencies(tmp_path: Path) -> None:
    factors = np.linspace(1, 8, HEAD // 2, dtype=np.float32)
    path = write(tmp_path / "one.gguf", tensors={"rope_freqs.weight": factors})
    model = convert(path, tmp_path / "one.onnx", quiet=True).description
    plain = 5000.0 ** -(np.arange(0, HEAD, 2) / HEAD)
    assert np.allclose(model.rope_tables[0].inv_freq, plain / factors, rtol=1e-12)


def test_the_tokenizer_and_what_ends_a_text(tmp_path: Path) -> None:
    ends = {"tokenizer.ggml.eot_token_id": 5, "tokenizer.chat_template": "{{ messages }}"}
    model = convert(write(tmp_path / "one.gguf", **ends), tmp_path / "one.onnx", quiet=True).description
    assert isinstance(model, LanguageModel)
    assert model.tokenizer is not None
    assert (model.tokenizer.vocab, model.tokenizer.merges) == (models.TOKENIZER.vocab, models.MERGES)
    assert model.tokenizer.special == (VOCAB - 1,)
    assert (model.tokenizer.eos_token_id, model.eos_token_ids) == (VOCAB - 1, (5,))
    assert model.chat_template == "{{ messages }}"


def test_sentence_pieces(tmp_path: Path) -> None:
    tokens = ["<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "ab", "▁a", "▁ab"]
    lists = {"scores": [0.0, 0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -2.0, -1.0, -3.0], "token_type": [2, 3, 3, 6] + [1] * 6}
    given = {f"tokenizer.ggml.{name}": value for name, value in lists.items()}
    more = {"tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": None, "tokenizer.ggml.bos_token_id": 1}
    path = write(
        tmp_path / "one.gguf", **{"tokenizer.ggml.tokens": tokens, **given, **more, "tokenizer.ggml.merges": None}
    )
    content = tokenizer_content(GgufFile(path))
    assert content is not None
    model = content.section("model").values
    assert model["merges"] == [["▁", "a"], ["a", "b"], ["▁a", "b"], ["▁", "ab"]]
    assert [token["content"] for token in content.values["added_tokens"]] == ["<unk>", "<s>", "</s>"]
    loaded = Tokenizer.from_str(json.dumps({"version": "1.0", **content.values}))
    assert loaded.encode("ab\nb").ids == [1, 9, 3, 6]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "architecture": ({"architecture": "gemma"}, "general.architecture 'gemma' is not supported; known: llama"),
    "experts": ({"llama.expert_count": 8}, "llama.expert_count 8 is not supported"),
    "scaling": ({"llama.rope.scaling.type": "longrope"}, "rope.scaling.type 'longrope'"),
    "part of a head": ({"llama.rope.dimension_count": 8}, "rope.dimension_count 8"),
    "window": ({"llama.attention.sliding_window": 16}, "sliding_window 16"),
    "parts": ({"split.count": 3}, "one of 3 parts"),
    "pre-tokenizer": ({"tokenizer.ggml.pre": "jais"}, "tokenizer.ggml.pre 'jais' is not supported; known: gpt-2"),
    "tokenizer": ({"tokenizer.ggml.model": "rwkv"}, "tokenizer.ggml.model 'rwkv'"),
    "types": ({"tokenizer.ggml.token_type": [1, 2]}, "does not have one number for each"),
    "missing": ({"llama.attention.head_count": None}, "missing num_attention_heads"),
    "tensor": ({"tensors": {"blk.0.other.weight": np.ones(4, np.float32)}}, "blk.0.other.weight"),
    "factors": ({"tensors": {"rope_freqs.weight": np.zeros(HEAD // 2, np.float32)}}, "positive factors"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_supported_is_named(name: str, tmp_path: Path) -> None:
    changes, message = WRONG[name]
    with pytest.raises(ModelFileError, match=message):
        convert(write(tmp_path / "one.gguf", **changes), tmp_path / "one.onnx", quiet=True)


@pytest.mark.parametrize("dims", [(0,), (0, 4), (4, 0), (0, 1 << 61), (1 << 61, 0)])
def test_no_dimension_is_zero(dims: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "empty.gguf"
    header = struct.pack("<4sIQQ", b"GGUF", 3, 1, 0) + struct.pack("<Q1sI", 1, b"a", len(dims))
    path.write_bytes(header + struct.pack(f"<{len(dims)}QIQ", *dims, Kind.F32, 0) + bytes(64))
    with pytest.raises(ModelFileError, match=r"empty\.gguf: a has the dimensions .*; expected none of 0"):
        GgufFile(path)


def test_broken_files(tmp_path: Path) -> None:
    whole = write(tmp_path / "one.gguf").read_bytes()
    broken = tmp_path / "broken.gguf"
    cuts = [*range(4, 200, 7), *range(200, len(whole) - 1, len(whole) // 60)]
    for cut in cuts:
        broken.write_bytes(whole[:cut])
        with pytest.raises(ModelFileError, match=r"broken\.gguf"):
            convert(broken, tmp_path / "one.onnx", quiet=True)
    huge = struct.pack("<Q", 1 << 60)
    for place in (8, 16, 24):
        broken.write_bytes(whole[:place] + huge + whole[place + 8 :])
        with pytest.raises(ModelFileError, match=r"broken\.gguf"):
            convert(broken, tmp_path / "one.onnx", quiet=True)
    random = np.random.default_rng(3)
    for _ in range(150):
        changed = bytearray(whole)
        for place in random.integers(4, 6000, 3):
            changed[place] = random.integers(0, 256)
        broken.write_bytes(changed)
        with suppress(ModelFileError):
            convert(broken, tmp_path / "one.onnx", quiet=True)
