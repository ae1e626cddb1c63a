"""Finds a checkpoint's tensors in an exported ONNX graph: by the modules of its nodes, never by their shapes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from rally.convert.checkpoint import Checkpoint, Source
from rally.modelfile import ModelFileError
from rally.modelfile.tensors import Array

#: Where `torch.onnx.export(dynamo=True)` writes the modules around a node.
_SCOPES = "pkg.torch.onnx.name_scopes"

_REPEATED = re.compile(r"(.+)_\d+\.(weight|bias)")

#: Last linear maps of classifiers: what stands before them in a name was put there by the exporter's wrapper.
_HEADS = ("classifier.out_proj", "classifier", "score", "fc", "regressor")

#: What is refused by name: the graph no longer says what its modules were, or computes in another way.
_REFUSED = {
    "QuantizeLinear": "a graph in QDQ form; export without quantization, or with quantize_dynamic",
    "If": "a branch in the graph; export without control flow",
    "Loop": "a loop in the graph; export without control flow",
    "Scan": "a loop in the graph; export without control flow",
}


@dataclass(frozen=True)
class _Value:
    """A constant of the graph, as what stands before a node makes it."""

    dims: tuple[int, ...]
    load: Callable[[], Array]
    is_quantised: bool = False

    def turned(self) -> _Value:
        """Return the matrix transposed."""
        return _Value(self.dims[::-1], lambda: np.ascontiguousarray(self.load().T), self.is_quantised)


class OnnxCheckpoint(Checkpoint):
    """The parameters of an exported model under the names that they had in PyTorch.

    TorchScript names each node by its module's path; the newer exporter writes the path into the node's metadata. Where
    that was taken away, a product belongs to the module whose bias is added to it. A module's tensors are read from the
    inputs of its own nodes, so that a tensor that the exporter merged with an equal one is found wherever it is needed.

    Attributes
    ----------
    model : ModelProto
        The graph, its external data read.
    is_quantised : bool
        Weights are stored as 8-bit numbers.
    epsilons : set of float
        Of the layer norms that are one node.

    Raises
    ------
    ModelFileError
        The file cannot be read, was optimised or quantised in a way that hides its modules, or says nothing of them.
    """

    def __init__(self, path: Path) -> None:
        self.directory = self.path = path
        self.sources: dict[str, Source] = {}
        self._open_files = ExitStack()
        try:
            self.model: ModelProto = onnx.load(path)
        except Exception as error:  # protobuf, the file system, external data: whatever it is, this file is not read
            raise ModelFileError(f"{path.name}: {str(error).splitlines()[0]}") from None
        self._graph: GraphProto = self.model.graph
        self._refuse_foreign()
        self._tensors = {tensor.name: tensor for tensor in self._graph.initializer}
        self._makers = {name: node for node in self._graph.node for name in node.output}
        self._users = users_of(self._graph)
        self.epsilons = {
            round(attribute.f, 15)
            for node in self._graph.node
            for attribute in node.attribute
            if node.op_type == "LayerNormalization" and attribute.name == "epsilon"
        }
        by_module = self._by_module()
        # The modules of a wrapper stand before the names that parameters had inside it.
        tails = {name[place + 1 :] for name in by_module for place, letter in enumerate(name) if letter == "."}
        found = {name: value for name, value in self._named() if name not in tails} | by_module
        # A matrix that an exporter transposed has a number for a name: its node, or the bias that follows, says whose it is.
        matrices = {node.input[1] for node in self._graph.node if node.op_type in ("MatMul", "Gemm")}
        numbered = [name for name in matrices & self._tensors.keys() if not name.endswith(".weight")]
        nameless = len(by_module) < len(numbered) and not any(map(_module, self._graph.node))
        if nameless or not found:
            raise ModelFileError(
                f"{path.name}: neither node names nor metadata say which module a weight belongs to; export it again"
            )
        self.is_quantised = any(value.is_quantised for value in found.values())
        prefix = _wrapper(found)
        for name, value in found.items():
            key = name.removeprefix(prefix)
            self.sources[key] = Source(value.dims, torch.float32, _loader(value))

    def _refuse_foreign(self) -> None:
        """Raise an error for graphs whose weights cannot be told apart any more."""
        for node in self._graph.node:
            if node.domain not in ("", "ai.onnx"):
                raise ModelFileError(
                    f"{self.path.name}: node {node.name!r} is {node.domain}.{node.op_type}, which an optimiser made; "
                    "export without optimisation"
                )
            if node.op_type in _REFUSED:
                raise ModelFileError(f"{self.path.name}: {_REFUSED[node.op_type]}")

    # What names say

    def _named(self) -> Iterator[tuple[str, _Value]]:
        """Yield the tensors that kept their parameter's name, biases and norms above all."""
        for name in (*self._tensors, *self._makers):
            if name.endswith((".weight", ".bias")) and not name.startswith("onnx::"):
                value = self._value(name)
                if value is not None and len(value.dims) in (1, 2):
                    yield name, value

    # What modules say

    def _by_module(self) -> dict[str, _Value]:
        found: dict[str, _Value] = {}
        for node in self._graph.node:
            module = _module(node) or self._biased_module(node)
            if module and not module.endswith("rotary_emb"):
                for name, value in self._parameters(node):
                    # The product of a quantised Gemm and its sum stand in one module; the first of a kind is it.
                    found.setdefault(f"{module}.{name}", value)
        return {name: value for name, value in found.items() if not _is_repeated(name, found)}

    def _biased_module(self, node: NodeProto) -> str:
        """Return the module whose named bias is added to a product; empty for any other node."""
        users = self._users.get(node.output[0], []) if node.op_type == "MatMul" else []
        if len(users) != 1 or users[0].op_type != "Add":
            return ""
        named = [name for name in users[0].input if name in self._tensors and name.endswith(".bias")]
        return named[0].removesuffix(".bias") if len(named) == 1 else ""

    def _parameters(self, node: NodeProto) -> Iterator[tuple[str, _Value]]:
        """Yield what a node reads of its own module's parameters."""
        kind, inputs = node.op_type, [self._value(name) for name in node.input]
        if kind == "Gather" and inputs[0] is not None and len(inputs[0].dims) == 2:
            yield "weight", inputs[0]
        elif kind == "DequantizeLinear":
            yield from self._quantised_rows(node)
        elif kind in ("MatMul", "MatMulInteger") and (value := self.matrix(node)) is not None:
            yield "weight", value.turned()
        elif kind == "Gemm" and inputs[1] is not None:
            yield "weight", inputs[1] if _attribute(node, "transB") else inputs[1].turned()
            if len(inputs) > 2 and inputs[2] is not None:
                yield "bias", inputs[2]
        elif kind == "LayerNormalization":
            for name, value in zip(("weight", "bias"), inputs[1:], strict=False):
                if value is not None:
                    yield name, value
        elif kind in ("Add", "Mul"):
            vectors = [value for value in inputs if value is not None and len(value.dims) == 1]
            if len(vectors) == 1:
                yield ("bias" if kind == "Add" else "weight"), vectors[0]

    def matrix(self, node: NodeProto) -> _Value | None:
        """Return the weight of a product, [in, out]: its second operand."""
        if node.op_type == "MatMul":
            value = self._value(node.input[1])
        else:
            name = node.input[1]
            zero = node.input[3] if len(node.input) > 3 else ""
            scale = name.removesuffix("_quantized") + "_scale"
            value = self._dequantised(name, scale, zero) if name in self._tensors and scale in self._tensors else None
        return value if value is not None and len(value.dims) == 2 else None

    def _quantised_rows(self, node: NodeProto) -> Iterator[tuple[str, _Value]]:
        """Yield a table that is looked up in 8 bits and widened afterwards."""
        gather = self._makers.get(node.input[0])
        if gather is not None and gather.op_type == "Gather" and gather.input[0] in self._tensors:
            zero = node.input[2] if len(node.input) > 2 else ""
            value = self._dequantised(gather.input[0], node.input[1], zero)
            if value is not None:
                yield "weight", value

    # What a value is

    def _value(self, name: str) -> _Value | None:
        """Return a constant after identities, casts and transpositions; None for what is computed from the inputs."""
        tensor = self._tensors.get(name)
        if tensor is not None:
            floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
            if tensor.data_type not in floats:
                return None
            return _Value(tuple(tensor.dims), lambda: numpy_helper.to_array(tensor).astype(np.float32))
        node = self._makers.get(name)
        if node is None:
            return None
        if node.op_type == "DequantizeLinear" and node.input[0] in self._tensors:
            return self._dequantised(node.input[0], node.input[1], node.input[2] if len(node.input) > 2 else "")
        if node.op_type == "Mul":
            return self._scaled(node)
        if node.op_type not in ("Identity", "Cast", "Transpose"):
            return None
        value = self._value(node.input[0])
        if value is None or node.op_type != "Transpose":
            return value
        return value.turned() if len(value.dims) == 2 else None

    def _scaled(self, node: NodeProto) -> _Value | None:
        """Return q · scale of ``Mul(Cast(q), scale)``, as some exporters of 8-bit weights write it."""
        for place in (0, 1):
            cast, scale = self._makers.get(node.input[place]), self._tensors.get(node.input[1 - place])
            if cast is None or cast.op_type != "Cast" or scale is None or cast.input[0] not in self._tensors:
                continue
            stored = self._tensors[cast.input[0]]
            fits = len(scale.dims) == len(stored.dims) and all(
                one in (1, size) for one, size in zip(scale.dims, stored.dims, strict=True)
            )
            if stored.data_type in (TensorProto.INT8, TensorProto.UINT8) and (fits or np.prod(scale.dims) == 1):
                return self._dequantised(stored.name, scale.name, "")
        return None

    def _dequantised(self, name: str, scale: str, zero: str) -> _Value | None:
        """Return (q − zero) · scale; scales are one number, or one per row or column of a matrix."""
        stored, factor = self._tensors.get(name), self._tensors.get(scale)
        if stored is None or factor is None:
            return None

        def load() -> Array:
            values = numpy_helper.to_array(stored).astype(np.float32)
            if zero in self._tensors:
                values = values - numpy_helper.to_array(self._tensors[zero]).astype(np.float32)
            scaled: Array = values * numpy_helper.to_array(factor).astype(np.float32)
            return scaled

        return _Value(tuple(stored.dims), load, True)


