"""Shift a trained model's routers so that threshold selection meets the capacities.

A router has no bias, but some direction u of the residual stream is nearly constant over
tokens (least squares, ``h u = 1``). Adding ``delta * u`` to a router's weights moves all
its logits by about delta: the ranking, and with it top-k selection, hardly changes, while
the share of ``sigmoid(z) >= 0.5`` does. Fitted on training windows, recursion by recursion.
"""

import argparse
from pathlib import Path

import torch

import checkpoint
from data import TokenMix
from model import LanguageModel


@torch.no_grad()
def rows_of_router(model: LanguageModel, windows: torch.Tensor, r: int) -> torch.Tensor:
    """Residual rows [n, D] that reach router ``r`` under threshold selection."""
    seen: list[torch.Tensor] = []
    hook = model.routers[r].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    for rows in windows.split(8):
        model(rows, threshold=True)
    hook.remove()
    return torch.cat(seen)


@torch.no_grad()
def shift(model: LanguageModel, windows: torch.Tensor, r: int) -> float:
    """Move router ``r`` so that a share ``capacity[r]`` of all tokens passes; return delta."""
    rows = rows_of_router(model, windows, r).double()
    gram = rows.T @ rows + 1e-4 * len(rows) * torch.eye(rows.shape[1], dtype=torch.float64)
    constant = torch.linalg.solve(gram, rows.sum(dim=0))
    weight, wanted = model.routers[r].weight[0].double(), model.shape.capacity[r] * windows.numel()
    logits, offset = rows @ weight, rows @ constant
    low, high = -20.0, 20.0
    for _ in range(60):
        delta = (low + high) / 2
        if (logits + delta * offset >= 0).sum() > wanted:
            high = delta
        else:
            low = delta
    model.routers[r].weight.copy_((weight + delta * constant).float()[None])
    return delta


def main() -> None:
    """Calibrate a checkpoint in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = checkpoint.load(options.checkpoint)
    windows = TokenMix(options.tokens, "train").windows(options.windows, model.shape.context, (99,))
    for r in range(1, model.shape.recursions):
        print(f"recursion {r}: delta {shift(model, windows, r):+.4f}")
    checkpoint.save(model, options.tokens / "tokenizer.json", options.out)


if __name__ == "__main__":
    main()
