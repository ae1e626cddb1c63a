"""Reads a SentencePiece model, with the ``sentencepiece`` package's description of its file."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError

#: What checkpoints call the file.
NAMES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model")

_UNIGRAM, _BPE = 1, 2
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4
#: The longest expression of user-defined pieces that is supported.
_EXPRESSION_LIMIT = 4096


def read_sentencepiece(path: Path, settings: Settings) -> Settings:
    """Return what the ``tokenizer.json`` of a SentencePiece model would hold: the same tokens as ``encode`` gives.

    ``settings`` is the ``tokenizer_config.json``: whether a beginning or an end is added.
    """
    proto = _parse(path)
    spec, trainer = proto.normalizer_spec, proto.trainer_spec
    if trainer.model_type not in (_UNIGRAM, _BPE):
        raise ModelFileError(f"{path.name}: a SentencePiece model of words or characters is not supported")
    if trainer.treat_whitespace_as_suffix or not spec.escape_whitespaces:
        raise ModelFileError(f"{path.name}: white space that is a suffix, or not escaped, is not supported")
    pieces = [(piece.piece, piece.score, piece.type) for piece in proto.pieces]
    unknown = next((place for place, piece in enumerate(pieces) if piece[2] == _UNKNOWN), None)
    if unknown is None:
        raise ModelFileError(f"{path.name}: it has no unknown piece")
    user_defined = [text for text, _, number in pieces if number == _USER_DEFINED]
    values = {
        "added_tokens": [
            _added(place, text) for place, (text, _, number) in enumerate(pieces) if number in (_UNKNOWN, _CONTROL)
        ],
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(spec)},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": _pre_tokenizers(path, spec, user_defined)},
        "post_processor": _template(proto, settings),
        "decoder": {"type": "Sequence", "decoders": _decoders(trainer.byte_fallback, spec.add_dummy_prefix)},
        "model": _model(trainer, pieces, unknown, bool(user_defined)),
    }
    return Settings(values, path.name)


def _parse(path: Path) -> Any:
    try:
        from sentencepiece import sentencepiece_model_pb2 as messages
    except ImportError as error:
        raise ModelFileError(
            f"{path.name}: needs the sentencepiece package ({error}); pip install sentencepiece"
        ) from None
    module: Any = messages  # its classes are made when it is imported
    proto = module.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's own DecodeError has no common base
        raise ModelFileError(f"{path.name}: not a SentencePiece model ({error})") from None
    if not proto.pieces:
        raise ModelFileError(f"{path.name}: not a SentencePiece model: it has no pieces")
    return proto


def _added(place: int, text: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": place, "content": text} | flags


def _normalizers(spec: Any) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    if spec.precompiled_charsmap:
        charsmap = base64.b64encode(spec.precompiled_charsmap).decode()
        steps.append({"type": "Precompiled", "precompiled_charsmap": charsmap, "longest_match": True})
    if spec.remove_extra_whitespaces:
        steps.append({"type": "Replace", "pattern": {"Regex": r"\A +| +\z"}, "content": ""})
        steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
    steps.append({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
    if spec.add_dummy_prefix:
        # Metaspace adds none before a text that begins with one; SentencePiece does.
        steps.append({"type": "Replace", "pattern": {"Regex": r"\A▁"}, "content": "▁▁"})
    return steps


def _pre_tokenizers(path: Path, spec: Any, user_defined: list[str]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    if spec.add_dummy_prefix:
        steps.append({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False})
    if user_defined:
        longest_first = sorted(user_defined, key=len, reverse=True)
        pattern = "|".join(re.sub(r"([^\w▁])", r"\\\1", piece) for piece in longest_first)
        if len(pattern) > _EXPRESSION_LIMIT:
            raise ModelFileError(
                f"{path.name}: {len(user_defined)} user-defined pieces are not supported; convert a tokenizer.json"
            )
        steps.append({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False})
    return steps


def _decoders(byte_fallback: bool, prefix: bool) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}]
    steps += [{"type": "ByteFallback"}] if byte_fallback else []
    steps += [{"type": "Fuse"}]
    return steps + ([{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefix else [])


def _model(trainer: Any, pieces: list[tuple[str, float, int]], unknown: int, isolates: bool) -> dict[str, Any]:
    if trainer.model_type == _UNIGRAM:
        vocab: Any = [[text, score] for text, score, _ in pieces]
        return {"type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": trainer.byte_fallback}
    return {
        "type": "BPE",
        "unk_token": pieces[unknown][0],
        "fuse_unk": True,
        "byte_fallback": trainer.byte_fallback,
        "ignore_merges": isolates,
        "vocab": {text: place for place, (text, _, _) in enumerate(pieces)},
        "merges": _merges(pieces),
    }


def _merges(pieces: list[tuple[str, float, int]]) -> list[list[str]]:
    """Return every pair of normal pieces that makes one, those of the greatest score first."""
    normal = {text: (-score, place) for place, (text, score, number) in enumerate(pieces) if number == _NORMAL}
    found = []
    for text, rank in normal.items():
        for middle in range(1, len(text)):
            if text[:middle] in normal and text[middle:] in normal:
                found.append((*rank, text[:middle], text[middle:]))
    return [[left, right] for _, _, left, right in sorted(found)]


def _template(proto: Any, settings: Settings) -> dict[str, Any] | None:
    """Return the post-processor: a beginning unless the configuration says no, an end only where it says so."""
    trainer = proto.trainer_spec
    single: list[dict[str, Any]] = [{"Sequence": {"id": "A", "type_id": 0}}]
    if trainer.bos_id >= 0 and settings.boolean("add_bos_token", True):
        single.insert(0, {"SpecialToken": {"id": proto.pieces[trainer.bos_id].piece, "type_id": 0}})
    if trainer.eos_id >= 0 and settings.boolean("add_eos_token", False):
        single.append({"SpecialToken": {"id": proto.pieces[trainer.eos_id].piece, "type_id": 0}})
    return {"type": "TemplateProcessing", "single": single} if len(single) > 1 else None
