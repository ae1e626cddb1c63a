"""BERT's tokenizer through Rally and through Hugging Face `tokenizers`: the same ids and the same text."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import berts
import models
import pytest
import tokenizer_corpus
from tokenizers import AddedToken, Tokenizer
from transformers import BertTokenizerFast

import rally
from rally import RallyError, Status
from rally.convert.settings import Settings
from rally.convert.tokenizer import find_tokenizer
from rally.convert.wordpiece import read_wordpiece
from rally.modelfile import ModelFileError, Rater

ROOT = Path(__file__).resolve().parents[3]
RATER = Rater(
    name="text",
    vocab_size=1,
    hidden_size=2,
    num_attention_heads=1,
    num_key_value_heads=1,
    head_dim=2,
    intermediate_size=2,
    max_position_embeddings=64,
    num_block_layers=1,
)


def opened(path: Path, tokenizer: Tokenizer) -> rally.Model:
    """A model as small as can be that carries a tokenizer."""
    read = read_wordpiece(Settings(json.loads(tokenizer.to_str()), "tokenizer.json"))
    models.write(path, replace(RATER, tokenizer=read, vocab_size=len(read.vocab) + 2))
    return rally.Model(path, threads=1)


def assert_same(model: rally.Model, reference: Tokenizer, texts: Sequence[str]) -> None:
    """Encode and decode every text by both."""
    wanted = [encoding.ids for encoding in reference.encode_batch(texts)]
    for text, ids in zip(texts, wanted, strict=True):
        assert model.encode(text) == ids, ascii(text)
    sample = range(0, len(texts), 1 + len(texts) // 2_000)
    for place in sample:
        for skip in (False, True):
            assert model.decode(wanted[place], skip) == reference.decode(wanted[place], skip_special_tokens=skip)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Every seventh line of a corpus of two hundred languages; the sources and a book of this repository."""
    files = [ROOT / "Tests/Fixtures/texts/alice.txt", *sorted((ROOT / "Sources").rglob("*.swift"))]
    texts = [line for file in files for line in file.read_text(encoding="utf-8").split("\n")]
    return [line.decode("utf-8", "replace") for line in tokenizer_corpus.lines()[::7]] + texts[::3]


@pytest.mark.parametrize("settings", ["cial", "ci"])
def test_real_text(settings: str, lines: list[str], tmp_path: Path) -> None:
    reference = berts.trained(lines[::10], 3_000, settings)
    with opened(tmp_path / "model.onnx", reference) as model:
        assert_same(model, reference, lines)
        text = "\n".join(lines[:3_000])
        assert model.encode(text) == reference.encode(text).ids


def _assigned() -> list[str]:
    every = (chr(value) for value in range(0x110000) if not 0xD800 <= value < 0xE000)
    return [character for character in every if unicodedata.category(character) not in ("Cn", "Co")]


def _every_character() -> list[str]:
    """A vocabulary in which nothing that is assigned becomes unknown, so that no difference is hidden."""
    found: set[str] = set()
    for character in _assigned():
        for form in (character, unicodedata.normalize("NFD", character)):
            found.update(form, form.lower())
    letters = sorted(one for one in found - set("ab") if one.strip())
    return [*berts.SPECIAL, "a", "b", "ab", "##a", "##b", *letters, *(f"##{one}" for one in letters)]


@pytest.fixture(scope="module")
def every_character() -> list[str]:
    return _every_character()


def _blocks() -> Iterator[str]:
    """Every code point between letters and alone, 64 to a text."""
    for start in range(0, 0x110000, 64):
        block = range(start, start + 64)
        yield "".join(f"a{chr(value)}b {chr(value)} " for value in block if not 0xD800 <= value < 0xE000)


@pytest.mark.parametrize("settings", ["cial", "l", "a"])
def test_every_code_point(settings: str, every_character: list[str], tmp_path: Path) -> None:
    reference = berts.blank(every_character, settings)
    texts = list(_blocks())
    # Without all steps only the planes that have letters.
    texts = texts if settings == "cial" else texts[: 0x20000 // 64]
    with opened(tmp_path / "model.onnx", reference) as model:
        assert_same(model, reference, texts)


@pytest.mark.parametrize("settings", ["cial", "cil"])
def test_marks_in_any_order(settings: str, every_character: list[str], tmp_path: Path) -> None:
    stream = random.Random(7)
    assigned = _assigned()
    marks = [one for one in assigned if unicodedata.combining(one) or unicodedata.category(one) == "Mn"]
    composed = [one for one in assigned if unicodedata.decomposition(one)]
    # Marks that stay, of several combining classes, and what is taken apart into them.
    hard = "\u1b44\u302e\u302f\U0001d165\U0001d16e\U0001d15e\u08d4\U0001e94a\U0001e944\u0344\u0340각간İΣẞﷺΩÅ"
    pools = [marks, composed, hard, hard, "abAB .,#'\t\n", assigned]
    texts = ["".join(stream.choice(stream.choice(pools)) for _ in range(stream.randint(1, 14))) for _ in range(8_000)]
    reference = berts.blank(every_character, settings)
    with opened(tmp_path / "model.onnx", reference) as model:
        assert_same(model, reference, texts)


@pytest.fixture(scope="module")
def small(folder: Path) -> Iterator[tuple[rally.Model, Tokenizer]]:
    vocab = [*berts.SPECIAL, "don", "'", "t", "n", "s", ",", ".", "!", "?", "un", "##aff", "##able", "a", "##a", "do"]
    reference = berts.blank(vocab, added=["<Tool>", "Kafé", "a b"])
    with opened(folder / "small wordpiece.onnx", reference) as model:
        yield model, reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[CLS] a [SEP]",
        "[MASK][MASK]unaffable[UNK]",
        "[mask] [ MASK ]",
        "<tool>a<TOOL>b < tool>",
        "kafe KAFÉ Kafe\u0301s",
        "a b aa bb",
        "don't, a 's do not a . a ! a ?",
        "a" * 100 + " " + "a" * 101,
    ],
)
def test_added_tokens_and_hard_words(small: tuple[rally.Model, Tokenizer], text: str) -> None:
    model, reference = small
    assert_same(model, reference, [text])
    reference.encode_special_tokens = True
    bare = reference.encode(text, add_special_tokens=False).ids
    reference.encode_special_tokens = False
    assert model.encode(text, add_bos=False, add_eos=False, parse_special=False) == bare


