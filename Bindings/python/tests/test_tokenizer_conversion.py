"""Reading ``tokenizer.json``: the tables as the ``tokenizers`` package has them, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import variants
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from rally.convert import convert
from rally.modelfile import ModelFileError

END, PAD = "<|endoftext|>", "<pad>"
TEXT = ["the cat and the hat and 123 naïve cafés"] * 3
SIZE = 300


def trained(smollm: bool = False, prefix: bool = False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, level]) if smollm else level
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - 2, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_tokens([AddedToken(PAD, special=False)])
    return tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint whose vocabulary is large enough for the tokenizer."""
    case = next(iter(variants.language_models()))
    tables = ("model.embed_tokens.weight", "lm_head.weight")
    state = {key: value.repeat(5, 1)[:SIZE] if key in tables else value for key, value in case.state.items()}
    config = case.config | {"vocab_size": SIZE, "bos_token_id": 0, "eos_token_id": [5, 0]}
    return variants.Case(case.name, config, case.mor, state).write(tmp_path / "checkpoint")


def write(folder: Path, tokenizer: Tokenizer, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(tokenizer.to_str()) | changes
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return content


def converted(folder: Path, **options: Any) -> tuple[dict[str, str], dict[str, Any]]:
    path = folder.parent / "model.onnx"
    convert(folder, path, quiet=True, **options)
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    tables: dict[str, Any] = {}
    for tensor in model.graph.initializer:
        if tensor.name.startswith("tokenizer."):
            strings = [value.decode() for value in tensor.string_data]
            tables[tensor.name.removeprefix("tokenizer.")] = strings or list(tensor.int64_data)
    return {entry.key: entry.value for entry in model.metadata_props}, tables


@pytest.mark.parametrize("smollm", [False, True])
@pytest.mark.parametrize("prefix", [False, True])
def test_tables(smollm: bool, prefix: bool, folder: Path) -> None:
    tokenizer = trained(smollm, prefix)
    content = write(folder, tokenizer)
    metadata, tables = converted(folder)
    ids = tokenizer.get_vocab(with_added_tokens=True)
    assert {token: place for place, token in enumerate(tables["vocab"])} == ids
    assert tables["merges"] == [" ".join(pair) for pair in content["model"]["merges"]]
    assert tables["added"] == [ids[END], ids[PAD]]
    assert tables["special"] == [ids[END]]
    wanted = {
        "rally.tokenizer": "bpe",
        "rally.pre_tokenizer": "smollm" if smollm else "gpt2",
        "rally.add_prefix_space": str(prefix).lower(),
        "rally.bos_token_id": "0",
        "rally.eos_token_id": "5",
        "rally.add_bos": "false",
        "rally.add_eos": "false",
    }
    assert wanted.items() <= metadata.items()


def test_merges_as_text(folder: Path) -> None:
    content = write(folder, trained())
    _, wanted = converted(folder)
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    write(folder, trained(), model=content["model"])
    assert converted(folder)[1] == wanted


def test_a_tokenizer_elsewhere(folder: Path, tmp_path: Path) -> None:
    write(folder, trained())
    (folder / "tokenizer.json").rename(tmp_path / "other.json")
    assert converted(folder)[0]["rally.tokenizer"] == "none"
    assert converted(folder, tokenizer=tmp_path / "other.json")[0]["rally.tokenizer"] == "bpe"


@pytest.mark.parametrize(
    ("single", "adds"),
    [(f"{END} $A", ("true", "false")), (f"$A {END}", ("false", "true")), (f"{END} $A {END}", ("true", "true"))],
)
def test_templates_add_tokens(single: str, adds: tuple[str, str], folder: Path) -> None:
    tokenizer = trained()
    template = processors.TemplateProcessing(single=single, special_tokens=[(END, 0)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), template])
    write(folder, tokenizer)
    metadata, _ = converted(folder)
    assert (metadata["rally.add_bos"], metadata["rally.add_eos"]) == adds
    assert metadata["rally.bos_token_id"] == "0"


def test_special_tokens_of_the_tokenizer_configuration(folder: Path) -> None:
    write(folder, trained())
    config = json.loads((folder / "config.json").read_text())
    del config["bos_token_id"], config["eos_token_id"]
    (folder / "config.json").write_text(json.dumps(config))
    assert converted(folder)[0]["rally.eos_token_id"] == "none"
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": PAD}}))
    metadata, tables = converted(folder)
    assert tables["vocab"][int(metadata["rally.eos_token_id"])] == PAD


def _token(**flags: Any) -> dict[str, Any]:
    base = {"id": 0, "content": END, "lstrip": False, "rstrip": False, "single_word": False, "special": True}
    return base | flags


_MODEL = ("ignore_merges", "byte_fallback", "dropout", "type", "merges")


def _changed(folder: Path, changes: dict[str, Any]) -> None:
    content = write(folder, trained())
    inside = changes.keys() & set(_MODEL)
    write(folder, trained(), **({"model": content["model"] | changes} if inside else changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"normalizer": {"type": "NFC"}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": None},
        {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}},
        {"added_tokens": [_token(lstrip=True)]},
        {"added_tokens": [_token(rstrip=True)]},
        {"added_tokens": [_token(single_word=True)]},
        {"ignore_merges": True},
        {"byte_fallback": True},
    ],
)
def test_more_than_the_plain_kind_is_a_pipeline(changes: dict[str, Any], folder: Path) -> None:
    _changed(folder, changes)
    metadata, _ = converted(folder)
    assert (metadata["rally.format"], metadata["rally.tokenizer"]) == ("2", "pipeline")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"normalizer": {"type": "Transliterate"}}, "Transliterate"),
        ({"pre_tokenizer": {"type": "UnicodeScripts"}}, "UnicodeScripts"),
        ({"post_processor": {"type": "BertProcessing"}}, "form"),
        ({"decoder": {"type": "WordPiece"}}, "WordPiece without prefix"),
        ({"added_tokens": [_token(id=7)]}, "the file says 7"),
        ({"added_tokens": [{"content": "<x>"}]}, "form"),
        ({"added_tokens": [_token(id=900, content="<x>")]}, "the file says 900"),
        ({"dropout": 0.1}, "dropout"),
        ({"type": "WordLevel"}, "WordLevel"),
        ({"merges": [["zzz", "t"]]}, "zzz"),
        ({"merges": ["a b c"]}, "merge 0"),
    ],
)
def test_refused_by_name(changes: dict[str, Any], name: str, folder: Path) -> None:
    _changed(folder, changes)
    with pytest.raises(ModelFileError, match=r"tokenizer\.json") as caught:
        converted(folder)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "normalizer", "message"),
    [
        ({"unk_id": None}, None, "expected unk_id, the id of an entry, found None"),
        ({"unk_id": 99}, None, "expected unk_id, the id of an entry, found 99"),
        ({"vocab": [["<unk>", 0.0], ["a", float("-inf")]]}, None, "a score is not finite"),
        (
            {},
            {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
            "precompiled_charsmap of its normalizer is broken",
        ),
        ({}, {"type": "Precompiled", "precompiled_charsmap": "no base64"}, "precompiled_charsmap"),
    ],
)
def test_broken_unigram_models(changes: dict[str, Any], normalizer: Any, message: str, folder: Path) -> None:
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("\u2581a", -2.0)], unk_id=0))
    content = json.loads(tokenizer.to_str())
    content["normalizer"] = normalizer
    content["model"] |= changes
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match=message) as caught:
        converted(folder)
    assert "\n" not in str(caught.value)
    assert not (folder.parent / "model.onnx").exists()
