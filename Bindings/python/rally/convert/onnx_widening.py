"""An 8-bit ONNX graph with the numbers that its weights stand for, so that it can be compared in f32."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from rally.convert.onnx_file import OnnxCheckpoint, users_of


def widened(checkpoint: OnnxCheckpoint) -> bytes:
    """Return the graph with every product of rounded activations as a product of f32.

    ``MatMulInteger(DynamicQuantizeLinear(x), W)``, widened and scaled, becomes ``MatMul(x, (W − zero) · scale)``;
    weights that are dequantised in the graph stay as they are, for that is what they are compared with.
    """
    model = ModelProto()
    model.CopyFrom(checkpoint.model)
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    users = users_of(graph)
    gone: set[str] = set()
    added = []
    for node in [node for node in graph.node if node.op_type == "MatMulInteger"]:
        weight = checkpoint.matrix(node)
        rounding, chain = makers.get(node.input[0]), _chain(node, users)
        if weight is None or rounding is None or rounding.op_type != "DynamicQuantizeLinear" or chain is None:
            continue
        name = f"{node.output[0]}/weight"
        graph.initializer.append(numpy_helper.from_array(weight.load().astype(np.float32), name))
        added.append(
            (chain[-1].output[0], helper.make_node("MatMul", [rounding.input[0], name], [chain[-1].output[0]]))
        )
        gone |= {output for removed in (node, *chain) for output in removed.output}
    made = dict(added)
    kept = []
    for node in graph.node:
        # The product takes the place of the last node of its chain, so that the order stays right.
        if node.output and node.output[0] in made:
            kept.append(made[node.output[0]])
        elif not (set(node.output) & gone):
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    widened: bytes = model.SerializeToString()
    return widened


def _chain(node: NodeProto, users: dict[str, list[NodeProto]]) -> list[NodeProto] | None:
    """Return the cast and the multiplication after a product of integers."""
    casts = users.get(node.output[0], [])
    if len(casts) != 1 or casts[0].op_type != "Cast":
        return None
    scales = users.get(casts[0].output[0], [])
    return [casts[0], scales[0]] if len(scales) == 1 and scales[0].op_type == "Mul" else None
