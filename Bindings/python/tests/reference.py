"""A plain PyTorch implementation of the mathematics, to check everything else against.

It reads the tensors of a *checkpoint*, not of a model file, and knows nothing of the converter or of the graph. It is
written for reading: one row at a time, tokens gathered where the graph masks, no batches, no caches. Computed in f64.

Letters: T tokens, D width, V vocabulary, H query heads, G key-value heads, K head width, R recursions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

State = Mapping[str, Tensor]
ACTIVATIONS = {
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
    "relu2": lambda x: functional.relu(x).square(),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


@dataclass
class KeysValues:
    """Keys and values of some tokens: [n, G, K], and the tokens' positions [n]."""

    keys: Tensor
    values: Tensor
    positions: Tensor

    def replaced(self, other: KeysValues) -> KeysValues:
        """Return a copy in which the rows of ``other``'s positions are those of ``other``; positions are 0…T−1 here."""
        keys, values = self.keys.clone(), self.values.clone()
        keys[other.positions], values[other.positions] = other.keys, other.values
        return KeysValues(keys, values, self.positions)


class Transformer:
    """Layers of one checkpoint, by prefix of their keys."""

    def __init__(self, state: State, config: Mapping[str, Any], norm: str, post: bool, causal: bool) -> None:
        self.state = {key: value.double() for key, value in state.items()}
        self.config = config
        self.heads: int = config["num_attention_heads"]
        self.groups: int = config.get("num_key_value_heads") or self.heads
        self.head_dim: int = config.get("head_dim") or config["hidden_size"] // self.heads
        self.norm_kind, self.post, self.causal = norm, post, causal
        self.rope = config.get("positions", "rope") == "rope"

    def linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"))

    def norm(self, x: Tensor, name: str) -> Tensor:
        eps, weight = self.config["rms_norm_eps"], self.state[f"{name}.weight"]
        if self.norm_kind == "rmsnorm":
            return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))
        return functional.layer_norm(x, x.shape[-1:], weight, self.state.get(f"{name}.bias"), eps)

    def rotate(self, x: Tensor, positions: Tensor) -> Tensor:
        """Rotate-half RoPE of x [n, heads, K] at the tokens' own positions [n]."""
        if not self.rope:
            return x
        theta = self.config.get("rope_theta") or self.config["rope_parameters"]["rope_theta"]
        half = self.head_dim // 2
        angles = positions[:, None].double() * theta ** (-torch.arange(half).double() / half)
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        low, high = x[..., :half], x[..., half:]
        return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)

    def keys_values(self, a: Tensor, positions: Tensor, prefix: str) -> KeysValues:
        shape = (len(a), self.groups, self.head_dim)
        keys = self.rotate(self.linear(a, f"{prefix}.self_attn.k_proj").view(shape), positions)
        return KeysValues(keys, self.linear(a, f"{prefix}.self_attn.v_proj").view(shape), positions)

    def attend(self, a: Tensor, positions: Tensor, prefix: str, seen: KeysValues) -> Tensor:
        """Attention of the queries of ``a`` [n, D] to ``seen``."""
        queries = self.linear(a, f"{prefix}.self_attn.q_proj").view(len(a), self.heads, self.head_dim)
        queries = self.rotate(queries, positions)
        allowed = seen.positions[None, :] <= positions[:, None] if self.causal else torch.ones(1, 1, dtype=torch.bool)
        mixed = []
        for head in range(self.heads):
            group = head // (self.heads // self.groups)
            scores = queries[:, head] @ seen.keys[:, group].T * self.head_dim**-0.5
            mixed.append(scores.masked_fill(~allowed, -torch.inf).softmax(-1) @ seen.values[:, group])
        return self.linear(torch.cat(mixed, dim=-1), f"{prefix}.self_attn.o_proj")

    def feed_forward(self, a: Tensor, prefix: str) -> Tensor:
        act = ACTIVATIONS[self.config["hidden_act"]]
        up = self.linear(a, f"{prefix}.mlp.up_proj")
        gated = f"{prefix}.mlp.gate_proj.weight" in self.state
        inner = act(self.linear(a, f"{prefix}.mlp.gate_proj")) * up if gated else act(up)
        return self.linear(inner, f"{prefix}.mlp.down_proj")

    def layer(
        self, x: Tensor, positions: Tensor, prefix: str, cache: KeysValues | None = None, replace: bool = False
    ) -> tuple[Tensor, KeysValues]:
        """Run one layer on x [n, D]; with a ``cache``, attend to that, with own rows in it if ``replace``."""
        norms = (f"{prefix}.input_layernorm", f"{prefix}.post_attention_layernorm")
        a = x if self.post else self.norm(x, norms[0])
        seen = cache
        if cache is None or replace:
            own = self.keys_values(a, positions, prefix)
            seen = own if cache is None else cache.replaced(own)
        assert seen is not None
        x = x + self.attend(a, positions, prefix, seen)
        if self.post:
            x = self.norm(x, norms[0])
            return self.norm(x + self.feed_forward(x, prefix), norms[1]), seen
        return x + self.feed_forward(self.norm(x, norms[1]), prefix), seen


