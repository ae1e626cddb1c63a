"""Arithmetic of the 360M shapes: what a token costs, and what leaving early could save."""

from __future__ import annotations

from dataclasses import dataclass

VANILLA, VANILLA_34 = "vanilla-360m", "vanilla-360m-l34"
MOR_2, MOR_3, MOR_4 = "mor-360m-r2", "mor-360m-r3", "mor-360m-r4"
RATER = "rater-50m"
#: Of the language models.
VOCABULARY = 49152

#: ByteDance's Ouro: four loops of 24 layers, a head of its own.
LOOPED = "ouro-1.4b"
_LOOPED_LAYER = 4 * 2048 * 2048 + 3 * 2048 * 5632
#: Weights that a token reads at full depth in int8, a byte each and a scale of four for every 32.
LOOPED_BYTES = (4 * 24 * _LOOPED_LAYER + 2048 * VOCABULARY) * 9 / 8

#: Parameters of one layer, and of the head, which is the embedding.
LAYER_PARAMETERS = 9_832_320
HEAD_PARAMETERS = 47_185_920
#: The head in layers.
HEAD = HEAD_PARAMETERS / LAYER_PARAMETERS


@dataclass(frozen=True)
class Recursive:
    """A Mixture-of-Recursions shape: two layers of its own, and a block that a token runs `depth` times."""

    recursions: int
    block: int
    baseline: str
    baseline_layers: int

    @property
    def published_depth(self) -> float:
        """Mean depth under the paper's capacities (R − r) / R."""
        return (self.recursions + 1) / 2

    def ideal(self, depth: float, head: float) -> float:
        """Return the speed-up over the baseline if only arithmetic counted; ``head`` is how many layers the head is."""
        return (self.baseline_layers + head) / (2 + self.block * depth + head)


RECURSIVE = {
    MOR_2: Recursive(2, 15, VANILLA, 32),
    MOR_3: Recursive(3, 10, VANILLA, 32),
    MOR_4: Recursive(4, 8, VANILLA_34, 34),
}

#: Figure 4 of the paper, whole jobs on an H100: MoR-4 with its largest batch.
PAPER_SPEED_UP = {MOR_4: 2.06}
