"""What a model file says of a rater: pooling, head, outputs, score, and what of a document is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from rally.modelfile.description import ACTIVATIONS_OF_FORMAT_1, Description

#: Score rules whose outputs are probabilities.
PROBABILITIES = ("softmax", "sigmoid", "expectation")

#: What belongs to ``positions = disentangled``.
_DISENTANGLED = ("position_buckets", "max_relative_positions", "pos_att_type")


@dataclass(frozen=True)
class Reading:
    """Which part of a document is read, and what its windows make together: the defaults of the format.

    Attributes
    ----------
    part : {"windows", "first", "middle", "ends"}
        All of it window after window; one window of its beginning, or of what stands around its middle; the first and
        the last window.
    tokens : int, optional
        Tokens of a window, with those that the tokenizer adds; None: the longest row.
    characters : int, optional
        Unicode scalars that are read: of the beginning, to both sides of the middle, or of each end; None: all.
    join : {"mean", "max", "min"}
        The mean is weighted by the windows' tokens.
    """

    part: str = "windows"
    tokens: int | None = None
    characters: int | None = None
    join: str = "mean"

    def metadata(self) -> dict[str, object]:
        """Return the keys that say something else than their default, without the ``rally.`` prefix."""
        pairs: dict[str, object] = {"reading": self.part, "reading_join": self.join}
        usual = {"reading": "windows", "reading_join": "mean"}
        pairs = {key: value for key, value in pairs.items() if value != usual[key]}
        if self.tokens is not None:
            pairs["reading_tokens"] = self.tokens
        if self.characters is not None:
            pairs["reading_characters"] = self.characters
        return pairs


@dataclass(frozen=True, kw_only=True)
class Rater(Description):
    """A transformer that gives one or several numbers to a row of tokens.

    ``labels`` names the outputs; empty for one output without a name. ``score`` says how one number comes of them:
    ``logit``, ``softmax`` or ``sigmoid`` of output ``score_index``, the ``expectation`` of ``score_values`` (0 … n−1
    where empty), or ``none``. Without an index, ``softmax`` and ``sigmoid`` make probabilities and no score. ``head``
    ``none`` leaves no outputs: the pooled states are what the model gives. ``pooling`` ``late`` is the mean of what the
    first layer of an ``mlp`` head makes of each token.
    """

    position_buckets: int = 0
    max_relative_positions: int = 0
    pos_att_type: tuple[str, ...] = ()
    embed_norm: bool = False
    final_norm: str = "tokens"
    pooling: str = "mean"
    pad_token_id: int | None = None
    head: str = "linear"
    head_act: str = "gelu"
    head_norm: bool = False
    labels: tuple[str, ...] = ()
    score: str = "logit"
    score_index: int | None = None
    score_values: tuple[float, ...] = ()
    int_score: tuple[float, float] | None = None
    squash: str = "none"
    squash_temperature: float = 1.0
    squash_min: float = 0.0
    squash_max: float = 1.0
    reading: Reading = Reading()
    text_template: str | None = None
    packing: str = "document"
    score_provenance: str = ""
    discard_fraction: float | None = None
    score_cdf: tuple[float, ...] = field(default=(), repr=False)

    @property
    def kind(self) -> str:
        """Always ``rater``."""
        return "rater"

    @property
    def num_labels(self) -> int:
        """Outputs."""
        return 0 if self.head == "none" else max(1, len(self.labels))

    @property
    def has_score(self) -> bool:
        """Tell whether the outputs make one score."""
        return self.head != "none" and (
            self.score in ("logit", "expectation") or (self.score != "none" and self.score_index is not None)
        )

    @property
    def has_logits(self) -> bool:
        """Tell whether the graph shows the outputs besides the score."""
        return self.head != "none" and (bool(self.labels) or self.score != "logit")

    def _own_metadata(self) -> dict[str, object]:
        pairs: dict[str, object] = {
            name: getattr(self, name) for name in ("num_block_layers", "embed_norm", "final_norm", "pooling", "head")
        }
        if self.head == "mlp":
            pairs["head_act"] = self.head_act
        pairs["squash"] = self.squash
        if self.squash != "none":
            pairs["squash_temperature"] = self.squash_temperature
        if self.squash == "clamp":
            pairs |= {"squash_min": self.squash_min, "squash_max": self.squash_max}
        names = ("packing", "score_provenance", "discard_fraction")
        return pairs | {name: getattr(self, name) for name in names}

    def _uses_newer_values(self) -> bool:
        head = self.head_act if self.head == "mlp" else "tanh"
        return super()._uses_newer_values() or self.pooling == "late" or head not in (*ACTIVATIONS_OF_FORMAT_1, "tanh")

    def _newer_metadata(self) -> dict[str, object]:
        pairs = super()._newer_metadata() | self._outputs() | self.reading.metadata()
        if self.positions == "disentangled":
            pairs |= {name: getattr(self, name) for name in _DISENTANGLED}
        if self.head == "mlp" and self.head_norm:
            pairs["head_norm"] = True
        names = ["int_score", "text_template"] + (["pad_token_id"] if self.pooling == "last" else [])
        return pairs | {name: value for name in names if (value := getattr(self, name)) is not None}

    def _outputs(self) -> dict[str, object]:
        if not self.has_logits:
            return {}
        pairs: dict[str, object] = {"num_labels": self.num_labels, "score": self.score}
        if self.labels:
            pairs["labels"] = json.dumps(self.labels, ensure_ascii=False)
        if self.score in ("logit", "softmax", "sigmoid") and self.score_index is not None:
            pairs["score_index"] = self.score_index
        if self.score == "expectation" and self.score_values:
            pairs["score_values"] = self.score_values
        return pairs