class LanguageModel(Transformer):
    """A vanilla, Recursive or Mixture-of-Recursions checkpoint in the layout of the reference code.

    Parameters
    ----------
    state : mapping of str to Tensor
        The checkpoint.
    config : mapping
        ``config.json``.
    mor : mapping, optional
        ``mor.json``.
    """

    def __init__(self, state: State, config: Mapping[str, Any], mor: Mapping[str, Any] | None) -> None:
        super().__init__(state, config, norm="rmsnorm", post=False, causal=True)
        self.mor: Mapping[str, Any] = mor or {}

    def forward(
        self, ids: Sequence[int], selection: str = "threshold", max_depth: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return logits [T, V] f64 and depth [T] int64; ``selection`` is ``threshold`` or ``topk``."""
        x = self.state["model.embed_tokens.weight"][torch.tensor(ids)]
        everyone = torch.arange(len(ids))
        kind = self.mor.get("type")
        if kind is None:
            assert max_depth is None, "a depth cap needs routing"
            count = self.config["num_hidden_layers"]
            for index in range(count):
                x, _ = self.layer(x, everyone, f"model.layers.{index}")
            depth = torch.full((len(ids),), self.mor.get("num_recursion") or 1)
        else:
            middle = self.mor["sharing"] == "middle_cycle"
            if middle:
                x, _ = self.layer(x, everyone, "model.layers.0")
            cap = min(max_depth or self.recursions, self.recursions)
            x, depth = (
                self.expert(x, selection, cap, int(middle)) if kind == "expert" else self.token(x, cap, int(middle))
            )
            if middle:
                last = self.recursions + 1 if kind == "expert" else 2
                x, _ = self.layer(x, everyone, f"model.layers.{last}")
        head = self.state.get("lm_head.weight", self.state["model.embed_tokens.weight"])
        return self.norm(x, "model.norm") @ head.T, depth

    @property
    def recursions(self) -> int:
        """R."""
        return int(self.mor["num_recursion"])

    def router(self, x: Tensor, prefix: str) -> Tensor:
        """Return z [n, outputs] of x [n, D]."""
        x = x / self.mor["temp"]
        if f"{prefix}.router.weight" in self.state:
            return x @ self.state[f"{prefix}.router.weight"].T
        inner = functional.gelu(x @ self.state[f"{prefix}.router.0.weight"].T)
        return inner @ self.state[f"{prefix}.router.2.weight"].T

    def block(self, x: Tensor, chosen: Tensor, prefix: str, first: list[KeysValues]) -> Tensor:
        """Run the block of one recursion on the chosen tokens, x [n, D]; ``first``: recursion 0's keys and values."""
        depth = self.mor["base_depth"]
        shares, update = self.mor["kv_sharing"], self.mor["update_cache"]
        store = not first
        for index in range(depth):
            cache = first[index] if shares and not store else None
            x, seen = self.layer(x, chosen, f"{prefix}.{index}", cache, replace=update)
            if store:
                first.append(seen)
        return x

    def expert(self, x: Tensor, selection: str, cap: int, start: int) -> tuple[Tensor, Tensor]:
        """Section 3 of the specification."""
        mor = self.mor
        depth = torch.zeros(len(x), dtype=torch.int64)
        active = torch.arange(len(x))
        first: list[KeysValues] = []
        for r in range(cap):
            home = f"model.layers.{start + r}"
            z = self.router(x[active], f"{home}.mor_router")[:, 0]
            aux = f"{home}.mlp_router.router.weight", f"{home}.mlp_router.router.0.weight"
            has_aux = any(key in self.state for key in aux)
            decides = self.router(x[active], f"{home}.mlp_router")[:, 0] if has_aux else z
            capacity = mor["capacity"][r]
            if r == 0 and mor["kv_sharing"]:
                kept = torch.ones(len(active), dtype=torch.bool)
            elif selection == "topk":
                count = min(len(active), max(1, int(capacity * len(x))))
                kept = torch.zeros(len(active), dtype=torch.bool)
                kept[torch.sort(z, descending=True, stable=True).indices[:count]] = True
            else:
                kept = torch.ones(len(active), dtype=torch.bool) if capacity >= 1 else torch.sigmoid(decides) >= 0.5
            chosen = active[kept]
            s = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "none": lambda value: value}[
                mor["router_func"] or "none"
            ](z)
            g = (s if (mor["router_func"] or "none") == "none" else mor["alpha"] * s)[kept, None]
            y = self.block(x[chosen], chosen, f"{home}.block", first)
            x = x.clone()
            x[chosen] += g * y if mor["gating"] == "weighted" else y
            depth[chosen] += 1
            active = chosen
        return x, depth

    def token(self, start: Tensor, cap: int, offset: int) -> tuple[Tensor, Tensor]:
        """Section 4 of the specification."""
        mor, home = self.mor, f"model.layers.{offset}"
        z = self.router(start, f"{home}.mor_router")
        p = mor["alpha"] * (z.softmax(-1) if mor["router_func"] == "softmax" else z.sigmoid())
        d = (p + self.state.get(f"{home}.router_bias", torch.zeros(()))).argmax(-1)
        w = p.gather(1, d[:, None])
        hidden, out = start.clone(), start.clone()
        first: list[KeysValues] = []
        for r in range(cap):
            chosen = (d >= r).nonzero()[:, 0]
            if len(chosen) == 0:
                break
            y = self.block(hidden[chosen], chosen, f"{home}.block_list.{r}", first)
            leaves = (d[chosen] == r) | (r == cap - 1)
            gone = chosen[leaves]
            out[gone] = start[gone] + (w[gone] * y[leaves] if mor["gating"] == "weighted" else y[leaves])
            hidden[chosen[~leaves]] = y[~leaves]
        return out, (d + 1).clamp(max=cap)


