"""The body learns the order of words: its last layers go on, told by text alone which words stand where they were written.

A mean over the states of a model of paraphrases hardly knows in which order the words were. Here some words of good text
are moved, and every token is asked whether the word before its own is the one that was written there. Nobody says which
text is good: of text as it stands, and of junk as it stands, the mean state is kept where it was.
"""

import json
import random
import sys
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from pools import HELD_OUT, KINDS, Supply
from states import LAYERS, TENSORS

#: Layers that go on, and the width of a head.
CONTINUED, HEAD = 2, 32
#: Tokens and rows of a batch.
BATCHES = ((32, 64), (64, 32), (128, 16), (128, 16))
#: Of four rows one is good text, two are the same kind of text with words moved, one is junk as it stands.
PATTERN = ("text", "moved", "moved", "junk")
SORTS = ("text", "moved", "junk")
#: Weight of keeping the mean state, in units of its own variance.
NEAR = 2.0
RATE, DECAY = 3e-4, 0.01


def layer(states: torch.Tensor, tensors: dict[str, torch.Tensor], number: int) -> torch.Tensor:
    """One layer of BERT, [B, T, D] -> [B, T, D]; rows have the same length, so that nothing is masked."""
    name, (rows, tokens, width) = f"encoder.layer.{number}.", states.shape

    def product(x: torch.Tensor, part: str) -> torch.Tensor:
        return F.linear(x, tensors[f"{name}{part}.weight"], tensors[f"{name}{part}.bias"])

    def norm(x: torch.Tensor, part: str) -> torch.Tensor:
        return F.layer_norm(x, (width,), tensors[f"{name}{part}.weight"], tensors[f"{name}{part}.bias"], 1e-12)

    q, k, v = (
        product(states, f"attention.self.{part}").view(rows, tokens, -1, HEAD).transpose(1, 2)
        for part in ("query", "key", "value")
    )
    seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(rows, tokens, width)
    states = norm(states + product(seen, "attention.output.dense"), "attention.output.LayerNorm")
    wide = F.gelu(product(states, "intermediate.dense"))
    return norm(states + product(wide, "output.dense"), "output.LayerNorm")


