"""The forms in which people keep a checkpoint, its end tokens and its chat template."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import torch
from compare import Graph
from safetensors.torch import save_file

from rally.convert import convert
from rally.convert.checkpoint import Checkpoint
from rally.modelfile import LanguageModel, ModelFileError

WIDTH, VOCAB = 16, len(models.TOKENIZER.vocab)
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": VOCAB,
    "hidden_size": WIDTH,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "eos_token_id": 0,
}


def state(tied: bool = False) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    layer = "model.layers.0."
    shapes = {f"{layer}self_attn.{letter}_proj.weight": (WIDTH, WIDTH) for letter in "qkvo"}
    shapes |= {f"{layer}mlp.{name}_proj.weight": (24, WIDTH) for name in ("gate", "up")}
    shapes |= {f"{layer}mlp.down_proj.weight": (WIDTH, 24), "model.embed_tokens.weight": (VOCAB, WIDTH)}
    norms = (f"{layer}input_layernorm.weight", f"{layer}post_attention_layernorm.weight", "model.norm.weight")
    made = {name: torch.randn(shape) for name, shape in shapes.items()} | {name: torch.ones(WIDTH) for name in norms}
    return made if tied else made | {"lm_head.weight": torch.randn(VOCAB, WIDTH)}


def folder(path: Path, weights: dict[str, torch.Tensor], changes: dict[str, Any] | None = None, **form: Any) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG | (changes or {})))
    if "pickle" in form:
        torch.save(weights, path / "pytorch_model.bin", **form["pickle"])
    else:
        save_file(weights, path / "model.safetensors", metadata=form.get("metadata"))
    return path


def logits(path: Path) -> np.ndarray:
    out = path.with_suffix(".onnx")
    convert(path, out, quiet=True)
    return Graph(out).forward([3, 1, 4, 1, 5])[0]


def inside(key: str) -> str:
    return key.replace("self_attn.", "_checkpoint_wrapped_module.self_attn._orig_mod.")


RENAMED: dict[str, Callable[[str], str]] = {
    "compiled": lambda key: f"_orig_mod.{key}",
    "distributed": lambda key: f"module.{key}",
    "both": lambda key: f"module._orig_mod.{key}",
    "the other way": lambda key: f"_orig_mod.module.{key}",
    "parts": inside,
    "sharded": lambda key: f"_fsdp_wrapped_module.{key}",
}


@pytest.mark.parametrize("name", RENAMED)
def test_names_of_wrappers(name: str, tmp_path: Path) -> None:
    plain = logits(folder(tmp_path / "plain", state()))
    wrapped = {RENAMED[name](key): value for key, value in state().items()}
    assert np.array_equal(plain, logits(folder(tmp_path / "wrapped", wrapped)))


def test_two_keys_that_become_one(tmp_path: Path) -> None:
    both = state() | {"_orig_mod.model.norm.weight": torch.ones(WIDTH)}
    with pytest.raises(ModelFileError, match=r"model\.norm\.weight"):
        Checkpoint(folder(tmp_path / "one", both))


@pytest.mark.parametrize("archive", [True, False])
def test_pickles_of_every_age(archive: bool, tmp_path: Path) -> None:
    plain = logits(folder(tmp_path / "plain", state()))
    pickle = {"_use_new_zipfile_serialization": archive}
    assert np.array_equal(plain, logits(folder(tmp_path / "pickled", state(), pickle=pickle)))


def test_a_shared_tensor_is_stored_once(tmp_path: Path) -> None:
    tied = {"tie_word_embeddings": True}
    plain = logits(folder(tmp_path / "plain", state(tied=True), tied))
    moved = {("lm_head.weight" if "embed" in key else key): value for key, value in state(tied=True).items()}
    alias = {"model.embed_tokens.weight": "lm_head.weight", "format": "pt"}
    assert np.array_equal(plain, logits(folder(tmp_path / "moved", moved, tied, metadata=alias)))


def test_rope_theta_has_the_default_of_its_class(tmp_path: Path) -> None:
    plain = logits(folder(tmp_path / "plain", state(), {"rope_theta": 10000.0}))
    assert np.array_equal(plain, logits(folder(tmp_path / "without", state())))


def tokenizer(path: Path, *further: str) -> None:
    """Write the tests' byte tokenizer as a tokenizer.json, with added tokens after the others."""
    vocab = {token: place for place, token in enumerate(models.TOKENIZER.vocab)}
    end = len(vocab) - 1
    added = {models.END: end} | {token: end + 1 + place for place, token in enumerate(further)}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    content = {
        "added_tokens": [{"id": number, "content": token, **flags} for token, number in added.items()],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": vocab, "merges": list(models.TOKENIZER.merges)},
    }
    (path / "tokenizer.json").write_text(json.dumps(content))


def described(path: Path) -> LanguageModel:
    model = convert(path, path.with_suffix(".onnx"), quiet=True).description
    assert isinstance(model, LanguageModel)
    return model


@pytest.mark.parametrize(
    ("config", "generation", "expected"),
    [
        (0, None, [0]),
        ([0, 1], None, [0, 1]),
        (0, [1, 2], [1, 2]),
        ([0, 1], 2, [2]),
        (0, "absent", [0]),
        ([5, 5, 0], None, [5, 0]),
        (None, [7, 10**6], [7]),
    ],
)
def test_ends_of_generation(config: Any, generation: Any, expected: list[int], tmp_path: Path) -> None:
    path = folder(tmp_path / "one", state(), {"eos_token_id": config})
    tokenizer(path)
    if generation is not None:
        content = {} if generation == "absent" else {"eos_token_id": generation}
        (path / "generation_config.json").write_text(json.dumps(content))
    model = described(path)
    assert model.tokenizer is not None
    assert [model.tokenizer.eos_token_id, *model.eos_token_ids] == expected
    assert model.metadata()["rally.format"] == ("1" if len(expected) == 1 else "2")


@pytest.mark.parametrize("form", ["text", "named", "file"])
def test_chat_templates(form: str, tmp_path: Path) -> None:
    path, template = folder(tmp_path / "one", state()), "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer(path)
    named = [{"name": "tools", "template": "no"}, {"name": "default", "template": template}]
    given = {"text": template, "named": named, "file": "another"}[form]
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": given}))
    if form == "file":
        (path / "chat_template.jinja").write_text(template)
    assert described(path).metadata()["rally.chat_template"] == template


def test_added_tokens_beyond_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path / "one", state())
    tokenizer(path, "<pad>", "<other>")
    model = described(path)
    assert "left out '<pad>', '<other>'" in capsys.readouterr().err
    assert model.tokenizer is not None
    assert model.tokenizer.vocab == models.TOKENIZER.vocab
    assert model.tokenizer.added == models.TOKENIZER.added


def test_words_beyond_the_table(tmp_path: Path) -> None:
    weights = {key: value[: VOCAB - 2] if len(value) == VOCAB else value for key, value in state().items()}
    path = folder(tmp_path / "one", weights, {"vocab_size": VOCAB - 2})
    tokenizer(path)
    with pytest.raises(ModelFileError, match=f"{VOCAB} tokens, but vocab_size is {VOCAB - 2}"):
        described(path)
