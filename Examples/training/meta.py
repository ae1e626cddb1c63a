"""The meta-gradient of algorithm 1: weighted inner updates kept in the rater's graph.

Parameters travel as dictionaries name -> tensor; the inner optimiser is a pure function,
because an in-place step would cut the graph.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from model import LanguageModel

Parameters = dict[str, torch.Tensor]


@dataclass
class AdamState:
    """First and second moments of the inner optimiser and the number of updates."""

    first: Parameters = field(default_factory=dict)
    second: Parameters = field(default_factory=dict)
    step: int = 0

    def detached(self) -> "AdamState":
        """The same numbers without their graph."""
        return AdamState(
            {k: v.detach() for k, v in self.first.items()}, {k: v.detach() for k, v in self.second.items()}, self.step
        )


@dataclass(frozen=True)
class AdamRule:
    """Adam as a differentiable function; ``sqrt(v + eps^2)`` has a finite slope at v = 0."""

    rate: float = 2e-3
    beta1: float = 0.9
    beta2: float = 0.99
    eps: float = 1e-6

    def __call__(self, theta: Parameters, gradient: Parameters, state: AdamState) -> tuple[Parameters, AdamState]:
        """Return the updated parameters and state; inputs stay as they are."""
        step, first, second, updated = state.step + 1, {}, {}, {}
        for name, g in gradient.items():
            m = (1 - self.beta1) * g + (self.beta1 * state.first[name] if state.first else 0)
            v = (1 - self.beta2) * g * g + (self.beta2 * state.second[name] if state.second else 0)
            unbiased_m, unbiased_v = m / (1 - self.beta1**step), v / (1 - self.beta2**step)
            updated[name] = theta[name] - self.rate * unbiased_m / torch.sqrt(unbiased_v + self.eps**2)
            first[name], second[name] = m, v
        return updated, AdamState(first, second, step)


def sample_losses(model: LanguageModel, theta: Parameters, ids: torch.Tensor) -> torch.Tensor:
    """Mean next-token loss of each row of ``ids`` [B, T] in nats: [B]."""
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernels have no second derivative
        hidden, _, _ = functional_call(model, theta, (ids[:, :-1],))
    logits = F.linear(hidden, theta["embed_tokens.weight"])  # [B, T - 1, V]
    losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return losses.view(ids.shape[0], -1).mean(dim=1)


def inner_updates(
    model: LanguageModel,
    theta: Parameters,
    state: AdamState,
    rule: AdamRule,
    weights: list[torch.Tensor],
    batches: list[torch.Tensor],
    graph: bool = True,
) -> tuple[Parameters, AdamState]:
    """One update per batch on the weighted SUM of sample losses; ``weights`` [B] sum to one."""
    for weight, ids in zip(weights, batches, strict=True):
        loss = (weight * sample_losses(model, theta, ids)).sum()
        gradient = torch.autograd.grad(loss, list(theta.values()), create_graph=graph)
        theta, state = rule(theta, dict(zip(theta, gradient, strict=True)), state)
        if not graph:
            theta, state = leaves(theta), state.detached()
    return theta, state


def meta_gradient(
    rater: nn.Module,
    model: LanguageModel,
    theta: Parameters,
    state: AdamState,
    rule: AdamRule,
    batches: list[torch.Tensor],
    outer: torch.Tensor,
    seen: list[torch.Tensor] | None = None,
) -> tuple[list[torch.Tensor], float, Parameters, AdamState]:
    """Gradient of the outer loss after the inner updates, with respect to the rater.

    Parameters
    ----------
    batches : T tensors [B, L] int64, inner data; outer : [B', L] int64, held-out data
    seen : T tensors [B, ...], what the rater sees of the batches; by default the ids themselves

    Returns
    -------
    gradients in the order of ``rater.parameters()``, the outer loss, and the committed
    (detached) parameters and optimiser state of the inner model
    """
    weights = [torch.softmax(rater(rows), dim=0) for rows in seen or batches]
    theta, state = inner_updates(model, leaves(theta), state, rule, weights, batches)
    loss = sample_losses(model, theta, outer).mean()
    gradient = torch.autograd.grad(loss, list(rater.parameters()))
    return list(gradient), loss.item(), leaves(theta), state.detached()


def leaves(theta: Parameters) -> Parameters:
    """Fresh leaves with the same numbers."""
    return {name: value.detach().requires_grad_() for name, value in theta.items()}


class RaterOptimiser:
    """One decoupled-weight-decay Adam per inner model over the same rater; proposals are averaged."""

    def __init__(self, rater: nn.Module, count: int, weight_decay: float) -> None:
        self.parameters, self.weight_decay = list(rater.parameters()), weight_decay
        zeros = [torch.zeros_like(p) for p in self.parameters]
        self.moments = [([z.clone() for z in zeros], [z.clone() for z in zeros]) for _ in range(count)]
        self.steps = 0

    @torch.no_grad()
    def update(self, gradients: list[list[torch.Tensor]], rate: float) -> None:
        """Set eta to the mean of the per-model Adam proposals."""
        self.steps += 1
        for j, parameter in enumerate(self.parameters):
            change = torch.zeros_like(parameter)
            for (first, second), gradient in zip(self.moments, gradients, strict=True):
                first[j].lerp_(gradient[j], 0.1)
                second[j].lerp_(gradient[j] ** 2, 0.01)
                m, v = first[j] / (1 - 0.9**self.steps), second[j] / (1 - 0.99**self.steps)
                change += m / (v.sqrt() + 1e-10)
            decay = self.weight_decay * parameter if parameter.dim() == 2 else 0
            parameter -= rate * (change / len(gradients) + decay)


def clipped(gradient: list[torch.Tensor], limit: float) -> tuple[list[torch.Tensor], float]:
    """Scale a gradient down to the global norm ``limit``; also return the norm it had."""
    norm = math.sqrt(sum(g.square().sum().item() for g in gradient))
    return [g * min(1.0, limit / (norm + 1e-12)) for g in gradient], norm
