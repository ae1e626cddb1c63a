"""Stored types: what `rally.quantize` writes, judged by onnx and onnxruntime, and by numpy for every matrix."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import models
import numpy as np
import onnx
import pytest
from compare import TOLERANCE, Graph, relative_error, same_bits
from onnx import TensorProto, helper, numpy_helper

import rally
from rally.modelfile.tensors import bfloat16_bits

EXAMPLES = Path(__file__).resolve().parents[3] / "Examples" / "models"
ROW = [int(i * 7919 % models.VOCAB) for i in range(48)]
SHIPPED = ["rally-tiny", "rally-rater-tiny"]
# Of logits and scores against the f32 file: int8 rounds every matrix by some 0.7 %, and a token or two of these rows
# without sense may take another depth.
LOSS = 0.05
# Rows of whole groups.
GROUPED = replace(models.VANILLA, hidden_size=64, head_dim=16, intermediate_size=96, tie_word_embeddings=True)
GROUP = 32


def tensors(path: Path) -> dict[str, TensorProto]:
    return {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}


def is_matrix(name: str) -> bool:
    return name in ("embed_tokens.weight", "lm_head.weight") or name.endswith("_proj.weight")


def raw(tensor: TensorProto, kind: type) -> np.ndarray:
    return np.frombuffer(tensor.raw_data, kind).reshape(tensor.dims)


def widened(name: str, file: dict[str, TensorProto]) -> np.ndarray:
    """What a stored matrix stands for, in f32."""
    tensor = file[name]
    if tensor.data_type == TensorProto.INT8:
        scales = raw(file[f"{name}.scale"], np.float32).reshape(tensor.dims[0], -1, 1)
        numbers = raw(tensor, np.int8).astype(np.float32)
        weights = (numbers.reshape(*scales.shape[:2], -1) * scales).reshape(numbers.shape)
        balance = file.get(f"{name}.balance")
        return weights if balance is None else weights * raw(balance, np.float32)
    if tensor.data_type == TensorProto.BFLOAT16:
        return (raw(tensor, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return numpy_helper.to_array(tensor)


def quantize(source: Path, target: Path, dtype: str) -> Path:
    rally.quantize(source, target, dtype)
    onnx.checker.check_model(str(target), full_check=True)
    return target


def compute(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits, or a score, of one row by Rally and by onnxruntime."""
    graph = Graph(path)
    with rally.Model(path, dtype="f32") as model:
        if model.kind == "rater":
            return np.asarray(model.rate([ROW])), np.asarray([graph.rate(ROW)])
        forward = model.forward([ROW])[0]
        logits, depth = graph.forward(ROW)
        assert forward.depth.tolist() == depth.tolist()
        assert forward.logits is not None
        return forward.logits, logits


@pytest.mark.parametrize("dtype", ["int8", "bf16"])
@pytest.mark.parametrize("name", SHIPPED)
def test_opening_makes_what_is_stored(tmp_path: Path, name: str, dtype: str) -> None:
    """Of a file whose embedding, which opening leaves as it is, has the rounded numbers already."""
    stored = quantize(EXAMPLES / f"{name}.onnx", tmp_path / "stored.onnx", dtype)
    widened = quantize(stored, tmp_path / "widened.onnx", "f32")
    with rally.Model(stored) as one, rally.Model(widened, dtype=dtype) as other:
        assert one.info.dtype == other.info.dtype == dtype
        rows = [[5, 6, 7, 8], [9] * 40, [3]]
        if one.kind == "rater":
            assert same_bits(one.rate(rows), other.rate(rows))
        else:
            pairs = zip(one.forward(rows), other.forward(rows), strict=True)
            assert all(same_bits(left.logits, right.logits) for left, right in pairs)


