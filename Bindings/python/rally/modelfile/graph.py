"""A small builder of ONNX graphs: one method per need, values are names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from rally.modelfile.tensors import Array, Tensor


class GraphBuilder:
    """Collects nodes and constants; weights enter as f32 values, whatever type they are stored in.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The initializers of the file, by canonical name.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self._scopes: list[str] = []
        self._values: dict[str, str] = {}
        self._matrices: dict[str, str] = {}

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names of the values made inside, for people who read the graph."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Append a node with one output and return the output's name."""
        return self.ops(kind, 1, *inputs, outputs=None if output is None else [output], **attributes)[0]

    def ops(
        self, kind: str, count: int, *inputs: str, outputs: list[str] | None = None, **attributes: Any
    ) -> list[str]:
        """Append a node with ``count`` outputs and return their names."""
        stem = "/".join([*self._scopes, f"{kind}_{len(self.nodes)}"])
        names = outputs or [stem if index == 0 else f"{stem}.{index}" for index in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=stem, **attributes))
        return names

    def constant(self, name: str, values: Array | list[int] | float) -> str:
        """Return an initializer ``graph.{name}``: a list is int64, a Python float is an f32 scalar."""
        key = f"graph.{name}"
        if isinstance(values, float):
            values = np.array(values, dtype=np.float32)
        array = np.array(values, dtype=np.int64) if isinstance(values, list) else values
        proto = numpy_helper.from_array(array, key)
        known = self.constants.setdefault(key, proto)
        if known.SerializeToString() != proto.SerializeToString():
            raise AssertionError(f"two constants are called {key}")
        return key

    def weight(self, name: str) -> str:
        """Return a weight as f32, in its stored layout; a narrower type is widened once, whoever asks."""
        if self.tensors[name].element == TensorProto.FLOAT:
            return name
        if name not in self._values:
            self._values[name] = self._unscoped("Cast", name, f"{name}/f32", to=TensorProto.FLOAT)
        return self._values[name]

    def matrix(self, name: str) -> str:
        """Return a matrix stored [out, in] as f32 [in, out], for ``MatMul(x, matrix)``; transposed once."""
        if name not in self._matrices:
            self._matrices[name] = self._unscoped("Transpose", self.weight(name), f"{name}/transposed", perm=[1, 0])
        return self._matrices[name]

    def rows(self, name: str, indices: str) -> str:
        """Return rows of a table as f32: ``indices`` [...] int64 → [..., width]."""
        rows = self.op("Gather", name, indices, axis=0)
        return rows if self.tensors[name].element == TensorProto.FLOAT else self.op("Cast", rows, to=TensorProto.FLOAT)

    def linear(self, x: str, weight: str, bias: str | None = None) -> str:
        """Return ``x @ weight.T + bias``: x [..., in] → [..., out]."""
        y = self.op("MatMul", x, self.matrix(weight))
        return self.op("Add", y, self.weight(bias)) if bias else y

    def _unscoped(self, kind: str, value: str, output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, [value], [output], name=output, **attributes))
        return output
