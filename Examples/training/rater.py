"""The rater: a bidirectional transformer that maps a token sequence to one real score."""

import copy
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from model import Layer, RMSNorm, Shape, rope_table


@dataclass
class RaterShape(Shape):
    """Sizes of a rater; every head has its own keys and values."""

    width: int = 192
    heads: int = 3
    kv_heads: int = 3
    feed_forward: int = 512
    layers: int = 3
    context: int = 1024


class Rater(nn.Module):
    """Pre-norm RMSNorm, RoPE, SwiGLU; mean pooling after the final norm; linear head."""

    def __init__(self, shape: RaterShape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab, shape.width)
        self.layers = nn.ModuleList(Layer(shape, causal=False) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width, shape.eps)
        self.head = nn.Linear(shape.width, 1)
        self.register_buffer("rope", rope_table(shape, shape.context), persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Score sequences of one length: ``ids`` [B, T] -> [B]. No padding exists."""
        return self.tokens(ids).mean(dim=1)

    def tokens(self, ids: torch.Tensor) -> torch.Tensor:
        """What the head says of each token, [B, T]; the score is the mean, as the head is linear."""
        x = self.embed_tokens(ids)  # [B, T, D]
        rope = self.rope[:, : ids.shape[1]][:, None, None]
        for layer in self.layers:
            x = layer(x, rope)
        return self.head(self.norm(x))[..., 0]

    def initialise(self) -> None:
        """Draw the first weights; the head starts at zero, so all samples weigh the same."""
        for name, weight in self.named_parameters():
            if name.startswith("head"):
                nn.init.zeros_(weight)
            elif weight.dim() == 2:
                std = 0.02 if name.startswith("embed") else 0.6 * weight.shape[1] ** -0.5
                nn.init.normal_(weight, std=std * (0.5 if name.endswith(("o_proj.weight", "down_proj.weight")) else 1))


@torch.no_grad()
def balanced(rater: Rater, ids: torch.Tensor) -> Rater:
    """Return the same function, its norms and the columns after them balanced: what is rounded to few bits loses less.

    A column that is large in every state, as the constant one is, leaves the others few steps of a row's scale. Each is
    divided by a factor in the norm and multiplied by it in the weights, so that both have one size (SmoothQuant, 2023).
    ``ids`` [B, T] are text.
    """
    rater = copy.deepcopy(rater)
    for layer in rater.layers:
        attention, mlp = layer.self_attn, layer.mlp
        readers = {
            layer.input_layernorm: (attention.q_proj, attention.k_proj, attention.v_proj),
            layer.post_attention_layernorm: (mlp.gate_proj, mlp.up_proj),
        }
        for norm, projections in readers.items():
            seen: list[torch.Tensor] = []
            hook = norm.register_forward_hook(lambda _, __, out, seen=seen: seen.append(out.abs().amax(dim=(0, 1))))
            rater(ids)
            hook.remove()
            largest = torch.stack([projection.weight.abs().amax(dim=0) for projection in projections]).amax(dim=0)
            factor = (seen[0].clamp(min=1e-4) / largest.clamp(min=1e-4)).sqrt()
            norm.weight /= factor
            for projection in projections:
                projection.weight *= factor
    return rater


def rater_config(shape: RaterShape) -> dict:
    """Everything a runtime must know besides the tensors."""
    return {
        "model_type": "rally-rater",
        "vocab_size": shape.vocab,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.feed_forward,
        "hidden_act": "silu",
        "norm": "rmsnorm",
        "norm_position": "pre",
        "rms_norm_eps": shape.eps,
        "positions": "rope",
        "rope_theta": shape.rope_theta,
        "max_position_embeddings": shape.context,
        "mlp": "swiglu",
        "bias": False,
        "pooling": "mean",
        "head": "linear",
        "squash": "none",
        "score_provenance": "labels: good text against junk of many kinds; Examples/training/train_rater.py",
        "packing": "document",
        "bos_token_id": 0,
        "eos_token_id": 0,
    }


def save(rater: Rater, tokenizer: Path, folder: Path) -> None:
    """Write model.safetensors, config.json and tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "model.safetensors.partial"
    save_file({k: v.detach().float().contiguous() for k, v in rater.state_dict().items()}, partial)
    partial.replace(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(rater_config(rater.shape), indent=1) + "\n")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")


def load(folder: Path) -> Rater:
    """Read what :func:`save` wrote."""
    config = json.loads((folder / "config.json").read_text())
    rater = Rater(
        RaterShape(
            vocab=config["vocab_size"],
            width=config["hidden_size"],
            heads=config["num_attention_heads"],
            kv_heads=config["num_key_value_heads"],
            head_dim=config["head_dim"],
            feed_forward=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            context=config["max_position_embeddings"],
        )
    )
    rater.load_state_dict(load_file(folder / "model.safetensors"))
    return rater
