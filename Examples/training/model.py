"""Mixture-of-Recursions and vanilla Llama in plain PyTorch, as trained and shipped.

Only what the examples train: expert-choice routing with linear sigmoid routers, one
router per recursion, middle-cycle sharing, recursion-wise keys and values. A vanilla
model is the same class without recursions. Selected tokens are gathered, so a token
that leaves early costs nothing.

Letters: B batch, T tokens, S selected tokens, D width, H heads, K head width,
V vocabulary, F feed-forward.
"""

from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Shape:
    """Sizes of a model; ``recursions`` 0 means a vanilla model of ``block_layers`` layers."""

    vocab: int = 4096
    width: int = 256
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    feed_forward: int = 704
    block_layers: int = 2
    recursions: int = 3
    capacity: tuple[float, ...] = (1.0, 2 / 3, 1 / 3)
    alpha: float = 0.1
    context: int = 512
    rope_theta: float = 10000.0
    eps: float = 1e-5

    def asdict(self) -> dict:
        """Return the fields as a JSON-ready dictionary."""
        return asdict(self)


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis, ``[..., D] -> [..., D]``."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise ``x`` ``[..., D]``."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rope_table(shape: Shape, length: int) -> torch.Tensor:
    """Cosines and sines ``[2, length, K/2]`` of every absolute position."""
    half = torch.arange(0, shape.head_dim, 2, dtype=torch.float32)
    inverse = shape.rope_theta ** (-half / shape.head_dim)
    angle = torch.outer(torch.arange(length, dtype=torch.float32), inverse)
    return torch.stack([angle.cos(), angle.sin()])


