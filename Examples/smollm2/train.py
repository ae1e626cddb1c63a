"""Trains the adaptive SmolLM2 by distillation from the full one; goes on where it was stopped.

    python Examples/smollm2/train.py [--minutes 60] [--folder .build/smollm2/adaptive]

Each token of a batch leaves after a group drawn for it, and the last layers learn to say what the full model says. The
layers up to the first gate are the full model's and are run once for both. Losses go to losses.jsonl; a checkpoint is
written every few minutes, with a running mean of the weights, which `gates.py` takes.
"""

import argparse
import copy
import json
import os
import time
from pathlib import Path

import numpy as np
import rally
import torch
from torch.nn import functional

from adaptive import RECURSIONS, Adaptive
from fetch import FOLDER, model_file, reference_model
from texts import texts

COMMON = 8192
"""Tokens below this number, the first merges, are always among those that the loss compares."""
OTHERS = 2048
"""And as many of the others, drawn for each batch."""
MEAN = 0.98
"""Of the running mean of the weights, which stands in for a falling rate: it is not known when a run is stopped."""


def tokens_of(path: Path) -> np.ndarray:
    """Return the tokens of a text; encoded once."""
    cache = path.with_suffix(".npy")
    if not cache.is_file():
        with rally.Model(model_file(), threads=1) as model:
            np.save(cache, np.array(model.encode(path.read_bytes()), dtype=np.uint16))
    return np.load(cache)


def batch(tokens: np.ndarray, rows: int, length: int, random: np.random.Generator) -> torch.Tensor:
    starts = random.integers(0, len(tokens) - length, rows)
    return torch.from_numpy(np.stack([tokens[start : start + length] for start in starts]).astype(np.int64))


def draw_depths(shape: tuple[int, int]) -> torch.Tensor:
    """Return depths [B, T] from 1; each row has shares of its own, for some texts leave early and some late."""
    shares = torch.distributions.Dirichlet(torch.ones(RECURSIONS)).sample((shape[0],))
    return 1 + torch.multinomial(shares, shape[1], replacement=True)


def compared(ids: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Return the tokens that the loss compares: the common ones, those of the batch, and some others."""
    return torch.unique(torch.cat([torch.arange(COMMON), ids.flatten(), torch.randint(vocabulary, (OTHERS,))]))


def divergence(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """KL(teacher ‖ model) of each token, [B, T]."""
    wanted = functional.log_softmax(teacher.float(), dim=-1)
    return (wanted.exp() * (wanted - functional.log_softmax(logits.float(), dim=-1))).sum(dim=-1)


def steps_of(model: Adaptive, teacher: Adaptive, ids: torch.Tensor, optimizer: torch.optim.Optimizer, draws: int):
    """Train on one batch, with several drawings of depths; yield each loss and what tokens cost by depth."""
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            prefix = teacher.prefix(ids)
            table = model.base.lm_head.weight[compared(ids, model.base.config.vocab_size)]
            wanted = functional.linear(teacher(prefix).hidden, table)
        for _ in range(draws):
            depths = draw_depths(ids.shape)
            costs = divergence(functional.linear(model(prefix, depths).hidden, table), wanted)
            optimizer.zero_grad()
            costs.mean().backward()
            torch.nn.utils.clip_grad_norm_(model.trained(), 1.0)
            optimizer.step()
            yield [round(float(costs.detach()[depths == depth + 1].mean()), 4) for depth in range(RECURSIONS)]


class Run:
    """A run of training: model, its running mean, optimizer, and how many batches it has seen."""

    def __init__(self, folder: Path, rate: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = folder / "checkpoint.pt"
        self.teacher = Adaptive(reference_model())
        self.model = Adaptive(copy.deepcopy(self.teacher.base))
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        for parameter in self.model.trained():
            parameter.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(self.model.trained(), lr=rate, weight_decay=0.0, betas=(0.9, 0.98))
        self.mean = copy.deepcopy(self.model.trained())
        self.batches = 0
        if self.checkpoint.is_file():
            saved = torch.load(self.checkpoint, weights_only=True)
            self.optimizer.load_state_dict(saved["optimizer"])
            self.batches = saved["batches"]
            for places, values in ((self.model.trained(), saved["weights"]), (self.mean, saved["mean"])):
                for place, value in zip(places, values, strict=True):
                    place.data.copy_(value)

    @torch.no_grad()
    def average(self) -> None:
        """Take the weights into their running mean, over fewer batches at the start."""
        share = 1 - min(MEAN, self.batches / (self.batches + 10))
        for mean, value in zip(self.mean, self.model.trained(), strict=True):
            mean.lerp_(value, share)

    def save(self) -> None:
        weights = [value.detach() for value in self.model.trained()]
        mean = [value.detach() for value in self.mean]
        state = {"weights": weights, "mean": mean, "optimizer": self.optimizer.state_dict(), "batches": self.batches}
        torch.save(state, self.checkpoint.with_suffix(".part"))
        os.replace(self.checkpoint.with_suffix(".part"), self.checkpoint)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the adaptive SmolLM2.")
    parser.add_argument("--folder", type=Path, default=FOLDER / "adaptive")
    parser.add_argument("--minutes", type=float, default=60.0, help="until it stops by itself (default: 60)")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--draws", type=int, default=2, help="drawings of depths for a batch (default: 2)")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tokens = tokens_of(texts()[0])
    run = Run(options.folder, options.rate)
    end = time.monotonic() + 60 * options.minutes
    saved = time.monotonic()
    with open(options.folder / "losses.jsonl", "a", encoding="utf-8") as log:
        while time.monotonic() < end:
            # Each batch has a seed of its own, so that a run that was stopped goes on as if it had not been.
            torch.manual_seed(options.seed * 1_000_003 + run.batches)
            ids = batch(tokens, options.rows, options.length, np.random.default_rng([options.seed, run.batches]))
            start = time.process_time()
            costs = list(steps_of(run.model, run.teacher, ids, run.optimizer, options.draws))
            run.batches += 1
            run.average()
            line = {"batch": run.batches, "costs": costs, "processor seconds": round(time.process_time() - start, 2)}
            print(json.dumps(line), file=log, flush=True)
            if time.monotonic() - saved > 180:
                run.save()
                saved = time.monotonic()
    run.save()
    print(run.checkpoint, run.batches, "batches")


if __name__ == "__main__":
    main()
