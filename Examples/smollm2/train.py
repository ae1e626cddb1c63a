"""Trains the adaptive SmolLM2 by distillation from the full one; goes on where it was stopped.

    python Examples/smollm2/train.py --text FILE … [--steps 4000] [--folder .build/smollm2/adaptive]

In each step every token of a batch leaves after a group drawn for it, and the model learns to say what the full one
says. Each gate learns to fire where leaving costs less than ``--margin`` nats. Losses go to losses.jsonl; a checkpoint
is written every 50 steps, and the model file at the end.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import rally
import torch
from torch.nn import functional

from adaptive import RECURSIONS, Adaptive, divergence, export, load
from fetch import FOLDER, model_file

THRESHOLD = 0.5


def tokens_of(files: list[Path]) -> np.ndarray:
    """Return the tokens of the texts, end to end."""
    with rally.Model(model_file(), threads=1) as model:
        return np.concatenate([np.array(model.encode(path.read_bytes())) for path in files])


def batch(tokens: np.ndarray, rows: int, length: int, random: np.random.Generator) -> torch.Tensor:
    starts = random.integers(0, len(tokens) - length, rows)
    return torch.from_numpy(np.stack([tokens[start : start + length] for start in starts]).astype(np.int64))


def step(model: Adaptive, teacher: torch.nn.Module, ids: torch.Tensor, margin: float) -> dict[str, torch.Tensor]:
    """Return the losses of one batch: of tokens that leave anywhere, and of the gates."""
    with torch.no_grad():
        wanted = teacher(ids).logits
    depths = torch.randint(1, RECURSIONS + 1, ids.shape)
    mixed = model(ids, depths)
    costs = divergence(mixed.logits, wanted)
    # A gate is asked of the tokens that left at it or ran on: those that left show what leaving costs.
    gate_losses = []
    for index in range(RECURSIONS - 1):
        left = depths == index + 1
        if left.any():
            cheap = (costs[left] < margin).float()
            gate_losses.append(functional.binary_cross_entropy_with_logits(mixed.gates[..., index][left], cheap))
    return {"distillation": costs.mean(), "gates": torch.stack(gate_losses).mean()}


@torch.no_grad()
def natural_depth(model: Adaptive, ids: torch.Tensor) -> float:
    """Return the mean depth at the file's threshold, gates read from states of full depth."""
    survival = torch.sigmoid(-model(ids).gates).cumprod(dim=-1)
    stays = (1 - survival < THRESHOLD).cumprod(dim=-1)
    return 1.0 + float(stays.sum(dim=-1).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the adaptive SmolLM2.")
    parser.add_argument("--text", type=Path, nargs="+", required=True)
    parser.add_argument("--folder", type=Path, default=FOLDER / "adaptive")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--margin", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    checkpoint = options.folder / "checkpoint.pt"
    tokens = tokens_of(options.text)
    held = batch(tokens[-len(tokens) // 20 :], 2, options.length, np.random.default_rng(1))
    tokens = tokens[: -len(tokens) // 20]
    teacher, model = load().eval(), Adaptive(load())
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in model.trained():
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.trained(), lr=options.rate, weight_decay=0.0)
    done = 0
    if checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        done = saved["step"]
    with open(options.folder / "losses.jsonl", "a", encoding="utf-8") as log:
        for index in range(done, options.steps):
            # Each step has seeds of its own, so that a run that was stopped goes on as if it had not been.
            torch.manual_seed(options.seed * 1_000_003 + index)
            ids = batch(tokens, options.rows, options.length, np.random.default_rng([options.seed, index]))
            start = time.perf_counter()
            losses = step(model, teacher, ids, options.margin)
            optimizer.zero_grad()
            sum(losses.values()).backward()
            torch.nn.utils.clip_grad_norm_(model.trained(), 1.0)
            optimizer.step()
            line = {"step": index + 1, **{name: round(float(loss.detach()), 5) for name, loss in losses.items()}}
            print(json.dumps(line | {"seconds": round(time.perf_counter() - start, 2)}), file=log, flush=True)
            if (index + 1) % 50 == 0 or index + 1 == options.steps:
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": index + 1}
                torch.save(state, checkpoint.with_suffix(".part"))
                os.replace(checkpoint.with_suffix(".part"), checkpoint)
    export(model, options.folder / "smollm2-adaptive.onnx", THRESHOLD, round(natural_depth(model, held), 4))
    print(options.folder / "smollm2-adaptive.onnx")


if __name__ == "__main__":
    main()