def users_of(graph: GraphProto) -> dict[str, list[NodeProto]]:
    """Return the nodes that read each value."""
    users: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    return users


def _loader(value: _Value) -> Callable[[], torch.Tensor]:
    return lambda: torch.from_numpy(np.ascontiguousarray(value.load()))


def _attribute(node: NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)


def _module(node: NodeProto) -> str:
    """Return the path of the module that a node belongs to; empty where nothing says it."""
    for pair in node.metadata_props:
        if pair.key == _SCOPES:
            try:
                scopes = ast.literal_eval(pair.value)
            except (ValueError, SyntaxError):
                return ""
            whole = isinstance(scopes, list) and len(scopes) > 1 and isinstance(scopes[-2], str)
            return scopes[-2] if whole else ""
    if not node.name.startswith("/"):
        return ""
    return ".".join(node.name.split("/")[1:-1])


def _is_repeated(name: str, found: dict[str, _Value]) -> bool:
    """Tell whether a name is that of a module's second call, which TorchScript numbers: ``query_proj_1``."""
    match = _REPEATED.fullmatch(name)
    return match is not None and f"{match[1]}.{match[2]}" in found


def _wrapper(found: dict[str, _Value]) -> str:
    """Return what an exporter's wrapper put before every name."""
    for head in _HEADS:
        names = sorted(
            (name for name in found if name == f"{head}.weight" or name.endswith(f".{head}.weight")), key=len
        )
        if names:
            return names[0].removesuffix(f"{head}.weight")
    return ""
