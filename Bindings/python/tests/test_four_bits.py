"""q4: what `rally.quantize` stores in four bits, judged by onnx, onnxruntime and numpy."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import models
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from compare import TOLERANCE, relative_error
from onnx import TensorProto, helper, numpy_helper
from test_quantize import EXAMPLES, GROUP, GROUPED, ROW, TEXT, compute, is_matrix, quantize, raw, tensors

import rally
from rally.verify import verify

# Sizes of whole groups for every kind of language model: each layer is q4 then.
WIDE = {"hidden_size": 64, "head_dim": 16, "intermediate_size": 96}
KINDS = {**models.LANGUAGE_MODELS, **models.LOOPED}


def in_file(file: dict[str, TensorProto], name: str) -> npt.NDArray[np.float32]:
    """What a matrix of q4 stands for, by the words of docs/format.md."""
    stored = raw(file[name], np.uint8)
    groups = stored.reshape(-1, GROUP // 2)
    numbers = np.concatenate([groups & 15, groups >> 4], axis=1).astype(np.float32) - 8
    scales = raw(file[f"{name}.scale"], np.float16).astype(np.float32)
    weights = (numbers * scales[:, None]).reshape(stored.shape[0], -1)
    balance = file.get(f"{name}.balance")
    return weights if balance is None else weights * raw(balance, np.float32)


@pytest.mark.parametrize("text", [None, TEXT], ids=["plain", "calibrated"])
def test_layers_are_stored_in_four_bits(tmp_path: Path, text: str | None) -> None:
    """Every product of a layer is, embedding and head are int8, and all of it goes back to what it stands for."""
    source = models.write(tmp_path / "old.onnx", replace(GROUPED, tie_word_embeddings=False))
    target = tmp_path / "q4.onnx"
    rally.quantize(source, target, "q4", calibration_text=text)
    onnx.checker.check_model(str(target), full_check=True)
    old, new = tensors(source), tensors(target)
    for name in filter(is_matrix, old):
        weights = numpy_helper.to_array(old[name])
        if "_proj" not in name:
            assert new[name].data_type == TensorProto.INT8
            continue
        assert new[name].data_type == TensorProto.UINT8
        assert list(new[name].dims) == [weights.shape[0], weights.shape[1] // 2]
        assert new[f"{name}.scale"].data_type == TensorProto.FLOAT16
        error = np.linalg.norm(in_file(new, name) - weights) / np.linalg.norm(weights)
        assert 0.02 < error < (0.12 if text is None else 0.25)
    ours, theirs = compute(target)
    assert relative_error(ours, theirs) < TOLERANCE
    wide = quantize(target, tmp_path / "wide.onnx", "f32")
    assert onnx.load(wide).graph.node == onnx.load(quantize(source, tmp_path / "same.onnx", "f32")).graph.node
    back = tensors(wide)
    assert not any(name.endswith((".scale", ".balance")) for name in back)
    for name in (name for name in back if "_proj.weight" in name):
        assert (numpy_helper.to_array(back[name]) == in_file(new, name)).all()
    assert quantize(target, tmp_path / "copy.onnx", "q4").read_bytes() == target.read_bytes()
    compute(quantize(target, tmp_path / "int8.onnx", "int8"))
    with rally.Model(target) as model, rally.Model(wide, "f32") as exact:
        assert model.info.dtype == "q4"
        found, expected = (m.forward([ROW])[0].logits for m in (model, exact))
    assert 0 < relative_error(found, expected) < 0.1


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_language_model(tmp_path: Path, name: str) -> None:
    """Opening as q4 is what quantize stores, bit for bit; the graph computes what Rally computes with its weights."""
    source = models.write(tmp_path / "old.onnx", replace(KINDS[name], **WIDE))
    target = quantize(source, tmp_path / "q4.onnx", "q4")
    # The embedding is looked up as it is stored: the same one in both.
    changed, kept = onnx.load(target), tensors(source)
    stored = tensors(target)["embed_tokens.weight"]
    scales = raw(tensors(target)["embed_tokens.weight.scale"], np.float32).reshape(stored.dims[0], -1, 1)
    numbers = raw(stored, np.int8).astype(np.float32)
    table = (numbers.reshape(*scales.shape[:2], -1) * scales).reshape(numbers.shape)
    original = onnx.load(source)
    tensor = next(tensor for tensor in original.graph.initializer if tensor.name == "embed_tokens.weight")
    tensor.CopyFrom(numpy_helper.from_array(table, tensor.name))
    onnx.save(original, source)
    assert changed.graph.node != onnx.load(source).graph.node
    assert kept["embed_tokens.weight"].dims == stored.dims
    with rally.Model(target) as model, rally.Model(source, "q4") as opened:
        assert model.info.dtype == opened.info.dtype == "q4"
        one, other = (m.forward([ROW, ROW[:7]]) for m in (model, opened))
    for found, expected in zip(one, other, strict=True):
        assert found.depth.tolist() == expected.depth.tolist()
        assert (found.logits == expected.logits).all()
    assert all(comparison.agrees for comparison in verify(target, rows=2, length=32))


def test_raters_and_narrow_models(tmp_path: Path) -> None:
    """Rows that are no whole groups become int8; a model of nothing else is one of int8."""
    narrow = quantize(models.write(tmp_path / "old.onnx", models.RATER), tmp_path / "narrow.onnx", "q4")
    kinds = {
        tensor.data_type for name, tensor in tensors(narrow).items() if "_proj" in name and name.endswith("weight")
    }
    assert kinds == {TensorProto.INT8}
    with rally.Model(narrow) as model:
        assert model.info.dtype == "int8"
    with rally.Model(tmp_path / "old.onnx", "q4") as opened, rally.Model(tmp_path / "old.onnx", "int8") as same:
        assert (opened.rate([ROW]) == same.rate([ROW])).all()
    source = models.write(tmp_path / "wide.onnx", replace(models.RATER, **WIDE))
    ours, theirs = compute(quantize(source, tmp_path / "q4.onnx", "q4"))
    assert relative_error(ours, theirs) < TOLERANCE


def test_bits_do_not_depend_on_company() -> None:
    """A row alone, among others, and in pieces of another engine's choice."""
    with rally.Model(EXAMPLES / "rally-rater-tiny.onnx", "q4") as model:
        rows = [[int(i * 31 % 997 + n) for i in range(5 + 9 * n)] for n in range(12)]
        together = model.rate(rows)
        alone = [model.rate([row])[0] for row in rows]
        assert together.tolist() == alone
        assert model.rate(rows[::-1])[::-1].tolist() == alone
    for threads in (1, 3):
        with rally.Model(EXAMPLES / "rally-rater-tiny.onnx", "q4", threads=threads) as model:
            assert model.rate(rows).tolist() == alone


