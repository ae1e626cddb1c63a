"""The exits of a looped model in a graph: who leaves after which loop.

Threshold, first token that may leave, smallest and largest depth, and the policy of keys and values are inputs of the
graph that have defaults, so that one file answers for every request.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from rally.modelfile.language_model import LanguageModel
from rally.modelfile.layers import Layers
from rally.modelfile.tensors import Array


class Exits:
    """Writes the decisions of one graph, loop after loop.

    Parameters
    ----------
    layers : Layers
        Whose graph and positions are used.
    model : LanguageModel
        Its ``exit`` is not ``none``.
    """

    def __init__(self, layers: Layers, model: LanguageModel) -> None:
        self.graph = graph = layers.graph
        self.model = model
        self.options = {name: graph.constant(name, value) for name, value in exit_defaults(model).items()}
        axis = graph.constant("axis_1", [1])
        may = graph.op("GreaterOrEqual", layers.positions.index, self.options["exit_from"])
        self.may_leave = graph.op("Unsqueeze", may, axis)  # [T, 1] bool
        self.survival: str | None = None  # [B, T, 1] f32: no gate has fired so far
        self.active: str | None = None  # [B, T, 1] bool: runs the loop at hand; None: all do
        self.counts: list[str] = []

    def fresh(self) -> str | None:
        """Return the tokens whose keys and values are their own in this loop, [B, T, 1] bool."""
        return self.graph.op("Or", self.active, self.options["full_kv"]) if self.active else None

    def read(self, x: str, out: str) -> str:
        """Return ``out`` with the states of the tokens that ran this loop, and count them."""
        graph = self.graph
        one = TensorProto(data_type=TensorProto.INT64, dims=[1], int64_data=[1])
        if self.active is None:
            self.counts.append(graph.op("ConstantOfShape", graph.op("Shape", "input_ids"), value=one))
            return x
        flat = graph.op("Squeeze", self.active, graph.constant("axis_2", [2]))
        self.counts.append(graph.op("Cast", flat, to=TensorProto.INT64))
        return graph.op("Where", self.active, x, out)

    def leave(self, x: str, before: str, recursion: int) -> None:
        """Decide who does not run the next loop; ``x`` is the state after this one, ``before`` that before it."""
        if recursion + 1 == self.model.num_recursion:
            return
        graph, options = self.graph, self.options
        depth = graph.constant(f"int_{recursion + 1}", np.array(recursion + 1, dtype=np.int64))
        asked = graph.op("And", self.may_leave, graph.op("GreaterOrEqual", depth, options["min_depth"]))
        rule = self._hazard(x, recursion) if self.model.exit == "hazard" else self._latent_diff(x, before)
        last = graph.op("GreaterOrEqual", depth, options["max_depth"])
        stays = graph.op("Not", graph.op("Or", graph.op("And", asked, rule), last))
        self.active = graph.op("And", self.active, stays) if self.active else stays

    def write_depth(self) -> None:
        """Write the output: loops that each token ran."""
        total = self.counts[0]
        for count in self.counts[1:]:
            total = self.graph.op("Add", total, count)
        self.graph.op("Identity", total, output="depth")

    def _hazard(self, x: str, recursion: int) -> str:
        """Return where 1 − Π(1 − σ(z)) has reached the threshold; 1 is never reached."""
        graph, threshold = self.graph, self.options["exit_threshold"]
        gate = "exit" if self.model.exit_gates is None else f"exit.{recursion}"
        hazard = graph.op("Sigmoid", graph.linear(x, f"{gate}.weight", f"{gate}.bias"))
        one = graph.constant("one", 1.0)
        stays = graph.op("Sub", one, hazard)
        self.survival = graph.op("Mul", self.survival, stays) if self.survival else stays
        reached = graph.op("GreaterOrEqual", graph.op("Sub", one, self.survival), threshold)
        return graph.op("And", reached, graph.op("Less", threshold, one))

    def _latent_diff(self, x: str, before: str) -> str:
        """Return where ‖x − before‖ / ‖x‖ is below the threshold."""
        graph = self.graph
        moved, size = (graph.op("ReduceL2", value, axes=[-1], keepdims=1) for value in (graph.op("Sub", x, before), x))
        return graph.op("Less", graph.op("Div", moved, size), self.options["exit_threshold"])


def exit_defaults(model: LanguageModel) -> dict[str, Array]:
    """Return the inputs that a graph with exits has besides ``input_ids``, without the ``graph.`` prefix: scalars.

    A ``fixed_depth`` is the default of ``max_depth``, and no rule is asked.
    """
    threshold = model.exit_threshold
    if model.fixed_depth is not None:
        threshold = 1.0 if model.exit == "hazard" else 0.0
    return {
        "exit_threshold": np.array(threshold, dtype=np.float32),
        "exit_from": np.array(0, dtype=np.int64),
        "min_depth": np.array(1, dtype=np.int64),
        "max_depth": np.array(model.fixed_depth or model.num_recursion, dtype=np.int64),
        "full_kv": np.array(model.kv_cache == "full"),
    }


def exit_inputs(model: LanguageModel) -> list[ValueInfoProto]:
    """Return the declarations of those inputs; an initializer of the same name is each one's default."""
    return [
        helper.make_tensor_value_info(f"graph.{name}", helper.np_dtype_to_tensor_dtype(value.dtype), [])
        for name, value in exit_defaults(model).items()
    ]
