"""Shapes of the weights that a description implies."""

from __future__ import annotations

from rally.modelfile.description import Description


def layer_dims(model: Description) -> dict[str, tuple[int, ...]]:
    """Return the tensors of one layer and their shapes, matrices as [out, in]."""
    width, inner = model.hidden_size, model.intermediate_size
    queries = model.num_attention_heads * model.head_dim
    keys = model.num_key_value_heads * model.head_dim
    norm = dict.fromkeys(("weight", "bias") if model.norm_bias else ("weight",), (width,))
    attention = {"q": (queries, width), "k": (keys, width), "v": (keys, width), "o": (width, queries)}
    feed = ({"gate": (inner, width)} if model.mlp == "gated" else {}) | {"up": (inner, width), "down": (width, inner)}

    dims: dict[str, tuple[int, ...]] = {f"input_layernorm.{part}": shape for part, shape in norm.items()}
    dims |= _linear("self_attn", attention, model.attention_bias)
    dims |= {f"post_attention_layernorm.{part}": shape for part, shape in norm.items()}
    return dims | _linear("mlp", feed, model.mlp_bias)


def _linear(module: str, weights: dict[str, tuple[int, int]], biased: bool) -> dict[str, tuple[int, ...]]:
    dims: dict[str, tuple[int, ...]] = {}
    for letter, shape in weights.items():
        dims[f"{module}.{letter}_proj.weight"] = shape
        if biased:
            dims[f"{module}.{letter}_proj.bias"] = shape[:1]
    return dims
