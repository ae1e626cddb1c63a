"""Check the meta-gradient in float64 against a plain double backward and finite differences.

The plain version writes Adam out over one flat vector with a hand-made transformer-free
language model's autograd; the finite difference moves the rater along random directions.
"""

import argparse
import json

import torch
from torch import nn

from meta import AdamRule, AdamState, inner_updates, leaves, meta_gradient, sample_losses
from model import LanguageModel, Shape, initialise


def plain_outer_loss(
    rater: nn.Module,
    model: LanguageModel,
    theta: dict,
    state: AdamState,
    rule: AdamRule,
    batches: list[torch.Tensor],
    outer: torch.Tensor,
) -> torch.Tensor:
    """The outer loss again, over one flat vector and sample by sample, with no shared helper but the loss."""
    names, shapes = list(theta), [v.shape for v in theta.values()]
    sizes = [s.numel() for s in shapes]

    def unflatten(vector: torch.Tensor) -> dict:
        return {n: p.view(s) for n, p, s in zip(names, vector.split(sizes), shapes, strict=True)}

    vector = torch.cat([v.detach().flatten() for v in theta.values()]).requires_grad_()
    m = torch.cat([state.first[n].flatten() for n in names]) if state.first else torch.zeros_like(vector)
    v = torch.cat([state.second[n].flatten() for n in names]) if state.second else torch.zeros_like(vector)
    for number, ids in enumerate(batches, state.step + 1):
        score = rater(ids)
        weight = score.exp() / score.exp().sum()
        gradient = 0
        for x in range(len(ids)):  # the SUM of weighted sample gradients, taken literally
            loss = sample_losses(model, unflatten(vector), ids[x : x + 1])[0]
            gradient = gradient + weight[x] * torch.autograd.grad(loss, vector, create_graph=True)[0]
        m = rule.beta1 * m + (1 - rule.beta1) * gradient
        v = rule.beta2 * v + (1 - rule.beta2) * gradient**2
        scale = (v / (1 - rule.beta2**number) + rule.eps**2).sqrt()
        vector = vector - rule.rate * (m / (1 - rule.beta1**number)) / scale
    return sample_losses(model, unflatten(vector), outer).mean()


class TinyRater(nn.Module):
    """Mean of embeddings through a small MLP: [B, T] -> [B]."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Score rows of ids."""
        return self.mlp(self.embedding(ids).mean(dim=1))[:, 0]


def main() -> None:
    """Print both relative differences as JSON; fail if they are too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    torch.manual_seed(parser.parse_args().seed)
    torch.set_default_dtype(torch.float64)
    shape = Shape(
        vocab=32, width=16, heads=2, kv_heads=1, head_dim=8, feed_forward=24, block_layers=1, recursions=0, context=16
    )
    model, rater, rule = LanguageModel(shape), TinyRater(32), AdamRule(rate=1e-2)
    initialise(model)
    theta = leaves(dict(model.named_parameters()))
    draw = lambda rows: torch.randint(0, 32, (rows, 10))  # noqa: E731
    # Two committed updates first, so that the moments are not zero.
    uniform = [torch.full((6,), 1 / 6)] * 2
    theta, state = inner_updates(model, theta, AdamState(), rule, uniform, [draw(6), draw(6)], graph=False)
    batches, outer = [draw(6), draw(6)], draw(5)
    ours, loss, _, _ = meta_gradient(rater, model, theta, state, rule, batches, outer)
    plain = torch.autograd.grad(
        plain_outer_loss(rater, model, theta, state, rule, batches, outer), list(rater.parameters())
    )
    flat, reference = (torch.cat([g.flatten() for g in side]) for side in (ours, plain))
    report = {"outer_loss": loss, "norm": flat.norm().item()}
    report["double_backward"] = ((flat - reference).norm() / reference.norm()).item()
    report["finite_difference"] = finite_difference(
        rater, flat, lambda: meta_loss(rater, model, theta, state, rule, batches, outer)
    )
    print(json.dumps(report, indent=1))
    if report["double_backward"] > 1e-9 or report["finite_difference"] > 1e-5:
        raise SystemExit("the meta-gradient is wrong")


def meta_loss(
    rater: nn.Module,
    model: LanguageModel,
    theta: dict,
    state: AdamState,
    rule: AdamRule,
    batches: list,
    outer: torch.Tensor,
) -> float:
    """The outer loss after the updates, as a number."""
    return meta_gradient(rater, model, theta, state, rule, batches, outer)[1]


def finite_difference(rater: nn.Module, gradient: torch.Tensor, loss: object, size: float = 1e-4) -> float:
    """Largest relative difference of five directional derivatives from central differences."""
    parameters, worst = list(rater.parameters()), 0.0
    vector = nn.utils.parameters_to_vector(parameters).detach()
    for _ in range(5):
        direction = torch.randn_like(vector) + gradient / gradient.norm() * vector.numel() ** 0.5
        sides = []
        for sign in (1, -1):
            nn.utils.vector_to_parameters(vector + sign * size * direction, parameters)
            sides.append(loss())
        nn.utils.vector_to_parameters(vector, parameters)
        expected = (gradient @ direction).item()
        worst = max(worst, abs((sides[0] - sides[1]) / (2 * size) - expected) / abs(expected))
    return worst


if __name__ == "__main__":
    main()
