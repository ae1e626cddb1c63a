"""Bad input: its exact code, a message that names it, untouched buffers, and a process that goes on."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Iterator
from ctypes import byref
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import rally
from rally import RallyError, Status
from rally import _library as declarations
from rally.modelfile.activations import ACTIVATIONS

DOCUMENT = Path(__file__).parents[3] / "docs" / "format.md"
ROWS = models.rows([4, 9])


def code(call: Callable[[], Any]) -> Status:
    """The code that a call fails with; its message is one line that says something."""
    with pytest.raises(RallyError) as caught:
        call()
    assert len(caught.value.message) > 10
    assert "\n" not in caught.value.message
    return caught.value.code


# Files


@pytest.fixture(scope="module")
def proto(lm_path: Path) -> onnx.ModelProto:
    return onnx.load(lm_path)


def opening(path: Any) -> Status:
    return code(lambda: rally.Model(path))


def test_activations_are_those_of_the_documents(proto: onnx.ModelProto, tmp_path: Path) -> None:
    """What the engine knows, what the writer writes and what docs/format.md explains is one list."""
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    entry(changed, "hidden_act").value = "sine"
    onnx.save(changed, tmp_path / "model.onnx")
    with pytest.raises(RallyError, match=f"expected {', '.join(ACTIVATIONS)}, found"):
        rally.Model(tmp_path / "model.onnx")
    section = DOCUMENT.read_text(encoding="utf-8").split("### Activations\n")[1].split("\n#")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(ACTIVATIONS)


def test_no_file(tmp_path: Path) -> None:
    assert opening(tmp_path / "none.onnx") == Status.FILE_NOT_FOUND
    assert opening(tmp_path / "no" / "none.onnx") == Status.FILE_NOT_FOUND
    assert opening("") in {Status.FILE_NOT_FOUND, Status.INVALID_ARGUMENT}
    assert opening("a\0b") == Status.INVALID_ARGUMENT
    assert opening(tmp_path) == Status.NOT_A_FILE
    assert opening("/dev/null") == Status.NOT_A_FILE


def test_no_model(tmp_path: Path, lm_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    assert opening(path) == Status.EMPTY_FILE
    for content in (b"This is a text, not a model.\n" * 100, os.urandom(4_000) + b"\xff" * 20, b"\xff" * 4_000):
        path.write_bytes(content)
        assert opening(path) == Status.CORRUPT_FILE
    content = lm_path.read_bytes()
    for end in (1_000, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        assert opening(path) == Status.CORRUPT_FILE
        assert code(lambda end=end: rally.Model.from_bytes(content[:end])) == Status.CORRUPT_FILE


def test_another_model(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [value], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "relu.onnx")
    assert opening(tmp_path / "relu.onnx") == Status.NOT_A_RALLY_MODEL


def entry(model: onnx.ModelProto, key: str) -> Any:
    return next(pair for pair in model.metadata_props if pair.key == f"rally.{key}")


def weight(model: onnx.ModelProto, name: str) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def set_value(key: str, value: str) -> Callable[[onnx.ModelProto], None]:
    return lambda model: setattr(entry(model, key), "value", value)


def remove_key(model: onnx.ModelProto) -> None:
    model.metadata_props.remove(entry(model, "norm_eps"))


def add_key(model: onnx.ModelProto) -> None:
    model.metadata_props.add(key="rally.colour", value="red")


def repeat_key(model: onnx.ModelProto) -> None:
    model.metadata_props.add().CopyFrom(entry(model, "norm_eps"))


def remove_weight(model: onnx.ModelProto) -> None:
    model.graph.initializer.remove(weight(model, "norm.weight"))


def add_weight(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "colour.weight"))


def repeat_weight(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(weight(model, "norm.weight"))


def reshape_weight(model: onnx.ModelProto) -> None:
    weight(model, "embed_tokens.weight").dims[:] = [models.MOR.hidden_size, models.VOCAB]


def retype_weight(model: onnx.ModelProto) -> None:
    found = weight(model, "norm.weight")
    found.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(found).astype(np.float64), found.name))


def shorten_weight(model: onnx.ModelProto) -> None:
    found = weight(model, "norm.weight")
    found.raw_data = found.raw_data[:-4]


def spoil_weight(value: float) -> Callable[[onnx.ModelProto], None]:
    def spoil(model: onnx.ModelProto) -> None:
        found = weight(model, "block.1.mlp.up_proj.weight")
        array = numpy_helper.to_array(found).copy()
        array[-1, -1] = value
        found.CopyFrom(numpy_helper.from_array(array, found.name))

    return spoil


def outside(location: str) -> Callable[[onnx.ModelProto], None]:
    def move(model: onnx.ModelProto) -> None:
        found = weight(model, "norm.weight")
        length = len(found.raw_data)
        found.ClearField("raw_data")
        found.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "offset": "0", "length": str(length)}.items():
            found.external_data.add(key=key, value=value)

    return move


def break_merges(model: onnx.ModelProto) -> None:
    weight(model, "tokenizer.merges").string_data[0] = b"no such"


BROKEN: dict[str, tuple[Status, str, Callable[[onnx.ModelProto], None]]] = {
    "another format": (Status.UNSUPPORTED_VERSION, "rally.format", set_value("format", "3")),
    "missing key": (Status.MISSING_KEY, "rally.norm_eps", remove_key),
    "unknown key": (Status.UNKNOWN_KEY, "rally.colour", add_key),
    "repeated key": (Status.DUPLICATE_KEY, "rally.norm_eps", repeat_key),
    "no number": (Status.INVALID_VALUE, "rally.hidden_size", set_value("hidden_size", "many")),
    "negative": (Status.INVALID_VALUE, "rally.hidden_size", set_value("hidden_size", "-48")),
    "zero": (Status.INVALID_VALUE, "rally.vocab_size", set_value("vocab_size", "0")),
    "huge": (Status.INVALID_VALUE, "rally.head_dim", set_value("head_dim", "9" * 30)),
    "not finite": (Status.INVALID_VALUE, "rally.norm_eps", set_value("norm_eps", "nan")),
    "no such choice": (Status.INVALID_VALUE, "rally.hidden_act", set_value("hidden_act", "sine")),
    "no such kind": (Status.INVALID_VALUE, "rally.kind", set_value("kind", "diffusion")),
    "missing weight": (Status.MISSING_TENSOR, "norm.weight", remove_weight),
    "unknown weight": (Status.UNKNOWN_TENSOR, "colour.weight", add_weight),
    "repeated weight": (Status.DUPLICATE_TENSOR, "norm.weight", repeat_weight),
    "shape": (Status.INVALID_SHAPE, "embed_tokens.weight", reshape_weight),
    "type": (Status.INVALID_DATA_TYPE, "norm.weight", retype_weight),
    "fewer bytes": (Status.TRUNCATED_DATA, "norm.weight", shorten_weight),
    "NaN": (Status.NOT_FINITE, "block.1.mlp.up_proj.weight", spoil_weight(float("nan"))),
    "infinity": (Status.NOT_FINITE, "block.1.mlp.up_proj.weight", spoil_weight(float("-inf"))),
    "above": (Status.EXTERNAL_DATA_FORBIDDEN, "norm.weight", outside("../data")),
    "absolute": (Status.EXTERNAL_DATA_FORBIDDEN, "norm.weight", outside("/etc/hostname")),
    "no data file": (Status.EXTERNAL_DATA_MISSING, "norm.weight", outside("none.data")),
    "short data file": (Status.EXTERNAL_DATA_RANGE, "norm.weight", outside("short.data")),
    "merges": (Status.INVALID_TOKENIZER, "no such", break_merges),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_model(name: str, proto: onnx.ModelProto, tmp_path: Path) -> None:
    expected, named, edit = BROKEN[name]
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    edit(model)
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "data").write_bytes(bytes(10_000))
    (folder / "short.data").write_bytes(bytes(8))
    path = folder / "broken.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(RallyError, match=named.replace(".", r"\.")) as caught:
        rally.Model(path)
    assert caught.value.code == expected


def test_options(lm_path: Path) -> None:
    assert code(lambda: rally.Model(lm_path, dtype="f64")) == Status.INVALID_ARGUMENT
    for threads in (-1, 257, 2**32, 1.5):
        assert code(lambda threads=threads: rally.Model(lm_path, threads=threads)) == Status.INVALID_ARGUMENT
    assert code(lambda: rally.Model(lm_path, batch_tokens=-1)) == Status.INVALID_ARGUMENT


# Rows


@pytest.fixture(params=["forward", "logprobs", "generate", "rate"])
def use(request: pytest.FixtureRequest, lm: rally.Model, rater: rally.Model) -> Iterator[Callable[[Any], Any]]:
    """Every way to hand over rows; after the error the model works as before."""
    model = rater if request.param == "rate" else lm
    method = getattr(model, request.param)
    extra: dict[str, Any] = {"max_tokens": 3} if request.param == "generate" else {}
    before = method(ROWS, **extra)
    yield lambda rows: method(rows, **extra)
    after = method(ROWS, **extra)
    if request.param == "rate":
        assert after.tolist() == before.tolist()
    elif request.param == "generate":
        assert [result.tokens for result in after] == [result.tokens for result in before]


@pytest.mark.parametrize(
    "wrong", [-1, models.VOCAB, 2**31 - 1, -(2**31), 2**31, 2**32, 2**32 + 5, 2**63, 2**64 + 1, -(2**31) - 1, -(2**63)]
)
def test_ids_outside_the_vocabulary(use: Callable[[Any], Any], wrong: int) -> None:
    assert code(lambda: use([[1, 2], [3, wrong]])) == Status.INVALID_TOKEN
    assert code(lambda: use([[wrong, 1]])) == Status.INVALID_TOKEN


def test_empty_input(use: Callable[[Any], Any]) -> None:
    for rows in ([], [[]], [[1], []], [[], [1]], np.empty((0, 4), np.int32), np.empty((2, 0), np.int64)):
        assert code(lambda rows=rows: use(rows)) == Status.EMPTY_INPUT


def test_long_rows(use: Callable[[Any], Any]) -> None:
    longest = models.MOR.max_position_embeddings
    use([[1] * longest])
    assert code(lambda: use([[1], [1] * (longest + 1)])) == Status.CONTEXT_EXCEEDED


def test_no_rows_at_all(use: Callable[[Any], Any]) -> None:
    for rows in ([[1.5]], [[None]], [[[1]]], [{}]):
        assert code(lambda rows=rows: use(rows)) in {Status.INVALID_ARGUMENT, Status.EMPTY_INPUT}


# Arguments


@pytest.mark.parametrize(
    "argument",
    [
        {"temperature": float("nan")}, {"temperature": float("inf")}, {"temperature": -0.1},
        {"top_k": -1}, {"top_k": 2**31}, {"top_k": 1.0},
        {"top_p": 0.0}, {"top_p": 1.01}, {"top_p": float("nan")}, {"top_p": -1.0},
        {"min_p": -0.1}, {"min_p": 1.01}, {"min_p": float("nan")},
        {"seed": -1}, {"seed": 2**64}, {"seed": [1, 2]}, {"max_tokens": -1}, {"max_depth": -1}, {"max_depth": 2**32},
        {"stop": 1.5}, {"stop_at_eos": 2}, {"timeout": float("nan")}, {"timeout": -1.0},
    ],
)  # fmt: skip
def test_generation_arguments(lm: rally.Model, argument: dict[str, Any]) -> None:
    assert code(lambda: lm.generate([1, 2], **({"max_tokens": 2} | argument))) == Status.INVALID_ARGUMENT


def test_stop_tokens(lm: rally.Model) -> None:
    for stop in (models.VOCAB, -1, [1, models.VOCAB], 2**32 + 1):
        assert code(lambda stop=stop: lm.generate([1, 2], max_tokens=2, stop=stop)) == Status.INVALID_TOKEN


def test_run_arguments(lm: rally.Model, rater: rally.Model) -> None:
    bad: list[Callable[[], Any]] = [
        lambda: lm.forward(ROWS, "best"),
        lambda: lm.forward(ROWS, max_depth=-1),
        lambda: lm.forward(ROWS, timeout=float("nan")),
        lambda: lm.forward(ROWS, timeout=-1.0),
        lambda: lm.forward(ROWS, positions=4),
        lambda: lm.forward(ROWS, positions=-5),
        lambda: lm.forward(ROWS, positions=[[0]]),
        lambda: lm.forward(ROWS, positions=[[0], [9]]),
        lambda: lm.logprobs(ROWS, targets=[[1] * 4]),
        lambda: lm.logprobs(ROWS, targets=[[1] * 9, [1] * 4]),
        lambda: rater.rate(ROWS, squash=2),  # type: ignore[arg-type]
        lambda: rater.rate(ROWS, timeout=float("nan")),
        lambda: lm.encode("a", add_bos=3),  # type: ignore[arg-type]
    ]
    assert [code(call) for call in bad] == [Status.INVALID_ARGUMENT] * len(bad)
    for wrong in (models.VOCAB, -2):
        targets = [[1] * 4, [1] * 8 + [wrong]]
        assert code(lambda targets=targets: lm.logprobs(ROWS, targets=targets)) == Status.INVALID_TOKEN


def test_the_other_kind(lm: rally.Model, rater: rally.Model) -> None:
    assert lm.kind == "lm"
    assert rater.kind == "rater"
    wrong: list[Callable[[], Any]] = [
        lambda: lm.rate(ROWS),
        lambda: rater.forward(ROWS),
        lambda: rater.forward(ROWS, logits=False, hidden=True),
        lambda: rater.logprobs(ROWS),
        lambda: rater.generate([1, 2], max_tokens=1),
        lambda: list(rater.stream([1, 2], max_tokens=1)),
    ]
    assert [code(call) for call in wrong] == [Status.WRONG_KIND] * len(wrong)


def test_no_tokenizer(tmp_path: Path) -> None:
    with rally.Model(models.write(tmp_path / "bare.onnx", replace(models.MOR, tokenizer=None))) as model:
        assert not model.info.has_tokenizer
        assert code(lambda: model.encode("a")) == Status.UNSUPPORTED
        assert code(lambda: model.decode([1])) == Status.UNSUPPORTED
        assert code(lambda: model.generate("a")) == Status.UNSUPPORTED
        result = model.generate([1, 2, 3], max_tokens=4)
        assert result.text is None
        assert [event.token for event in model.stream([1, 2, 3], max_tokens=4)] == result.tokens


# Handles


def test_closed_model(lm_path: Path) -> None:
    for compute_first in (False, True):
        model = rally.Model(lm_path)
        if compute_first:
            model.forward(ROWS)
        model.close()
        model.close()
        uses: list[Callable[[], Any]] = [
            lambda: model.forward(ROWS),  # noqa: B023
            lambda: model.logprobs(ROWS),  # noqa: B023
            lambda: model.generate([1], max_tokens=1),  # noqa: B023
            lambda: model.stream([1]),  # noqa: B023
            lambda: model.rate(ROWS),  # noqa: B023
            lambda: model.encode("a"),  # noqa: B023
            lambda: model.decode([1]),  # noqa: B023
            lambda: model.info,  # noqa: B023
            lambda: model.metadata,  # noqa: B023
            lambda: model.tensors,  # noqa: B023
        ]
        assert [code(use) for use in uses] == [Status.CLOSED] * len(uses)
        model.cancel()
        assert "lm" in repr(model)
    with rally.Model(lm_path) as model:
        pass
    assert code(lambda: model.forward(ROWS)) == Status.CLOSED


def test_the_library_knows_its_closed_handles(rater_path: Path) -> None:
    """Beneath the binding's own check; and a model outlives its closing for the runners on it."""
    library = declarations.library()
    model, runner = declarations.Handle(), declarations.Handle()
    library.call("rally_model_open", os.fsencode(rater_path), None, byref(model))
    library.call("rally_runner_open", model, None, byref(runner))
    tokens, offsets, scores = np.ones(3, np.int32), np.array([0, 3], np.uintp), np.full(1, 7.0, np.float32)
    rate = ("rally_rate", runner, tokens.ctypes.data, offsets.ctypes.data, 1, None, scores.ctypes.data)

    library.c.rally_model_close(model)
    library.c.rally_model_close(model)
    assert code(lambda: library.call("rally_runner_open", model, None, byref(runner))) == Status.CLOSED
    assert library.c.rally_model_tensor_count(model) == 0
    library.call(*rate)
    scores[:] = 7.0

    library.c.rally_runner_close(runner)
    library.c.rally_runner_close(runner)
    library.c.rally_runner_cancel(runner)
    assert code(lambda: library.call(*rate)) == Status.CLOSED
    assert scores[0] == 7.0
    library.c.rally_runner_close(None)
    library.c.rally_model_close(None)


