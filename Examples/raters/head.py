"""A head on frozen states by algorithm 1 of the DataRater paper: two inner updates, differentiated.

The rater is a linear map of a window's pooled state. Inner models are small language models on the same windows. They
begin with some plain updates on good text: a model that has only learned which tokens are frequent pays nothing for
words in a wrong order, so that they would have no price. No label enters: the rater learns what the loss on good text
tells it.
"""

import json
import math
import random
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from meta import AdamRule, AdamState, RaterOptimiser, clipped, inner_updates, leaves, meta_gradient
from pools import Sample

BATCHES = ((64, 32),)  # tokens and windows of an inner batch
OUTER_ROWS = 12
RULE = AdamRule(rate=5e-3)
WARM_ROWS = 24


class Head(nn.Module):
    """score = w · (state − mean) / deviation, [B, D] -> [B]; zero at first, so that all samples weigh the same."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.mean, self.deviation = states.mean(0), states.std(0) + 1e-6
        self.weight = nn.Parameter(torch.zeros(1, states.shape[1]))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Score states [B, D]."""
        return ((states - self.mean) / self.deviation) @ self.weight[0]

    def folded(self, weight: torch.Tensor) -> tuple[np.ndarray, float]:
        """Return weights [D] and bias for states as they are."""
        scaled = weight[0] / self.deviation
        return scaled.numpy(), -(scaled @ self.mean).item()


class LogBilinear(nn.Module):
    """An inner model that costs little: the next token from a sum of one vector for each of the tokens before it.

    As ``LanguageModel``, it gives the hidden rows that the table of tokens turns into logits.
    """

    def __init__(self, vocabulary: int, width: int = 64, reach: int = 3) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, width)
        self.before = nn.ModuleList(nn.Embedding(vocabulary, width) for _ in range(reach))
        self.start = nn.Parameter(torch.zeros(width))

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Hidden rows [B, T, D] of ids [B, T]; a row knows the tokens up to its own."""
        hidden = self.start + self.before[0](ids)
        for back, table in enumerate(self.before[1:], 1):
            hidden = hidden + F.pad(table(ids[:, : ids.shape[1] - back]), (0, 0, back, 0))
        return hidden, None, None


class Data:
    """Windows with their tokens and states."""

    def __init__(self, tokenizer: Tokenizer, inner: list[Sample], states: np.ndarray, good: list[Sample]) -> None:
        self.states, self.samples = torch.from_numpy(states), inner
        self.ids = [tokenizer.encode(s.text).ids for s in inner]
        # A text that is cut in the middle of a letter may become one token less.
        self.by_length = {
            length: [i for i, s in enumerate(inner) if s.tokens == length and len(self.ids[i]) >= length]
            for length, _ in BATCHES
        }
        rows = [tokenizer.encode(s.text).ids[: s.tokens] for s in good]
        clean = torch.tensor([row for row, s in zip(rows, good, strict=True) if len(row) == s.tokens])
        self.warm, self.outer = clean[len(clean) // 4 :], clean[: len(clean) // 4]

    def batch(self, rng: random.Random, length: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw ids [count, length] and states [count, D]."""
        places = rng.sample(self.by_length[length], count)
        return torch.tensor([self.ids[i][:length] for i in places]), self.states[places]


def warmed(model: LogBilinear, data: Data, seed: int, steps: int) -> tuple[dict[str, torch.Tensor], AdamState]:
    """Return the weights and the optimiser's state after plain updates on good text."""
    torch.manual_seed(seed)
    for table in model.parameters():
        nn.init.normal_(table, std=0.1)
    theta, state, rng = leaves(dict(model.named_parameters())), AdamState(), random.Random(seed)
    even = torch.full((WARM_ROWS,), 1 / WARM_ROWS)
    for step in range(steps):
        rows = data.warm[rng.sample(range(len(data.warm)), WARM_ROWS)]
        theta, state = inner_updates(model, theta, state, RULE, [even], [rows], graph=False)
        if step % 50 == 0:
            print(f"\rinner model {seed}: plain update {step} of {steps} ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return theta, state


def learn(
    data: Data, vocabulary: int, out: Path, steps: int, models: int, warm: int, rate: float = 5e-3
) -> tuple[Head, torch.Tensor]:
    """Run algorithm 1; resumes where ``out/head.pt`` says. Returns the head and its mean weights of the later half."""
    skeleton, head = LogBilinear(vocabulary), Head(data.states)
    optimiser, state_file, log = RaterOptimiser(head, models, 0.1), out / "head.pt", out / "head.jsonl"
    step, average = 0, torch.zeros_like(head.weight.data)
    if state_file.exists():
        saved = torch.load(state_file, weights_only=False)
        step, optimiser.moments, optimiser.steps = saved["step"], saved["moments"], saved["step"]
        average = saved["average"]
        head.load_state_dict(saved["head"])
        inner = [(leaves(theta), adam) for theta, adam in saved["inner"]]
    else:
        inner = [warmed(skeleton, data, number, warm) for number in range(models)]
    while step < steps:
        rng = random.Random(f"head/{step}")
        gradients, losses = [], []
        for number in range(models):
            length, count = rng.choice(BATCHES)
            drawn = [data.batch(rng, length, count) for _ in range(2)]
            outer = data.outer[rng.sample(range(len(data.outer)), OUTER_ROWS)]
            gradient, loss, theta, adam = meta_gradient(
                head,
                skeleton,
                *inner[number],
                RULE,
                [ids for ids, _ in drawn],
                outer,
                [seen for _, seen in drawn],
            )
            inner[number] = theta, adam
            gradients.append(clipped(gradient, 0.01)[0])
            losses.append(loss)
        step += 1
        optimiser.update(gradients, rate * min(1.0, step / 10, 2 * (1 - step / (steps + 1))))
        if step > steps // 2:
            average += head.weight.data / (steps - steps // 2)
        with log.open("a") as file:
            print(
                json.dumps(
                    {"step": step, "outer": sum(losses) / models, "norm": math.hypot(*map(float, head.weight[0]))}
                ),
                file=file,
            )
        if step % 20 == 0 or step == steps:
            plain = [({k: v.detach() for k, v in theta.items()}, adam) for theta, adam in inner]
            saved = {
                "step": step,
                "head": head.state_dict(),
                "moments": optimiser.moments,
                "average": average,
                "inner": plain,
            }
            torch.save(saved, state_file.with_suffix(".partial"))
            state_file.with_suffix(".partial").replace(state_file)
            print(
                f"\rhead: meta-update {step} of {steps}, outer loss {sum(losses) / models:.3f} ",
                end="",
                file=sys.stderr,
            )
    print(file=sys.stderr)
    return head, average
