"""Train a small WordPiece tokenizer and record how the Hugging Face library encodes and decodes hard strings.

    python generate_bert.py

Needs what `generate.py` needs. Writes, beside itself:

* `bert.vocabulary.txt`: an entry a line, in the order of ids; the first five are special, the last three are added tokens.
* `bert.cases.txt`: a case a line: settings, the text in hexadecimal (`-` for none), the ids, the decoded ids in hexadecimal;
  tabs between them. Settings are letters, `-` for none: `c` clean text, `i` ideographs apart, `a` accents stripped,
  `l` lower case, `p` special tokens in the text are found.
"""

from __future__ import annotations

import tokenizer_corpus
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

import generate

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ADDED = ["Kafé Olé", "<tool>", "<tool>>"]
SETTINGS = ("cialp", "cial", "cip", "cilp", "ap", "p")
HARD = [
    "[CLS] a [SEP]b[MASK]", "[cls] [ SEP ]", "[UNK][PAD]", "kafé OLÉ Kafe ole", "<TOOL>x<tool>>", "don't do n't I'm we've they're ' it 's",
    "İstanbul ΣΊΣΥΦΟΣ ǅ ẞ", "a\u0315\u0300\u05ae\u0062", "x\u1b44\u302e\u302fy\u1d165", "\U0001d165\U0001d16e\U0001d166", "\u0344\u0340", "각간갅\u1100\u1161",
    "Å\u212b\u2126\u1e9b\u0323", "\ufdfa ﬁ ½ ⅷ", "\x00\x07\u200b\u200d\ufeff\u00ad\ufffd", "w" * 100, "w" * 101, "é" * 60, "漢字かな交じり文 豈更\U0002f800",
]  # fmt: skip


def train(texts: list[str]) -> Tokenizer:
    """Train 3 000 entries on text in lower case and add the added tokens."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    normalize(tokenizer, "cial")
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=3000, limit_alphabet=700, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text) for text in ADDED])
    return tokenizer


def normalize(tokenizer: Tokenizer, settings: str) -> None:
    """Switch the steps of the normalizer, and whether special tokens are found."""
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text="c" in settings,
        handle_chinese_chars="i" in settings,
        strip_accents="a" in settings,
        lowercase="l" in settings,
    )
    tokenizer.encode_special_tokens = "p" not in settings


def main() -> None:
    """Write the vocabulary and the cases."""
    lines = [line.decode(errors="ignore") for line in tokenizer_corpus.lines()[::10]]
    vocabulary = train(lines)
    entries = sorted(vocabulary.get_vocab(with_added_tokens=True).items(), key=lambda entry: entry[1])
    generate.save("bert.vocabulary.txt", [text for text, _ in entries])
    cases = []
    for settings in SETTINGS:
        # Added tokens are normalised when they are added.
        tokenizer = Tokenizer(models.WordPiece(vocabulary.get_vocab(with_added_tokens=False), unk_token="[UNK]"))
        normalize(tokenizer, settings)
        tokenizer.pre_tokenizer, tokenizer.decoder = vocabulary.pre_tokenizer, vocabulary.decoder
        tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
        tokenizer.add_tokens([AddedToken(text) for text in ADDED])
        for text in [*HARD, *generate.texts()]:
            ids = tokenizer.encode(text).ids
            decoded = tokenizer.decode(ids, skip_special_tokens=False)
            fields = [settings, text.encode().hex() or "-", " ".join(map(str, ids)), decoded.encode().hex() or "-"]
            cases.append("\t".join(fields))
    generate.save("bert.cases.txt", cases)


if __name__ == "__main__":
    main()
