"""The two ways of learning: a teacher from digits, a student from a teacher's outputs on noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from digits import CLASSES, PIXELS, Images
from network import Weights, logits

LEARNING_RATE = 3e-4


@dataclass(frozen=True)
class Length:
    """How long a training is: the same for teachers and students."""

    images: int = 60_000
    batch: int = 1024
    epochs: int = 5


PAPER = Length()
QUICK = Length(images=15_000, batch=256)


def teach(start: Weights, images: Images, length: Length, generator: torch.Generator) -> Weights:
    """Train a copy of `start` on the classes of `images` with cross entropy; the auxiliary logits are in no loss.

    An epoch draws `length.images` times from the images, with replacement: the real set is smaller than the paper's.
    """
    teacher, adam = _copy_with_adam(start)
    for _ in range(length.epochs):
        drawn = torch.randint(len(images), (length.images,), generator=generator)
        for places in torch.split(drawn, length.batch):
            batch = images.take(places)
            _descend(adam, cross_entropy(logits(teacher, batch.pixels)[:, :CLASSES], batch.classes))
    return _frozen(teacher)


def noise(length: Length, generator: torch.Generator) -> torch.Tensor:
    """Return images [n, 784] whose pixels are U[−1, 1]: nothing of a digit is in them."""
    return torch.rand(length.images, PIXELS, generator=generator).mul_(2).sub_(1)


def distil(
    start: Weights,
    teacher: Weights,
    outputs: slice,
    pixels: torch.Tensor,
    length: Length,
    generator: torch.Generator,
    after_epoch: Callable[[Weights], None],
) -> Weights:
    """Train a copy of `start` towards the teacher's softmax over `outputs` of the logits, on `pixels`.

    The loss is KL(teacher ‖ student). `after_epoch` is handed the student after every epoch.
    """
    student, adam = _copy_with_adam(start)
    with torch.no_grad():
        wanted = log_softmax(logits(teacher, pixels)[:, outputs], dim=1)
    for _ in range(length.epochs):
        for places in torch.split(torch.randperm(len(pixels), generator=generator), length.batch):
            found = log_softmax(logits(student, pixels[places])[:, outputs], dim=1)
            _descend(adam, kl_div(found, wanted[places], reduction="batchmean", log_target=True))
        after_epoch(_frozen(student))
    return _frozen(student)


def _copy_with_adam(start: Weights) -> tuple[Weights, torch.optim.Adam]:
    copy = {name: tensor.clone().requires_grad_() for name, tensor in start.items()}
    return copy, torch.optim.Adam(copy.values(), lr=LEARNING_RATE, fused=True)


def _descend(adam: torch.optim.Adam, loss: torch.Tensor) -> None:
    adam.zero_grad()
    torch.autograd.backward(loss)
    adam.step()


def _frozen(weights: Weights) -> Weights:
    return {name: tensor.detach() for name, tensor in weights.items()}
