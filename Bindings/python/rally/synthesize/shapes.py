"""The shapes that can be synthesized: the paper's models, their baselines, and the default rater."""

from __future__ import annotations

from dataclasses import replace

from rally.modelfile import Description, LanguageModel, Rater, RopeTable, Routing
from rally.modelfile.rope import plain_frequencies


def _llama(width: int, heads: int, groups: int, inner: int, layers: int) -> LanguageModel:
    """Return a vanilla SmolLM shape: vocabulary 49152, 2048 positions, tied head, K = 64."""
    return LanguageModel(
        name="",
        vocab_size=49152,
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=groups,
        head_dim=64,
        intermediate_size=inner,
        max_position_embeddings=2048,
        num_block_layers=layers,
        tie_word_embeddings=True,
    )


def _recursive(base: LanguageModel, recursions: int, layers: int) -> LanguageModel:
    """Return the middle-cycle Recursive model with 1 + ``layers`` + 1 physical layers."""
    return replace(
        base,
        num_first_layers=1,
        num_block_layers=layers,
        num_last_layers=1,
        num_recursion=recursions,
        sharing="middle_cycle",
    )


def _mor(base: LanguageModel, recursions: int, layers: int) -> LanguageModel:
    """Return the expert-choice model with the published defaults."""
    routing = Routing(
        kind="expert",
        router_type="linear",
        router_func="sigmoid",
        alpha=0.1,
        temp=1.0,
        gating="weighted",
        kv_cache="recursion",
        capacity=tuple((recursions - r) / recursions for r in range(recursions)),
    )
    return replace(_recursive(base, recursions, layers), routing=routing)


def _ouro(width: int, heads: int, inner: int, layers: int) -> LanguageModel:
    """Return ByteDance's looped shape: four loops of all layers, sandwich norms, a gate by which tokens leave."""
    return replace(
        _llama(width, heads, heads, inner, layers),
        head_dim=width // heads,
        max_position_embeddings=65536,
        norm_eps=1e-6,
        norm_position="sandwich",
        rope_theta=1e6,
        tie_word_embeddings=False,
        num_recursion=4,
        sharing="cycle",
        loop_norm=True,
        exit="hazard",
    )


_135M = _llama(576, 9, 3, 1536, 30)
_360M = _llama(960, 15, 5, 2560, 32)

_TINY = replace(
    _llama(128, 4, 2, 256, 2), head_dim=32, vocab_size=1024, max_position_embeddings=512, tie_word_embeddings=False
)

_RATER_50M = Rater(
    name="",
    vocab_size=32000,
    hidden_size=512,
    num_attention_heads=8,
    num_key_value_heads=8,
    head_dim=64,
    intermediate_size=2048,
    max_position_embeddings=2048,
    num_block_layers=8,
    score_provenance="random weights",
)

#: BERT-base uncased with a pooler and one score: FineWeb-Edu's shape.
_BERT_BASE = Rater(
    name="",
    vocab_size=30522,
    hidden_size=768,
    num_attention_heads=12,
    num_key_value_heads=12,
    head_dim=64,
    intermediate_size=3072,
    max_position_embeddings=512,
    num_block_layers=12,
    norm="layernorm",
    norm_eps=1e-12,
    norm_position="post",
    norm_bias=True,
    hidden_act="gelu",
    mlp="plain",
    attention_bias=True,
    mlp_bias=True,
    positions="learned",
    embed_norm=True,
    final_norm="none",
    pooling="cls",
    head="mlp",
    head_act="tanh",
    score_provenance="random weights",
)

#: ModernBERT-base with one score: every third layer sees all tokens, the others 64 to each side.
_MODERNBERT_BASE = Rater(
    name="",
    vocab_size=50368,
    hidden_size=768,
    num_attention_heads=12,
    num_key_value_heads=12,
    head_dim=64,
    intermediate_size=1152,
    max_position_embeddings=8192,
    num_block_layers=22,
    norm="layernorm",
    norm_eps=1e-5,
    hidden_act="gelu",
    layers_without_input_norm=(0,),
    sliding_window=128,
    layer_types=tuple("sliding_attention" if index % 3 else "full_attention" for index in range(22)),
    rope_tables=tuple(RopeTable(tuple(plain_frequencies(theta, 64).tolist())) for theta in (160000.0, 10000.0)),
    rope_layers=tuple(1 if index % 3 else 0 for index in range(22)),
    embed_norm=True,
    final_norm="tokens",
    pooling="cls",
    head="mlp",
    head_act="gelu",
    head_norm=True,
    score_provenance="random weights",
)

#: Name on the command line → description without its name.
SHAPES: dict[str, Description] = {
    "vanilla-135m": _135M,
    "vanilla-360m": _360M,
    "vanilla-360m-l34": replace(_360M, num_block_layers=34),
    "recursive-360m-r3": _recursive(_360M, 3, 10),
    "mor-135m-r3": _mor(_135M, 3, 10),
    "mor-360m-r2": _mor(_360M, 2, 15),
    "mor-360m-r3": _mor(_360M, 3, 10),
    "mor-360m-r4": _mor(_360M, 4, 8),
    "ouro-1.4b": _ouro(2048, 16, 5632, 24),
    "ouro-tiny": replace(_ouro(128, 4, 256, 2), vocab_size=1024, max_position_embeddings=512),
    "nanbeige-tiny": replace(_TINY, rope_theta=7e7, num_recursion=2, sharing="cycle", loop_norm=True),
    "retrofit-tiny": replace(
        _TINY,
        num_first_layers=1,
        num_last_layers=1,
        num_recursion=5,
        sharing="middle_cycle",
        injection="concat",
        initial_state="zeros",
        exit="latent_diff",
        exit_threshold=0.0,
    ),
    "rater-50m": _RATER_50M,
    "bert-base": _BERT_BASE,
    "modernbert-base": _MODERNBERT_BASE,
}
