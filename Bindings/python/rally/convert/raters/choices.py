"""What a caller says of a rater besides its configuration: score, reading, and policies under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError

#: Fields of the configuration that a caller's choices become.
CHOSEN = (
    "pooling",
    "score",
    "score_label",
    "score_index",
    "score_values",
    "int_score",
    "reading",
    "reading_tokens",
    "reading_characters",
    "reading_join",
    "text_template",
)

#: How the makers of published raters read a document and report their score, by names of our own.
POLICIES: dict[str, dict[str, Any]] = {
    "fineweb-edu": {"reading": "first", "reading_tokens": 512, "int_score": (0.0, 5.0)},
    "finemath": {"reading": "middle", "reading_characters": 10000, "reading_tokens": 512, "int_score": (0.0, 5.0)},
    "finepdfs": {"reading": "ends", "reading_characters": 10000, "reading_tokens": 2048, "reading_join": "max"},
    "meta-rater": {"score": "expectation"},
    "nemo-domain": {"reading": "first", "reading_characters": 2000, "reading_tokens": 512},
    "nemo-quality": {"reading": "first", "reading_characters": 6000, "reading_tokens": 1024},
    "qurater": {"reading_tokens": 512, "score": "none"},
    "weborganizer": {"reading": "first", "reading_tokens": 8192, "text_template": "{url}\n\n{text}"},
}


@dataclass(frozen=True)
class RaterChoices:
    """What comes before the configuration; None where it stands.

    Attributes
    ----------
    policy : str, optional
        One of :data:`POLICIES`; the other fields come before it.
    score : str, optional
        ``logit``, ``expectation``, ``softmax``, ``sigmoid`` or ``none``; of one output: ``softmax:LABEL``.
    int_score : tuple of two float, optional
        Bounds of the score that is reported as a whole number, too.
    reading : {"windows", "first", "middle", "ends"}, optional
    reading_tokens, reading_characters : int, optional
    reading_join : {"mean", "max", "min"}, optional
    text_template : str, optional
    pooling : {"cls", "mean", "last"}, optional
        Of a BERT: a linear head without its pooler, or, where there is no head, embeddings.
    """

    policy: str | None = None
    score: str | None = None
    int_score: tuple[float, float] | None = None
    reading: str | None = None
    reading_tokens: int | None = None
    reading_characters: int | None = None
    reading_join: str | None = None
    text_template: str | None = None
    pooling: str | None = None

    def values(self) -> dict[str, Any]:
        """Return them under the names that a configuration has for them."""
        if self.policy is not None and self.policy not in POLICIES:
            raise ModelFileError(f"--policy {self.policy!r} is not known; known: {', '.join(POLICIES)}")
        values = dict(POLICIES[self.policy]) if self.policy else {}
        names = (
            "int_score", "reading", "reading_tokens", "reading_characters", "reading_join", "text_template", "pooling",
        )  # fmt: skip
        values |= {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.score is not None:
            rule, _, label = self.score.partition(":")
            values |= {"score": rule} | ({"score_label": label} if label else {})
        return values

    def applied(self, config: Settings) -> Settings:
        """Return the configuration with these values in it."""
        merged: Mapping[str, Any] = {**config.values, **self.values()}
        return Settings(merged, config.source)

    def refuse(self, kind: str) -> None:
        """Raise an error where something was said of a model that is no rater."""
        given = self.values()
        if given:
            raise ModelFileError(f"--{next(iter(given)).replace('_', '-')} is for raters, found a {kind}")
