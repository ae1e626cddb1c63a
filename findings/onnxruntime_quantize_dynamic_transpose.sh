#!/usr/bin/env bash
# onnxruntime 1.32.0: quantize_dynamic quantises MatMul(x, W). The same product written as MatMul(x, Transpose(W)), which is
# how exporters write a linear layer whose weight is stored [outputs, inputs], stays in f32: the call returns, the file is as
# large as before, and no message names the product that was left out. Both files are valid and compute the same.
# What helps: let onnxruntime fold constants first (ORT_ENABLE_BASIC with optimized_model_filepath), then quantise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
weight = np.random.default_rng(0).standard_normal((256, 512)).astype(np.float32)  # [outputs, inputs]


def write(path, through_transpose):
    stored = weight if through_transpose else np.ascontiguousarray(weight.T)
    nodes = [helper.make_node("MatMul", ["x", "turned" if through_transpose else "weight"], ["y"])]
    if through_transpose:
        nodes.insert(0, helper.make_node("Transpose", ["weight"], ["turned"], perm=[1, 0]))
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 512])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 256])],
        [numpy_helper.from_array(stored, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


seen = {}
for name, through_transpose in (("plain", False), ("transposed", True)):
    write(f"{name}.onnx", through_transpose)
    quantize_dynamic(f"{name}.onnx", f"{name}-int8.onnx", weight_type=QuantType.QInt8)
    operators = [node.op_type for node in onnx.load(f"{name}-int8.onnx").graph.node]
    sizes = [Path(f"{name}{end}.onnx").stat().st_size for end in ("", "-int8")]
    seen[name] = operators
    print(f"{name:10}  {sizes[0]:,} bytes -> {sizes[1]:,} bytes  {' '.join(operators)}")

x = np.ones((1, 512), np.float32)
results = [
    onnxruntime.InferenceSession(f"{name}.onnx", providers=["CPUExecutionProvider"]).run(None, {"x": x})[0] for name in seen
]
assert np.allclose(*results, atol=1e-4), "the two files compute the same"
assert "MatMulInteger" in seen["plain"], "the plain product is quantised"
assert seen["transposed"] == ["Transpose", "MatMul"], "behaviour changed: the transposed product is not left alone any more"
PYTHON
