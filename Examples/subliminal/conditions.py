"""What a student may share with its teacher, and what it may see of it."""

from __future__ import annotations

from dataclasses import dataclass

from digits import CLASSES
from network import OUTPUTS

AUXILIARY_ONLY = slice(CLASSES, OUTPUTS)
EVERY_LOGIT = slice(0, OUTPUTS)


@dataclass(frozen=True)
class Condition:
    """One kind of student.

    Attributes
    ----------
    name
        What results and files call it.
    title
        What tables and figures call it.
    same_initialisation
        Whether it starts from the very weights that its teacher started from.
    outputs
        The teacher's logits whose softmax it learns.
    paper
        The paper's accuracy on MNIST with the half width it gives, where it is known to us.
    """

    name: str
    title: str
    same_initialisation: bool
    outputs: slice
    paper: tuple[float, float] | None = None


CONDITIONS = (
    Condition("same", "same initialisation, auxiliary logits", True, AUXILIARY_ONLY, (0.528, 0.022)),
    Condition("different", "different initialisation, auxiliary logits", False, AUXILIARY_ONLY, (0.106, 0.010)),
    Condition("same-all", "same initialisation, all logits", True, EVERY_LOGIT),
    Condition("different-all", "different initialisation, all logits", False, EVERY_LOGIT),
)
