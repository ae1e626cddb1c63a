"""The executable graph of a language model: routing written densely, masks select."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, ValueInfoProto

from rally.modelfile.exit_graph import exit_inputs
from rally.modelfile.graph import GraphBuilder
from rally.modelfile.language_model import LanguageModel, Routing
from rally.modelfile.layers import KeysValues, Layers, LayerTensors, Reuse
from rally.modelfile.looped_graph import LoopedBlock
from rally.modelfile.positions import Masks


class LanguageModelGraph:
    """Writes ``input_ids`` [B, T] → ``logits`` [B, T, V], ``depth`` [B, T] into a graph.

    Parameters
    ----------
    graph : GraphBuilder
        Where the nodes go.
    model : LanguageModel
        What is written.
    """

    def __init__(self, graph: GraphBuilder, model: LanguageModel) -> None:
        self.graph = graph
        self.model = model
        self.layers = Layers(graph, model)
        self.allowed, self.diagonal = self.layers.positions.causal()
        self.causal = self.layers.positions.masks(self.allowed)

    def write(self) -> list[ValueInfoProto]:
        """Write the whole model, in the order of the mathematics; return the inputs it has besides ``input_ids``."""
        graph, model = self.graph, self.model
        x = self.layers.embed()
        for index in range(model.num_first_layers):
            x = self._unique(x, index, f"first.{index}")
        if model.is_looped:
            x = LoopedBlock(self.layers, model, self._block_layer, self.causal).write(x)
        elif model.routing is None:
            x = self._plain(x)
        elif model.routing.kind == "expert":
            x = self._expert(x, model.routing)
        else:
            x = self._token(x, model.routing)
        for index in range(model.num_last_layers):
            x = self._unique(x, model.num_first_layers + model.num_block_layers + index, f"last.{index}")
        with graph.scope("head"):
            x = x if model.loop_norm else self.layers.norm(x, "norm")
            head = "embed_tokens.weight" if model.tie_word_embeddings else "lm_head.weight"
            graph.op("MatMul", x, graph.matrix(head), output="logits")
        return exit_inputs(model) if model.exit != "none" else []

    def _selected_masks(self, selected: str) -> Masks:
        """Return the score biases [B, 1, 1, T, T] under which only the selected tokens have keys.

        ``selected`` is [B, T, 1] bool. A token sees itself even when it is not selected, so that its row, which
        nothing reads, is not a softmax over nothing.
        """
        graph = self.graph
        keys = graph.op(
            "Unsqueeze", graph.op("Transpose", selected, perm=[0, 2, 1]), graph.constant("axes_1_2", [1, 2])
        )
        return self.layers.positions.masks(graph.op("And", graph.op("Or", keys, self.diagonal), self.allowed))

    def _unique(self, x: str, layer: int, name: str) -> str:
        with self.graph.scope(name):
            return self.layers.layer(x, LayerTensors(self.graph, layer, name), self.causal)[0]

    def _block_layer(
        self, x: str, recursion: int, index: int, masks: Masks, reuse: Reuse | None = None
    ) -> tuple[str, KeysValues]:
        layer = self.model.num_first_layers + index
        names = LayerTensors(self.graph, layer, f"block.{index}", f"block.{recursion}.{index}")
        with self.graph.scope(f"block.{recursion}.{index}"):
            return self.layers.layer(x, names, masks, reuse)

    def _plain(self, x: str) -> str:
        """Run every layer of every recursion on every token; depth is the number of recursions."""
        graph, model = self.graph, self.model
        recursions, indices = range(model.num_recursion), range(model.num_block_layers)
        if model.sharing.endswith("sequence"):
            order = [(recursion, index) for index in indices for recursion in recursions]
        else:
            order = [(recursion, index) for recursion in recursions for index in indices]
        for recursion, index in order:
            x, _ = self._block_layer(x, recursion, index, self.causal)
        count = TensorProto(data_type=TensorProto.INT64, dims=[1], int64_data=[model.num_recursion])
        graph.op("ConstantOfShape", graph.op("Shape", "input_ids"), value=count, output="depth")
        return x

    def _block(
        self, x: str, recursion: int, selected: str | None, routing: Routing, first: list[KeysValues]
    ) -> tuple[str, list[KeysValues]]:
        """Run the shared block once; ``selected`` [B, T, 1] bool, or None for all tokens.

        ``first`` holds the keys and values of recursion 0, by layer; empty at recursion 0.
        """
        own = routing.kv_cache == "recursion"
        masks = self._selected_masks(selected) if own and selected else self.causal
        fresh = selected if routing.kv_cache == "hybrid" else None
        reuses = bool(first) and not own and not (routing.kv_cache == "hybrid" and selected is None)
        caches = []
        for index in range(self.model.num_block_layers):
            reuse = Reuse(first[index], fresh) if reuses else None
            x, cache = self._block_layer(x, recursion, index, masks, reuse)
            caches.append(cache)
        return x, first or caches

    def _router(self, x: str, name: str, routing: Routing) -> str:
        """Return z of a router: [B, T, out]."""
        graph = self.graph
        if routing.temp != 1.0:
            x = graph.op("Div", x, graph.constant("router_temp", routing.temp))
        if routing.router_type == "linear":
            return graph.linear(x, f"{name}.weight")
        return graph.linear(self.layers.activation(graph.linear(x, f"{name}.0.weight"), "gelu"), f"{name}.2.weight")

    def _strength(self, z: str, routing: Routing) -> str:
        """Return g = alpha · s(z), of the shape of ``z``."""
        graph = self.graph
        if routing.router_func == "none":
            return z
        kind = {"sigmoid": "Sigmoid", "tanh": "Tanh", "softmax": "Softmax"}[routing.router_func]
        s = graph.op(kind, z, axis=-1) if kind == "Softmax" else graph.op(kind, z)
        return graph.op("Mul", s, graph.constant("router_alpha", routing.alpha))

    def _select(self, z: str, recursion: int, before: str | None, routing: Routing) -> str | None:
        """Return the tokens of this recursion, [B, T, 1] bool; None for all."""
        graph = self.graph
        everyone = routing.capacity[recursion] >= 1.0 or (recursion == 0 and routing.kv_cache != "recursion")
        if everyone:
            return before
        chosen = graph.op("GreaterOrEqual", z, graph.constant("zero", 0.0))
        return graph.op("And", chosen, before) if before else chosen

    def _expert(self, x: str, routing: Routing) -> str:
        graph = self.graph
        selected: str | None = None
        first: list[KeysValues] = []
        depths = []
        for recursion in range(self.model.num_recursion):
            with graph.scope(f"recursion.{recursion}"):
                z = self._router(x, f"router.{recursion}", routing)
                decision = self._router(x, f"aux_router.{recursion}", routing) if routing.aux_router else z
                selected = self._select(decision, recursion, selected, routing)
                y, first = self._block(x, recursion, selected, routing, first)
                gated = graph.op("Mul", y, self._strength(z, routing)) if routing.gating == "weighted" else y
                moved = graph.op("Add", x, gated)
                x = graph.op("Where", selected, moved, x) if selected else moved
                depths.append(self._count(selected))
        self._write_depth(depths)
        return x

    def _count(self, selected: str | None) -> str:
        """Return 1 for each selected token, [B, T] int64."""
        graph = self.graph
        if selected is None:
            one = TensorProto(data_type=TensorProto.INT64, dims=[1], int64_data=[1])
            return graph.op("ConstantOfShape", graph.op("Shape", "input_ids"), value=one)
        return graph.op("Cast", graph.op("Squeeze", selected, graph.constant("axis_2", [2])), to=TensorProto.INT64)

    def _write_depth(self, counts: list[str]) -> None:
        total = counts[0]
        for count in counts[1:]:
            total = self.graph.op("Add", total, count)
        self.graph.op("Identity", total, output="depth")

    def _token(self, start: str, routing: Routing) -> str:
        graph = self.graph
        with graph.scope("router"):
            p = self._strength(self._router(start, "router.0", routing), routing)  # [B, T, R]
            ranked = graph.op("Add", p, graph.weight("router.bias")) if routing.router_bias else p
            exits = graph.op("ArgMax", ranked, axis=-1, keepdims=1)  # [B, T, 1]
            strength = graph.op("GatherElements", p, exits, axis=-1) if routing.gating == "weighted" else None
            one = graph.constant("int_1", np.array(1, dtype=np.int64))
            graph.op("Add", graph.op("Squeeze", exits, graph.constant("axis_2", [2])), one, output="depth")
        hidden, out = start, start
        first: list[KeysValues] = []
        for recursion in range(self.model.num_recursion):
            with graph.scope(f"recursion.{recursion}"):
                step = graph.constant(f"int_{recursion}", np.array(recursion, dtype=np.int64))
                selected = graph.op("GreaterOrEqual", exits, step) if recursion else None
                y, first = self._block(hidden, recursion, selected, routing, first)
                left = graph.op("Add", start, graph.op("Mul", y, strength) if strength else y)
                out = graph.op("Where", graph.op("Equal", exits, step), left, out)
                hidden = graph.op("Where", graph.op("Greater", exits, step), y, hidden)
        return out
