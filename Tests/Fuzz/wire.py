"""Protobuf messages as lists of fields that may be changed in any way, right or wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)

# The messages within messages of onnx.proto: field number -> name of its message.
SCHEMA: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "OperatorSet", 14: "Entry", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 11: "Value", 12: "Value", 13: "Value", 14: "Annotation", 15: "Sparse"},
    "Tensor": {3: "Segment", 13: "Entry"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 14: "Type", 15: "Type", 22: "Sparse"},
    "Value": {2: "Type"},
    "Type": {1: "TensorType", 4: "Sequence", 9: "Sequence"},
    "TensorType": {2: "Shape"},
    "Shape": {1: "Dimension"},
    "Sequence": {1: "Type"},
}


def varint(value: int) -> bytes:
    """The shortest encoding of a number modulo 2^64."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def long_varint(value: int, length: int) -> bytes:
    """The same number in `length` bytes; more than ten are no varint."""
    return bytes(value >> 7 * index & 127 | 128 for index in range(length - 1)) + b"\0"


@dataclass(slots=True)
class Field:
    """One field: as it was read, or changed."""

    number: int
    wire: int
    value: int | bytes | memoryview | Message
    # Bytes that are written whatever the rest says.
    raw: bytes | memoryview | None = None
    # A length other than that of the value.
    length: int | None = None

    def chunks(self) -> list[bytes | memoryview]:
        if self.raw is not None:
            return [self.raw]
        if isinstance(self.value, Message):
            parts = self.value.chunks()
        else:
            parts = [varint(self.value) if isinstance(self.value, int) else self.value]
        tag = varint(self.number << 3 | self.wire)
        if self.wire != BYTES:
            return [tag, *parts]
        length = sum(map(len, parts)) if self.length is None else self.length
        return [tag, varint(length), *parts]

    def raw_bytes(self) -> bytes:
        return b"".join(self.chunks())

    @property
    def text(self) -> str:
        return bytes(self.value).decode(errors="replace")


class Message:
    """Fields in the order of the file; messages within are read when they are asked for."""

    def __init__(self, name: str, data: memoryview | bytes = b"") -> None:
        self.name = name
        self.fields = list(read_fields(memoryview(data)))

    def chunks(self) -> list[bytes | memoryview]:
        return [chunk for field in self.fields for chunk in field.chunks()]

    def message(self, field: Field) -> Message:
        """The message that `field` of this message is; from now on it is written again."""
        if not isinstance(field.value, Message):
            field.value = Message(SCHEMA.get(self.name, {}).get(field.number, "?"), field.value)
            field.raw = None
        return field.value

    def messages(self, number: int) -> list[Field]:
        return [field for field in self.fields if field.number == number and field.wire == BYTES]

    def get(self, number: int) -> Field | None:
        return next((field for field in self.fields if field.number == number), None)

    def set(self, number: int, wire: int, value: int | bytes) -> None:
        """Replaces all fields of that number by one."""
        self.fields = [field for field in self.fields if field.number != number]
        self.fields.append(Field(number, wire, value))


def read_fields(data: memoryview) -> Iterator[Field]:
    """The fields; what is none, because it was broken before, is one field that is written as it was."""
    position = 0
    while position < len(data):
        start = position
        try:
            tag, position = read_varint(data, position)
            value, position = read_value(data, position, tag & 7)
        except (IndexError, KeyError):
            yield Field(0, END_GROUP, 0, raw=data[start:])
            return
        yield Field(tag >> 3, tag & 7, value, raw=data[start:position])


def read_value(data: memoryview, position: int, wire: int) -> tuple[int | memoryview, int]:
    if wire == VARINT:
        return read_varint(data, position)
    if wire == BYTES:
        width, position = read_varint(data, position)
    else:
        width = {FIXED64: 8, FIXED32: 4}[wire]
    if position + width > len(data):
        raise IndexError
    return data[position : position + width], position + width


def read_varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position


def graph(tree: Message) -> Message | None:
    field = tree.get(7)
    if field is None or field.wire != BYTES or isinstance(field.value, int):
        return None
    return tree.message(field)
