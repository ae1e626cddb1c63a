"""Reads a ``tokenizer.json`` as the steps that it lists; a step that the engine does not know is refused by name."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from rally.convert.expressions import check_expression
from rally.convert.settings import Settings
from rally.convert.tokenizer_parts import kind, model_type, numbered, placed_ends, unsupported
from rally.modelfile import ModelFileError, Pipeline, WordPiece

#: What each kind of step may be.
NORMALIZERS = (
    *("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Strip", "Prepend", "Replace"),
    *("BertNormalizer", "Precompiled"),
)
PRE_TOKENIZERS = (
    *("ByteLevel", "Split", "Digits", "Metaspace", "Whitespace", "WhitespaceSplit", "Punctuation"),
    "BertPreTokenizer",
)
DECODERS = ("ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace", "WordPiece")
#: What a step must say, by section and type.
_REQUIRED = {
    ("normalizer", "Strip"): ("strip_left", "strip_right"),
    ("normalizer", "Prepend"): ("prepend",),
    ("normalizer", "Replace"): ("pattern", "content"),
    ("pre_tokenizer", "Split"): ("pattern", "behavior"),
    ("pre_tokenizer", "Metaspace"): ("replacement",),
    ("decoder", "Replace"): ("pattern", "content"),
    ("decoder", "Strip"): ("content", "start", "stop"),
    ("decoder", "Metaspace"): ("replacement",),
    ("decoder", "WordPiece"): ("prefix",),
}
#: Behaviours of a ``Split``.
BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")

#: The flags of ``Pipeline.added_flags``.
STRIPS_LEFT, STRIPS_RIGHT, SINGLE_WORD, NORMALIZED, IN_MODEL = 1, 2, 4, 8, 16

_MODELS = {"BPE": "bpe", "Unigram": "unigram", "WordPiece": "wordpiece"}


def read_pipeline(content: Settings) -> Pipeline:
    """Convert the content of a ``tokenizer.json``; ``bos`` and ``eos`` are those that the post-processor adds."""
    model = content.section("model")
    name = model_type(model)
    if name not in _MODELS:
        raise unsupported(content, f"model type {name}")
    for flag in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if name == "BPE" and model.values.get(flag):
            raise unsupported(content, flag)
    known = _known(model)
    ids, added = numbered(content, known, len(model.get("vocab", {})))
    charsmaps: list[str] = []
    normalizer = _steps(content, "normalizer", "normalizers", NORMALIZERS, charsmaps)
    pre_tokenizer = _steps(content, "pre_tokenizer", "pretokenizers", PRE_TOKENIZERS)
    decoder = _steps(content, "decoder", "decoders", DECODERS)
    _check_decoder(content)
    first, last = placed_ends(content, ids)
    entries = [""] * (max(ids.values()) + 1)
    if name == "Unigram":
        entries[: len(model.get("vocab"))] = [str(piece) for piece, _ in model.get("vocab")]
    for text, number in ids.items():
        entries[number] = text
    return Pipeline(
        model=_MODELS[name],
        normalizer=normalizer,
        pre_tokenizer=pre_tokenizer,
        decoder=decoder,
        unk_token_id=_unknown(content, model, name, known),
        byte_fallback=bool(model.values.get("byte_fallback")),
        fuse_unk=bool(model.values.get("fuse_unk")),
        ignore_merges=bool(model.values.get("ignore_merges")),
        continuing_subword_prefix=str(model.get("continuing_subword_prefix", "##")),
        max_input_chars_per_word=model.integer("max_input_chars_per_word", 100),
        bos_token_id=first,
        eos_token_id=last,
        add_bos=first is not None,
        add_eos=last is not None,
        vocab=tuple(entries),
        added=tuple(number for number, _ in added),
        added_flags=tuple(_flags(token, known) for _, token in added),
        special=tuple(number for number, token in added if token.get("special")),
        merge_pairs=_merge_pairs(model, known) if name == "BPE" else (),
        scores=_scores(content, model, len(entries)) if name == "Unigram" else (),
        charsmaps=tuple(charsmaps),
    )


def wordpiece_steps(tokenizer: WordPiece) -> Pipeline:
    """Return BERT's tokenizer as steps, for a language model."""
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": tokenizer.clean_text,
        "handle_chinese_chars": tokenizer.handle_chinese_chars,
        "strip_accents": tokenizer.strip_accents,
        "lowercase": tokenizer.lowercase,
    }
    prefix = tokenizer.continuing_subword_prefix
    special = set(tokenizer.special)
    return Pipeline(
        model="wordpiece",
        normalizer=json.dumps(normalizer),
        pre_tokenizer=json.dumps({"type": "BertPreTokenizer"}),
        decoder=json.dumps({"type": "WordPiece", "prefix": prefix, "cleanup": tokenizer.decoder_cleanup}),
        unk_token_id=tokenizer.unk_token_id,
        continuing_subword_prefix=prefix,
        max_input_chars_per_word=tokenizer.max_input_chars_per_word,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        add_bos=tokenizer.add_bos,
        add_eos=tokenizer.add_eos,
        vocab=tokenizer.vocab,
        added=tokenizer.added,
        added_flags=tuple(IN_MODEL + NORMALIZED * (number not in special) for number in tokenizer.added),
        special=tokenizer.special,
    )


# The model.


def _known(model: Settings) -> dict[str, int]:
    """Return the ids of the entries that the model itself knows."""
    vocab = model.get("vocab", {})
    if isinstance(vocab, list):  # Unigram: of a piece that stands twice the last counts
        return {str(piece): place for place, (piece, _) in enumerate(vocab)}
    return {str(piece): number for piece, number in dict(vocab).items()}


