"""Digests of a model file, of the tensors it keeps beside itself, and of its tokenizer."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator

# Numbers of the fields on the way to a tensor's external data, from onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_NAME = 8
_TENSOR_EXTERNAL_DATA = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

#: Metadata whose keys have one of these in them say how text becomes tokens.
_TOKENIZER_WORDS = ("token", ".add_", "clean", "chinese", "accents", "lowercase", "subword", "input_chars")


def file_digest(path: str) -> bytes:
    """SHA-256 over the digests of the file and of its external data files, in the order they are first named.

    The file has been opened as a model before, so it is well formed and its locations are safe.
    """
    total = hashlib.sha256(_sha256(path))
    for location in _external_locations(path):
        total.update(_sha256(os.path.join(os.path.dirname(path), location)))
    return total.digest()


def tokenizer_digest(path: str, metadata: dict[str, str]) -> bytes:
    """SHA-256 over what a model file says about its tokenizer: equal ones make the same tokens of every text.

    The file has been opened as a model before; `metadata` is what that says. Without a tokenizer the size of the
    vocabulary decides.
    """
    keys = [key for key in sorted(metadata) if any(word in key for word in _TOKENIZER_WORDS)]
    if metadata.get("rally.tokenizer", "none") == "none":
        keys.append("rally.vocab_size")
    total = hashlib.sha256(repr([(key, metadata.get(key)) for key in keys]).encode())
    for tensor in _initializers(path):
        if any(bytes(name).startswith(b"tokenizer.") for name in _fields(tensor, _TENSOR_NAME)):
            total.update(hashlib.sha256(tensor).digest())
    return total.digest()


def _sha256(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _external_locations(path: str) -> list[str]:
    locations: dict[str, None] = {}
    for tensor in _initializers(path):
        for entry in _fields(tensor, _TENSOR_EXTERNAL_DATA):
            if [bytes(key) for key in _fields(entry, _ENTRY_KEY)] == [b"location"]:
                locations |= {os.fsdecode(bytes(value)): None for value in _fields(entry, _ENTRY_VALUE)}
    return list(locations)


def _initializers(path: str) -> Iterator[memoryview]:
    """The tensors that the file stores, as they stand in it; each is valid until the next one."""
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as model,
    ):
        for graph in _fields(model, _MODEL_GRAPH):
            yield from _fields(graph, _GRAPH_INITIALIZER)


def _fields(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The length-delimited fields of a protobuf message that have this number."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(message, at)
        elif kind == 2:
            length, at = _varint(message, at)
            if tag >> 3 == wanted:
                with message[at : at + length] as field:
                    yield field
            at += length
        else:
            at += {1: 8, 5: 4}[kind]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
