"""Writes a model file: the graph as a protobuf message, the weights streamed after it, one tensor at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, TensorProto, helper

from rally._files import replacing
from rally.modelfile.description import Description
from rally.modelfile.errors import ModelFileError
from rally.modelfile.graph import GraphBuilder
from rally.modelfile.language_model import LanguageModel
from rally.modelfile.lm_graph import LanguageModelGraph
from rally.modelfile.rater import Rater
from rally.modelfile.rater_graph import RaterGraph
from rally.modelfile.seeded_state import SeededState
from rally.modelfile.tensors import Tensor, is_finite
from rally.modelfile.tokenizers import Pipeline

#: Weights above this go to a side file: protobuf messages end at 2³¹ − 1 bytes, and the graph needs room too.
INLINE_LIMIT = 2_000_000_000
#: Offsets in the side file, so that a mapped tensor starts on a page.
ALIGNMENT = 4096
#: Smaller tensors stay in the model file.
EXTERNAL_MINIMUM = 4096

OPSET = 17
IR_VERSION = 8

# Tags of the fields that are streamed: (field number << 3) | 2, length-delimited.
_MODEL_GRAPH = b"\x3a"
_GRAPH_INITIALIZER = b"\x2a"
_TENSOR_RAW_DATA = b"\x4a"


@dataclass(frozen=True)
class WrittenFile:
    """What was written."""

    path: Path
    side_path: Path | None
    byte_count: int


def write_model(
    path: Path,
    description: Description,
    tensors: Sequence[Tensor],
    *,
    external_data: bool = False,
    progress: Callable[[int], None] | None = None,
) -> WrittenFile:
    """Write one model file, atomically: on an error nothing is left at ``path`` that was not there before.

    Parameters
    ----------
    path : Path
        The file to write; the side file, if there is one, is ``path`` + ``.data``.
    description : Description
        The metadata.
    tensors : sequence of Tensor
        Every weight under its canonical name, in the order they are stored in.
    external_data : bool
        Keep the weights in a side file whatever their size; above 2 GB they always go there.
    progress : callable, optional
        Called with the bytes of each tensor written.

    Returns
    -------
    WrittenFile
        The paths and the total size.

    Raises
    ------
    ModelFileError
        When a tensor holds NaN or infinity, or has another shape than it was declared with.
    OSError
        When a file cannot be written.
    """
    tensors = [*tensors, *_tables(description)]
    external = external_data or sum(tensor.byte_count for tensor in tensors) > INLINE_LIMIT
    side_path = path.with_name(path.name + ".data") if external else None
    headers = _headers(tensors, side_path.name if side_path else None)
    side_bytes = 0
    if side_path:
        with replacing(side_path) as stream:
            _write_side(stream, headers, progress)
            side_bytes = stream.tell()
            with replacing(path) as main:
                _write_message(main, description, tensors, headers, progress)
    else:
        with replacing(path) as main:
            _write_message(main, description, tensors, headers, progress)
    return WrittenFile(path, side_path, path.stat().st_size + side_bytes)


def build_model(description: Description, tensors: Sequence[Tensor]) -> ModelProto:
    """Return the model without its weights: graph, constants, tokenizer and metadata."""
    builder = GraphBuilder({tensor.name: tensor for tensor in (*tensors, *_tables(description))})
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])]
    if isinstance(description, LanguageModel):
        inputs += LanguageModelGraph(builder, description).write()
        logits: list[str | int | None] = ["batch", "tokens", description.vocab_size]
        outputs = [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, logits),
            helper.make_tensor_value_info("depth", TensorProto.INT64, ["batch", "tokens"]),
        ]
    elif isinstance(description, Rater):
        RaterGraph(builder, description).write()
        inputs.append(helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "tokens"]))
        outputs = (
            [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])] if description.has_score else []
        )
        if description.has_logits:
            logits = ["batch", description.num_labels]
            outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, logits))
        if description.head == "none":
            pooled: list[str | int | None] = ["batch", description.hidden_size]
            outputs.append(helper.make_tensor_value_info("pooled", TensorProto.FLOAT, pooled))
    else:
        raise AssertionError(type(description))
    constants = [*builder.constants.values(), *_tokenizer_tensors(description)]
    graph = helper.make_graph(builder.nodes, "rally", inputs, outputs, initializer=constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "rally"
    helper.set_model_props(model, description.metadata())
    return model


def _tables(description: Description) -> list[Tensor]:
    """Return what the file holds as tensors because of its description."""
    tables = [table.tensor(index) for index, table in enumerate(description.rope_tables)]
    if isinstance(description, LanguageModel) and isinstance(description.initial_state, SeededState):
        tables.append(description.initial_state.tensor(description.max_position_embeddings, description.hidden_size))
    return tables


def _tokenizer_tensors(description: Description) -> list[TensorProto]:
    tokenizer = description.tokenizer
    if tokenizer is None:
        return []
    texts = {f"tokenizer.{name}": values for name, values in tokenizer.texts().items()}
    ids: dict[str, npt.ArrayLike] = {"tokenizer.added": tokenizer.added, "tokenizer.special": tokenizer.special}
    if isinstance(tokenizer, Pipeline):
        ids["tokenizer.added_flags"] = tokenizer.added_flags
        if tokenizer.model == "bpe":
            ids["tokenizer.merge_pairs"] = np.array(tokenizer.merge_pairs, np.int64).reshape(-1, 2)
    strings = [
        TensorProto(
            name=name, data_type=TensorProto.STRING, dims=[len(values)], string_data=[v.encode() for v in values]
        )
        for name, values in texts.items()
    ]
    numbers = [
        TensorProto(name=name, data_type=TensorProto.INT64, dims=np.shape(values), int64_data=np.ravel(values).tolist())
        for name, values in ids.items()
    ]
    return strings + numbers


def _headers(tensors: Sequence[Tensor], location: str | None) -> list[tuple[Tensor, TensorProto]]:
    """Pair each tensor with its message, still without inline data; lay out the side file if there is one."""
    pairs = []
    offset = 0
    for tensor in tensors:
        proto = TensorProto(name=tensor.name, data_type=tensor.element, dims=tensor.dims)
        if location and tensor.byte_count >= EXTERNAL_MINIMUM:
            offset = -(-offset // ALIGNMENT) * ALIGNMENT
            proto.data_location = TensorProto.EXTERNAL
            for key, value in {"location": location, "offset": offset, "length": tensor.byte_count}.items():
                proto.external_data.add(key=key, value=str(value))
            offset += tensor.byte_count
        pairs.append((tensor, proto))
    return pairs


def _write_side(
    stream: BinaryIO, headers: list[tuple[Tensor, TensorProto]], progress: Callable[[int], None] | None
) -> None:
    for tensor, proto in headers:
        if proto.data_location == TensorProto.EXTERNAL:
            stream.write(bytes(-stream.tell() % ALIGNMENT))
            _write_elements(stream, tensor, progress)


def _write_message(
    stream: BinaryIO,
    description: Description,
    tensors: Sequence[Tensor],
    headers: list[tuple[Tensor, TensorProto]],
    progress: Callable[[int], None] | None,
) -> None:
    """Write ModelProto field by field: a protobuf message may hold its fields in any order."""
    model = build_model(description, tensors)
    graph = GraphProto()
    graph.CopyFrom(model.graph)
    model.ClearField("graph")
    graph_bytes = graph.SerializeToString()
    parts: list[tuple[Tensor | None, bytes, bytes]] = []
    for tensor, proto in headers:
        head = proto.SerializeToString()
        inline = proto.data_location != TensorProto.EXTERNAL
        raw = _TENSOR_RAW_DATA + _varint(tensor.byte_count) if inline else b""
        length = len(head) + len(raw) + (tensor.byte_count if inline else 0)
        parts.append((tensor if inline else None, _GRAPH_INITIALIZER + _varint(length), head + raw))
    total = len(graph_bytes) + sum(len(tag) + len(head) + (t.byte_count if t else 0) for t, tag, head in parts)
    stream.write(model.SerializeToString() + _MODEL_GRAPH + _varint(total) + graph_bytes)
    for inline_tensor, tag, head in parts:
        stream.write(tag + head)
        if inline_tensor:
            _write_elements(stream, inline_tensor, progress)


def _write_elements(stream: BinaryIO, tensor: Tensor, progress: Callable[[int], None] | None) -> None:
    array = tensor.load()
    if tuple(array.shape) != tensor.dims or array.nbytes != tensor.byte_count:
        raise ModelFileError(f"{tensor.name}: expected shape {list(tensor.dims)}, found {list(array.shape)}")
    if not is_finite(array, tensor.element):
        raise ModelFileError(f"{tensor.name}: holds NaN or infinity")
    stream.write(np.ascontiguousarray(array).data.cast("B"))
    if progress:
        progress(tensor.byte_count)


def _varint(value: int) -> bytes:
    """Encode an unsigned number as protobuf does, seven bits a byte, low ones first."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
