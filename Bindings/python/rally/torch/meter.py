"""What rating costs a training run, as measured alongside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Meter:
    """Sums over the batches that were handed out.

    Attributes
    ----------
    batches, drawn_rows, kept_rows, rated_tokens : int
    rating_seconds : float
        In the rater, alongside the trainer.
    waiting_seconds : float
        That the trainer stood waiting for a batch.
    training_seconds : float
        Between one batch and the request for the next: the trainer's own step.
    cost_ratio : float, optional
        Computation of rating over that of training, from the sizes of the models; see `rally.select.cost_ratio`.
    """

    batches: int = 0
    drawn_rows: int = 0
    kept_rows: int = 0
    rated_tokens: int = 0
    rating_seconds: float = 0.0
    waiting_seconds: float = 0.0
    training_seconds: float = 0.0
    cost_ratio: float | None = None

    @property
    def waiting_share(self) -> float:
        """Share of the trainer's time that it stood waiting; 0 before anything was measured."""
        total = self.waiting_seconds + self.training_seconds
        return self.waiting_seconds / total if total else 0.0

    @property
    def rating_share(self) -> float:
        """Seconds of rating over all seconds of the trainer; 0 before anything was measured."""
        total = self.waiting_seconds + self.training_seconds
        return self.rating_seconds / total if total else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Of the rater, while it rates."""
        return self.rated_tokens / self.rating_seconds if self.rating_seconds else 0.0

    def __str__(self) -> str:
        return (
            f"{self.batches} batches, {self.kept_rows} of {self.drawn_rows} rows kept; "
            f"rated {self.tokens_per_second:,.0f} tokens/s, {self.rating_share:.1%} of the run's time; "
            f"waited {self.waiting_share:.1%} of it"
        )
