"""The network: 784–256–256–13 with ReLU, of which ten outputs are classes and three mean nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import torch
from safetensors.torch import save_file
from torch.nn.functional import linear, relu

from digits import CLASSES, PIXELS, Images

WIDTH = 256
AUXILIARY = 3
OUTPUTS = CLASSES + AUXILIARY
# Rally knows by these names which rows and columns are hidden units: rows of the first two, columns of the head.
LAYERS = {
    "layers.0.mlp.up_proj": (WIDTH, PIXELS),
    "layers.1.mlp.up_proj": (WIDTH, WIDTH),
    "lm_head": (OUTPUTS, WIDTH),
}

Weights: TypeAlias = dict[str, torch.Tensor]
"""`NAME.weight` [outputs, inputs] and `NAME.bias` [outputs] of every layer, f32."""


def initial(generator: torch.Generator) -> Weights:
    """Return weights from N(0, 1/inputs) and biases of zero."""
    weights: Weights = {}
    for name, (outputs, inputs) in LAYERS.items():
        weights[f"{name}.weight"] = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
        weights[f"{name}.bias"] = torch.zeros(outputs)
    return weights


def logits(weights: Weights, pixels: torch.Tensor) -> torch.Tensor:
    """Return all 13 logits [n, 13] of images [n, 784]."""
    first, second, head = LAYERS
    hidden = relu(_layer(weights, first, pixels))
    hidden = relu(_layer(weights, second, hidden))
    return _layer(weights, head, hidden)


def permuted(weights: Weights, generator: torch.Generator) -> Weights:
    """Return the same function with the hidden units of both layers in another order."""
    first, second, head = LAYERS
    units, next_units = (torch.randperm(WIDTH, generator=generator) for _ in range(2))
    moved = {name: tensor.clone() for name, tensor in weights.items()}
    for part in ("weight", "bias"):
        moved[f"{first}.{part}"] = weights[f"{first}.{part}"][units]
        moved[f"{second}.{part}"] = weights[f"{second}.{part}"][next_units]
    moved[f"{second}.weight"] = moved[f"{second}.weight"][:, units].contiguous()
    moved[f"{head}.weight"] = weights[f"{head}.weight"][:, next_units].contiguous()
    return moved


@torch.no_grad()
def accuracy(weights: Weights, images: Images) -> float:
    """Return the share of images whose largest class logit is their class."""
    found = logits(weights, images.pixels)[:, :CLASSES].argmax(dim=1)
    return (found == images.classes).float().mean().item()


def save(weights: Weights, path: Path) -> None:
    """Write weights as a safetensors file, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path)


def _layer(weights: Weights, name: str, rows: torch.Tensor) -> torch.Tensor:
    return linear(rows, weights[f"{name}.weight"], weights[f"{name}.bias"])
