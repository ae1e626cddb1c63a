"""Stretches of the corpus's documents, and the area under the curve."""

import json
import random
from pathlib import Path

import torch

from prepare import MIX


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
        self.weights = {kind: [len(t) for t in texts] for kind, texts in self.texts.items()}

    def clean(self, rng: random.Random, characters: int) -> str:
        """Draw a stretch of ``characters`` that begins at a word."""
        kinds = list(self.texts)
        kind = rng.choices(kinds, [MIX[k] for k in kinds])[0]
        while True:
            text = rng.choices(self.texts[kind], self.weights[kind])[0]
            if len(text) > characters + 40:
                start = rng.randrange(len(text) - characters - 40)
                return text[text.find(" ", start, start + 40) + 1 or start :][:characters]


def area_under_curve(clean: list[float], corrupted: list[float]) -> float:
    """Probability that a clean sample scores above a corrupted one; ties count half."""
    good, bad = torch.tensor(clean)[:, None], torch.tensor(corrupted)[None]
    return ((good > bad).double() + 0.5 * (good == bad).double()).mean().item()
