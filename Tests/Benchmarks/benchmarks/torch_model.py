"""The language models in PyTorch: vanilla, looped and expert-choice Mixture-of-Recursions, whole prompts and cached
decoding. A looped model runs all its loops, as eager PyTorch does.

Written from the mathematics, for speed on a CPU: q, k, v and gate, up are one product each, the tokens that go on are
gathered, only the last row meets the head. Decoding keeps keys and values per recursion and advances all sequences
together. Eager mode.

Letters: B sequences, T tokens, n selected of them, D width, H query heads, G key-value heads, K head width, F inner
width, R recursions, V vocabulary, C places of a cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional

from benchmarks.torch_cache import RecursionCache


@dataclass(frozen=True)
class Layer:
    """Weights of one layer, matrices as [out, in]."""

    attention_norm: Tensor  # [D]
    qkv: Tensor  # [(H + 2 G) K, D]
    output: Tensor  # [D, H K]
    output_norm: Tensor | None  # [D], of a sandwich
    inner_norm: Tensor  # [D]
    gate_up: Tensor  # [2 F, D]
    down: Tensor  # [D, F]
    down_norm: Tensor | None  # [D], of a sandwich


class TorchModel:
    """A model file's weights, and its forward pass.

    Parameters
    ----------
    path : Path
        The file that Rally opens too, weights in f32 or bf16.
    dtype : torch.dtype
        Of weights and activations; routers compute in f32, as Rally's do.
    """

    def __init__(self, path: Path, dtype: torch.dtype) -> None:
        proto = onnx.load(str(path))
        settings = {pair.key.removeprefix("rally."): pair.value for pair in proto.metadata_props}
        arrays = {tensor.name: tensor for tensor in proto.graph.initializer if not tensor.name.startswith("graph.")}
        weights = {name: _tensor(tensor) for name, tensor in arrays.items()}
        del proto, arrays
        self.head_dim = int(settings["head_dim"])
        self.groups = int(settings["num_key_value_heads"])
        self.heads = int(settings["num_attention_heads"])
        self.eps = float(settings["norm_eps"])
        self.recursions = int(settings["num_recursion"])
        self.loop_norm = settings.get("loop_norm") == "true"
        self.alpha = float(settings.get("router_alpha", "0"))
        self.capacity = [float(share) for share in settings["capacity"].split(",")] if "capacity" in settings else []
        self.routers = [weights[f"router.{r}.weight"][0] for r in range(len(self.capacity))]  # [D] f32 each

        def layers(part: str) -> list[Layer]:
            count = int(settings[f"num_{part}_layers"])
            return [_layer(weights, f"{part}.{index}", dtype) for index in range(count)]

        self.first, self.block, self.last = layers("first"), layers("block"), layers("last")
        self.embedding = weights["embed_tokens.weight"].to(dtype)  # [V, D]
        tied = "lm_head.weight" not in weights
        self.head_weight = self.embedding if tied else weights["lm_head.weight"].to(dtype)  # [V, D]
        self.norm = weights["norm.weight"].to(dtype)
        positions = int(settings["max_position_embeddings"])
        half = torch.arange(self.head_dim // 2, dtype=torch.float64) / (self.head_dim // 2)
        angles = torch.arange(positions)[:, None] * float(settings["rope_theta"]) ** -half
        self.cos = angles.cos().repeat(1, 2).to(dtype)[:, None]  # [positions, 1, K]
        self.sin = torch.cat((-angles.sin(), angles.sin()), dim=1).to(dtype)[:, None]

    @torch.inference_mode()
    def prompt(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last row's logits [V] f32 and the depths [T] of a sequence of ids [T]; selection by threshold."""
        x = self.embedding[ids]
        everyone = torch.arange(len(ids))
        depth = torch.full((len(ids),), 0 if self.routers else self.recursions)
        x = self._whole(x, everyone, self.first)
        for _ in range(0 if self.routers else self.recursions):
            x = self._after_loop(self._whole(x, everyone, self.block))
        active = everyone
        for r, router in enumerate(self.routers):
            z = x[active].float() @ router
            kept = self.selected(r, z)
            active = active[kept]
            if len(active) == 0:
                break
            y = self._whole(x[active], active, self.block)
            x[active] += (self.alpha * z[kept].sigmoid())[:, None].to(x.dtype) * y
            depth[active] += 1
        x = self._whole(x, everyone, self.last)
        return self.head(x[-1:])[0], depth

    @torch.inference_mode()
    def step(self, ids: Tensor, cache: RecursionCache) -> tuple[Tensor, Tensor]:
        """Append one token to each sequence, ids [B]: the logits [B, V] f32 after it and its depth [B]."""
        x = self.embedding[ids]
        position = torch.full((len(ids),), cache.position)
        everyone = torch.arange(len(ids))
        depth = torch.full((len(ids),), 0 if self.routers else self.recursions)
        x = self._decode(x, position, everyone, self.first, cache, "first", 0)
        for r in range(0 if self.routers else self.recursions):
            x = self._after_loop(self._decode(x, position, everyone, self.block, cache, "block", r))
        active = everyone
        for r, router in enumerate(self.routers):
            rows = x[active]
            z = rows.float() @ router
            kept = self.selected(r, z)
            if not bool(kept.all()):
                active, rows, z = active[kept], rows[kept], z[kept]
            if len(active) == 0:
                break
            y = self._decode(rows, position[active], active, self.block, cache, "block", r)
            x[active] += (self.alpha * z.sigmoid())[:, None].to(x.dtype) * y
            depth[active] += 1
        x = self._decode(x, position, everyone, self.last, cache, "last", 0)
        cache.position += 1
        return self.head(x), depth

    def selected(self, recursion: int, z: Tensor) -> Tensor:
        """Which tokens go on, [n] bool: all where the capacity is whole, else those with sigmoid(z) ≥ 0.5."""
        return torch.ones_like(z, dtype=torch.bool) if self.capacity[recursion] >= 1 else z >= 0

    def head(self, x: Tensor) -> Tensor:
        """Return logits f32 of x [n, D]."""
        return functional.linear(x if self.loop_norm else self._normed(x, self.norm), self.head_weight).float()

    def new_cache(self, batch: int, places: int) -> RecursionCache:
        """Return an empty cache for sequences of up to ``places`` tokens."""
        counts = {"first": len(self.first), "last": len(self.last)}
        slots = {(part, 0, index) for part, count in counts.items() for index in range(count)}
        slots |= {("block", r, i) for r in range(self.recursions) for i in range(len(self.block))}
        return RecursionCache(slots, (batch, self.groups, places, self.head_dim), self.embedding.dtype)

    def _whole(self, x: Tensor, positions: Tensor, layers: list[Layer]) -> Tensor:
        """Run layers over all tokens of one sequence that take part: x [n, D], in order of position."""
        for layer in layers:
            q, k, v = self._queries_keys_values(x, positions, layer)  # [n, heads, K]
            q, k, v = (part.transpose(0, 1)[None] for part in (q, k, v))
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            x = self._finish(x, mixed[0].transpose(0, 1).flatten(1), layer)
        return x

    def _decode(
        self, x: Tensor, positions: Tensor, rows: Tensor, layers: list[Layer], cache: RecursionCache, part: str, r: int
    ) -> Tensor:
        """Run layers over one new token of each of some sequences: x [n, D], ``rows`` [n] of the batch."""
        places = cache.append(part, r, rows)
        for index, layer in enumerate(layers):
            q, k, v = self._queries_keys_values(x, positions, layer)
            keys, values = cache.store((part, r, index), places, k, v)  # [n, G, C', K]
            # The H / G queries of one group stand as rows of one small product: keys are read once, never repeated.
            grouped = q.view(len(x), self.groups, -1, self.head_dim)
            mixed = functional.scaled_dot_product_attention(grouped, keys, values, attn_mask=places.mask)
            x = self._finish(x, mixed.reshape(len(x), -1), layer)
        return x

    def _queries_keys_values(self, x: Tensor, positions: Tensor, layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
        mixed = functional.linear(self._normed(x, layer.attention_norm), layer.qkv).view(len(x), -1, self.head_dim)
        turned = self.heads + self.groups
        rotated = self._rotated(mixed[:, :turned], positions)
        return rotated[:, : self.heads], rotated[:, self.heads :], mixed[:, turned:]

    def _finish(self, x: Tensor, mixed: Tensor, layer: Layer) -> Tensor:
        """Return the layer's output from its input and the heads' values [n, H K]."""
        x = x + self._normed(functional.linear(mixed, layer.output), layer.output_norm)
        gate, up = functional.linear(self._normed(x, layer.inner_norm), layer.gate_up).chunk(2, dim=-1)
        return x + self._normed(functional.linear(functional.silu(gate) * up, layer.down), layer.down_norm)

    def _normed(self, x: Tensor, weight: Tensor | None) -> Tensor:
        return x if weight is None else functional.rms_norm(x, weight.shape, weight, self.eps)

    def _after_loop(self, x: Tensor) -> Tensor:
        return self._normed(x, self.norm) if self.loop_norm else x

    def _rotated(self, x: Tensor, positions: Tensor) -> Tensor:
        """Rotate-half RoPE of x [n, heads, K]; the sign of the lower half is in the table."""
        return x * self.cos[positions] + x.roll(self.head_dim // 2, dims=-1) * self.sin[positions]


def _layer(weights: Mapping[str, Tensor], prefix: str, dtype: torch.dtype) -> Layer:
    def stacked(*names: str) -> Tensor:
        return torch.cat([weights[f"{prefix}.{name}.weight"] for name in names]).to(dtype)

    def norm_after(name: str) -> Tensor | None:
        return stacked(name) if f"{prefix}.{name}.weight" in weights else None

    return Layer(
        attention_norm=stacked("input_layernorm"),
        qkv=stacked("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        output=stacked("self_attn.o_proj"),
        output_norm=norm_after("input_layernorm_2"),
        inner_norm=stacked("post_attention_layernorm"),
        gate_up=stacked("mlp.gate_proj", "mlp.up_proj"),
        down=stacked("mlp.down_proj"),
        down_norm=norm_after("post_attention_layernorm_2"),
    )


def _tensor(tensor: onnx.TensorProto) -> Tensor:
    if tensor.data_type == onnx.TensorProto.BFLOAT16:
        return torch.frombuffer(bytearray(tensor.raw_data), dtype=torch.bfloat16).reshape(list(tensor.dims))
    return torch.from_numpy(numpy_helper.to_array(tensor).copy())
