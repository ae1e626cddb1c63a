#!/usr/bin/env bash
# onnxruntime 1.32.0: quantize_dynamic(per_channel=True) on a MatMul whose weight is a vector, a linear head with one output written
# as MatMul(x [rows, 64], w [64]), returns and writes a file that the same onnxruntime opens and then cannot run: "b zero point is
# not valid". The vector is the only axis, so it gets a zero point for each input. Without per_channel the file runs, and so does the
# same head as MatMul(x, w [64, 1]). Found where a rater's head meets per_channel, which its encoder needs to keep its quality.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
onnxruntime.set_default_logger_severity(4)
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
weight = np.random.default_rng(0).standard_normal(64).astype(np.float32)
x = np.random.default_rng(1).standard_normal((3, 64)).astype(np.float32)


def write(path, stored, shape):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])],
        "head",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(stored, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def run(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    try:
        return session.run(None, {"x": x})[0].ravel()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][-60:]}"


write("vector.onnx", weight, ["rows"])
write("matrix.onnx", weight[:, None], ["rows", 1])
seen = {}
for name, per_channel in (("vector", False), ("vector", True), ("matrix", True)):
    quantize_dynamic(f"{name}.onnx", "int8.onnx", per_channel=per_channel, weight_type=QuantType.QInt8)
    (points,) = [tensor for tensor in onnx.load("int8.onnx").graph.initializer if tensor.name.endswith("zero_point")]
    seen[name, per_channel] = found = run("int8.onnx")
    print(f"{name}, per_channel={per_channel}: zero points {list(points.dims)}, {found}")

assert np.allclose(run("vector.onnx"), x @ weight, atol=1e-4), "the file is valid as it is"
assert np.allclose(seen["vector", False], x @ weight, atol=0.5), "one scale for the vector works"
assert np.allclose(seen["matrix", True], x @ weight, atol=0.5), "the same head as a matrix works"
assert isinstance(seen["vector", True], str) and "zero point" in seen["vector", True], "behaviour changed: it runs, or fails otherwise"
PYTHON