def test_ids_beyond_the_vocabulary(small: tuple[rally.Model, Tokenizer]) -> None:
    model, reference = small
    assert model.decode([len(reference.get_vocab()), 5, 6]) == "don '"
    for wrong in (-1, model.info.vocab_size, 2**31):
        with pytest.raises(RallyError) as caught:
            model.decode([1, wrong])
        assert caught.value.code == Status.INVALID_TOKEN


def test_bytes_that_are_no_text(small: tuple[rally.Model, Tokenizer]) -> None:
    model, _ = small
    assert model.encode(b"un\xffaff\xc3able") == model.encode("unaffable")
    assert model.encode("un\0affable") == model.encode("unaffable")


@pytest.mark.parametrize("config", [None, {}, {"do_lower_case": False}, {"strip_accents": False}])
def test_vocabulary_files(config: dict[str, Any] | None, tmp_path: Path) -> None:
    vocab = [*berts.SPECIAL, "é", "É", "e", "E", "中", "##é"]
    (tmp_path / "vocab.txt").write_text("".join(f"{entry}\n" for entry in vocab), encoding="utf-8")
    if config is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    read = find_tokenizer(tmp_path, None, Settings({}, "config.json"))
    reference = BertTokenizerFast.from_pretrained(tmp_path, **(config or {})).backend_tokenizer
    assert read == read_wordpiece(Settings(json.loads(reference.to_str()), "tokenizer.json"))


@pytest.mark.parametrize(
    ("part", "changes", "name"),
    [
        ("model", {"unk_token": "<unk>"}, "<unk>"),
        ("model", {"continuing_subword_prefix": ""}, "continuing_subword_prefix"),
        ("model", {"max_input_chars_per_word": 0}, "max_input_chars_per_word"),
        ("model", {"vocab": {"[UNK]": 1}}, "without id 0"),
        ("normalizer", {"type": "NFC"}, "NFC"),
        ("normalizer", {"lowercase": "yes"}, "lowercase"),
        ("pre_tokenizer", {"type": "Whitespace"}, "Whitespace"),
        ("post_processor", {"type": "RobertaProcessing"}, "RobertaProcessing"),
        ("decoder", {"type": "WordPiece", "prefix": "@@"}, "decoder"),
        ("decoder", {"type": "ByteLevel"}, "ByteLevel"),
    ],
)
def test_refused_by_name(part: str, changes: dict[str, Any], name: str) -> None:
    content = json.loads(berts.blank([*berts.SPECIAL, "a"]).to_str())
    content[part] |= changes
    if "vocab" in changes:
        content["added_tokens"] = []
    with pytest.raises(ModelFileError) as caught:
        read_wordpiece(Settings(content, "tokenizer.json"))
    assert name in str(caught.value)


def test_older_forms() -> None:
    """BertProcessing does what the template of newer files does."""
    content = json.loads(berts.blank([*berts.SPECIAL, "a"]).to_str())
    wanted = read_wordpiece(Settings(content, "tokenizer.json"))
    content["post_processor"] = {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]}
    assert read_wordpiece(Settings(content, "tokenizer.json")) == wanted
    content["post_processor"]["sep"] = ["[SEP]", 4]
    with pytest.raises(ModelFileError, match="SEP"):
        read_wordpiece(Settings(content, "tokenizer.json"))


def test_added_tokens_that_are_refused() -> None:
    tokenizer = berts.blank([*berts.SPECIAL, "a"])
    tokenizer.add_tokens([AddedToken("<x>", normalized=False)])
    with pytest.raises(ModelFileError, match="<x>"):
        read_wordpiece(Settings(json.loads(tokenizer.to_str()), "tokenizer.json"))


def test_which_models_read_the_same_tokens(tmp_path: Path) -> None:
    """Every setting that changes tokens parts them."""
    read = read_wordpiece(Settings(json.loads(berts.blank([*berts.SPECIAL, "a"]).to_str()), "tokenizer.json"))
    changes: list[dict[str, Any]] = [
        {},
        *({name: False} for name in ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")),
        {"continuing_subword_prefix": "@@"},
        {"max_input_chars_per_word": 9},
        {"unk_token_id": 0},
        {"bos_token_id": 4},
        {"vocab": (*berts.SPECIAL, "b")},
    ]
    opened = []
    for index, change in enumerate([*changes, {}]):
        path = tmp_path / f"{index}.onnx"
        models.write(path, replace(RATER, tokenizer=replace(read, **change), vocab_size=len(read.vocab)), seed=index)
        opened.append(rally.Model(path))
    same = [[one.reads_same_tokens(other) for other in opened] for one in opened]
    last = len(changes)
    assert same == [[i == j or {i, j} == {0, last} for j in range(last + 1)] for i in range(last + 1)]