def _unknown(content: Settings, model: Settings, name: str, known: dict[str, int]) -> int | None:
    if name == "Unigram":
        number = model.values.get("unk_id")
        if not isinstance(number, int) or not 0 <= number < len(known):
            raise ModelFileError(f"{content.source}: model: expected unk_id, the id of an entry, found {number!r}")
        return number
    token = model.values.get("unk_token")
    if token is None and name == "BPE":
        return None
    if token not in known:
        raise ModelFileError(f"{content.source}: unk_token {token!r} is not in the vocabulary")
    return known[token]


def _merge_pairs(model: Settings, known: dict[str, int]) -> tuple[tuple[int, int], ...]:
    ranks: dict[tuple[int, int], int] = {}
    for rank, merge in enumerate(model.get("merges", [])):
        pair = merge.split(" ") if isinstance(merge, str) else list(merge)
        if len(pair) != 2:
            raise ModelFileError(f"{model.source}: merge {rank} is no pair: {merge!r}")
        unknown = next((token for token in (*pair, "".join(pair)) if token not in known), None)
        if unknown is not None:
            raise ModelFileError(f"{model.source}: merge {rank} needs {unknown!r}, which is not in the vocabulary")
        # Of a pair that stands twice, the last rank counts.
        ranks[known[pair[0]], known[pair[1]]] = rank
    return tuple(sorted(ranks, key=ranks.__getitem__))


def _scores(content: Settings, model: Settings, count: int) -> tuple[float, ...]:
    scores = [float(score) for _, score in model.get("vocab")]
    if not all(abs(score) < float("inf") for score in scores):
        raise ModelFileError(f"{content.source}: model: a score is not finite")
    return (*scores, *(0.0 for _ in range(count - len(scores))))


def _flags(token: dict[str, Any], known: dict[str, int]) -> int:
    normalized = token.get("normalized", not token.get("special", False))
    flags = {
        STRIPS_LEFT: token.get("lstrip"),
        STRIPS_RIGHT: token.get("rstrip"),
        SINGLE_WORD: token.get("single_word"),
        NORMALIZED: normalized,
        IN_MODEL: token["content"] in known,
    }
    return sum(bit for bit, is_set in flags.items() if is_set)


# The steps.


def _steps(
    content: Settings, name: str, list_name: str, supported: tuple[str, ...], charsmaps: list[str] | None = None
) -> str | None:
    """Return the steps of a section as the file writes them, but for the maps, which go to ``charsmaps``."""
    part = content.values.get(name)
    if part is None:
        return None
    kept = []
    for step in flattened(part, list_name):
        if kind(step) not in supported:
            raise unsupported(content, f"{name} {kind(step)}; supported: {', '.join(supported)}")
        _check_step(content, name, step)
        if kind(step) == "Precompiled" and charsmaps is not None:
            charsmaps.append(_charsmap(content, step))
            step = {"type": "Precompiled"} | ({"longest_match": True} if step.get("longest_match") is True else {})
        kept.append(step)
    return json.dumps({"type": "Sequence", list_name: kept}, ensure_ascii=False)


def flattened(part: Any, list_name: str) -> list[dict[str, Any]]:
    """Return the steps of a ``Sequence``, those of sequences within it among them; or the step itself."""
    if part is None:
        return []
    if kind(part) != "Sequence":
        return [part]
    return [step for inner in part[list_name] for step in flattened(inner, list_name)]


def _check_step(content: Settings, name: str, step: dict[str, Any]) -> None:
    what = f"{name} {kind(step)}"
    for field in _REQUIRED.get((name, kind(step)), ()):
        if field not in step:
            raise ModelFileError(f"{content.source}: {what} without {field}")
    pattern = step.get("pattern")
    if isinstance(pattern, dict):
        if "Regex" in pattern:
            check_expression(pattern["Regex"], content.source)
        elif not pattern.get("String"):
            raise unsupported(content, f"{what} with an empty pattern")
    if step.get("behavior", "Isolated") not in BEHAVIORS:
        raise unsupported(content, f"{what} with behavior {step['behavior']}")
    for field in ("content", "replacement"):
        if kind(step) in ("Strip", "Metaspace") and field in step and len(step[field]) != 1:
            raise unsupported(content, f"{what} whose {field} is not one character")
    if name == "decoder" and kind(step) == "Strip" and step.get("stop"):
        raise unsupported(content, f"{what} with a stop")


def _check_decoder(content: Settings) -> None:
    """Refuse an order of decoders that cannot run token by token."""
    kinds = [kind(step) for step in flattened(content.values.get("decoder"), "decoders")]
    fuse = kinds.index("Fuse") if "Fuse" in kinds else len(kinds)
    single = [name for name in kinds[:fuse] if name != "ByteFallback"]
    right = kinds[fuse + 1 :] in ([], ["Strip"]) and "ByteFallback" not in kinds[: len(single)]
    if not right or kinds.count("ByteFallback") > 1 or ("ByteLevel" in kinds and len(kinds) > 1):
        raise unsupported(content, f"decoder {' + '.join(kinds)}")


def _charsmap(content: Settings, step: dict[str, Any]) -> str:
    text = step.get("precompiled_charsmap")
    try:
        data = base64.b64decode(text or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        data = b""
    size = int.from_bytes(data[:4], "little")
    if len(data) < 8 or size % 4 or size < 4 or size > len(data) - 4:
        raise ModelFileError(f"{content.source}: the precompiled_charsmap of its normalizer is broken")
    return base64.b64encode(data).decode()
