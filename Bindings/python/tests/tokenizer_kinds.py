"""Tokenizers of every published kind, and whether Rally makes the same tokens of much text.

    python Bindings/python/tests/tokenizer_kinds.py [--lines 100000] [--kinds llama3,unigram] [--speed]

Each kind is trained on part of the machine's own text (see ``tokenizer_corpus``), then every line goes through Rally and
through ``tokenizers``: ids with and without special tokens, special tokens as letters, and the decoded text. A third of
the lines are random mixtures of code points and of parts that have been trouble. ``--speed`` compares processor time.
"""

# ruff: noqa: E501

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tokenizer_corpus
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import rally
from rally.convert.settings import Settings
from rally.convert.tokenizer import read_content
from rally.modelfile import AnyTokenizer, LanguageModel, WordPiece, write_model
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import Tensor, float_tensor

FIXTURES = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "tokenizers"

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN3_NEXT = QWEN2.replace(r"\p{L}+", r"[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")
CL100K = LLAMA3.replace(r"[^\r\n\p{L}\p{N}]?\p{L}+", r"[^\r\n\p{L}\p{N}]?+\p{L}++").replace(
    r"]+[\r\n]*", r"]++[\r\n]*+"
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = "|".join(
    [
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ]
)
TEKKEN = O200K.replace(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "").replace(r"\p{N}{1,3}", r"\p{N}")
DEEPSEEK3 = (
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+",
)
DEEPSEEK_CODER = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+")
DEEPSEEK_LLM = (
    r"[\r\n]",
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-Ρ]+",
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    r"\s+$",
    "[一-龥ࠀ-一가-퟿]+",
)
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"
KIMI = "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}&&[^\\p{Han}]]+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

SPECIAL = ["<s>", "</s>", "<unk>", "<pad>"]


def _splits(*patterns: str, digits: bool = False, behavior: str = "isolated") -> Any:
    steps: list[Any] = [pre_tokenizers.Split(Regex(pattern), behavior) for pattern in patterns]
    if digits:
        steps.append(pre_tokenizers.Digits(individual_digits=True))
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def byte_level(lines: list[str], pre_tokenizer: Any, normalizer: Any = None, **options: Any) -> Tokenizer:
    """Train a byte-level BPE, with merges that cross what the pre-tokenizer cuts, so that a wrong cut shows."""
    tokenizer = Tokenizer(models.BPE(**options))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = _splits(r"[^\n]{1,40}")
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=3000, initial_alphabet=alphabet, show_progress=False)
    )
    if options.get("ignore_merges"):
        content = json.loads(tokenizer.to_str())
        for word in ("unreachable", "Ġwort", "ðŁĺĢ"):
            content["model"]["vocab"].setdefault(word, len(content["model"]["vocab"]))
        tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", AddedToken("[MASK]", lstrip=True, special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("    ", normalized=True), AddedToken("<tool>", normalized=False, rstrip=True)])
    return tokenizer


def sentencepiece_bpe(lines: list[str], kind: str) -> Tokenizer:
    """Train a BPE of characters with bytes to fall back to."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    prefix = {"prepend": [normalizers.Prepend("▁")]}.get(kind, [])
    tokenizer.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", "▁")])
    # Trained word by word; what it is then used with cuts less, or nothing.
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Split("▁", "merged_with_next") if kind != "crossing" else pre_tokenizers.Split("\n", "removed")
    )
    special = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(
        lines,
        trainers.BpeTrainer(
            vocab_size=2500, special_tokens=special, limit_alphabet=700, max_token_length=16, show_progress=False
        ),
    )
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["id"] < len(SPECIAL)]
    content["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(content))
    if kind in ("first", "always"):
        tokenizer.normalizer = normalizers.Sequence([])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme=kind, split=kind == "always")
    if kind == "gemma":
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps if kind == "gemma" else [*steps, decoders.Strip(" ", 1, 0)])
    tokenizer.add_tokens(
        [
            AddedToken("\n\n", normalized=False),
            AddedToken("▁▁▁", normalized=False),
            AddedToken("Word", normalized=True, single_word=True),
        ]
    )
    return tokenizer


def charsmap() -> bytes:
    """XLM-R's own map, from the fixture."""
    import base64

    return base64.b64decode((FIXTURES / "cases" / "charsmap.txt").read_text())


