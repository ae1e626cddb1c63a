"""The layers of a transformer as graph pieces.

In shapes: B batch, T tokens, D width, H query heads, G key-value heads, K head width.
"""

from __future__ import annotations

from dataclasses import dataclass

from rally.modelfile.activations import ACTIVATIONS
from rally.modelfile.description import Description
from rally.modelfile.disentangled import Disentangled
from rally.modelfile.graph import GraphBuilder
from rally.modelfile.positions import Masks, Positions
from rally.modelfile.rater import Rater


@dataclass(frozen=True)
class KeysValues:
    """Keys and values of one layer, kept for later recursions."""

    keys: str  # [B, G, 1, T, K] f32, rotated
    values: str  # [B, G, 1, T, K] f32


@dataclass(frozen=True)
class Reuse:
    """How a layer uses the keys and values of an earlier recursion."""

    cache: KeysValues
    fresh: str | None  # [B, T, 1] bool: rows replaced by this recursion's own; None: none


class Layers:
    """Writes layers of one model into a graph.

    Parameters
    ----------
    graph : GraphBuilder
        Where the nodes go.
    description : Description
        The model.
    """

    def __init__(self, graph: GraphBuilder, description: Description) -> None:
        self.graph = graph
        self.model = description
        self.positions = Positions(graph, description)
        self.distances: Disentangled | None = None
        if isinstance(description, Rater) and description.positions == "disentangled":
            self.distances = Disentangled(graph, description, self.positions.index)

    def embed(self, embed_norm: bool = False) -> str:
        """Return the embeddings of ``input_ids``: [B, T, D]."""
        graph = self.graph
        with graph.scope("embed"):
            x = graph.rows("embed_tokens.weight", "input_ids")
            if self.model.embed_scale != 1.0:
                x = graph.op("Mul", x, graph.constant("embed_scale", self.model.embed_scale))
            if self.model.positions == "learned":
                x = graph.op("Add", x, graph.rows("embed_positions.weight", self.positions.index))
            return self.norm(x, "embed_norm") if embed_norm else x

    def norm(self, x: str, name: str) -> str:
        """Return ``x`` [..., D], normalised over its last axis."""
        return self.norm_with(x, f"{name}.weight", f"{name}.bias" if self.model.norm_bias else None)

    def norm_with(self, x: str, weight: str, bias: str | None) -> str:
        """Return ``x`` [..., D], normalised with the named tensors."""
        graph = self.graph
        if self.model.norm == "layernorm":
            inputs = [x, graph.weight(weight)] + ([graph.weight(bias)] if bias else [])
            return graph.op("LayerNormalization", *inputs, axis=-1, epsilon=self.model.norm_eps)
        return self._rms_norm(x, weight)

    def _rms_norm(self, x: str, weight: str) -> str:
        graph, eps = self.graph, self.model.norm_eps
        mean = graph.op("ReduceMean", graph.op("Mul", x, x), axes=[-1], keepdims=1)
        deviation = graph.op("Sqrt", graph.op("Add", mean, graph.constant("norm_eps", float(eps))))
        return graph.op("Mul", graph.op("Div", x, deviation), graph.weight(weight))

    def activation(self, x: str, name: str) -> str:
        """Return an activation of ``x``, element by element."""
        return ACTIVATIONS[name].write(self.graph, x)

    def layer(self, x: str, tensors: LayerTensors, masks: Masks, reuse: Reuse | None = None) -> tuple[str, KeysValues]:
        """Return one layer's output [B, T, D] and its keys and values."""
        graph, position = self.graph, self.model.norm_position
        normed = x if position in ("post", "branch") else self._layer_norm(x, tensors, "input_layernorm")
        attended, cache = self._attention(normed, tensors, masks, reuse)
        if position in ("sandwich", "branch"):
            attended = self._layer_norm(attended, tensors, "input_layernorm_2")
        x = graph.op("Add", x, attended)
        if position == "post":
            x = self._layer_norm(x, tensors, "input_layernorm")
        normed = x if position in ("post", "branch") else self._layer_norm(x, tensors, "post_attention_layernorm")
        fed = self._feed_forward(normed, tensors)
        if position in ("sandwich", "branch"):
            fed = self._layer_norm(fed, tensors, "post_attention_layernorm_2")
        x = graph.op("Add", x, fed)
        return self._layer_norm(x, tensors, "post_attention_layernorm") if position == "post" else x, cache

    def _layer_norm(self, x: str, tensors: LayerTensors, name: str) -> str:
        if name == "input_layernorm" and tensors.layer in self.model.layers_without_input_norm:
            return x
        return self.norm_with(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"] if self.model.norm_bias else None)

    def _project(self, x: str, tensors: LayerTensors, module: str, name: str) -> str:
        biased = self.model.biased("mlp" if module == "mlp" else "attention", name)
        place = f"{module}.{name}_proj"
        return self.graph.linear(x, tensors[f"{place}.weight"], tensors[f"{place}.bias"] if biased else None)

    def _feed_forward(self, x: str, tensors: LayerTensors) -> str:
        graph, model = self.graph, self.model
        up = self._project(x, tensors, "mlp", "up")
        if model.mlp == "plain":
            inner = self.activation(up, model.hidden_act)
        else:
            gate = self._project(x, tensors, "mlp", "gate")
            inner = graph.op("Mul", self.activation(gate, model.hidden_act), up)
        return self._project(inner, tensors, "mlp", "down")

    def _attention(self, x: str, tensors: LayerTensors, masks: Masks, reuse: Reuse | None) -> tuple[str, KeysValues]:
        graph, model = self.graph, self.model
        queries = self._queries_or_keys(x, tensors, "q", model.num_attention_heads // model.num_key_value_heads)
        scale = self.distances.scale if self.distances else float(model.head_dim**-0.5)
        scaled = graph.op("Mul", queries, graph.constant("attention_scale", scale))
        cache = self._keys_values(x, tensors, reuse)
        scores = graph.op("MatMul", scaled, graph.op("Transpose", cache.keys, perm=[0, 1, 2, 4, 3]))
        if self.distances:
            kinds = self.distances.model.pos_att_type
            pos_k = tensors["self_attn.pos_k"] if "c2p" in kinds else None
            pos_q = tensors["self_attn.pos_q"] if "p2c" in kinds else None
            scores = self.distances.add(scores, scaled, cache.keys, pos_k, pos_q)
        bias = masks.sliding if masks.sliding and model.slides(tensors.layer) else masks.full
        shares = graph.op("Softmax", graph.op("Add", scores, bias), axis=-1)  # [B, G, H/G, T, T]
        mixed = graph.op("Transpose", graph.op("MatMul", shares, cache.values), perm=[0, 3, 1, 2, 4])
        width = model.num_attention_heads * model.head_dim
        joined = graph.op("Reshape", mixed, graph.constant("joined_heads", [0, 0, width]))
        return self._project(joined, tensors, "self_attn", "o"), cache

    def _keys_values(self, x: str, tensors: LayerTensors, reuse: Reuse | None) -> KeysValues:
        graph = self.graph
        if reuse and reuse.fresh is None:
            return reuse.cache
        own = KeysValues(self._queries_or_keys(x, tensors, "k", 1), self._heads(x, tensors, "v", 1))
        if reuse is None:
            return own
        rows = graph.op("Unsqueeze", reuse.fresh or "", graph.constant("axes_1_2", [1, 2]))  # [B, 1, 1, T, 1]
        return KeysValues(
            graph.op("Where", rows, own.keys, reuse.cache.keys), graph.op("Where", rows, own.values, reuse.cache.values)
        )

    def _queries_or_keys(self, x: str, tensors: LayerTensors, letter: str, group: int) -> str:
        """Return the heads of queries or keys, normed where the model does that, and turned by their positions."""
        heads = self._heads(x, tensors, letter, group)
        if self.model.qk_norm == "head":
            heads = self._rms_norm(heads, tensors[f"self_attn.{letter}_norm.weight"])
        return self._rotate(heads, self.model.rope_table(tensors.layer))

    def _heads(self, x: str, tensors: LayerTensors, letter: str, group: int) -> str:
        """Project ``x`` [B, T, D] and split it into [B, G, group, T, K]."""
        graph, model = self.graph, self.model
        flat = self._project(x, tensors, "self_attn", letter)
        shape = graph.constant(f"heads_{group}", [0, 0, model.num_key_value_heads, group, model.head_dim])
        return graph.op("Transpose", graph.op("Reshape", flat, shape), perm=[0, 2, 3, 1, 4])

    def _rotate(self, x: str, table: int | None) -> str:
        """Apply rotate-half RoPE to [..., T, K]; without a table, return ``x``."""
        if table is None:
            return x
        graph, rotation = self.graph, self.positions.rotations[table]
        half = graph.constant("half_heads", [self.model.head_dim // 2] * 2)
        low, high = graph.ops("Split", 2, x, half, axis=-1)
        turned = graph.op("Concat", graph.op("Neg", high), low, axis=-1)
        return graph.op("Add", graph.op("Mul", x, rotation.cos), graph.op("Mul", turned, rotation.sin))


@dataclass(frozen=True)
class LayerTensors:
    """Finds a layer's tensors: one copy (``block.{j}.X``), or one per recursion (``block.{r}.{j}.X``).

    ``layer`` counts the layers that the file describes: first, block, last.
    """

    graph: GraphBuilder
    layer: int
    shared: str
    own: str | None = None

    def __getitem__(self, name: str) -> str:
        """Return the canonical name of tensor ``name`` of this layer."""
        shared = f"{self.shared}.{name}"
        return shared if self.own is None or shared in self.graph.tensors else f"{self.own}.{name}"
