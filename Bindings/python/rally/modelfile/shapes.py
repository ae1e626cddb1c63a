"""Shapes of the weights that a description implies."""

from __future__ import annotations

from rally.modelfile.description import Description
from rally.modelfile.rater import Rater

#: Norms of a layer before and after the attention, before and after the feed-forward, by ``norm_position``.
_NORMS = {
    "pre": ("input_layernorm", "post_attention_layernorm"),
    "post": ("input_layernorm", "post_attention_layernorm"),
    "branch": ("input_layernorm_2", "post_attention_layernorm_2"),
    "sandwich": ("input_layernorm", "input_layernorm_2", "post_attention_layernorm", "post_attention_layernorm_2"),
}


def layer_dims(model: Description, layer: int | None = None) -> dict[str, tuple[int, ...]]:
    """Return the tensors of one layer and their shapes, matrices as [out, in].

    ``layer`` counts first, block and last layers; None stands for a layer that lacks nothing.
    """
    width, inner = model.hidden_size, model.intermediate_size
    queries = model.num_attention_heads * model.head_dim
    keys = model.num_key_value_heads * model.head_dim
    attention = {"q": (queries, width), "k": (keys, width), "v": (keys, width), "o": (width, queries)}
    feed = ({"gate": (inner, width)} if model.mlp == "gated" else {}) | {"up": (inner, width), "down": (width, inner)}
    norms = _NORMS[model.norm_position]
    before, after = norms[: len(norms) // 2], norms[len(norms) // 2 :]
    if layer in model.layers_without_input_norm:
        before = tuple(name for name in before if name != "input_layernorm")

    dims = _norms(model, before) | _linear(model, "attention", "self_attn", attention)
    if model.qk_norm == "head":
        dims |= {f"self_attn.{letter}_norm.weight": (model.head_dim,) for letter in "qk"}
    if isinstance(model, Rater) and model.positions == "disentangled":
        names = {"c2p": "pos_k", "p2c": "pos_q"}
        dims |= {
            f"self_attn.{names[kind]}": (2 * model.position_buckets, queries) for kind in sorted(model.pos_att_type)
        }
    return dims | _norms(model, after) | _linear(model, "mlp", "mlp", feed)


def _norms(model: Description, names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias") if model.norm_bias else ("weight",)
    return {f"{name}.{part}": (model.hidden_size,) for name in names for part in parts}


def _linear(
    model: Description, biases: str, module: str, weights: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, ...]]:
    dims: dict[str, tuple[int, ...]] = {}
    for name, shape in weights.items():
        dims[f"{module}.{name}_proj.weight"] = shape
        if model.biased(biases, name):
            dims[f"{module}.{name}_proj.bias"] = shape[:1]
    return dims
