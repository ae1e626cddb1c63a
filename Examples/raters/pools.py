"""Good text and junk of all kinds, cut to lengths: what the head learns from, and what the card is measured on."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tokenizers import Tokenizer

from corruptions import ALL, UNSEEN
from junk import junk, other_languages
from made import (
    banners,
    jumbled_phrases,
    keyword_list,
    laid_out,
    mixed_texts,
    placeholder,
    repeated_sentences,
    shuffled_sentences,
    spread_letters,
    word_salad,
)
from prepare import train_tokenizer
from samples import TextMix

#: Kinds that neither the inner data nor any choice made on the way has seen.
HELD_OUT = (*(name.replace("_", " ") for name in UNSEEN), "shuffled sentences", "word salad", "logs")

CORRUPTIONS = {name.replace("_", " "): change for name, change in ALL.items()} | {
    "jumbled phrases": jumbled_phrases,
    "repeated sentences": repeated_sentences,
    "shuffled sentences": shuffled_sentences,
    "word salad": word_salad,
    "spread letters": spread_letters,
}
#: Kinds that are made of a text's words, by the two stocks of ``made``.
STOCKED = {"boilerplate": banners, "keyword lists": keyword_list, "placeholder text": placeholder}
MIXED = "mixed texts"
REAL = ("licences", "minified code", "logs", "menus", "tables")
KINDS = (*CORRUPTIONS, *STOCKED, MIXED, *REAL)

#: Tokens of a window and windows of that length, of which half are good.
TRAINING = ((64, 3200), (128, 1600), (256, 800))
OUTER = (96, 5000)
FOREIGN = 0.2  # share of other languages among good text


@dataclass
class Sample:
    """A text; ``kind`` is ``english``, ``other languages`` or a kind of junk, ``tokens`` those of the inner models."""

    kind: str
    text: str
    tokens: int

    @property
    def good(self) -> bool:
        """Tell whether it is text to learn from."""
        return self.kind in ("english", "other languages")


class Supply:
    """Draws texts of every kind; ``part`` 0 is for training, 1 for the card, and they share no piece."""

    def __init__(self, corpus: Path, real: dict[str, list[str]], foreign: list[str], part: int) -> None:
        self.english = [TextMix(corpus, "heldout")] if part else [TextMix(corpus, "train", i, 2) for i in (0, 1)]
        self.part, self.foreign_share = part, FOREIGN
        self.foreign = foreign[part::2] if part else foreign[::2]
        self.real = {kind: texts[part::2] for kind, texts in real.items()}

    def clean(self, rng: random.Random, length: int, half: int = 0, kind: str = "") -> tuple[str, str]:
        """Draw a kind and good text of ``length`` characters, in any layout; ``half`` of the training documents."""
        kind = kind or ("other languages" if rng.random() < self.foreign_share else "english")
        if kind == "english":
            text = self.english[half % len(self.english)].clean(rng, length)
        else:
            texts = self.foreign if self.part else self.foreign[half::2]
            text = window(rng, lambda: rng.choice(texts), length)
        text = from_sentence(text) if rng.random() < 0.5 else text
        return kind, laid_out(rng, text) if rng.random() < 0.3 else text

    def junk(self, rng: random.Random, length: int, kind: str, level: float | None = None) -> str:
        """Draw junk of a kind; corruptions spoil at least half of the text unless ``level`` says how much."""
        if kind in self.real:
            return window(rng, lambda: rng.choice(self.real[kind]), length)
        text = self.clean(rng, length)[1]
        if kind == MIXED:
            return mixed_texts(rng, [text, *(self.clean(rng, length)[1] for _ in range(rng.randint(1, 3)))])
        if kind in STOCKED:
            return STOCKED[kind](rng, text, self.part)[:length]
        return CORRUPTIONS[kind](rng, text, level or rng.uniform(0.5, 1.0))


def from_sentence(text: str) -> str:
    """Return a text from its first sentence or paragraph on that begins in it, where that is no far way in."""
    start = re.search(r"[.!?]\s+(?=[^\W\da-z_])|\n\s*\n", text[: len(text) // 3])
    return text[start.end() :] if start else text


def window(rng: random.Random, draw: object, length: int) -> str:
    """Cut a stretch out of a text, or of several where one is short."""
    text = draw()
    while len(text) < length:
        text += "\n\n" + draw()
    start = rng.randrange(len(text) - length + 1)
    return text[start : start + length]


def cut(tokenizer: Tokenizer, kind: str, text: str, tokens: int) -> Sample | None:
    """Return the first ``tokens`` tokens of a text; None where it has not so many."""
    encoding = tokenizer.encode(text)
    if len(encoding.ids) < tokens:
        return None
    return Sample(kind, text[: encoding.offsets[tokens - 1][1]], tokens)


def training(supply: Supply, tokenizer: Tokenizer, rng: random.Random) -> Iterator[Sample]:
    """Windows for the inner batches: half are good, the other half shares the kinds evenly."""
    kinds = [kind for kind in KINDS if kind not in HELD_OUT]
    for tokens, count in TRAINING:
        made = 0
        while made < count:
            good = made % 2 == 0
            kind, text = supply.clean(rng, tokens * 5) if good else (rng.choice(kinds), "")
            sample = cut(tokenizer, kind, text or supply.junk(rng, tokens * 6, kind), tokens)
            if sample:
                made += 1
                yield sample


def outer(supply: Supply, tokenizer: Tokenizer, rng: random.Random) -> Iterator[Sample]:
    """Good windows of the other half of the training documents."""
    tokens, count = OUTER
    while count:
        sample = cut(tokenizer, *supply.clean(rng, tokens * 5, half=1), tokens)
        if sample:
            count -= 1
            yield sample


def card(supply: Supply, rng: random.Random, each: int = 40, good: int = 400) -> Iterator[Sample]:
    """Documents of 200 to 1600 characters for the card."""

    def length() -> int:
        return round(200 * 8 ** rng.random())

    for place in range(good):
        kind = "other languages" if place < good * FOREIGN else "english"
        yield Sample(*supply.clean(rng, length(), kind=kind), 0)
    for kind in KINDS:
        for _ in range(each):
            yield Sample(kind, supply.junk(rng, length(), kind), 0)


def write(path: Path, samples: Iterator[Sample]) -> None:
    """Write samples as JSON lines; the file appears complete or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("w") as file:
        for sample in samples:
            print(json.dumps(asdict(sample)), file=file)
    partial.replace(path)


def read(path: Path) -> list[Sample]:
    """Read what :func:`write` wrote."""
    with path.open() as lines:
        return [Sample(**json.loads(line)) for line in lines]


def make(corpus: Path, packages: Path, out: Path, seed: int = 0) -> None:
    """Write ``inner.jsonl``, ``outer.jsonl``, ``card.jsonl`` and the inner models' ``tokenizer.json``."""
    rng = random.Random(seed)
    real, foreign = junk(packages, rng), other_languages(packages, rng)
    (out / "junk.json").write_text(json.dumps({"real": real, "foreign": foreign}))
    learned, shown = Supply(corpus, real, foreign, 0), Supply(corpus, real, foreign, 1)
    tokenizer = train_tokenizer([learned.clean(rng, 2000)[1] for _ in range(3000)], 1024)
    tokenizer.save(str(out / "tokenizer.json"))
    write(out / "inner.jsonl", training(learned, tokenizer, rng))
    write(out / "outer.jsonl", outer(learned, tokenizer, rng))
    write(out / "card.jsonl", card(shown, rng))