def test_buffers_are_untouched_by_errors(lm: rally.Model) -> None:
    library, count = lm._library, 6
    marks = {
        "logits": np.full((count, models.VOCAB), 7.0, np.float32),
        "hidden": np.full((count, models.MOR.hidden_size), 7.0, np.float32),
        "logprobs": np.full(count, 7.0, np.float32),
        "depths": np.full(count, 7, np.int32),
    }
    outputs = library.new("rally_outputs")
    for name, array in marks.items():
        setattr(outputs, name, array.ctypes.data)
    options = library.new("rally_run_options")

    def run(tokens: list[int], offsets: list[int]) -> Status:
        ids, ends = np.array(tokens, np.int32), np.array(offsets, np.uintp)
        arguments = (lm._runner(), ids.ctypes.data, ends.ctypes.data, len(offsets) - 1, byref(options), byref(outputs))
        return code(lambda: library.call("rally_run", *arguments))

    good = [1, 2, 3, 4, 5, 6]
    assert run([*good[:5], models.VOCAB], [0, 6]) == Status.INVALID_TOKEN
    assert run([*good[:5], -1], [0, 3, 6]) == Status.INVALID_TOKEN
    assert run(good, [0, 3, 3, 6]) == Status.EMPTY_INPUT
    assert run(good, [0]) == Status.EMPTY_INPUT
    assert run(good, [1, 6]) == Status.INVALID_ARGUMENT
    assert run(good, [0, 5, 3]) == Status.INVALID_ARGUMENT
    options.selection = 9
    assert run(good, [0, 6]) == Status.INVALID_ARGUMENT
    for name, array in marks.items():
        assert (array == 7).all(), name


def test_errors_can_be_pickled() -> None:
    error = RallyError(Status.NOT_FINITE, "norm.weight: expected finite numbers, found NaN")
    copy = pickle.loads(pickle.dumps(error))
    assert copy.code is Status.NOT_FINITE
    assert str(copy) == str(error) == "norm.weight: expected finite numbers, found NaN [NOT_FINITE]"
