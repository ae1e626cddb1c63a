"""Train two small tokenizers and record how the Hugging Face library encodes hard strings.

    python generate.py

Needs `tokenizers`, and the text that `tokenizer_corpus.lines` finds on the machine; another machine
trains another vocabulary, which is as good. Writes, beside itself, for each of `gpt2` and `smollm`:

* `NAME.vocabulary.txt`: an entry a line, in the order of ids; the added tokens are the last.
* `NAME.merges.txt`: a merge a line, the first to apply first.
* `NAME.cases.txt`: a case a line: settings (`p` finds special tokens, `s` adds a prefix space, `-`
  none), the text in hexadecimal (`-` for none), the ids; tabs between them.

Like the tokenizer of the reference models, `smollm` lacks the bytes that its training text lacks.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[2] / "Bindings" / "python" / "tests"))
import tokenizer_corpus  # noqa: E402

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ADDED = ["<|im_start|>user", "<tool>", "<tool>>", "naïve token", "    "]

HARD = [
    "", " ", "  ", "   a", "a", "Hello, world!", " Hello  world ", "don't I'll you've we're he'd I'm it's",
    "DON'T I'LL", "'sa 'ta 'rea 'vea", "'", "''s", "!'s", " 's", "a'", "l'homme", "rock'n'roll", "'l 'r 'v 're",
    "tabs\tand\t\ttabs", "line\nline\n\nline\r\nline\r\n\r\n", "\n \n  \n", "trailing   ", "trailing\n", "\n",
    "next\u0085line", "no-break\u00a0space", "\u00a0\u00a0x", " \u00a0x", "\u2028line\u2029paragraph\u2028", "ideographic\u3000space\u3000\u3000",
    "\u1680\u2000\u200a\u202f\u205f", "\u200bzero\u200cwidth\u200djoin\ufeff", "\x00\x01\x1c\x1d\x1e\x1f\x7f", "\x0b\x0cx\x0b",
    "3.14159", "a1b22c333", "1 2  3   4", "½ Ⅷ ٣ ² ፩ 〇 ౧౨ 𝟘𝟙 ①", "x²+y²", "\U00011de0\U00011de5 \U00016ff4", "12\u00a034", "0x1F600",
    "Привет, как дела?", "你好，世界！今天天气很好。", "日本語のテキスト、カタカナとひらがな", "한국어 문장입니다.", "مرحبا بالعالم ١٢٣", "שלום עולם",
    "नमस्ते दुनिया", "ภาษาไทยไม่มีช่องว่าง", "Ελληνικά", "ქართული", "አማርኛ", "Việt Nam đẹp", "𐍈𐌰𐌿", "ᏣᎳᎩ", "𞤀𞤣𞤤𞤢𞤥",
    "e\u0301 vs é, Å vs Å vs A\u030a", "Z\u0351\u036b\u0343a\u0328\u0310l\u0359g\u0321o", "\u0301leading mark", " \u0301", "ǅ ʰ ª º ﬁ ß ẞ İ ı",
    "😀", "👩‍👩‍👧‍👦 family", "🏳️‍🌈🏴‍☠️ flags 🇩🇪🇫🇷", "👍🏽👍🏿", "❤️☺︎", "a😀b 😀 c", "1️⃣ 2️⃣",
    "def f(x):\n    return x  # comment\n\n\n\tif x:\n\t\tpass\n", "a == b && c != d || !e;", "https://example.org/a?b=c&d=%20#e", "C:\\path\\to",
    "{\"key\": [1, 2.5e-3, null]}", "<div class='a'>text</div>", "--option=value", "snake_case CamelCase kebab-case", "...---===***", "!!!???",
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext", "<<|im_start|>user\nhi<|im_end|>\n",
    "<|im_start|>user", "<|im_start|>users", "<tool>x<tool>>y<tool>>>", "<too<tool>l>", "a naïve token b", "naïve tokens", "    four", "     five", "        eight",
    "a" * 100, "ab" * 200, " " * 70 + "x", "\n" * 65, "=" * 129, "the " * 40, "9" * 80, "你" * 90, "é" * 65, "abcdefghijklmnopqrstuvwxyz" * 8,
    "\ud7ff\ue000\ufffd\uffff\U0010ffff", "\U00010000\U000e0001\U000e0100", "\u0378\u0530 unassigned", "\u2160\u3007\u3021", "×÷¬±", "«guillemets» “quotes” ‘single’ ’s",
]  # fmt: skip
PARTS = [
    " ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u0085", "\u2028", "\u3000", "a", "Z", "word", "é", "ß", "я", "слово", "中", "文字", "ع", "ह", "\u0301", "\u200d",
    "1", "23", "½", "٣", "Ⅷ", "'", "'s", "'ll", "'re", "!", "...", "_", "-", "😀", "👩‍👧", "🇩🇪", "<|endoftext|>", "<tool>", "\x00", "\U00011de3", "\U0001f600",
]  # fmt: skip


def texts() -> Iterator[str]:
    """Yield the hard strings, then 250 mixtures of their parts."""
    yield from HARD
    generator = random.Random(20260101)
    for _ in range(250):
        yield "".join(generator.choices(PARTS, k=generator.randint(2, 14)))


def pre_tokenizer(name: str, prefix: bool) -> pre_tokenizers.PreTokenizer:
    """Return one of the two ways to cut text into words."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    if name == "gpt2":
        return level
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])


def train(name: str, size: int) -> Tokenizer:
    """Train a tokenizer of `size` entries and add the added tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer(name, prefix=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if name == "gpt2" else []
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    lines = (line.decode(errors="ignore") for line in tokenizer_corpus.lines()[::5])
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    tokenizer.add_tokens(ADDED)
    return tokenizer


def write(name: str, tokenizer: Tokenizer) -> None:
    """Write the vocabulary, the merges and the cases."""
    model = json.loads(tokenizer.to_str())["model"]
    entries = sorted(tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda entry: entry[1])
    save(f"{name}.vocabulary.txt", [text for text, _ in entries])
    save(f"{name}.merges.txt", [" ".join(merge) for merge in model["merges"]])
    cases = []
    for settings in ("-", "p", "s"):
        tokenizer.encode_special_tokens = settings != "p"
        tokenizer.pre_tokenizer = pre_tokenizer(name, prefix=settings == "s")
        for text in texts():
            ids = tokenizer.encode(text).ids
            cases.append("\t".join([settings, text.encode().hex() or "-", " ".join(map(str, ids))]))
    save(f"{name}.cases.txt", cases)


def save(name: str, lines: list[str]) -> None:
    """Write one line each; no entry has a line end in it."""
    (HERE / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write("gpt2", train("gpt2", 3000))
    write("smollm", train("smollm", 2500))
