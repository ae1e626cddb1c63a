"""Small models with random weights and a byte tokenizer, written through `rally.modelfile`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import variants
from onnx import TensorProto

from rally.convert import convert
from rally.modelfile import Description, LanguageModel, Rater, Routing, Tokenizer, write_model
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import Tensor, bfloat16_bits, float_tensor

END = "<|endoftext|>"
MERGES = ("t h", "th e", "Ġ the", "i n", "e r", "a n", "Ġ a", "Ã ©")


def byte_alphabet() -> list[str]:
    """GPT-2's printable character for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    table = dict(zip(printable, map(chr, printable), strict=True)) | {
        byte: chr(256 + i) for i, byte in enumerate(others)
    }
    return [table[byte] for byte in range(256)]


def tokenizer(**changes: Any) -> Tokenizer:
    """256 bytes, a few merges, and one special token, which is both bos and eos."""
    vocab = (*byte_alphabet(), *(merge.replace(" ", "") for merge in MERGES), END)
    end = len(vocab) - 1
    default = Tokenizer("gpt2", False, end, end, False, False, vocab, MERGES, (end,), (end,))
    return replace(default, **changes)


TOKENIZER = tokenizer()
VOCAB = len(TOKENIZER.vocab) + 3  # ids beyond the tokenizer are legal

EXPERT = Routing("expert", "linear", "sigmoid", 0.1, 1.0, "weighted", "recursion", (1.0, 2 / 3, 1 / 3))
TOKEN = Routing("token", "linear", "softmax", 1.0, 1.0, "weighted", "recursion")

_SIZES: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "intermediate_size": 80,
    "max_position_embeddings": 256,
    "tokenizer": TOKENIZER,
}

MOR = LanguageModel(
    name="random MoR",
    num_block_layers=2,
    tie_word_embeddings=True,
    num_first_layers=1,
    num_last_layers=1,
    num_recursion=3,
    sharing="middle_cycle",
    routing=EXPERT,
    **_SIZES,
)
VANILLA = LanguageModel(name="random vanilla", num_block_layers=3, tie_word_embeddings=False, **_SIZES)
RATER = Rater(name="random rater", num_block_layers=2, **_SIZES)

LANGUAGE_MODELS = {
    "vanilla": VANILLA,
    "recursive": replace(MOR, routing=None),
    "expert": MOR,
    "expert shared": replace(MOR, routing=replace(EXPERT, kv_cache="shared")),
    "token": replace(MOR, routing=TOKEN),
    "token shared": replace(MOR, routing=replace(TOKEN, kv_cache="shared")),
}

_LOOPED = replace(
    MOR,
    routing=None,
    num_first_layers=0,
    num_last_layers=0,
    sharing="cycle",
    qk_norm="head",
    attention_bias=("q", "k", "v"),
)
LOOPED = {
    "looped": replace(_LOOPED, norm_position="sandwich", loop_norm=True, exit="hazard", exit_threshold=0.6),
    "looped by difference": replace(
        _LOOPED,
        sharing="middle_cycle",
        num_first_layers=2,
        num_last_layers=1,
        injection="concat",
        exit="latent_diff",
        exit_threshold=1.12,
        sliding_window=40,
        layer_types=("sliding_attention", "full_attention") * 2 + ("full_attention",),
        rope_layers=(0, None, 0, 0, 0),
    ),
    "looped, untied": replace(_LOOPED, exit="hazard", exit_gates=3, exit_threshold=0.6, kv_cache="propagated"),
}
"""Whose tokens leave by a rule of the model; random gates spread their depths."""


DTYPES = ("f32", "bf16", "int8")
"""Element types that a model can be computed in."""

CONVERTED: dict[str, dict[str, Any]] = {
    "cycle": {"sharing": "cycle", "sampling": "aux_loss", "capacity": [1.0, 2 / 3, 1 / 3]},
    "auxiliary routers": {"sharing": "middle_cycle", "sampling": "aux_router", "capacity": [1.0, 2 / 3, 1 / 3]},
    "untied blocks": {"rally.routing": "expert", "untied": "attn", "capacity": [1.0, 1.0, 0.5]},
    "depth 0": {"rally.routing": "expert", "rally.kv_cache": "recursion", "capacity": [0.7, 0.5, 0.5]},
    "token bias": {"rally.routing": "token", "balancing": "loss_free", "rally.router_type": "mlp"},
    "recursive cycle": {"rally.routing": "none", "rally.sharing": "cycle"},
    "recursive sequence": {"rally.routing": "none", "rally.sharing": "sequence"},
}
"""Settings of cases in `variants`, by name."""

