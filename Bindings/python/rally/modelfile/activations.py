"""Activations: their names in model files, how a graph computes them, and what configurations call them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rally.modelfile.graph import GraphBuilder


@dataclass(frozen=True)
class Activation:
    """A function of one number.

    Attributes
    ----------
    write : callable
        Appends the nodes that make f(x) of ``x``, a value of any shape, and returns the result's name.
    other_names : tuple of str
        What configurations call it besides its name in model files.
    """

    write: Callable[[GraphBuilder, str], str]
    other_names: tuple[str, ...] = ()


def _silu(graph: GraphBuilder, x: str) -> str:
    return graph.op("Mul", x, graph.op("Sigmoid", x))


def _gelu(graph: GraphBuilder, x: str) -> str:
    half, one = graph.constant("half", 0.5), graph.constant("one", 1.0)
    inner = graph.op("Erf", graph.op("Div", x, graph.constant("sqrt_2", float(np.sqrt(2.0)))))
    return graph.op("Mul", graph.op("Mul", x, half), graph.op("Add", inner, one))


def _gelu_tanh(graph: GraphBuilder, x: str) -> str:
    half, one = graph.constant("half", 0.5), graph.constant("one", 1.0)
    cube = graph.op("Mul", graph.op("Mul", x, x), x)
    cubic = graph.op("Mul", cube, graph.constant("gelu_cubic", 0.044715))
    scale = graph.constant("sqrt_2_pi", float(np.sqrt(2.0 / np.pi)))
    inner = graph.op("Tanh", graph.op("Mul", graph.op("Add", x, cubic), scale))
    return graph.op("Mul", graph.op("Mul", x, half), graph.op("Add", inner, one))


def _relu2(graph: GraphBuilder, x: str) -> str:
    positive = graph.op("Relu", x)
    return graph.op("Mul", positive, positive)


#: Every activation, by its name in model files. ``Sources/CKernels/activation.cpp`` has the same.
ACTIVATIONS = {
    "silu": Activation(_silu, ("swish",)),
    "gelu": Activation(_gelu, ("gelu_python",)),
    "gelu_tanh": Activation(_gelu_tanh, ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate")),
    "relu": Activation(lambda graph, x: graph.op("Relu", x)),
    "relu2": Activation(_relu2),
    "tanh": Activation(lambda graph, x: graph.op("Tanh", x)),
    "sigmoid": Activation(lambda graph, x: graph.op("Sigmoid", x)),
}

#: What a configuration may say, and the name in model files.
ACTIVATION_NAMES = {
    given: name for name, activation in ACTIVATIONS.items() for given in (name, *activation.other_names)
}
