"""A looped model of format 2, small and with as many of its keys as go together: what no shipped model has.

`looped.py` writes it to the standard output.
"""

from __future__ import annotations

import random
import struct
import sys

from wire import BYTES, VARINT, Field

WIDTH, HEADS, GROUPS, HEAD_DIM, INNER, VOCABULARY, RECURSIONS = 16, 2, 1, 8, 24, 64, 3

SETTINGS: dict[str, object] = {
    "format": "2",
    "kind": "lm",
    "name": "looped",
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS,
    "head_dim": HEAD_DIM,
    "intermediate_size": INNER,
    "max_position_embeddings": 64,
    "norm": "rmsnorm",
    "norm_eps": "1e-05",
    "norm_position": "sandwich",
    "norm_bias": "false",
    "hidden_act": "silu",
    "mlp": "gated",
    "attention_bias": "q,k,v",
    "mlp_bias": "down",
    "positions": "rope",
    "tokenizer": "none",
    "tie_word_embeddings": "true",
    "num_first_layers": "1",
    "num_block_layers": "1",
    "num_last_layers": "1",
    "num_recursion": RECURSIONS,
    "sharing": "middle_cycle",
    "routing": "none",
    "qk_norm": "head",
    "attention": "causal",
    "layers_without_input_norm": "0",
    "sliding_window": "5",
    "layer_types": "full_attention,sliding_attention,full_attention",
    "rope_tables": "2",
    "rope_attention_factors": "1.0,1.25",
    "rope_layers": "none,1,0",
    "rope_scaling": "by hand",
    "embed_scale": "1.5",
    "loop_norm": "true",
    "injection": "concat",
    "injection_bias": "true",
    "initial_state": "seeded",
    "initial_state_std": "0.02",
    "initial_state_seed": "7",
    "exit": "hazard",
    "exit_threshold": "0.6",
    "exit_gates": RECURSIONS,
    "natural_depth": "1.5",
    "kv_cache": "last_exited",
    "eos_token_ids": "1,2",
    "chat_template": "{{ messages }}",
}


def looped_model() -> bytes:
    """The bytes of the file: the same ones each time."""
    return model_file(SETTINGS, shapes())


def model_file(settings: dict[str, object], shapes: dict[str, tuple[int, ...]]) -> bytes:
    """The bytes of a file with these settings and weights."""
    stream = random.Random(7)
    tensors = [tensor(name, extents, stream) for name, extents in shapes.items()]
    node = message((1, b"input_ids"), (2, b"depth"), (4, b"Identity"))
    values = [message((1, name), (2, INT64_ROWS)) for name in (b"input_ids", b"depth")]
    graph = message((1, node), (2, b"graph"), *((5, one) for one in tensors), (11, values[0]), (12, values[1]))
    pairs = [message((1, f"rally.{key}".encode()), (2, str(value).encode())) for key, value in settings.items()]
    return message((1, 8), (7, graph), (8, message((1, b""), (2, 17))), *((14, pair) for pair in pairs))


def shapes() -> dict[str, tuple[int, ...]]:
    """All weights, in the order of ``docs/format.md``."""
    listed: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (VOCABULARY, WIDTH)}
    listed |= {f"rope.{table}.inv_freq": (HEAD_DIM // 2,) for table in range(2)}
    for name in ("first.0", "block.0", "last.0"):
        listed |= {f"{name}.{suffix}": extents for suffix, extents in layer_shapes().items()}
    del listed["first.0.input_layernorm.weight"]
    listed |= {"norm.weight": (WIDTH,), "adapter.weight": (WIDTH, 2 * WIDTH), "adapter.bias": (WIDTH,)}
    for recursion in range(RECURSIONS):
        listed |= {f"exit.{recursion}.weight": (1, WIDTH), f"exit.{recursion}.bias": (1,)}
    return listed


def layer_shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of one layer."""
    queries, keys = HEADS * HEAD_DIM, GROUPS * HEAD_DIM
    norms = ("input_layernorm", "input_layernorm_2", "post_attention_layernorm", "post_attention_layernorm_2")
    listed: dict[str, tuple[int, ...]] = {f"{norm}.weight": (WIDTH,) for norm in norms}
    for letter, rows in (("q", queries), ("k", keys), ("v", keys)):
        listed |= {f"self_attn.{letter}_proj.weight": (rows, WIDTH), f"self_attn.{letter}_proj.bias": (rows,)}
    listed |= {f"self_attn.{letter}_norm.weight": (HEAD_DIM,) for letter in "qk"}
    listed |= {"self_attn.o_proj.weight": (WIDTH, queries)}
    listed |= {f"mlp.{name}_proj.weight": (INNER, WIDTH) for name in ("gate", "up")}
    return listed | {"mlp.down_proj.weight": (WIDTH, INNER), "mlp.down_proj.bias": (WIDTH,)}


def tensor(name: str, extents: tuple[int, ...], stream: random.Random) -> bytes:
    """A TensorProto of f32 values, in ``raw_data``."""
    count = 1
    for extent in extents:
        count *= extent
    values = [stream.gauss(1.0 if len(extents) == 1 else 0.0, 0.3) for _ in range(count)]
    dims = [(1, extent) for extent in extents]
    return message(*dims, (2, 1), (8, name.encode()), (9, struct.pack(f"<{count}f", *values)))


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """A protobuf message of these fields."""
    return b"".join(
        Field(number, VARINT if isinstance(value, int) else BYTES, value).raw_bytes() for number, value in fields
    )


#: The type of an int64 value of shape [B, T].
INT64_ROWS = message((1, message((1, 7), (2, message(*((1, message((2, extent))) for extent in (b"B", b"T")))))))

if __name__ == "__main__":
    sys.stdout.buffer.write(looped_model())
