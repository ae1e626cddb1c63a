"""Tokenizers made of the steps of a ``tokenizer.json``: as ``tokenizers`` has them, and refused by name."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import onnx
import pytest
import sentencepiece
import tokenizer_kinds as kinds
from tokenizers import Tokenizer

import rally
from rally import RallyError, Status
from rally.convert.settings import Settings
from rally.convert.tokenizer import find_tokenizer, read_content
from rally.modelfile import AnyTokenizer, ModelFileError, Pipeline, WordPiece
from rally.modelfile import Tokenizer as ByteLevel

CASES = ("llama3", "modernbert", "qwen2", "sp_bpe_gemma", "sp_bpe_llama2", "unigram")
COUNT = 450


def content(case: str) -> dict[str, Any]:
    """The ``tokenizer.json`` of a case."""
    text = (kinds.FIXTURES / "cases" / case / "tokenizer.json").read_text(encoding="utf-8")
    charsmap = (kinds.FIXTURES / "cases" / "charsmap.txt").read_text().strip()
    found: dict[str, Any] = json.loads(text.replace("see charsmap.txt", charsmap))
    return found


def read(values: dict[str, Any]) -> AnyTokenizer:
    return read_content(Settings(values, "tokenizer.json"), [Settings({}, "config.json")])


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str, tmp_path: Path) -> None:
    """Sixty lines in two dozen scripts: ids, special tokens, decoded text, whole and as a stream."""
    lines = (kinds.FIXTURES / "cases" / case / "lines.jsonl").read_text(encoding="utf-8").splitlines()
    with kinds.opened(content(case), tmp_path / "model.onnx") as model:
        for line in map(json.loads, lines):
            assert model.encode(line["text"], add_bos=False, add_eos=False) == line["ids"], line["text"]
            assert model.encode(line["text"]) == line["ids_with_special"], line["text"]
            assert model.decode(line["ids"]) == line["decoded"], line["text"]


@pytest.fixture(scope="module")
def text() -> list[str]:
    return kinds.lines(3000)


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_kinds(kind: str, text: list[str], tmp_path: Path) -> None:
    reference = kinds.KINDS[kind]([line for line in text[::2] if line.strip()][:1500])
    step = len(text) // COUNT
    with kinds.opened(json.loads(reference.to_str()), tmp_path / "model.onnx") as model:
        found = kinds.differences(model, reference, [*text[::step], *kinds.PARTS])
    assert not found, "\n".join(found)


# What is refused.


def changed(case: str, place: str, value: Any) -> dict[str, Any]:
    values = content(case)
    part: Any = values
    *path, last = place.split(".")
    for name in path:
        part = part[int(name) if name.isdigit() else name]
    part[int(last) if last.isdigit() else last] = value
    return values


SPLIT = "pre_tokenizer.pretokenizers.0.pattern"
REFUSED = {
    "backreference": (changed("llama3", SPLIT, {"Regex": r"(a)\1"}), "expression"),
    "word boundary": (changed("llama3", SPLIT, {"Regex": r"\bword\b"}), "at character 1"),
    "posix class": (changed("llama3", SPLIT, {"Regex": "[[:alpha:]]+"}), "character 2"),
    "property": (changed("llama3", SPLIT, {"Regex": r"\p{Klingon}"}), "Klingon"),
    "named group": (changed("llama3", SPLIT, {"Regex": "(?<name>a)"}), "expression"),
    "fold of two letters": (changed("llama3", SPLIT, {"Regex": "(?i:ss)"}), ""),
    "normalizer": (changed("qwen2", "normalizer", {"type": "Transliterate"}), "normalizer Transliterate"),
    "pre-tokenizer": (changed("qwen2", "pre_tokenizer", {"type": "UnicodeScripts"}), "UnicodeScripts"),
    "decoder": (changed("qwen2", "decoder", {"type": "CTC"}), "decoder CTC"),
    "order of decoders": (
        changed("sp_bpe_llama2", "decoder.decoders", [{"type": "Fuse"}, {"type": "ByteFallback"}]),
        "Fuse + ByteFallback",
    ),
    "post-processor": (changed("qwen2", "post_processor", {"type": "Mystery"}), "post_processor Mystery"),
    "model": (changed("qwen2", "model.type", "WordLevel"), "model type WordLevel"),
    "dropout": (changed("qwen2", "model.dropout", 0.1), "dropout"),
    "suffix": (changed("qwen2", "model.end_of_word_suffix", "</w>"), "end_of_word_suffix"),
    "unigram without unk": (changed("unigram", "model.unk_id", None), "unk_id"),
    "unk outside": (changed("sp_bpe_llama2", "model.unk_token", "<none>"), "unk_token '<none>'"),
    "merge of nothing": (changed("sp_bpe_llama2", "model.merges.0", ["▁", "nothing"]), "merge 0 needs 'nothing'"),
    "charsmap": (changed("unigram", "normalizer.normalizers.0.precompiled_charsmap", "AAAA"), "precompiled_charsmap"),
    "no whole id": (changed("qwen2", "model.vocab.!", 1.5), "an id that is no whole number"),
    "endless id": (changed("sp_bpe_llama2", "model.vocab.<unk>", float("inf")), "an id that is no whole number"),
    "true as an id": (changed("qwen2", "model.vocab.!", True), "an id that is no whole number"),
    "id of an added token": (changed("llama3", "added_tokens.4.id", 5000), "has id 1412, but the file says 5000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    values, message = REFUSED[name]
    if message:
        with pytest.raises(ModelFileError, match=re.escape(message)):
            read(values)
        return
    with pytest.raises(RallyError) as caught, kinds.opened(values, tmp_path / "model.onnx"):
        pass
    assert caught.value.code == Status.INVALID_TOKENIZER


def broken(case: str, path: Path, key: str | None = None, value: str = "", tensor: str = "", **fields: Any) -> Path:
    """A file with one thing changed that no converter would write."""
    found = read(content(case))
    kinds.write(found, path)
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = value
    for initializer in model.graph.initializer:
        if initializer.name == tensor:
            for field, values in fields.items():
                initializer.ClearField(field)
                getattr(initializer, field).extend(values)
    onnx.save(model, path)
    return path


BROKEN: dict[str, tuple[dict[str, Any], Status]] = {
    "no JSON": ({"key": "rally.pre_tokenizer", "value": "{"}, Status.INVALID_VALUE),
    "deep JSON": ({"key": "rally.pre_tokenizer", "value": "[" * 5000}, Status.INVALID_VALUE),
    "unknown step": ({"key": "rally.decoder", "value": '{"type": "Mystery"}'}, Status.INVALID_VALUE),
    "endless nothing": (
        {"key": "rally.normalizer", "value": '{"type":"Replace","pattern":{"Regex":"(a?)*"},"content":""}'},
        Status.INVALID_TOKENIZER,
    ),
    "unknown id": ({"key": "rally.unk_token_id", "value": "99999"}, Status.INVALID_VALUE),
    "flags": ({"tensor": "tokenizer.added_flags", "int64_data": [64] * 5}, Status.INVALID_TOKENIZER),
    "score": ({"tensor": "tokenizer.scores", "string_data": [b"nan"] * 901}, Status.NOT_FINITE),
    "charsmap": ({"tensor": "tokenizer.precompiled_charsmap", "string_data": [b"!"]}, Status.INVALID_TOKENIZER),
    "map that leads out": (
        {
            "tensor": "tokenizer.precompiled_charsmap",
            "string_data": [base64.b64encode(b"\x04\0\0\0\xff\xff\xff\x7f" + b"x\0")],
        },
        Status.INVALID_TOKENIZER,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name: str, tmp_path: Path) -> None:
    change, status = BROKEN[name]
    if name == "map that leads out":
        # One unit whose child, byte 97, has a leaf beyond the array.
        units = [0] * 256
        units[0], units[97] = 0, 97 | 256 | (1024 << 10)
        array = b"".join(unit.to_bytes(4, "little") for unit in units)
        change = change | {"string_data": [base64.b64encode(len(array).to_bytes(4, "little") + array + b"x\0")]}
    with pytest.raises(RallyError) as caught:
        rally.Model(broken("unigram", tmp_path / "model.onnx", **change), threads=1)
    assert caught.value.code == status, str(caught.value)


def test_merges_of_nothing(tmp_path: Path) -> None:
    path = broken("llama3", tmp_path / "model.onnx", tensor="tokenizer.merge_pairs", int64_data=[1408, 1409] * 1144)
    with pytest.raises(RallyError) as caught:
        rally.Model(path, threads=1)
    assert caught.value.code == Status.INVALID_TOKENIZER


@pytest.mark.parametrize("case", CASES)
def test_long_runs(case: str, tmp_path: Path) -> None:
    """Text that makes a careless matcher or search go back over it again and again."""
    reference = Tokenizer.from_str(json.dumps(content(case)))
    with kinds.opened(content(case), tmp_path / "model.onnx") as model:
        for part in ("a", " ", "\u0301", "\u0323\u0301", "A", "中", "\n", "'", "<s", "\u200d", "1"):
            text = part * (60_000 // len(part))
            assert (
                model.encode(text, add_bos=False, add_eos=False) == reference.encode(text, add_special_tokens=False).ids
            )


def test_hostile_expression(tmp_path: Path) -> None:
    """Oniguruma would take time without end; the matcher remembers what led nowhere, and what a look-ahead found."""
    patterns = [r"(?:a+b?)+c", r"(?:a|ab|b)*c", r"a+$b", r"\s+$", r"(?:(?:a*b)*c)*d", "a++c", r"aa++[^a]c|a*?c"]
    patterns += [
        r"a(?=a*b)",
        r"a(?=(?:aa?)+b)|b(?!(?:ab)+c)",
        r"[ab](?=[ab]*?$)",
        r"a(?=a++b)|a(?!(?=a+)b)",
        r"a(?=(?:a{3})+b)",
    ]
    for pattern in patterns:
        values = changed("llama3", SPLIT, {"Regex": pattern})
        with kinds.opened(values, tmp_path / "model.onnx") as model:
            for text in ("a" * 100_000 + "b", "ab" * 50_000, " " * 100_000 + "x"):
                assert model.decode(model.encode(text)[1:]) == text, (pattern, text[:2])


def test_what_a_look_ahead_finds(tmp_path: Path) -> None:
    """The memory of what it found changes no piece; the text is long enough that the matcher begins to remember."""
    patterns = [
        r"\d{1,3}(?=(?:\d{3})+(?!\d))",
        "a(?=a*b)|ba?",
        "[ab](?!(?:a|b)*?c)|a",
        "a+?(?=ab*a)|b++(?=a)",
        "a{2,}(?=aaa++b)",
    ]
    texts = ["1234567 " * 3, "9" * 900 + "a" + "8" * 901, "a" * 400 + "b" + "a" * 300, "aab" * 200 + "c" + "abb" * 150]
    for pattern in patterns:
        values = changed("llama3", SPLIT, {"Regex": pattern})
        reference = Tokenizer.from_str(json.dumps(values))
        with kinds.opened(values, tmp_path / "model.onnx") as model:
            for text in texts:
                expected = reference.encode(text, add_special_tokens=False).ids
                assert model.encode(text, add_bos=False, add_eos=False) == expected, (pattern, text[:9])


def test_white_space_that_takes_white_space(tmp_path: Path) -> None:
    """Each of many tokens would read all the white space after it again."""
    values = content("llama3")
    token = {"id": len(values["added_tokens"]) + len(values["model"]["vocab"]), "content": "  ", "special": False}
    flags = {"single_word": False, "lstrip": True, "rstrip": True, "normalized": False}
    values["added_tokens"].append(token | flags)
    reference = Tokenizer.from_str(json.dumps(values))
    with kinds.opened(values, tmp_path / "model.onnx") as model:
        for text in ("a  \n   b    c ", " " * 9 + "\n" * 3 + "  x"):
            expected = reference.encode(text, add_special_tokens=False).ids
            assert model.encode(text, add_bos=False, add_eos=False) == expected
        model.encode(" " * 1_000_000)


# Special tokens as letters.


def test_special_tokens_are_letters(tmp_path: Path) -> None:
    for case in CASES:
        values = content(case)
        special = {token["id"] for token in values["added_tokens"] if token["special"]}
        names = [token["content"] for token in values["added_tokens"] if token["special"]]
        with kinds.opened(values, tmp_path / "model.onnx") as model:
            for name in (*names, *(f"a {name} b" for name in names), "＜s＞ ＜/s＞ <s>"):
                ids = model.encode(name, add_bos=False, add_eos=False, parse_special=False)
                assert not special - {model.encode("\U000e0abc", add_bos=False, add_eos=False)[0]} & set(ids), (
                    case,
                    name,
                )


# Other files than tokenizer.json.


def test_vocab_and_merges(tmp_path: Path) -> None:
    values = content("modernbert")["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(values["vocab"]))
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in values["merges"]]
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    found = find_tokenizer(tmp_path, None, Settings({"model_type": "gpt2"}, "config.json"))
    assert isinstance(found, ByteLevel)
    assert found.pre_tokenizer == "gpt2"
    assert len(found.merges) == len(merges)


def test_what_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tekken.json").write_text("{}")
    assert find_tokenizer(tmp_path, None, Settings({}, "config.json")) is None
    assert "gets no tokenizer: tekken.json" in capsys.readouterr().err


@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_sentencepiece(model_type: str, text: list[str], tmp_path: Path) -> None:
    """The ``.model`` file gives the ids that the ``sentencepiece`` package gives."""
    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.strip() for line in text[:1200:2]]),
        model_writer=stream,
        vocab_size=1500,
        hard_vocab_limit=False,
        character_coverage=0.98,
        model_type=model_type,
        byte_fallback=model_type == "bpe",
        normalization_rule_name="identity" if model_type == "bpe" else "nmt_nfkc",
        remove_extra_whitespaces=model_type == "unigram",
        user_defined_symbols=["<ud>"] if model_type == "bpe" else [],
        minloglevel=2,
    )
    (tmp_path / "tokenizer.model").write_bytes(stream.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=stream.getvalue())
    found = find_tokenizer(tmp_path, None, Settings({"architectures": ["X"]}, "config.json"))
    assert isinstance(found, Pipeline)
    assert (found.add_bos, found.add_eos) == (True, False)
    # SentencePiece never reads control pieces in a text.
    with rally.Model(kinds.write(found, tmp_path / "model.onnx"), threads=1) as model:
        for line in text[: len(text) // 2 : 5]:
            if any(name in line for name in ("<s>", "</s>", "<unk>", "\0", "▁")):
                continue
            assert model.encode(line, add_bos=False, add_eos=False, parse_special=False) == processor.encode(line), line


#: What SentencePiece replaces at the longest entry of its map, and Hugging Face's library within grapheme clusters.
CLUSTERS = [
    "a\u3000\u0335b",
    "\u3000\u0321\u0301x",
    "x\u1112\u1161\u11ab y",
    "e\u0301e\u0323\u0301 \ufb01\u0301",
    "\u0958\u0301 \u212b\u0323",
    "\uff21\u0308\uff76\uff9e",
    "\u2460\u20dd \u00bd\u0338",
]


@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_sentencepiece_replaces_by_the_longest_entry(model_type: str, text: list[str], tmp_path: Path) -> None:
    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.strip() for line in text[:600:2]]), model_writer=stream, vocab_size=900,
        hard_vocab_limit=False, model_type=model_type, byte_fallback=True, minloglevel=2,
    )  # fmt: skip
    (tmp_path / "tokenizer.model").write_bytes(stream.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=stream.getvalue())
    found = find_tokenizer(tmp_path, None, Settings({}, "config.json"))
    assert isinstance(found, Pipeline)
    with rally.Model(kinds.write(found, tmp_path / "model.onnx"), threads=1) as model:
        for line in CLUSTERS:
            assert model.encode(line, add_bos=False, add_eos=False) == processor.encode(line), line


# tokenizer_config.json and what stands alongside it.


def bert(folder: Path, **config: Any) -> AnyTokenizer | None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The", "sea", "é"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"} | config))
    return find_tokenizer(folder, None, Settings({"model_type": "bert"}, "config.json"))


def test_lower_case_of_the_configuration(tmp_path: Path) -> None:
    bert(tmp_path)
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path / "saved")
    path = tmp_path / "saved" / "tokenizer_config.json"
    path.write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": False}))
    found = find_tokenizer(tmp_path / "saved", None, Settings({"model_type": "bert"}, "config.json"))
    assert isinstance(found, WordPiece)
    assert not found.lowercase
    path.write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False}))
    found = find_tokenizer(tmp_path / "saved", None, Settings({"model_type": "bert"}, "config.json"))
    assert isinstance(found, WordPiece)
    assert found.lowercase


@pytest.mark.parametrize("source", ["tokenizer_config.json", "added_tokens.json"])
def test_added_tokens_of_other_files(source: str, tmp_path: Path) -> None:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    if source == "added_tokens.json":
        (tmp_path / source).write_text(json.dumps({"[new]": 9}))
        found = bert(tmp_path)
    else:
        found = bert(tmp_path, added_tokens_decoder={"9": {"content": "[new]"} | flags})
    assert found is not None
    assert found.vocab[9] == "[new]"
    assert 9 in found.added
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(tmp_path)
    from rally.convert.tokenizer_pipeline import wordpiece_steps

    steps = wordpiece_steps(found) if isinstance(found, WordPiece) else found
    with rally.Model(kinds.write(steps, tmp_path / "model.onnx"), threads=1) as model:
        for line in ("the [new] sea", "The[new]", "[NEW]", "é [SEP] [new]"):
            assert model.encode(line) == reference(line)["input_ids"], line


def test_prefix_space_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed("modernbert", "normalizer", None)))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True})
    )
    found = find_tokenizer(tmp_path, None, Settings({"architectures": ["X"]}, "config.json"))
    assert isinstance(found, Pipeline)
    assert '"add_prefix_space": true' in (found.pre_tokenizer or "")


def test_ends_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(content("sp_bpe_llama2")))
    config = {"add_bos_token": False, "add_eos_token": True, "bos_token": "<s>", "eos_token": {"content": "</s>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    found = find_tokenizer(tmp_path, None, Settings({"bos_token_id": 1, "eos_token_id": 2}, "config.json"))
    assert found is not None
    assert (found.add_bos, found.add_eos) == (False, True)


def test_holes_among_the_ids(tmp_path: Path) -> None:
    """An id that no token has is decoded to nothing, and text never gets it."""
    values = content("modernbert")
    model_vocab = values["model"]["vocab"]
    last = max(model_vocab, key=model_vocab.__getitem__)
    model_vocab[last] += 3
    values["added_tokens"] = []
    values["post_processor"] = None
    reference = Tokenizer.from_str(json.dumps(values))
    with kinds.opened(values, tmp_path / "model.onnx") as model:
        ids = list(range(0, model_vocab[last] + 1))
        assert model.decode(ids) == reference.decode(ids)