@pytest.mark.parametrize("dtype", ["int8", "bf16"])
@pytest.mark.parametrize("model", [models.MOR, GROUPED], ids=["rows", "groups"])
def test_every_matrix_follows_the_rule(tmp_path: Path, model: models.Description, dtype: str) -> None:
    source = models.write(tmp_path / "old.onnx", model)
    old = tensors(source)
    new = tensors(quantize(source, tmp_path / "new.onnx", dtype))
    assert set(old) == {name for name in new if not name.endswith(".scale")}
    for name, tensor in old.items():
        if not is_matrix(name):
            assert new[name] == tensor, name
            continue
        weights = numpy_helper.to_array(tensor)
        if dtype == "bf16":
            assert new[name].data_type == TensorProto.BFLOAT16
            assert (raw(new[name], np.uint16) == bfloat16_bits(weights)).all()
            continue
        groups = weights.reshape(-1, GROUP if weights.shape[1] % GROUP == 0 else weights.shape[1])
        scale = np.abs(groups).max(axis=1) / np.float32(127)
        assert scale.dtype == np.float32
        assert (raw(new[f"{name}.scale"], np.float32) == scale).all()
        assert (raw(new[name], np.int8).reshape(groups.shape) == np.rint(groups / scale[:, None])).all()
    assert any(name.endswith(".scale") for name in new) == (dtype == "int8")


@pytest.mark.parametrize("dtype", ["int8", "bf16", "f32"])
@pytest.mark.parametrize("name", models.LANGUAGE_MODELS)
def test_the_graph_computes_what_rally_computes(tmp_path: Path, name: str, dtype: str) -> None:
    source = models.write(tmp_path / "old.onnx", models.LANGUAGE_MODELS[name])
    ours, theirs = compute(quantize(source, tmp_path / "new.onnx", dtype))
    assert relative_error(ours, theirs) < TOLERANCE


TEXT = (EXAMPLES.parents[1] / "Tests" / "Fixtures" / "texts" / "alice.txt").read_text(encoding="utf-8")[:4000]


@pytest.mark.parametrize("text", [None, TEXT], ids=["plain", "calibrated"])
def test_groups_and_balances_are_followed(tmp_path: Path, text: str | None) -> None:
    """A file with scales of groups, and with balances, is executable and goes back to what it stands for."""
    source = models.write(tmp_path / "old.onnx", GROUPED)
    int8 = tmp_path / "int8.onnx"
    rally.quantize(source, int8, calibration_text=text)
    onnx.checker.check_model(str(int8), full_check=True)
    ours, theirs = compute(int8)
    assert relative_error(ours, theirs) < TOLERANCE
    assert relative_error(ours, compute(source)[0]) < 2 * LOSS
    file = tensors(int8)
    balances = [name for name in file if name.endswith(".balance")]
    assert len(balances) == (0 if text is None else sum(is_matrix(name) for name in file))
    exponents = [np.log2(raw(file[name], np.float32)) for name in balances]
    assert all((values == np.rint(values)).all() for values in exponents)
    assert text is None or any(np.unique(values).size > 1 for values in exponents)
    for one, other in [("q", "k"), ("k", "v")]:
        pair = [file.get(f"block.0.self_attn.{part}_proj.weight.balance") for part in (one, other)]
        assert text is None or pair[0].raw_data == pair[1].raw_data
    wide = quantize(int8, tmp_path / "wide.onnx", "f32")
    assert onnx.load(wide).graph.node == onnx.load(quantize(source, tmp_path / "same.onnx", "f32")).graph.node
    back = tensors(wide)
    assert not any(name.endswith((".scale", ".balance")) for name in back)
    for name in filter(is_matrix, back):
        assert (numpy_helper.to_array(back[name]) == widened(name, file)).all()
    assert quantize(int8, tmp_path / "copy.onnx", "int8").read_bytes() == int8.read_bytes()
    # The product in int8 rounds rows as well.
    with rally.Model(int8) as model, rally.Model(wide, "f32") as exact:
        assert model.info.dtype == "int8"
        found, expected = (m.forward([ROW])[0].logits for m in (model, exact))
    assert 0 < relative_error(found, expected) < 2 * LOSS


def test_what_is_wrong_with_scales_and_balances_is_named(tmp_path: Path) -> None:
    source = models.write(tmp_path / "old.onnx", GROUPED)
    rally.quantize(source, tmp_path / "int8.onnx", calibration_text=TEXT)
    name = "block.0.mlp.up_proj.weight"

    def refused(suffix: str, values: np.ndarray, code: rally.Status) -> None:
        model = onnx.load(tmp_path / "int8.onnx")
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == f"{name}.{suffix}")
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        onnx.save(model, tmp_path / "bad.onnx")
        with pytest.raises(rally.RallyError, match=re.escape(f"{name}.{suffix}")) as caught:
            rally.Model(tmp_path / "bad.onnx")
        assert caught.value.code == code, caught.value

    ones = np.ones(64, np.float32)
    refused("scale", np.ones(96 * 2 + 1, np.float32), rally.Status.INVALID_SHAPE)
    refused("scale", np.full(96 * 2, np.nan, np.float32), rally.Status.NOT_FINITE)
    refused("balance", ones[:-1], rally.Status.INVALID_SHAPE)
    for value in (0, -1, 3, np.inf, np.nan, 2.0**-25, 2.0**25):
        ones[7] = value
        refused("balance", ones, rally.Status.INVALID_VALUE)


