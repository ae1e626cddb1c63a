"""Stretches of the corpus's documents, the same with a corruption mixed in, and the area under the curve."""

import json
import random
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from tokenizers import Tokenizer

from corruptions import ALL, SHARES
from prepare import MIX


@dataclass
class Sample:
    """One window: its text, the corruption's name (``clean`` if none) and level."""

    text: str
    name: str
    level: float


class TextMix:
    """Documents of one split, by kind."""

    def __init__(self, corpus: Path, split: str, part: int = 0, parts: int = 1) -> None:
        """Keep every ``parts``-th document from ``part`` on, so that parts are disjoint."""
        self.texts: dict[str, list[str]] = {kind: [] for kind in MIX}
        with (corpus / f"{split}.jsonl").open() as lines:
            for number, line in enumerate(lines):
                if number % parts == part:
                    document = json.loads(line)
                    self.texts[document["kind"]].append(document["text"])
        self.texts = {kind: texts for kind, texts in self.texts.items() if texts}
        # Documents are drawn by length, so that every character is equally likely.
        self.weights = {kind: list(accumulate(map(len, texts))) for kind, texts in self.texts.items()}

    def clean(self, rng: random.Random, characters: int) -> str:
        """Draw a stretch of ``characters`` that begins at a word."""
        kinds = list(self.texts)
        kind = rng.choices(kinds, [MIX[k] for k in kinds])[0]
        while True:
            text = rng.choices(self.texts[kind], cum_weights=self.weights[kind])[0]
            if len(text) > characters + 40:
                start = rng.randrange(len(text) - characters - 40)
                return text[text.find(" ", start, start + 40) + 1 or start :][:characters]


def spoil(rng: random.Random, text: str, name: str, level: float) -> str:
    """Apply the corruption ``name``."""
    return ALL[name](rng, text, level)


class SampleSource:
    """Windows of ``length`` ids, a share of them corrupted.

    Levels lie in [0.1, 1], uniformly for ``steep`` 1, towards the upper end for more.
    """

    def __init__(self, texts: TextMix, tokenizer: Path, corrupted: float, steep: float = 1.0) -> None:
        self.texts, self.corrupted, self.steep = texts, corrupted, steep
        self.tokenizer = Tokenizer.from_file(str(tokenizer))

    def draw(
        self, rng: random.Random, length: int, name: str | None = None, level: float | None = None
    ) -> tuple[Sample, list[int]]:
        """Draw one window of exactly ``length`` ids; ``name`` and ``level`` force the corruption."""
        kind, strength = name or self.choose(rng), level or 0.1 + 0.9 * rng.betavariate(self.steep, 1)
        if kind == "clean":
            text = self.cut(rng, length)
            return Sample(text, kind, 0.0), self.tokenizer.encode(text).ids[:length]
        # The text is as long as the window, so that the level is the window's; corruptions
        # that shorten the text begin with more of it.
        longer = length
        while True:
            text = spoil(rng, self.cut(rng, longer), kind, strength)
            ids = self.tokenizer.encode(text).ids[:length]
            if len(ids) == length:
                return Sample(text, kind, strength), ids
            longer += (length + 3) // 4

    def cut(self, rng: random.Random, length: int) -> str:
        """Draw clean text that encodes to at least ``length`` ids, hardly more."""
        while True:
            ids = self.tokenizer.encode(self.texts.clean(rng, length * 6 + 80)).ids[:length]
            text = self.tokenizer.decode(ids).strip("\ufffd")
            if len(self.tokenizer.encode(text).ids) >= length:
                return text

    def choose(self, rng: random.Random) -> str:
        """Clean, or a corruption in the proportions of ``SHARES``."""
        if rng.random() >= self.corrupted:
            return "clean"
        return rng.choices(list(SHARES), list(SHARES.values()))[0]

    def batch(self, rng: random.Random, count: int, length: int) -> tuple[list[Sample], torch.Tensor]:
        """Draw ``count`` windows: their descriptions and ids [count, length]."""
        drawn = [self.draw(rng, length) for _ in range(count)]
        return [s for s, _ in drawn], torch.tensor([ids for _, ids in drawn])


def area_under_curve(clean: list[float], corrupted: list[float]) -> float:
    """Probability that a clean sample scores above a corrupted one; ties count half."""
    good, bad = torch.tensor(clean)[:, None], torch.tensor(corrupted)[None]
    return ((good > bad).double() + 0.5 * (good == bad).double()).mean().item()
