"""One seed of the experiment: a teacher and a student of each kind, and the files of their weights."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import training
from conditions import CONDITIONS, Condition
from digits import Images
from network import Weights, accuracy, initial, permuted, save
from training import Length

Record: TypeAlias = dict[str, Any]
"""What is kept of a seed, as JSON."""


class Purpose(IntEnum):
    """What randomness is for; every purpose has a generator of its own, so that none moves another."""

    TEACHER_START = 0
    OTHER_START = 1
    TEACHER_BATCHES = 2
    NOISE = 3
    STUDENT_BATCHES = 4
    PERMUTATION = 5


def generator(seed: int, purpose: Purpose) -> torch.Generator:
    """Return the generator of one purpose under one seed."""
    state = np.random.SeedSequence([seed, purpose]).generate_state(1)[0]
    return torch.Generator().manual_seed(int(state))


def train(seed: int, length: Length, images: tuple[Images, Images], folder: Path, step: Callable[[], None]) -> Record:
    """Train the teacher and the students of a seed, write their weights into `folder`, and return their accuracies.

    All students of a seed see the same noise in the same order. `step` is called after every trained network.
    """
    training_images, test_images = images
    starts = {
        True: initial(generator(seed, Purpose.TEACHER_START)),
        False: initial(generator(seed, Purpose.OTHER_START)),
    }
    teacher = training.teach(starts[True], training_images, length, generator(seed, Purpose.TEACHER_BATCHES))
    step()
    pixels = training.noise(length, generator(seed, Purpose.NOISE))
    networks = {
        "start": starts[True],
        "other-start": starts[False],
        "permuted-start": permuted(starts[True], generator(seed, Purpose.PERMUTATION)),
        "teacher": teacher,
    }
    students: Record = {}

    def learn(condition: Condition) -> Weights:
        epochs: list[float] = []
        students[condition.name] = epochs
        return training.distil(
            starts[condition.same_initialisation],
            teacher,
            condition.outputs,
            pixels,
            length,
            generator(seed, Purpose.STUDENT_BATCHES),
            lambda weights: epochs.append(accuracy(weights, test_images)),
        )

    for condition in CONDITIONS:
        networks[condition.name] = learn(condition)
        step()
    for name, weights in networks.items():
        save(weights, folder / folder_name(seed) / f"{name}.safetensors")
    accuracies = {name: accuracy(networks[name], test_images) for name in ("start", "other-start", "teacher")}
    return {"accuracy": accuracies, "accuracy_by_epoch": students}


def folder_name(seed: int) -> str:
    """Return the folder of a seed's networks, each of them a file `NAME.safetensors`."""
    return f"seed-{seed:03d}"
