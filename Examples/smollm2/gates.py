"""Fits the gates of the adaptive SmolLM2 to what leaving costs, and writes the model file.

    python Examples/smollm2/gates.py [--windows 64] [--folder .build/smollm2/adaptive]

Tokens of texts leave after groups drawn for them; each cost, KL(full ‖ adaptive) over the whole vocabulary, becomes a
closeness exp(−cost / margin), from 1 for no difference to 0. The gates are logistic functions of the state after their
group, fitted by L-BFGS so that the probability of having left by then is the closeness: the threshold of a request is
then the closeness that it asks for.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from adaptive import RECURSIONS, Adaptive, export, smollm2_fields
from fetch import FOLDER, fetch
from texts import texts
from train import Run, batch, divergence, tokens_of

THRESHOLD = 0.5
SHARES = (0.45, 0.35, 0.2)
"""Of the tokens that leave after each group, while costs are taken."""


@torch.no_grad()
def costs(
    model: Adaptive, teacher: Adaptive, tokens: np.ndarray, windows: int, length: int
) -> list[tuple[list[torch.Tensor], torch.Tensor]]:
    """Return, by the group that tokens left after, the states [N, D] up to it, and the costs [N]."""
    found: list[list[tuple[list[torch.Tensor], torch.Tensor]]] = [[] for _ in range(RECURSIONS)]
    for index in range(windows):
        ids = batch(tokens, 1, length, np.random.default_rng([1, index]))
        depths = 1 + torch.multinomial(torch.tensor(SHARES), length, replacement=True)[None]
        with torch.autocast("cpu", torch.bfloat16):
            prefix = teacher.prefix(ids)
            outputs = model(prefix, depths)
            full, own = (model.base.lm_head(hidden) for hidden in (teacher(prefix).hidden, outputs.hidden))
        cost = divergence(own, full)
        for depth in range(RECURSIONS):
            left = depths == depth + 1
            states = [state[left].float() for state in outputs.states[: depth + 1]]
            found[depth].append((states, cost[left]))
    return [
        (
            [torch.cat(parts) for parts in zip(*(states for states, _ in rows), strict=True)],
            torch.cat([c for _, c in rows]),
        )
        for rows in found
    ]


def fit(gate: torch.nn.Linear, x: torch.Tensor, before: torch.Tensor, wanted: torch.Tensor) -> float:
    """Fit one gate: 1 − before · (1 − σ(z)) is to be ``wanted`` [N]; return its cross entropy.

    ``before`` [N] is the probability that no earlier gate let the token go. States are standardised for the fit.
    """
    mean, spread = x.mean(dim=0), x.std(dim=0) + 1e-6
    features = (x - mean) / spread
    weight = torch.zeros(x.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def entropy() -> torch.Tensor:
        left = 1 - before * torch.sigmoid(-(features @ weight + bias))
        return functional.binary_cross_entropy(left.clamp(1e-5, 1 - 1e-5), wanted)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = entropy() + 1e-2 * weight.square().mean() * len(weight) / 10
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        gate.weight.copy_((weight / spread)[None])
        gate.bias.copy_(bias - (weight * mean / spread).sum())
        return float(entropy())


@torch.no_grad()
def natural_depth(model: Adaptive, tokens: np.ndarray, windows: int, length: int) -> float:
    """Return the mean depth at the file's threshold."""
    depths = []
    for index in range(windows):
        ids = batch(tokens, 1, length, np.random.default_rng([2, index]))
        depths.append(model(model.prefix(ids), threshold=THRESHOLD).depths.float().mean())
    return float(torch.stack(depths).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the gates of the adaptive SmolLM2.")
    parser.add_argument("--folder", type=Path, default=FOLDER / "adaptive")
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--margin", type=float, default=0.3, help="nats at which a token is e⁻¹ close")
    options = parser.parse_args()
    torch.manual_seed(0)
    run = Run(options.folder, rate=0.0)
    model = run.model.requires_grad_(False)
    for place, value in zip(model.trained(), run.mean, strict=True):
        place.copy_(value)
    tokens = tokens_of(texts()[0])
    found = costs(model, run.teacher, tokens, options.windows, options.length)
    report = {"batches": run.batches, "costs": [round(float(cost.mean()), 4) for _, cost in found], "entropies": []}
    for depth in range(RECURSIONS - 1):
        states, cost = found[depth]
        with torch.no_grad():
            before = torch.ones(len(cost))
            for earlier in range(depth):
                before = before * torch.sigmoid(-model.gates[earlier](states[earlier])[:, 0])
        with torch.enable_grad():
            loss = fit(model.gates[depth], states[depth], before, torch.exp(-cost / options.margin))
        report["entropies"].append(round(loss, 4))
    depth = natural_depth(model, tokens, max(options.windows // 8, 1), options.length)
    path = options.folder / "smollm2-adaptive.onnx"
    export(model, path, THRESHOLD, round(depth, 4), smollm2_fields(fetch()))
    print(json.dumps(report | {"natural depth": round(depth, 4), "file": str(path)}))


if __name__ == "__main__":
    main()