def unigram(lines: list[str], kind: str) -> Tokenizer:
    """Train a Unigram model."""
    tokenizer = Tokenizer(models.Unigram())
    steps = [normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")]
    space = pre_tokenizers.Metaspace("▁", prepend_scheme="always")
    cut: Any = space
    if kind == "deberta":
        steps.insert(0, normalizers.Strip())
        cut = pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), space])
    if kind == "spaces":
        cut = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), space])
    if kind == "albert":
        steps = [
            normalizers.Replace("``", '"'),
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            *steps,
        ]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = space
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)] if kind == "bytes" else []
    trainer = trainers.UnigramTrainer(
        vocab_size=2500, special_tokens=[*SPECIAL, *byte_tokens], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(_few_characters(lines, 1200), trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["id"] < len(SPECIAL)]
    content["model"]["byte_fallback"] = kind == "bytes"
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.Metaspace("▁", prepend_scheme="always")
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[("<s>", tokenizer.token_to_id("<s>")), ("</s>", tokenizer.token_to_id("</s>"))],
    )
    return tokenizer


def _few_characters(lines: list[str], limit: int) -> Iterator[str]:
    """Yield the lines that add no character beyond the first ``limit``: the trainer makes an entry of each."""
    known: set[str] = set()
    for line in lines:
        if len(known | set(line)) <= limit:
            known |= set(line)
            yield line


