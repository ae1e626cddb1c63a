"""What a model file says about its model: the ``rally.*`` metadata of ``docs/format.md``, typed."""

from __future__ import annotations

from dataclasses import dataclass, field

from rally.modelfile.tokenizers import Tokenizer, WordPiece


def _text(value: object) -> str:
    """Write a value as the format does: ``true``/``false``, decimal numbers, ``none``, comma-separated lists."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, tuple):
        return ",".join(_text(item) for item in value)
    return str(value)


#: Keys of every model that are stored as they are, in the order of ``docs/format.md``.
_COMMON = (
    "vocab_size",
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "max_position_embeddings",
    "norm",
    "norm_eps",
    "norm_position",
    "norm_bias",
    "hidden_act",
    "mlp",
    "attention_bias",
    "mlp_bias",
    "positions",
)


@dataclass(frozen=True)
class Routing:
    """How tokens leave the shared block."""

    kind: str
    router_type: str
    router_func: str
    alpha: float
    temp: float
    gating: str
    kv_cache: str
    capacity: tuple[float, ...] = ()
    aux_router: bool = False
    router_bias: bool = False

    def metadata(self) -> dict[str, object]:
        """Return the keys of a routed model, without the ``rally.`` prefix."""
        pairs: dict[str, object] = {
            "router_type": self.router_type,
            "router_func": self.router_func,
            "router_alpha": self.alpha,
            "router_temp": self.temp,
            "gating": self.gating,
            "kv_cache": self.kv_cache,
        }
        if self.kind == "expert":
            return pairs | {"capacity": self.capacity, "aux_router": self.aux_router}
        return pairs | {"router_bias": self.router_bias}


@dataclass(frozen=True, kw_only=True)
class Description:
    """What every model has: the fields of ``docs/format.md``, under their names there."""

    name: str
    vocab_size: int
    hidden_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    max_position_embeddings: int
    num_block_layers: int
    norm: str = "rmsnorm"
    norm_eps: float = 1e-5
    norm_position: str = "pre"
    norm_bias: bool = False
    hidden_act: str = "silu"
    mlp: str = "gated"
    attention_bias: bool = False
    mlp_bias: bool = False
    positions: str = "rope"
    rope_theta: float = 10000.0
    tokenizer: Tokenizer | WordPiece | None = None

    @property
    def kind(self) -> str:
        """``lm`` or ``rater``."""
        raise NotImplementedError

    def _own_metadata(self) -> dict[str, object]:
        raise NotImplementedError

    def metadata(self) -> dict[str, str]:
        """Return every ``rally.*`` key that applies, in the order of ``docs/format.md``."""
        pairs: dict[str, object] = {"format": 1, "kind": self.kind, "name": self.name}
        for name in _COMMON:
            pairs[name] = getattr(self, name)
        if self.positions == "rope":
            pairs["rope_theta"] = self.rope_theta
        pairs["tokenizer"] = self.tokenizer.kind if self.tokenizer else "none"
        if self.tokenizer:
            pairs |= self.tokenizer.metadata()
        pairs |= self._own_metadata()
        return {f"rally.{key}": _text(value) for key, value in pairs.items()}


@dataclass(frozen=True, kw_only=True)
class LanguageModel(Description):
    """A vanilla, Recursive or Mixture-of-Recursions language model."""

    tie_word_embeddings: bool
    num_first_layers: int = 0
    num_last_layers: int = 0
    num_recursion: int = 1
    sharing: str = "none"
    routing: Routing | None = None

    @property
    def kind(self) -> str:
        """Always ``lm``."""
        return "lm"

    @property
    def layer_applications(self) -> int:
        """Layers a token runs through at full depth."""
        return self.num_first_layers + self.num_recursion * self.num_block_layers + self.num_last_layers

    def _own_metadata(self) -> dict[str, object]:
        pairs: dict[str, object] = {
            "tie_word_embeddings": self.tie_word_embeddings,
            "num_first_layers": self.num_first_layers,
            "num_block_layers": self.num_block_layers,
            "num_last_layers": self.num_last_layers,
            "num_recursion": self.num_recursion,
            "sharing": self.sharing,
            "routing": self.routing.kind if self.routing else "none",
        }
        return pairs | (self.routing.metadata() if self.routing else {})


@dataclass(frozen=True, kw_only=True)
class Rater(Description):
    """A transformer that gives one score to a row of tokens."""

    embed_norm: bool = False
    final_norm: str = "tokens"
    pooling: str = "mean"
    head: str = "linear"
    head_act: str = "gelu"
    squash: str = "none"
    squash_temperature: float = 1.0
    squash_min: float = 0.0
    squash_max: float = 1.0
    packing: str = "document"
    score_provenance: str = ""
    discard_fraction: float | None = None
    score_cdf: tuple[float, ...] = field(default=(), repr=False)

    @property
    def kind(self) -> str:
        """Always ``rater``."""
        return "rater"

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
