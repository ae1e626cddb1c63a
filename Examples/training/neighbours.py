"""Which token stands after which: tables of a few columns, by which words in no order are told from text.

``before[a] · after[b]`` approximates the logarithm of how much more often ``b`` stands ``offset`` tokens after ``a`` than by
chance: what a model of such pairs would learn from shuffled text, computed in closed form (Levy and Goldberg, *Neural word
embedding as implicit matrix factorization*, 2014).
"""

import random
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from pools import Supply

#: Offsets and columns of their tables.
RANKS = {1: 40, 2: 24}
#: Stretches that are counted, and their characters.
STRETCHES, LENGTH = 9000, 3000
#: Chance meetings that are added to what was counted: pairs that are rare either way say little.
PRIOR = 2.0
#: A pair weighs as much as its tokens are frequent, to this power, the rare ones at least as if they came so often.
POWER, RARE = 0.25, 20


@dataclass
class Pairs:
    """Tables [V, rank] of one offset."""

    before: torch.Tensor
    after: torch.Tensor


@dataclass
class Counts:
    """How often each token comes, [V], and the pairs of every offset."""

    single: torch.Tensor
    pairs: dict[int, Pairs]


def count(supply: Supply, tokenizer: Tokenizer, rng: random.Random) -> Counts:
    """Count the tokens of good text and factor their pairs; a minute."""
    texts = [supply.clean(rng, LENGTH, half=place % 2)[1] for place in range(STRETCHES)]
    rows = [np.asarray(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts)]
    size = tokenizer.get_vocab_size()
    single = np.bincount(np.concatenate(rows), minlength=size).astype(np.float64)
    pairs = {offset: factored(rows, single, offset, rank) for offset, rank in RANKS.items()}
    return Counts(torch.from_numpy(single).float(), pairs)


def factored(rows: list[np.ndarray], single: np.ndarray, offset: int, rank: int) -> Pairs:
    """Factor the logarithms of one offset; ``single`` [V] says how often each token comes."""
    size = len(single)
    places = np.concatenate([row[:-offset] * size + row[offset:] for row in rows if len(row) > offset])
    found = np.bincount(places, minlength=size * size).reshape(size, size)
    share = single / single.sum()
    chance = np.outer(share, share) * len(places)
    weight = torch.from_numpy((single + RARE) ** POWER).float()
    logs = torch.from_numpy(np.log((found + PRIOR) / (chance + PRIOR))).float()
    left, values, right = torch.svd_lowrank(logs * weight[:, None] * weight, q=rank + 8, niter=3)
    left, right = (side[:, :rank] * values[:rank].sqrt() / weight[:, None] for side in (left, right))
    return Pairs(left, right)