def wordpiece(lines: list[str], kind: str) -> Tokenizer:
    """Train a WordPiece model with flags that BERT's own kind has no words for."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=kind == "lower")
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(
        lines, trainers.WordPieceTrainer(vocab_size=2500, special_tokens=special, show_progress=False)
    )
    if kind == "words":
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Nmt()])
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True, rstrip=True, special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("Word", single_word=True)])
    return tokenizer


def unknown_bytes(lines: list[str]) -> Tokenizer:
    """Train a byte-level BPE whose vocabulary lacks bytes, with an unknown token for them."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=SPECIAL, show_progress=False, limit_alphabet=120)
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def falcon() -> Any:
    """A byte-level step with others after it."""
    steps = [pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return pre_tokenizers.Sequence(
        [*steps, pre_tokenizers.Digits(False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]
    )


KINDS: dict[str, Callable[[list[str]], Tokenizer]] = {
    "llama3": lambda lines: byte_level(lines, _splits(LLAMA3), ignore_merges=True),
    "qwen2": lambda lines: byte_level(lines, _splits(QWEN2), normalizers.NFC()),
    "qwen3-next": lambda lines: byte_level(lines, _splits(QWEN3_NEXT), normalizers.NFC()),
    "cl100k": lambda lines: byte_level(lines, _splits(CL100K)),
    "o200k": lambda lines: byte_level(lines, _splits(O200K)),
    "tekken": lambda lines: byte_level(lines, _splits(TEKKEN), ignore_merges=True),
    "deepseek-v3": lambda lines: byte_level(lines, _splits(*DEEPSEEK3)),
    "deepseek-coder": lambda lines: byte_level(lines, _splits(*DEEPSEEK_CODER, digits=True)),
    "deepseek-llm": lambda lines: byte_level(lines, _splits(*DEEPSEEK_LLM, digits=True)),
    "bloom": lambda lines: byte_level(lines, _splits(BLOOM)),
    "kimi": lambda lines: byte_level(lines, _splits(KIMI)),
    "falcon": lambda lines: byte_level(lines, falcon()),
    "modernbert": lambda lines: byte_level(lines, pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC()),
    "nfkc": lambda lines: byte_level(lines, pre_tokenizers.ByteLevel(add_prefix_space=True), normalizers.NFKC()),
    "nfd": lambda lines: byte_level(lines, _splits(r"\p{L}+", behavior="contiguous"), normalizers.NFD()),
    "unknown-bytes": unknown_bytes,
    "llama2": lambda lines: sentencepiece_bpe(lines, "prepend"),
    "llama2-first": lambda lines: sentencepiece_bpe(lines, "first"),
    "llama2-always": lambda lines: sentencepiece_bpe(lines, "always"),
    "gemma": lambda lines: sentencepiece_bpe(lines, "gemma"),
    "crossing": lambda lines: sentencepiece_bpe(lines, "crossing"),
    "unigram": lambda lines: unigram(lines, "plain"),
    "unigram-bytes": lambda lines: unigram(lines, "bytes"),
    "xlm-roberta": lambda lines: unigram(lines, "spaces"),
    "deberta": lambda lines: unigram(lines, "deberta"),
    "albert": lambda lines: unigram(lines, "albert"),
    "wordpiece": lambda lines: wordpiece(lines, "cased"),
    "wordpiece-lower": lambda lines: wordpiece(lines, "lower"),
    "wordpiece-words": lambda lines: wordpiece(lines, "words"),
}

# Text.

PARTS = [
    *(" ", "  ", "    ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u0085", "\u2028", "\u3000", "\u200b", "\ufeff", "\u00ad", "\u001c", "\u180e"),
    *("a", "Z", "word", "Word", "WORD", "é", "e\u0301", "ß", "ẞ", "ſ", "'S", "'ſ", "'re", "'LL", "İ", "ı", "ﬁ", "ﬁ\u0301", "Å", "\u212b", "ǅ", "ʰ"),
    *("я", "слово", "й", "и\u0306", "中", "文字", "龥", "한국", "\u1112\u1161\u11ab", "\u1112", "\u1161", "ع", "ह", "क्ष", "क़", "\u0958\u0301", "ไทย", "ำ"),
    *("\u0301", "\u0323\u0301", "\u0301\u0323", "\u200d", "\ufe0f", "\u0345", "\u0334", "\u0600", "\u0600a", "\u110bd", "1", "23", "456", "7890", "½", "٣", "Ⅷ", "²", "①", "〇"),
    *("'", "!", "...", "_", "-", "—", "„“", "$", "€", "+", "<", "😀", "👩‍👧", "🇩🇪", "🇩", "©\u200d©\u0301", "☺\ufe0f", "1️⃣", "👍🏽", "\x00", "\x01", "\x7f", "▁", "▁▁▁", "▁a"),
    *("<s>", "</s>", "<unk>", "<pad>", "<mask>", "[MASK]", "[SEP]", "<tool>", "<0x41>", "＜s＞", "［ＭＡＳＫ］", "ｈｅｌｌｏ", "Ĥ", "Ġ", "``", "unreachable", " wort"),
    *("=" * 20, "a" * 40, " " * 30, "9" * 10, "\u0301" * 12, "https://example.org/a?b=1", "def f(x):\n    return x", "naïve café", "Ελληνικά", "שלום", "ქართული"),
]  # fmt: skip


def mixtures(count: int, seed: int = 20260731) -> Iterator[str]:
    """Yield mixtures of parts, of code points of one block, and of any code points."""
    generator = random.Random(seed)
    for number in range(count):
        if number % 3 < 2:
            yield "".join(generator.choices(PARTS, k=generator.randint(1, 16)))
            continue
        start = generator.choice(
            [0, 0x250, 0x1E00, 0x900, 0x3000, 0x1100, 0xFB00, 0xFE00, 0x1F300, 0x2E80, generator.randrange(0x3FFFF)]
        )
        span = generator.choice([64, 700, 0x110000])
        values = [generator.randrange(start, min(start + span, 0x110000)) for _ in range(generator.randint(1, 20))]
        yield "".join(chr(value) for value in values if not 0xD800 <= value < 0xE000)


def lines(count: int) -> list[str]:
    """Two thirds of real text, one of mixtures."""
    real = [text.decode() for text in tokenizer_corpus.lines(count // 2) if _is_text(text)]
    step = max(1, len(real) * 3 // (2 * count))
    real = real[::step]
    return real + list(mixtures(max(count - len(real), count // 3)))


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


# A model around a tokenizer.


def write(tokenizer: AnyTokenizer, path: Path) -> Path:
    """Write a small language model that carries a tokenizer."""
    model = LanguageModel(
        name="tokens", vocab_size=len(tokenizer.vocab), hidden_size=8, num_attention_heads=1, num_key_value_heads=1,
        head_dim=8, intermediate_size=8, max_position_embeddings=64, num_block_layers=1, tie_word_embeddings=True,
        tokenizer=tokenizer,
    )  # fmt: skip
    tensors: list[Tensor] = [float_tensor("embed_tokens.weight", np.zeros((model.vocab_size, 8), np.float32))]
    tensors += [
        float_tensor(f"block.0.{name}", np.ones(dims, np.float32)) for name, dims in layer_dims(model, 0).items()
    ]
    tensors.append(float_tensor("norm.weight", np.ones(8, np.float32)))
    write_model(path, model, tensors)
    return path


def opened(content: dict[str, Any], path: Path) -> rally.Model:
    """Return a model with the tokenizer of a ``tokenizer.json``."""
    from rally.convert.tokenizer_pipeline import wordpiece_steps

    found = read_content(Settings(content, "tokenizer.json"), [Settings({}, "config.json")])
    return rally.Model(write(wordpiece_steps(found) if isinstance(found, WordPiece) else found, path), threads=1)


def differences(model: rally.Model, reference: Tokenizer, texts: list[str], limit: int = 5) -> list[str]:
    """Describe the first lines that differ in any of four ways; empty when all agree."""
    found: list[str] = []
    vocab = reference.get_vocab(with_added_tokens=True)
    special = {number for number, token in reference.get_added_tokens_decoder().items() if token.special}
    for number, text in enumerate(texts):
        if len(found) >= limit:
            break
        expected = reference.encode(text, add_special_tokens=False).ids
        ids = model.encode(text, add_bos=False, add_eos=False)
        if ids != expected:
            found.append(f"{number} {text!r}: expected {expected}, found {ids}")
            continue
        if model.encode(text) != reference.encode(text).ids:
            found.append(f"{number} {text!r}: other special tokens")
        for skip in (False, True):
            if model.decode(ids, skip_special=skip) != reference.decode(ids, skip_special_tokens=skip):
                found.append(
                    f"{number} {text!r}: decoded {reference.decode(ids, skip_special_tokens=skip)!r} as {model.decode(ids, skip_special=skip)!r}"
                )
        if any(token in text for token in ("<", "[", "＜", "［")):
            reference.encode_special_tokens = True
            letters = reference.encode(text, add_special_tokens=False).ids
            reference.encode_special_tokens = False
            ids = model.encode(text, add_bos=False, add_eos=False, parse_special=False)
            # The model of the reference may still make a special token, or bytes of the unknown one; Rally's does not.
            unknown = {vocab[name] for name in ("<unk>", "[UNK]") if name in vocab}
            if special & set(ids) - unknown or (ids != letters and not special & set(letters) and "<unk>" not in text):
                found.append(f"{number} {text!r}: as letters expected {letters}, found {ids}")
    return found


def speed(model: rally.Model, reference: Tokenizer, texts: list[str], turns: int = 5) -> float:
    """Return how many times the processor time of Rally the reference takes, in one thread.

    They take turns, and the shortest time of each counts: what else runs on the machine slows both. Both work in the
    calling thread, whose time alone is read. Neither makes a list of Python's numbers: Rally fills an array, the
    reference an object of its own.
    """
    whole = ["\n".join(texts[start : start + 200]) for start in range(0, len(texts), 200)]
    encoders: list[Callable[[str], object]] = [
        lambda text: model.encode_rows([text], add_bos=False, add_eos=False),
        lambda text: reference.encode(text, add_special_tokens=False),
    ]
    best = [float("inf"), float("inf")]
    for _ in range(turns):
        for place, encode in enumerate(encoders):
            start = time.thread_time()
            for text in whole:
                encode(text)
            best[place] = min(best[place], time.thread_time() - start)
    return best[1] / best[0]


def main() -> int:
    """Compare the kinds that were asked for; 1 where lines differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--file", type=Path, help="a tokenizer.json instead of the kinds")
    options = parser.parse_args()
    texts = lines(options.lines)
    training = [text for text in texts[::17] if text.strip()][:6000]
    failed = False
    names = [options.file.name] if options.file else options.kinds.split(",")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            reference = Tokenizer.from_file(str(options.file)) if options.file else KINDS[name](training)
            reference.no_truncation()
            reference.no_padding()
            with opened(json.loads(reference.to_str()), Path(folder) / "model.onnx") as model:
                if options.speed:
                    print(
                        f"{name}: {speed(model, reference, texts[: len(texts) * 2 // 3]):.1f} times as fast", flush=True
                    )
                    continue
                found = differences(model, reference, texts)
            failed = failed or bool(found)
            print(
                f"{name}: {len(texts)} lines, {'equal' if not found else 'DIFFERENT'}",
                *found[:5],
                sep="\n  ",
                flush=True,
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