class Rater(Transformer):
    """A rater in this project's own checkpoint layout."""

    def __init__(self, state: State, config: Mapping[str, Any]) -> None:
        super().__init__(state, config, norm=config["norm"], post=config["norm_position"] == "post", causal=False)

    def score(self, ids: Sequence[int]) -> float:
        """Return the score of one row, not squashed."""
        everyone = torch.arange(len(ids))
        x = self.state["embed_tokens.weight"][torch.tensor(ids)]
        if self.config["positions"] == "learned":
            x = x + self.state["embed_positions.weight"][: len(ids)]
        if self.config["embed_norm"]:
            x = self.norm(x, "embed_norm")
        for index in range(self.config["num_hidden_layers"]):
            x, _ = self.layer(x, everyone, f"layers.{index}")
        if self.config["final_norm"] == "tokens":
            x = self.norm(x, "norm")
        pooled = {"mean": x.mean(0), "cls": x[0], "last": x[-1]}[self.config["pooling"]]
        if self.config["final_norm"] == "pooled":
            pooled = self.norm(pooled, "norm")
        if self.config["head"] == "linear":
            return float(self.linear(pooled, "head"))
        act = ACTIVATIONS[self.config["head_act"]]
        return float(self.linear(act(self.linear(pooled, "head.0")), "head.1"))


class EncoderRater(torch.nn.Module):
    """A rater built on PyTorch's own ``nn.TransformerEncoder``; its parameters are the checkpoint."""

    def __init__(
        self, vocabulary: int, width: int, heads: int, inner: int, layers: int, positions: int, **kind: Any
    ) -> None:
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(
            width, heads, inner, 0.0, kind["act"], norm_first=kind["norm_first"], batch_first=True
        )
        norm = torch.nn.LayerNorm(width) if kind["norm"] == "encoder" else None
        self.encoder = torch.nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.position_embedding = torch.nn.Embedding(positions, width)
        self.norm = torch.nn.LayerNorm(width) if kind["norm"] == "own" else None
        self.head_act = kind["head_act"]
        self.pooled_norm, self.pooling = kind["final_norm"] == "pooled", kind["pooling"]
        middle = [torch.nn.Linear(width, width // 2), torch.nn.Identity(), torch.nn.Linear(width // 2, 1)]
        self.head = torch.nn.Sequential(*middle) if kind["head"] == "mlp" else torch.nn.Linear(width, 1)

    @torch.inference_mode()
    def score(self, ids: Sequence[int]) -> float:
        """Return the score of one row, not squashed."""
        self.double().eval()
        x = self.embedding(torch.tensor([ids])) + self.position_embedding.weight[: len(ids)]
        for layer in self.encoder.layers:
            x = layer(x)
        final = self.norm if self.norm is not None else self.encoder.norm
        if final is not None and not self.pooled_norm:
            x = final(x)
        x = {"mean": x.mean(1), "cls": x[:, 0], "last": x[:, -1]}[self.pooling]
        if final is not None and self.pooled_norm:
            x = final(x)
        if isinstance(self.head, torch.nn.Sequential):
            return float(self.head[2](ACTIVATIONS[self.head_act](self.head[0](x))))
        return float(self.head(x))
