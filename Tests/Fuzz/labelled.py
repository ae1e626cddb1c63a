"""A rater of format 2 with labels, a score rule and a reading policy: what the shipped one has not."""

from __future__ import annotations

from looped import model_file

WIDTH, INNER, VOCABULARY, POSITIONS, LABELS, HIDDEN = 16, 24, 64, 48, 3, 12

SETTINGS: dict[str, object] = {
    "format": "2",
    "kind": "rater",
    "name": "labelled",
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": WIDTH // 2,
    "intermediate_size": INNER,
    "max_position_embeddings": POSITIONS,
    "norm": "layernorm",
    "norm_eps": "1e-12",
    "norm_position": "post",
    "norm_bias": "true",
    "hidden_act": "gelu",
    "mlp": "plain",
    "attention_bias": "true",
    "mlp_bias": "true",
    "positions": "learned",
    "tokenizer": "none",
    "num_block_layers": "1",
    "embed_norm": "true",
    "final_norm": "none",
    "pooling": "last",
    "pad_token_id": "3",
    "head": "mlp",
    "head_act": "tanh",
    "head_norm": "true",
    "squash": "none",
    "packing": "document",
    "score_provenance": "",
    "discard_fraction": "none",
    "num_labels": LABELS,
    "labels": '["bad", "fair", "good"]',
    "score": "expectation",
    "score_values": "0,2.5,5",
    "int_score": "0,5",
    "reading": "ends",
    "reading_tokens": "20",
    "reading_characters": "100",
    "reading_join": "max",
    "text_template": "{url}\\n\\n{text}",
}


def labelled_model() -> bytes:
    """The bytes of the file: the same ones each time."""
    shapes: dict[str, tuple[int, ...]] = {
        "embed_tokens.weight": (VOCABULARY, WIDTH),
        "embed_positions.weight": (POSITIONS, WIDTH),
    }
    shapes |= norm("embed_norm", WIDTH)
    for letter in "qkvo":
        shapes |= linear(f"block.0.self_attn.{letter}_proj", WIDTH, WIDTH)
    shapes |= norm("block.0.input_layernorm", WIDTH) | norm("block.0.post_attention_layernorm", WIDTH)
    shapes |= linear("block.0.mlp.up_proj", INNER, WIDTH) | linear("block.0.mlp.down_proj", WIDTH, INNER)
    shapes |= linear("head.0", HIDDEN, WIDTH) | norm("head.norm", HIDDEN) | linear("head.1", LABELS, HIDDEN)
    return model_file(SETTINGS, shapes)


def linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a linear map."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a layer norm."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