def test_what_is_wrong_with_q4_is_named(tmp_path: Path) -> None:
    source = quantize(models.write(tmp_path / "old.onnx", GROUPED), tmp_path / "q4.onnx", "q4")
    name = "block.0.mlp.up_proj.weight"

    def refused(tensor_name: str, tensor: TensorProto, code: rally.Status) -> None:
        model = onnx.load(source)
        found = next(tensor for tensor in model.graph.initializer if tensor.name == tensor_name)
        found.CopyFrom(tensor)
        found.name = tensor_name
        onnx.save(model, tmp_path / "bad.onnx")
        with pytest.raises(rally.RallyError, match=re.escape(tensor_name)) as caught:
            rally.Model(tmp_path / "bad.onnx")
        assert caught.value.code == code, caught.value

    groups = 96 * 2
    refused(f"{name}.scale", numpy_helper.from_array(np.ones(groups, np.float32)), rally.Status.INVALID_DATA_TYPE)
    refused(f"{name}.scale", numpy_helper.from_array(np.ones(96, np.float16)), rally.Status.INVALID_SHAPE)
    refused(f"{name}.scale", numpy_helper.from_array(np.full(groups, np.inf, np.float16)), rally.Status.NOT_FINITE)
    refused(name, numpy_helper.from_array(np.zeros((96, 64), np.uint8)), rally.Status.INVALID_SHAPE)
    short = numpy_helper.from_array(np.zeros((96, 32), np.uint8))
    short.raw_data = short.raw_data[1:]
    refused(name, short, rally.Status.TRUNCATED_DATA)
    typed = helper.make_tensor(name, TensorProto.UINT8, [96, 32], [7] * (96 * 32))
    typed.int32_data[5] = 256
    refused(name, typed, rally.Status.CORRUPT_FILE)


def test_numbers_in_a_typed_field(tmp_path: Path) -> None:
    """What other writers of ONNX make of the same bytes."""
    source = quantize(models.write(tmp_path / "old.onnx", GROUPED), tmp_path / "q4.onnx", "q4")
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.UINT8:
            values = raw(tensor, np.uint8).reshape(-1).tolist()
            tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.UINT8, tensor.dims, values))
    onnx.save(model, tmp_path / "typed.onnx")
    assert (compute(tmp_path / "typed.onnx")[0] == compute(source)[0]).all()


def test_a_graph_that_reads_q4_in_another_way_is_named(tmp_path: Path) -> None:
    source = quantize(models.write(tmp_path / "old.onnx", GROUPED), tmp_path / "q4.onnx", "q4")
    for kind in ("Mod", "BitShift", "Concat", "Sub"):
        model = onnx.load(source)
        node = next(node for node in model.graph.node if node.op_type == kind and "up_proj" in node.name)
        node.op_type = "Max"
        onnx.save(model, tmp_path / "strange.onnx")
        with pytest.raises(rally.RallyError, match=r"Max|Reshape"):
            rally.quantize(tmp_path / "strange.onnx", tmp_path / "new.onnx", "f32")
        assert not (tmp_path / "new.onnx").exists()
