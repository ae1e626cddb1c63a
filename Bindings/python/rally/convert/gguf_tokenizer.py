"""Brings the tokenizer of a GGUF file into the form of a ``tokenizer.json``."""

from __future__ import annotations

from typing import Any

from rally.convert.gguf_file import GgufFile
from rally.convert.settings import Settings
from rally.modelfile import ModelFileError

#: Types of tokens as llama.cpp numbers them.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)

_PLAIN = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
_DIGITS = {"type": "Digits", "individual_digits": True}
_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"


def _split(numbers: str) -> dict[str, Any]:
    pattern = {"Regex": _CONTRACTIONS + _WORDS % numbers}
    return {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}


#: ``tokenizer.ggml.pre`` → the pre-tokenizers that Hugging Face's files of these models have.
_PRE_TOKENIZERS: dict[str, list[dict[str, Any]]] = {
    "gpt-2": [_LEVEL | {"use_regex": True}],
    "smollm": [_DIGITS, _LEVEL | {"use_regex": True}],
    "starcoder": [_DIGITS, _LEVEL | {"use_regex": True}],
    "llama-bpe": [_split(r"\p{N}{1,3}"), _LEVEL | {"use_regex": False}],
    "qwen2": [_split(r"\p{N}"), _LEVEL | {"use_regex": False}],
}
_SAME = {"llama3": "llama-bpe", "llama-v3": "llama-bpe"}

#: Llama 3's words that are in the vocabulary are tokens, whichever merges lead there; its texts begin with BOS.
_LLAMA3 = "llama-bpe"


def tokenizer_content(file: GgufFile) -> Settings | None:
    """Return what a ``tokenizer.json`` would hold, or None when the file has no tokenizer.

    Raises
    ------
    ModelFileError
        When it is of a kind that is not known, or its lists do not belong together.
    """
    kind = file.values.get("tokenizer.ggml.model")
    if kind is None or kind in ("none", "no_vocab"):
        return None
    if kind not in ("gpt2", "llama"):
        raise ModelFileError(f"{file.path.name}: tokenizer.ggml.model {kind!r} is not supported; known: gpt2, llama")
    tokens, types = _tokens(file)
    vocab = {token: number for number, token in enumerate(tokens)}
    added = [
        {"id": number, "content": token, "special": types[number] != _USER_DEFINED, **_PLAIN}
        for number, token in enumerate(tokens)
        if types[number] in (_UNKNOWN, _CONTROL, _USER_DEFINED)
    ]
    parts = _byte_level(file, vocab) if kind == "gpt2" else _sentence_pieces(file, tokens, types, vocab)
    return Settings({"added_tokens": added, **parts, **_template(file, kind, tokens)}, file.path.name)


def _tokens(file: GgufFile) -> tuple[list[str], list[int]]:
    name, tokens = file.path.name, file.values.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
        raise ModelFileError(f"{name}: tokenizer.ggml.tokens is no list of texts")
    types = file.values.get("tokenizer.ggml.token_type", [_NORMAL] * len(tokens))
    if not isinstance(types, list) or len(types) != len(tokens):
        raise ModelFileError(
            f"{name}: tokenizer.ggml.token_type does not have one number for each of {len(tokens)} tokens"
        )
    if len(set(tokens)) != len(tokens):
        raise ModelFileError(f"{name}: tokenizer.ggml.tokens has a token twice")
    return tokens, types


def _byte_level(file: GgufFile, vocab: dict[str, int]) -> dict[str, Any]:
    given = file.values.get("tokenizer.ggml.pre")
    pre = _SAME.get(str(given), given)
    if pre not in _PRE_TOKENIZERS:
        known = ", ".join((*_PRE_TOKENIZERS, *_SAME))
        raise ModelFileError(f"{file.path.name}: tokenizer.ggml.pre {given!r} is not supported; known: {known}")
    merges = file.values.get("tokenizer.ggml.merges", [])
    return {
        "normalizer": {"type": "NFC"} if pre == "qwen2" else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": _PRE_TOKENIZERS[pre]},
        "decoder": _LEVEL | {"use_regex": True},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": pre == _LLAMA3},
    }


def _sentence_pieces(file: GgufFile, tokens: list[str], types: list[int], vocab: dict[str, int]) -> dict[str, Any]:
    """Return SentencePiece's BPE: pairs merge in the order of the scores of what they become."""
    scores = file.values.get("tokenizer.ggml.scores")
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise ModelFileError(f"{file.path.name}: tokenizer.ggml.scores does not have one number for each token")
    plain = {token for token, kind in zip(tokens, types, strict=True) if kind in (_NORMAL, _UNUSED)}
    merges = []
    for number, token in enumerate(tokens):
        if token in plain:
            pairs = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
            known = [pair for pair in pairs if pair[0] in plain and pair[1] in plain]
            known.sort(key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
            merges += [((scores[number], len(pair[0]), len(pair[1])), pair) for pair in known]
    merges.sort(key=lambda merge: merge[0], reverse=True)
    unknown = next((token for token, kind in zip(tokens, types, strict=True) if kind == _UNKNOWN), None)
    prefix = file.values.get("tokenizer.ggml.add_space_prefix", True)
    steps = [{"type": "Prepend", "prepend": "▁"}] if prefix else []
    back = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefix else []
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    return {
        "normalizer": {"type": "Sequence", "normalizers": [*steps, replace]},
        "pre_tokenizer": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                *back,
            ],
        },
        "model": {
            "type": "BPE",
            "vocab": vocab,
            "merges": [list(pair) for _, pair in merges],
            "unk_token": unknown,
            "fuse_unk": True,
            "byte_fallback": True,
        },
    }


def _template(file: GgufFile, kind: str, tokens: list[str]) -> dict[str, Any]:
    """Return the post-processor: which tokens every text gets."""
    pre = _SAME.get(str(file.values.get("tokenizer.ggml.pre")), file.values.get("tokenizer.ggml.pre"))
    first = file.values.get("tokenizer.ggml.add_bos_token", kind == "llama" or pre == _LLAMA3)
    last = file.values.get("tokenizer.ggml.add_eos_token", False)
    single: list[dict[str, Any]] = [{"Sequence": {"id": "A", "type_id": 0}}]
    named = {}
    for name, used, place in (("bos", first, 0), ("eos", last, 2)):
        number = file.values.get(f"tokenizer.ggml.{name}_token_id")
        if not used:
            continue
        if not isinstance(number, int) or not 0 <= number < len(tokens):
            raise ModelFileError(f"{file.path.name}: add_{name}_token, but {name}_token_id is {number!r}")
        single.insert(place, {"SpecialToken": {"id": tokens[number], "type_id": 0}})
        named[tokens[number]] = {"id": tokens[number], "ids": [number], "tokens": [tokens[number]]}
    if not named:
        return {}
    return {"post_processor": {"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": named}}