def test_calibration_needs_text_and_a_tokenizer(tmp_path: Path) -> None:
    source = models.write(tmp_path / "old.onnx", GROUPED)
    silent = models.write(tmp_path / "silent.onnx", replace(GROUPED, tokenizer=None))
    for path, text, code in [
        (source, "", rally.Status.EMPTY_INPUT),
        (silent, TEXT, rally.Status.UNSUPPORTED),
    ]:
        with pytest.raises(rally.RallyError, match="calibrat") as caught:
            rally.quantize(path, tmp_path / "new.onnx", calibration_text=text)
        assert caught.value.code == code
        assert not (tmp_path / "new.onnx").exists()


@pytest.mark.parametrize("dtype", ["int8", "bf16"])
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models(tmp_path: Path, name: str, dtype: str) -> None:
    source = EXAMPLES / f"{name}.onnx"
    target = quantize(source, tmp_path / "new.onnx", dtype)
    ours, theirs = compute(target)
    assert relative_error(ours, theirs) < TOLERANCE
    exact = compute(source)[0]
    # The score of one row may lie near 0, on a scale of some units.
    assert 0 < relative_error(ours, exact) * min(np.linalg.norm(exact), 1) < LOSS
    assert target.stat().st_size < source.stat().st_size * (0.31 if dtype == "int8" else 0.55)
    with rally.Model(source) as old, rally.Model(target) as new:
        assert new.metadata == old.metadata
        assert new.encode("The sea") == old.encode("The sea")


def test_types_follow_each_other(lm_path: Path, tmp_path: Path) -> None:
    """A wider type holds what a narrower one stands for, and the same type the same bytes."""
    int8 = quantize(lm_path, tmp_path / "int8.onnx", "int8")
    assert quantize(lm_path, tmp_path / "same.onnx", "int8").read_bytes() == int8.read_bytes()
    assert quantize(int8, tmp_path / "again.onnx", "int8").read_bytes() == int8.read_bytes()
    bf16 = quantize(lm_path, tmp_path / "bf16.onnx", "bf16")
    for narrow in (int8, bf16):
        wide = quantize(narrow, tmp_path / "wide.onnx", "f32")
        file, stored = tensors(wide), tensors(narrow)
        assert not any(name.endswith(".scale") for name in file)
        for name in filter(is_matrix, file):
            assert (numpy_helper.to_array(file[name]) == widened(name, stored)).all()
        assert relative_error(compute(wide)[0], compute(narrow)[0]) < TOLERANCE
    # There and back the graph is what it was.
    unchanged = quantize(lm_path, tmp_path / "f32.onnx", "f32")
    for middle in ("bf16", "int8"):
        quantize(unchanged, tmp_path / "middle.onnx", middle)
        back = quantize(tmp_path / "middle.onnx", tmp_path / "back.onnx", "f32")
        assert onnx.load(back).graph.node == onnx.load(unchanged).graph.node
    both = tensors(quantize(int8, tmp_path / "both.onnx", "bf16"))
    for name in filter(is_matrix, both):
        assert (raw(both[name], np.uint16) == bfloat16_bits(widened(name, tensors(int8)))).all()
    compute(tmp_path / "both.onnx")


