"""How much of everything: the full benchmark, and the quick one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes of the sections.

    Attributes
    ----------
    name : str
        ``full`` or ``quick``.
    repetitions : int
        Turns of each contender; medians are over them.
    generated : int
        Tokens that each sequence decodes.
    rated_rows : int
        Rows of 64 to 2048 tokens.
    opening_repetitions : int
        Openings are short.
    growth_repetitions : int
        Turns per point of a curve.
    growth_generated : int
        Tokens that each sequence decodes, per point.
    growth_batches, growth_prompts, growth_rows : tuple of int
        Sequences decoded together; lengths of prompts; numbers of rated rows of 512 tokens.
    minutes : dict of str to float
        What each section takes on two cores of an Intel Xeon of the Sapphire Rapids generation, without what is done
        only once.
    """

    name: str
    repetitions: int
    generated: int
    rated_rows: int
    opening_repetitions: int
    growth_repetitions: int
    growth_generated: int
    growth_batches: tuple[int, ...]
    growth_prompts: tuple[int, ...]
    growth_rows: tuple[int, ...]
    minutes: dict[str, float]


FULL = Plan(
    name="full",
    repetitions=5,
    generated=32,
    rated_rows=24,
    opening_repetitions=7,
    growth_repetitions=3,
    growth_generated=16,
    growth_batches=(1, 2, 4, 8, 16, 32, 64),
    growth_prompts=(128, 256, 512, 1024, 2048, 4096),
    growth_rows=(1, 2, 4, 8, 16, 32),
    minutes={
        "ceilings": 0.5,
        "vanilla": 6,
        "depth": 4,
        "pytorch": 4,
        "rating": 4,
        "graph": 1,
        "opening": 0.5,
        "growth": 8,
    },
)

QUICK = Plan(
    name="quick",
    repetitions=3,
    generated=8,
    rated_rows=6,
    opening_repetitions=3,
    growth_repetitions=1,
    growth_generated=8,
    growth_batches=(1, 4, 16, 64),
    growth_prompts=(128, 512, 2048),
    growth_rows=(1, 4, 16),
    minutes={
        "ceilings": 0.5,
        "vanilla": 1.5,
        "depth": 1,
        "pytorch": 1,
        "rating": 1,
        "graph": 0.5,
        "opening": 0.3,
        "growth": 1.5,
    },
)
