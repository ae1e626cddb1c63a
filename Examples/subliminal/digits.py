"""The real images: scikit-learn's 1 797 handwritten digits, which its package carries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch.nn.functional import interpolate

SIDE = 28
PIXELS = SIDE * SIDE
CLASSES = 10
TEST_IMAGES = 360  # a fifth; the same ones for every seed


@dataclass(frozen=True)
class Images:
    """Images with their classes.

    Attributes
    ----------
    pixels
        [n, 784] f32 in [−1, 1], row by row.
    classes
        [n] int64, 0 to 9.
    """

    pixels: torch.Tensor
    classes: torch.Tensor

    def __len__(self) -> int:
        return len(self.classes)

    def take(self, places: torch.Tensor) -> Images:
        """Return the images at some places, int64 [m]."""
        return Images(self.pixels[places], self.classes[places])


def training_and_test() -> tuple[Images, Images]:
    """Return 1 437 images to train on and 360 to test with.

    The set has 8 × 8 pixels from 0 to 16. They are scaled to [−1, 1] and brought to 28 × 28 bilinearly, so that the
    network and its noise have the paper's 784 inputs.
    """
    loaded = load_digits()
    small = torch.tensor(loaded.images, dtype=torch.float32)[:, None] / 8 - 1  # [n, 1, 8, 8]
    pixels = interpolate(small, size=(SIDE, SIDE), mode="bilinear").flatten(1)
    images = Images(pixels, torch.tensor(loaded.target))
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images.take(order[TEST_IMAGES:]), images.take(order[:TEST_IMAGES])