def rotate(x: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
    """Rotate halves of ``x`` ``[B, H, S, K]`` by ``rope`` ``[2, B|1, 1, S, K/2]``."""
    cos, sin = rope
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


class Attention(nn.Module):
    """Grouped-query self-attention without biases; causal unless told otherwise."""

    def __init__(self, shape: Shape, causal: bool = True) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape.heads, shape.kv_heads, shape.head_dim
        self.causal = causal
        query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.width, query, bias=False)
        self.k_proj = nn.Linear(shape.width, key, bias=False)
        self.v_proj = nn.Linear(shape.width, key, bias=False)
        self.o_proj = nn.Linear(query, shape.width, bias=False)

    def forward(self, x: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
        """Attend among the rows of ``x`` ``[B, S, D]``, which are in position order."""
        batch, rows, _ = x.shape
        q = self.q_proj(x).view(batch, rows, self.heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, rows, self.kv_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, rows, self.kv_heads, self.head_dim).transpose(1, 2)
        q, k = rotate(q, rope), rotate(k, rope)
        if self.kv_heads != self.heads:
            k = k.repeat_interleave(self.heads // self.kv_heads, dim=1)
            v = v.repeat_interleave(self.heads // self.kv_heads, dim=1)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.o_proj(out.transpose(1, 2).reshape(batch, rows, -1))


class MLP(nn.Module):
    """SwiGLU feed-forward, ``[..., D] -> [..., F] -> [..., D]``."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.down_proj = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply ``down(silu(gate x) * up x)``."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Pre-norm transformer layer with its own residuals, ``[B, S, D] -> [B, S, D]``."""

    def __init__(self, shape: Shape, causal: bool = True) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.width, shape.eps)
        self.self_attn = Attention(shape, causal)
        self.post_attention_layernorm = RMSNorm(shape.width, shape.eps)
        self.mlp = MLP(shape)

    def forward(self, x: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
        """Run attention and feed-forward on ``x`` ``[B, S, D]``."""
        x = x + self.self_attn(self.input_layernorm(x), rope)
        return x + self.mlp(self.post_attention_layernorm(x))


@dataclass
class Route:
    """What one recursion decided: ``logits`` [B, A] over the active tokens, ``chosen`` [B, A]."""

    logits: torch.Tensor
    chosen: torch.Tensor


class LanguageModel(nn.Module):
    """MoR (``shape.recursions`` > 0) or vanilla decoder with tied embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab, shape.width)
        self.norm = RMSNorm(shape.width, shape.eps)
        if shape.recursions:
            self.first, self.last = Layer(shape), Layer(shape)
            self.routers = nn.ModuleList(nn.Linear(shape.width, 1, bias=False) for _ in range(shape.recursions))
        self.block = nn.ModuleList(Layer(shape) for _ in range(shape.block_layers))
        self.register_buffer("rope", rope_table(shape, shape.context), persistent=False)

    def forward(self, ids: torch.Tensor, threshold: bool = False) -> tuple[torch.Tensor, list, torch.Tensor]:
        """Compute final hidden rows of ``ids`` ``[B, T]``.

        Returns
        -------
        hidden : [B, T, D] after the final norm; ``logits`` turns it into [B, T, V]
        routes : one :class:`Route` per recursion (empty for a vanilla model)
        depth : [B, T] int64, recursions each token ran (1 for a vanilla model)
        """
        rope = self.rope[:, : ids.shape[1]][:, None, None]
        h = self.embed_tokens(ids)
        depth = torch.ones_like(ids)
        routes: list[Route] = []
        if not self.shape.recursions:
            h = self.run_block(h, rope)
        else:
            h = self.first(h, rope)
            recurse = self.recurse_threshold if threshold else self.recurse_topk
            h, routes, depth = recurse(h)
            h = self.last(h, rope)
        return self.norm(h), routes, depth

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Project ``hidden`` ``[..., D]`` onto the tied embedding: ``[..., V]``."""
        return F.linear(hidden, self.embed_tokens.weight)

    def run_block(self, x: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
        """Run the shared layers on ``x`` ``[B, S, D]``."""
        for layer in self.block:
            x = layer(x, rope)
        return x

    def recurse_topk(self, h: torch.Tensor) -> tuple[torch.Tensor, list, torch.Tensor]:
        """Expert choice by rank: the ``k_r = max(1, int(c_r T))`` largest gates, ``h`` [B, T, D]."""
        batch, tokens, width = h.shape
        active = torch.arange(tokens, device=h.device).expand(batch, tokens)
        depth = torch.zeros(batch, tokens, dtype=torch.int64, device=h.device)
        routes = []
        for r, router in enumerate(self.routers):
            rows = h.gather(1, active[..., None].expand(-1, -1, width))  # [B, A, D]
            z = router(rows)[..., 0]  # [B, A]
            keep = min(max(1, int(self.shape.capacity[r] * tokens)), z.shape[1])
            # A stable descending sort leaves ties to the lower position.
            order = z.detach().sort(dim=1, descending=True, stable=True).indices[:, :keep]
            order = order.sort(dim=1).values  # [B, S], back in position order
            routes.append(Route(z, torch.zeros_like(z).scatter_(1, order, 1.0)))
            active = active.gather(1, order)
            rows = rows.gather(1, order[..., None].expand(-1, -1, width))
            gate = self.shape.alpha * torch.sigmoid(z.gather(1, order))
            out = self.run_block(rows, self.rope[:, active][:, :, None])
            h = h.scatter_add(1, active[..., None].expand(-1, -1, width), gate[..., None] * out)
            depth.scatter_add_(1, active, torch.ones_like(active))
        return h, routes, depth

    def recurse_threshold(self, h: torch.Tensor) -> tuple[torch.Tensor, list, torch.Tensor]:
        """Causal selection ``sigmoid(z) >= 0.5`` among the selected, one sequence at a time."""
        rows, depths, all_routes = [], [], []
        for x in h:  # [T, D]
            row, routes, depth = self.recurse_threshold_one(x)
            rows.append(row)
            depths.append(depth)
            all_routes.append(routes)
        return torch.stack(rows), all_routes, torch.stack(depths)

    def recurse_threshold_one(self, h: torch.Tensor) -> tuple[torch.Tensor, list, torch.Tensor]:
        """Threshold recursion of one sequence ``h`` ``[T, D]``; keys and values of selected rows only."""
        active = torch.arange(h.shape[0], device=h.device)
        depth = torch.zeros_like(active)
        routes = []
        for r, router in enumerate(self.routers):
            z = router(h[active])[:, 0]  # [A]
            chosen = (torch.sigmoid(z) >= 0.5) | (self.shape.capacity[r] >= 1)
            routes.append(Route(z, chosen))
            active, z = active[chosen], z[chosen]
            if not len(active):
                break
            out = self.run_block(h[active][None], self.rope[:, active][:, None, None])[0]
            h = h.index_add(0, active, self.shape.alpha * torch.sigmoid(z)[:, None] * out)
            depth[active] += 1
        return h, routes, depth


def initialise(model: LanguageModel) -> None:
    """Draw the first weights: embeddings 0.02, matrices fan-in scaled, residual outputs smaller."""
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            continue
        if name.startswith("embed_tokens") or name.startswith("routers"):
            std = 0.02
        else:
            std = 0.6 * weight.shape[1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                std *= 0.5
        nn.init.normal_(weight, std=std)


def language_loss(model: LanguageModel, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean next-token cross entropy in nats of ``hidden`` [B, T, D] against ``targets`` [B, T]."""
    return F.cross_entropy(model.logits(hidden).flatten(0, 1), targets.flatten())


def router_loss(routes: list[Route]) -> torch.Tensor:
    """Sum over recursions of the mean binary cross entropy of ``z`` against the selection."""
    return sum(F.binary_cross_entropy_with_logits(r.logits, r.chosen) for r in routes)