NAMES = (*LANGUAGE_MODELS, *LOOPED, *CONVERTED, "rally-tiny")
"""Of language models that can generate, for `path`."""


def path(folder: Path, name: str) -> Path:
    """The file of a model by its name: of `LANGUAGE_MODELS`, `LOOPED` or `CONVERTED`, or "rally-tiny"; written once."""
    if name == "rally-tiny":
        return Path(__file__).resolve().parents[3] / "Examples" / "models" / "rally-tiny.onnx"
    place = folder / f"{name}.onnx"
    if place.exists():
        return place
    if model := (LANGUAGE_MODELS | LOOPED).get(name):
        return write(place, model)
    wanted = CONVERTED[name]
    case = next(
        case
        for case in variants.language_models()
        if "hybrid" not in case.name
        and all((case.expected | (case.mor or {}) | untied(case)).get(key) == value for key, value in wanted.items())
    )
    convert(case.write(folder / f"{name} checkpoint"), place, quiet=True)
    return place


def untied(case: variants.Case) -> dict[str, str]:
    return {"untied": case.name.partition("untied=")[2].partition("-")[0]}


def stored(name: str, values: np.ndarray, element: int) -> Tensor:
    """A tensor that holds `values` as FLOAT, FLOAT16 or BFLOAT16."""
    tensor = float_tensor(name, values)
    if element == TensorProto.FLOAT:
        return tensor
    single = tensor.load()
    array = single.astype(np.float16) if element == TensorProto.FLOAT16 else bfloat16_bits(single)
    return replace(tensor, element=element, load=lambda: array)


def parts(model: Description) -> list[str]:
    """Names of the stored layers, in their order."""
    counts = {"first": 0, "block": model.num_block_layers, "last": 0}
    if isinstance(model, LanguageModel):
        counts |= {"first": model.num_first_layers, "last": model.num_last_layers}
    return [f"{part}.{layer}" for part, count in counts.items() for layer in range(count)]


def write(path: Path, model: Description, seed: int = 0, element: int = TensorProto.FLOAT) -> Path:
    """Write `model` with random weights of order one, so that every part of it matters to the result."""
    random = np.random.default_rng(seed)
    width = model.hidden_size

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape) * (1.5 / shape[-1] ** 0.5)

    weights = {"embed_tokens.weight": 0.4 * random.standard_normal((model.vocab_size, width))}
    for layer, part in enumerate(parts(model)):
        for name, shape in layer_dims(model, layer).items():
            one = 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0
            weights[f"{part}.{name}"] = one + (0.1 if len(shape) == 1 else 1.0) * normal(*shape)
    if isinstance(model, LanguageModel) and model.kv_cache == "propagated":
        # Untied: each recursion has a feed-forward of its own in layer 0, and so layers of its own.
        shared = weights.pop("block.0.mlp.up_proj.weight")
        for recursion in range(model.num_recursion):
            weights[f"block.{recursion}.0.mlp.up_proj.weight"] = shared + 0.5 * normal(*shared.shape)
    weights["norm.weight"] = 1 + 0.1 * normal(width)
    if model.norm_bias:
        weights["norm.bias"] = 0.1 * normal(width)
    if isinstance(model, LanguageModel):
        if not model.tie_word_embeddings:
            weights["lm_head.weight"] = normal(model.vocab_size, width)
        if model.routing and model.routing.kind == "expert":
            for recursion in range(model.num_recursion):
                weights[f"router.{recursion}.weight"] = normal(1, width)
        elif model.exit == "hazard":
            for gate in ["exit"] if model.exit_gates is None else [f"exit.{r}" for r in range(model.exit_gates)]:
                weights |= {f"{gate}.weight": 2 * normal(1, width), f"{gate}.bias": normal(1)}
        if model.injection == "concat":
            weights["adapter.weight"] = normal(width, 2 * width)
            if model.injection_bias:
                weights["adapter.bias"] = normal(width)
        if model.routing and model.routing.kind == "token":
            weights["router.0.weight"] = normal(model.num_recursion, width)
    else:
        weights |= {"head.weight": normal(1, width), "head.bias": normal(1)}
    write_model(path, model, [stored(name, value, element) for name, value in weights.items()])
    return path


def rows(lengths: list[int], seed: int = 1, vocab: int = VOCAB) -> list[list[int]]:
    """Random rows of these lengths."""
    random = np.random.default_rng(seed)
    return [random.integers(0, vocab, length).tolist() for length in lengths]