@pytest.mark.parametrize("element", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize("dtype", ["int8", "bf16", "f32"])
def test_files_of_half_floats(tmp_path: Path, element: int, dtype: str) -> None:
    source = models.write(tmp_path / "half.onnx", models.MOR, element=element)
    before = compute(source)[0]
    ours, theirs = compute(quantize(source, tmp_path / "new.onnx", dtype))
    assert relative_error(ours, theirs) < TOLERANCE
    assert relative_error(ours, before) < LOSS
    if dtype == "f32":
        assert (ours == before).all()


def test_zero_rows_have_a_scale(tmp_path: Path) -> None:
    source = models.write(tmp_path / "old.onnx", models.VANILLA)
    model = onnx.load(source)
    head = next(tensor for tensor in model.graph.initializer if tensor.name == "lm_head.weight")
    weights = numpy_helper.to_array(head).copy()
    weights[3] = 0
    head.CopyFrom(numpy_helper.from_array(weights, head.name))
    onnx.save(model, source)
    new = tensors(quantize(source, tmp_path / "new.onnx", "int8"))
    assert raw(new["lm_head.weight.scale"], np.float32)[3] == 1
    assert not raw(new["lm_head.weight"], np.int8)[3].any()


def test_numbers_beyond_bf16_are_refused(tmp_path: Path) -> None:
    source = models.write(tmp_path / "old.onnx", models.VANILLA)
    model = onnx.load(source)
    head = next(tensor for tensor in model.graph.initializer if tensor.name == "lm_head.weight")
    weights = numpy_helper.to_array(head).copy()
    weights[0, 0] = np.finfo(np.float32).max
    head.CopyFrom(numpy_helper.from_array(weights, head.name))
    onnx.save(model, source)
    with pytest.raises(rally.RallyError, match=r"lm_head\.weight") as caught:
        rally.quantize(source, tmp_path / "new.onnx", "bf16")
    assert caught.value.code == rally.Status.NOT_FINITE
    assert [path.name for path in tmp_path.iterdir()] == ["old.onnx"]


def test_external_data_comes_into_the_file(lm_path: Path, tmp_path: Path) -> None:
    source = tmp_path / "external.onnx"
    onnx.save(onnx.load(lm_path), source, save_as_external_data=True, location="weights.bin", size_threshold=0)
    target = quantize(source, tmp_path / "new.onnx", "int8")
    inline = quantize(lm_path, tmp_path / "inline.onnx", "int8")
    new, expected = tensors(target), tensors(inline)
    assert set(new) == set(expected)
    for name in new:
        assert numpy_helper.to_array(new[name]).tolist() == numpy_helper.to_array(expected[name]).tolist(), name
    assert (compute(target)[0] == compute(inline)[0]).all()
    before = (tmp_path / "weights.bin").read_bytes()
    with pytest.raises(rally.RallyError) as caught:
        rally.quantize(source, tmp_path / "weights.bin")
    assert caught.value.code == rally.Status.INVALID_ARGUMENT
    assert (tmp_path / "weights.bin").read_bytes() == before


def test_what_stood_there_stays_on_failure(lm_path: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "old.onnx", tmp_path / "new.onnx"
    shutil.copy(lm_path, source)
    target.write_text("kept")
    link = tmp_path / "link.onnx"
    link.symlink_to(source)

    def refused(code: rally.Status, read: Path, written: Path, dtype: str = "int8") -> None:
        with pytest.raises(rally.RallyError) as caught:
            rally.quantize(read, written, dtype)
        assert caught.value.code == code, caught.value
        assert target.read_text() == "kept"
        assert source.read_bytes() == lm_path.read_bytes()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link.onnx", "new.onnx", "old.onnx"]

    refused(rally.Status.INVALID_ARGUMENT, source, target, "auto")
    refused(rally.Status.INVALID_ARGUMENT, source, target, "f64")
    refused(rally.Status.INVALID_ARGUMENT, source, source)
    refused(rally.Status.INVALID_ARGUMENT, source, link)
    refused(rally.Status.FILE_NOT_FOUND, tmp_path / "none.onnx", target)
    refused(rally.Status.CORRUPT_FILE, target, tmp_path / "other.onnx")
    refused(rally.Status.NOT_A_FILE, source, tmp_path)
    refused(rally.Status.IO, source, tmp_path / "no/such/folder.onnx")


def rewired(source: Path, target: Path, change: Callable[[onnx.GraphProto], None]) -> Path:
    """A copy whose graph was changed."""
    model = onnx.load(source)
    change(model.graph)
    onnx.save(model, target)
    return target


def reader(graph: onnx.GraphProto, kind: str, name: str) -> onnx.NodeProto:
    return next(node for node in graph.node if node.op_type == kind and node.input[0] == name)


def test_graphs_that_read_weights_in_other_ways(lm_path: Path, tmp_path: Path) -> None:
    """Every use of an f32 weight can be followed; a narrow one is read as docs/format.md says, or the node is named."""
    weight, up = "embed_tokens.weight", "block.0.mlp.up_proj.weight"

    def use_twice(graph: onnx.GraphProto) -> None:
        graph.node.append(helper.make_node("Identity", [weight], ["again"], name="strange"))
        graph.node.append(helper.make_node("Add", ["again", weight], ["twice"]))
        graph.value_info.append(helper.make_tensor_value_info(weight, TensorProto.FLOAT, [models.VOCAB, 48]))

    free = rewired(lm_path, tmp_path / "free.onnx", use_twice)
    for dtype in ("int8", "bf16"):
        ours, theirs = compute(quantize(free, tmp_path / f"{dtype}.onnx", dtype))
        assert relative_error(ours, theirs) < TOLERANCE
    quantize(tmp_path / "int8.onnx", tmp_path / "back.onnx", "f32")

    def read_narrow(graph: onnx.GraphProto) -> None:
        graph.node.append(helper.make_node("Identity", [weight], ["again"], name="strange"))

    def read_scales(graph: onnx.GraphProto) -> None:
        graph.node.append(helper.make_node("Identity", [f"{up}.scale"], ["again"], name="strange"))

    def other_axis(graph: onnx.GraphProto) -> None:
        node = reader(graph, "DequantizeLinear", up)
        node.name = "strange"
        node.attribute[0].i = 1

    def zero_point(graph: onnx.GraphProto) -> None:
        graph.initializer.append(numpy_helper.from_array(np.zeros(80, np.int8), "graph.zero_point"))
        node = reader(graph, "DequantizeLinear", up)
        node.name = "strange"
        node.input.append("graph.zero_point")

    def inner_graph(graph: onnx.GraphProto) -> None:
        node = helper.make_node("If", ["graph.zero"], ["again"], name="strange")
        for branch in ("then_branch", "else_branch"):
            inner = helper.make_node("Identity", [weight], ["inner"])
            output = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
            node.attribute.append(helper.make_attribute(branch, helper.make_graph([inner], branch, [], [output])))
        graph.node.append(node)

    def also_an_output(graph: onnx.GraphProto) -> None:
        graph.output.append(helper.make_tensor_value_info(weight, TensorProto.FLOAT, [models.VOCAB, 48]))

    def taken_name(graph: onnx.GraphProto) -> None:
        graph.node.append(helper.make_node("Identity", ["input_ids"], [f"{weight}.scale"], name="strange"))

    bf16, int8 = quantize(lm_path, tmp_path / "bf16.onnx", "bf16"), tmp_path / "int8.onnx"
    quantize(lm_path, int8, "int8")
    cases = [(bf16, read_narrow), (int8, read_narrow), (int8, read_scales), (int8, other_axis), (int8, zero_point)]
    for source, change in [*cases, (lm_path, inner_graph)]:
        with pytest.raises(rally.RallyError, match="strange") as caught:
            rally.quantize(
                rewired(source, tmp_path / "changed.onnx", change),
                tmp_path / "new.onnx",
                "f32" if source != lm_path else "int8",
            )
        assert caught.value.code == rally.Status.UNSUPPORTED, change
    for change in (also_an_output, taken_name):
        with pytest.raises(rally.RallyError, match=r"embed_tokens\.weight") as caught:
            rally.quantize(rewired(lm_path, tmp_path / "changed.onnx", change), tmp_path / "new.onnx")
        assert caught.value.code == rally.Status.UNSUPPORTED, change
    assert not (tmp_path / "new.onnx").exists()


def test_progress_and_its_exceptions(lm_path: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    rally.quantize(lm_path, tmp_path / "new.onnx", progress=lambda done, total: steps.append((done, total)))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == steps[-1][1] == {total for _, total in steps}.pop()

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise ValueError("enough")

    before = (tmp_path / "new.onnx").read_bytes()
    with pytest.raises(ValueError, match="enough"):
        rally.quantize(lm_path, tmp_path / "new.onnx", "bf16", progress=stop)
    assert (tmp_path / "new.onnx").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["new.onnx"]


def test_raters_keep_their_head(tmp_path: Path) -> None:
    source = models.write(tmp_path / "old.onnx", replace(models.RATER, positions="none"))
    new = tensors(quantize(source, tmp_path / "new.onnx", "int8"))
    assert new["head.weight"].data_type == TensorProto.FLOAT
    ours, theirs = compute(tmp_path / "new.onnx")
    assert relative_error(ours, theirs) < TOLERANCE
