"""The data of one run: windows of real text, half of them spoilt in known ways, in one order for all arms."""

import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from rally import Model, Scorer

from corruptions import EXTRA, LISTED
from samples import SampleSource, TextMix

CLEAN = "clean"
KINDS = [*LISTED, *EXTRA]


@dataclass(frozen=True)
class Encoding:
    """What `SampleSource` looks at."""

    ids: list[int]


class RaterTokenizer:
    """The tokenizer that the rater's file carries, so that model and rater read the same ids."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def encode(self, text: str) -> Encoding:
        """Ids without a begin or end token."""
        return Encoding(self._model.encode(text, add_bos=False, add_eos=False, parse_special=False))

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`."""
        return self._model.decode(ids)


class RatedSource(SampleSource):
    """Windows by the rater's own tokenizer, a share `corrupted` of them spoilt, at levels towards the upper end."""

    def __init__(self, texts: TextMix, model: Model, corrupted: float) -> None:
        self.texts, self.corrupted, self.steep = texts, corrupted, 2.0
        self.tokenizer = RaterTokenizer(model)

    def choose(self, rng: random.Random) -> str:
        """Clean, or one of the ten corruptions that the rater has met, each as often as the others."""
        return rng.choice(KINDS) if rng.random() < self.corrupted else CLEAN


@dataclass(frozen=True)
class Windows(Dataset):
    """Windows in the order in which they are drawn.

    Attributes
    ----------
    ids : [n, T] int64
    kinds : [n] names of corruptions, or ``clean``
    """

    ids: np.ndarray
    kinds: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict:
        return {"id": index, "input_ids": torch.from_numpy(self.ids[index]), "kind": str(self.kinds[index])}

    def only_clean(self) -> "Windows":
        """Those that nothing was done to: what a filter would leave that knows."""
        clean = self.kinds == CLEAN
        return Windows(self.ids[clean], self.kinds[clean])


def windows(
    corpus: Path, scorer: Scorer, split: str, count: int, length: int, junk: float, seed: int, cache: Path
) -> Windows:
    """Draw `count` windows of `length` ids, a share `junk` of them spoilt; the same for the same seed."""
    cached = cache / f"{split}-{count}-{length}-{junk:g}-{seed}.npz"
    if not cached.exists():
        source = RatedSource(TextMix(corpus, split), scorer.model, junk)
        rng = random.Random(seed)
        drawn = [source.draw(rng, length) for _ in range(count)]
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(cached, ids=np.array([ids for _, ids in drawn]), kinds=np.array([s.name for s, _ in drawn]))
    with np.load(cached) as found:
        return Windows(found["ids"], found["kinds"])
