"""What a model file says about its model: the ``rally.*`` metadata of ``docs/format.md``, typed."""

from __future__ import annotations

from dataclasses import dataclass

from rally.modelfile.rope import RopeTable
from rally.modelfile.tokenizers import AnyTokenizer, Pipeline


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

#: Of layers; a rater's head may have ``tanh`` as well.
ACTIVATIONS_OF_FORMAT_1 = ("silu", "gelu", "gelu_tanh", "relu")

#: The greatest numbers that the engine reads from a file: of any size, of layers that a token runs through, of
#: recursions, whose depths are kept in a byte, and of positions where a graph has a table of their distances.
MAX_INTEGER = 2**31 - 1
MAX_LAYERS = 65536
MAX_RECURSIONS = 255
MAX_DISTANCE = 1 << 20

#: Which tokens see which, by kind, where nothing else is said.
_ATTENTION = {"lm": "causal", "rater": "bidirectional"}


@dataclass(frozen=True, kw_only=True)
class Description:
    """What every model has: the fields of ``docs/format.md``, under their names there.

    A biased projection is named by its letter or word (``q``, ``up``), True means all of them. ``attention`` is
    ``causal`` or ``bidirectional``, None what is usual for the kind. Lists over the layers count first, block and last
    layers.
    """

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
    attention_bias: bool | tuple[str, ...] = False
    mlp_bias: bool | tuple[str, ...] = False
    positions: str = "rope"
    rope_theta: float = 10000.0
    rope_tables: tuple[RopeTable, ...] = ()
    rope_layers: tuple[int | None, ...] = ()
    rope_scaling: str | None = None
    layers_without_input_norm: tuple[int, ...] = ()
    qk_norm: str = "none"
    attention: str | None = None
    sliding_window: int | None = None
    layer_types: tuple[str, ...] = ()
    embed_scale: float = 1.0
    tokenizer: AnyTokenizer | None = None

    @property
    def kind(self) -> str:
        """``lm`` or ``rater``."""
        raise NotImplementedError

    @property
    def stored_layer_count(self) -> int:
        """Layers that the file describes."""
        return self.num_block_layers

    @property
    def is_causal(self) -> bool:
        """Tell whether a token sees only itself and what stands before it."""
        return (self.attention or _ATTENTION[self.kind]) == "causal"

    def biased(self, module: str, name: str) -> bool:
        """Tell whether projection ``name`` of ``module``, ``attention`` or ``mlp``, has a bias."""
        biases: bool | tuple[str, ...] = getattr(self, f"{module}_bias")
        return biases if isinstance(biases, bool) else name in biases

    def slides(self, layer: int) -> bool:
        """Tell whether a layer sees the window alone."""
        return bool(self.layer_types) and self.layer_types[layer] == "sliding_attention"

    def rope_table(self, layer: int) -> int | None:
        """Return the table by which a layer turns queries and keys; None: it does not."""
        if self.positions != "rope":
            return None
        return self.rope_layers[layer] if self.rope_layers else 0

    def _own_metadata(self) -> dict[str, object]:
        raise NotImplementedError

    def _newer_metadata(self) -> dict[str, object]:
        """Return the keys of format 2 that say something else than their default."""
        names = ("layers_without_input_norm", "attention", "sliding_window", "layer_types")
        pairs: dict[str, object] = {name: value for name in names if (value := getattr(self, name))}
        if self.attention == _ATTENTION[self.kind]:
            del pairs["attention"]
        if self.qk_norm != "none":
            pairs["qk_norm"] = self.qk_norm
        if self.rope_tables:
            factors = tuple(table.attention_factor for table in self.rope_tables)
            pairs |= {"rope_tables": len(factors), "rope_attention_factors": factors}
        pairs |= {name: value for name in ("rope_layers", "rope_scaling") if (value := getattr(self, name))}
        if self.embed_scale != 1.0:
            pairs["embed_scale"] = self.embed_scale
        return pairs

    def _uses_newer_values(self) -> bool:
        """Tell whether a key of format 1 has a value that format 1 does not know."""
        listed = isinstance(self.attention_bias, tuple) or isinstance(self.mlp_bias, tuple)
        newer = self.norm_position in ("sandwich", "branch") or self.hidden_act not in ACTIVATIONS_OF_FORMAT_1
        return listed or newer or isinstance(self.tokenizer, Pipeline)

    def metadata(self) -> dict[str, str]:
        """Return every ``rally.*`` key that applies; format 1 where that says everything."""
        newer = self._newer_metadata()
        number = 2 if newer or self._uses_newer_values() else 1
        pairs: dict[str, object] = {"format": number, "kind": self.kind, "name": self.name}
        for name in _COMMON:
            pairs[name] = getattr(self, name)
        if self.positions == "rope" and not self.rope_tables:
            pairs["rope_theta"] = self.rope_theta
        pairs["tokenizer"] = self.tokenizer.kind if self.tokenizer else "none"
        if self.tokenizer:
            pairs |= self.tokenizer.metadata()
        pairs |= self._own_metadata() | newer
        return {f"rally.{key}": _text(value) for key, value in pairs.items()}
