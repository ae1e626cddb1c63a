"""Token files: sampling training windows and cutting evaluation windows."""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from prepare import MIX


class TokenMix:
    """Token files of one split, sampled in the proportions of ``MIX``."""

    def __init__(self, folder: Path, split: str) -> None:
        self.ids = {
            kind: np.load(folder / f"{split}-{kind}.npy", mmap_mode="r")
            for kind in MIX
            if (folder / f"{split}-{kind}.npy").exists()
        }

    def windows(self, count: int, length: int, key: tuple[int, ...]) -> torch.Tensor:
        """Draw ``count`` windows ``[count, length]`` int64; the same key draws the same windows."""
        rng = np.random.default_rng(key)
        kinds = list(self.ids)
        share = np.array([MIX[kind] for kind in kinds])
        rows = []
        for kind in rng.choice(kinds, size=count, p=share / share.sum()):
            start = rng.integers(len(self.ids[kind]) - length)
            rows.append(self.ids[kind][start : start + length])
        return torch.from_numpy(np.stack(rows).astype(np.int64))

    def evaluation(self, kind: str, length: int, limit: int) -> torch.Tensor:
        """Consecutive windows ``[n, length]`` of one kind, at most ``limit``, overlapping by one id."""
        ids = self.ids[kind]
        count = min(limit, (len(ids) - 1) // (length - 1))
        rows = [ids[i * (length - 1) : i * (length - 1) + length] for i in range(count)]
        return torch.from_numpy(np.stack(rows).astype(np.int64))


def token_bytes(tokenizer: Path) -> torch.Tensor:
    """Bytes that each id stands for, ``[V]``; byte-level pieces spell one byte a letter."""
    vocabulary = Tokenizer.from_file(str(tokenizer)).get_vocab()
    sizes = torch.zeros(len(vocabulary))
    for piece, index in vocabulary.items():
        sizes[index] = 0 if index == 0 else len(piece)
    return sizes