def embedded(ids: torch.Tensor, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the first layer reads of ids [B, T]: [B, T, D]."""
    table = {name: tensors[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
    states = table["word"][ids] + table["position"][: ids.shape[1]] + table["token_type"][0]
    norm = "embeddings.LayerNorm"
    return F.layer_norm(states, states.shape[-1:], tensors[f"{norm}.weight"], tensors[f"{norm}.bias"], 1e-12)


def arrangement(rng: random.Random, count: int) -> list[int]:
    """Which of ``count`` words, of one text or of two that stand one after the other, stands at each place."""
    way, level = rng.choice(("all", "stretches", "stretches", "neighbours", "two texts")), rng.uniform(0.3, 1.0)
    places = list(range(count))
    if way == "all":
        moved = [place for place in places if rng.random() < level]
        for place, word in zip(moved, rng.sample(moved, len(moved)), strict=True):
            places[place] = word
    elif way == "stretches":
        start, most = 0, rng.choice((4, 8, 16))
        while start < count:
            size = rng.randint(3, most)
            if rng.random() < level:
                places[start : start + size] = rng.sample(
                    places[start : start + size], len(places[start : start + size])
                )
            start += size
    elif way == "neighbours":
        for place in range(0, count - 1, 2):
            if rng.random() < level:
                places[place : place + 2] = places[place + 1], places[place]
    else:
        halves, most, places = [places[: count // 2], places[count // 2 :]], rng.choice((1, 2, 3, 4)), []
        while all(halves):
            half, size = rng.choice(halves), rng.randint(1, most)
            places += half[:size]
            del half[:size]
    return places


def moved(rng: random.Random, text: str) -> tuple[list[str], list[bool]]:
    """Move words of a text; in half of the cases commas and stops stay where they were. Says of each word whether the one
    before it is its own."""
    words = text.split()
    places = arrangement(rng, len(words))
    if rng.random() < 0.5:
        bare = [word.rstrip(".,;:!?") for word in words]
        out = [bare[word] + words[place][len(bare[place]) :] for place, word in enumerate(places)]
    else:
        out = [words[word] for word in places]
    return out, [True, *(after == before + 1 for before, after in pairwise(places))]


class Lessons:
    """Draws rows of ids, and of each token whether the word before its own is the one that was written there."""

    def __init__(self, supply: Supply, tokenizer: Path) -> None:
        self.supply, self.tokenizer = supply, Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.kinds = [kind for kind in KINDS if kind not in HELD_OUT]

    def row(self, rng: random.Random, sort: str, length: int) -> tuple[list[int], list[bool]]:
        """Draw one row of ``length`` ids with the tokens around it, and the answer for each."""
        while True:
            if sort == "junk":
                text = self.supply.junk(rng, length * 6, rng.choice(self.kinds))
            else:
                text = self.supply.clean(rng, length * 6, half=rng.randrange(2))[1]
            words, follows = moved(rng, text) if sort == "moved" else (text.split(), [True] * len(text))
            found = self.tokenizer.encode(words, is_pretokenized=True)
            if len(found.ids) >= length:
                answers = [place is None or follows[place] for place in found.word_ids]
                return [*found.ids[: length - 1], found.ids[-1]], [*answers[: length - 1], True]

    def batch(self, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw ids [B, T], answers [B, T], and the sort of each row, a place in ``SORTS``."""
        length, count = rng.choice(BATCHES)
        sorts = [PATTERN[place % len(PATTERN)] for place in range(count)]
        drawn = [self.row(rng, sort, length) for sort in sorts]
        answers = torch.tensor([row for _, row in drawn], dtype=torch.float32)
        return torch.tensor([ids for ids, _ in drawn]), answers, torch.tensor([SORTS.index(sort) for sort in sorts])


def loss_of(
    scores: torch.Tensor, answers: torch.Tensor, sorts: torch.Tensor, pooled: torch.Tensor, before: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of tokens [B, T] and rows of good text, and how far the mean states [B, D] of what stands as it was went."""
    text, moved_words, junk = (sorts == place for place in range(len(SORTS)))
    asked = text | moved_words
    tokens = F.binary_cross_entropy_with_logits(scores[asked], answers[asked])
    rows = F.binary_cross_entropy_with_logits(scores[asked].mean(dim=1), text[asked].float())
    kept = text | junk
    far = (pooled - before)[kept].square().mean() / before.var(dim=0).mean()
    return tokens + rows, far


class Body:
    """The checkpoint's layers as they were, those that go on, and what asks a token's state for the word before it."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.was, self.first = tensors, LAYERS - CONTINUED
        names = tuple(f"encoder.layer.{number}." for number in range(self.first, LAYERS))
        self.learned = {k: nn.Parameter(v.clone()) for k, v in tensors.items() if k.startswith(names)}
        self.asks = nn.Parameter(torch.zeros(tensors["embeddings.LayerNorm.bias"].shape[0] + 1))
        self.parameters = [*self.learned.values(), self.asks]

    def states(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States of the last layer [B, T, D], as it is and as it was; products in bf16."""
        now = self.was | self.learned
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.no_grad():
                start = embedded(ids, self.was)
                for number in range(self.first):
                    start = layer(start, self.was, number)
                before = start
                for number in range(self.first, LAYERS):
                    before = layer(before, self.was, number)
            states = start
            for number in range(self.first, LAYERS):
                states = layer(states, now, number)
        return states.float(), before.float()

    def scores(self, states: torch.Tensor) -> torch.Tensor:
        """What states [B, T, D] say of each token: [B, T]."""
        return states @ self.asks[:-1] + self.asks[-1]

    def write(self, path: Path) -> None:
        """Write all tensors; the file appears complete or not at all."""
        tensors = {k: v.detach().contiguous() for k, v in (self.was | self.learned).items()}
        save_file(tensors, path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)


def go_on(source: Path, supply: Supply, out: Path, steps: int) -> None:
    """Write ``out/TENSORS``: the checkpoint's tensors, of which the last layers went on; resumes."""
    body, lessons = Body(load_file(source / "model.safetensors")), Lessons(supply, source / "tokenizer.json")
    optimiser = torch.optim.AdamW(body.parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    step, state_file, log = 0, out / "order.pt", out / "order.jsonl"
    if state_file.exists():
        saved = torch.load(state_file, weights_only=False)
        step = saved["step"]
        optimiser.load_state_dict(saved["optimiser"])
        for parameter, value in zip(body.parameters, saved["parameters"], strict=True):
            parameter.data = value
    while step < steps:
        ids, answers, sorts = lessons.batch(random.Random(f"order/{step}"))
        states, before = body.states(ids)
        order, far = loss_of(body.scores(states), answers, sorts, states.mean(dim=1), before.mean(dim=1))
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 50, max(0.02, 2 * (1 - step / steps)))
        optimiser.zero_grad()
        (order + NEAR * far).backward()
        nn.utils.clip_grad_norm_(body.parameters, 1.0)
        optimiser.step()
        step += 1
        with log.open("a") as file:
            print(json.dumps({"step": step, "order": order.item(), "far": far.item()}), file=file)
        if step % 100 == 0 or step == steps:
            saved = {"step": step, "optimiser": optimiser.state_dict(), "parameters": [p.data for p in body.parameters]}
            torch.save(saved, state_file.with_suffix(".partial"))
            state_file.with_suffix(".partial").replace(state_file)
            print(
                f"\rorder: {step} of {steps}, loss {order.item():.3f}, went {far.item():.3f} ", end="", file=sys.stderr
            )
    print(file=sys.stderr)
    body.write(out / TENSORS)
