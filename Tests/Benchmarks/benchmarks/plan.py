"""How much of everything: the full benchmark, and the quick one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """Requests that begin with one token and generate tokens of normally distributed number.

    Attributes
    ----------
    requests : int
    lengths : (int, int)
        Mean and deviation.
    sequences : int
        In flight together.
    """

    requests: int
    lengths: tuple[int, int]
    sequences: int


@dataclass(frozen=True)
class Plan:
    """Sizes of the sections.

    Attributes
    ----------
    name : str
        ``full`` or ``quick``.
    formats : tuple of str
        Compared with llama.cpp and PyTorch.
    repetitions : int
        Turns of each contender; medians are over them.
    generated : int
        Tokens that each sequence decodes.
    depth_generated : int
        The same where depths are compared; longer, as a run ends with tokens half done.
    rated_rows : int
        Rows of 64 to 2048 tokens.
    opening_repetitions : int
        Openings are short.
    growth_repetitions : int
        Turns per point of a curve.
    queue_repetitions : int
        Turns of the short queues; the long ones run once.
    growth_generated : int
        Tokens that each sequence decodes, per point.
    looped : str
        Shape of the looped model.
    looped_generated : int
        Tokens that each of its sequences decodes.
    growth_batches, growth_prompts, growth_rows : tuple of int
        Sequences decoded together; lengths of prompts; numbers of rated rows of 512 tokens.
    queue : Queue
        The paper's experiment.
    large_queue : Queue
        The same with more sequences in flight, for the two models at its ends.
    short_queues : tuple of Queue
        Depth-wise against sequence-wise batching.
    encoders : tuple of str
        Shapes that are compared with other engines for encoders.
    encoder_share : float
        Of the rows of a turn.
    encoder_repetitions : int
        Turns of each contender.
    minutes : dict of str to float
        The sections, and what each takes on two cores of an Intel Xeon of the Sapphire Rapids generation, without what
        is done only once.
    """

    name: str
    formats: tuple[str, ...]
    repetitions: int
    generated: int
    depth_generated: int
    rated_rows: int
    opening_repetitions: int
    growth_repetitions: int
    queue_repetitions: int
    growth_generated: int
    looped: str
    looped_generated: int
    growth_batches: tuple[int, ...]
    growth_prompts: tuple[int, ...]
    growth_rows: tuple[int, ...]
    queue: Queue
    large_queue: Queue
    short_queues: tuple[Queue, ...]
    encoders: tuple[str, ...]
    encoder_share: float
    encoder_repetitions: int
    minutes: dict[str, float]


FULL = Plan(
    name="full",
    formats=("f32", "bf16", "int8"),
    repetitions=5,
    generated=16,
    depth_generated=48,
    rated_rows=24,
    opening_repetitions=7,
    growth_repetitions=2,
    queue_repetitions=3,
    growth_generated=16,
    looped="ouro-1.4b",
    looped_generated=32,
    growth_batches=(1, 2, 4, 8, 16, 32, 64),
    growth_prompts=(128, 256, 512, 1024, 2048, 4096),
    growth_rows=(1, 2, 4, 8, 16, 32),
    queue=Queue(200, (256, 64), 32),
    large_queue=Queue(200, (256, 64), 128),
    short_queues=tuple(Queue(64, (64, 16), sequences) for sequences in (4, 8, 32)),
    encoders=("bert-base", "modernbert-base"),
    encoder_share=1,
    encoder_repetitions=7,
    minutes={
        "ceilings": 0.5,
        "vanilla": 16,
        "depth": 5,
        "looped": 20,
        "queue": 10,
        "pytorch": 4,
        "rating": 4,
        "encoders": 25,
        "graph": 1,
        "opening": 0.5,
        "growth": 8,
        "profile": 1.5,
    },
)

QUICK = Plan(
    name="quick",
    formats=("bf16", "int8"),
    repetitions=3,
    generated=8,
    depth_generated=8,
    rated_rows=6,
    opening_repetitions=3,
    growth_repetitions=1,
    queue_repetitions=1,
    growth_generated=8,
    looped="ouro-tiny",
    looped_generated=64,
    growth_batches=(1, 8, 64),
    growth_prompts=(128, 1024),
    growth_rows=(1, 8),
    queue=Queue(64, (16, 4), 32),
    large_queue=Queue(128, (16, 4), 64),
    short_queues=tuple(Queue(32, (16, 4), sequences) for sequences in (4, 8, 32)),
    encoders=("bert-base",),
    encoder_share=0.25,
    encoder_repetitions=3,
    minutes={
        "ceilings": 0.5,
        "vanilla": 1.5,
        "depth": 1.5,
        "looped": 0.5,
        "queue": 1,
        "pytorch": 1.2,
        "rating": 0.9,
        "encoders": 3,
        "opening": 0.3,
        "growth": 1,
    },
)
