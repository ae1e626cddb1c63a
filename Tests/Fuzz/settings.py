"""Mutations that know what a Rally model says: its settings, tensors and tokenizer.

Each changes the tree and says what it did.
"""

from __future__ import annotations

import random
import struct

from values import DATA_TYPES, NUMBERS, PATHS, WORDS, some_value
from wire import BYTES, FIXED32, FIXED64, VARINT, Field, Message, graph, varint

# Fields of TensorProto.
DIMS, TYPE, STRINGS, NAME, RAW, EXTERNAL, LOCATION = 1, 2, 6, 8, 9, 13, 14
TYPED = {4: FIXED32, 5: VARINT, 7: VARINT, 10: FIXED64, 11: VARINT}


def name(tensor: Message) -> str:
    field = tensor.get(NAME)
    return field.text if field and not isinstance(field.value, int | Message) else ""


def some_tensor(tree: Message, random: random.Random, beginning: str = "") -> Message | None:
    """One of the initializers, and only that one is taken apart."""
    parent = graph(tree)
    found = [field for field in parent.messages(5) if beginning in ends(field)] if parent else []
    return parent.message(random.choice(found)) if parent and found else None


def ends(field: Field) -> str:
    """The parts of a tensor that may hold its name: before its elements, or after them."""
    content = b"".join(field.value.chunks()) if isinstance(field.value, Message) else field.value
    return (bytes(content[:100]) + bytes(content[-100:])).decode(errors="replace")


def metadata(tree: Message, random: random.Random) -> str:
    """Changes a setting to something that may be wrong."""
    entries = [tree.message(field) for field in tree.messages(14)]
    if not entries:
        return "none"
    entry = random.choice(entries)
    key, value = entry.get(1), entry.get(2)
    label = key.text if key and isinstance(key.value, bytes | memoryview) else "?"
    choice = random.randrange(12)
    if choice == 0:
        tree.fields = [field for field in tree.fields if field.value is not entry]
        return f"{label} removed"
    if choice == 1:
        tree.fields.append(Field(14, BYTES, b"".join(entry.chunks())))
        return f"{label} repeated"
    if choice == 2:
        entry.set(
            1,
            BYTES,
            random.choice([b"", b"rally.", b"rally.unknown", b"\xff", label.upper().encode(), some_value(random)]),
        )
        return f"{label} renamed"
    if choice == 3:
        other = random.choice(entries).get(2)
        content = bytes(other.value) if other and isinstance(other.value, bytes | memoryview) else b""
        entry.set(2, BYTES, content)
        return f"{label} = {content[:30]!r} of another"
    text = value.text if value and isinstance(value.value, bytes | memoryview) else ""
    if choice < 7 and text.lstrip("-").isdecimal() and len(text) < 30:
        number = int(text)
        text = str(random.choice([number + 1, number - 1, number * 2, number // 2, -number, number * 10**6, 1]))
    else:
        text = random.choice(WORDS)
    entry.set(2, BYTES, text.encode())
    return f"{label} = {text[:30]!r}"


def dims(tree: Message, random: random.Random) -> str:
    tensor = some_tensor(tree, random)
    if tensor is None:
        return "none"
    found = [field for field in tensor.fields if field.number == DIMS]
    choice = random.randrange(6)
    if choice == 0 and found:
        tensor.fields.remove(random.choice(found))
        return f"{name(tensor)} lost one"
    if choice == 1:
        count = random.choice([1, 1, 7, 100_000])
        tensor.fields += [Field(DIMS, VARINT, random.choice(NUMBERS))] * count
        return f"{name(tensor)} has {count} more"
    if choice == 2 and len(found) > 1:
        found[0].value, found[-1].value = found[-1].value, found[0].value
        found[0].raw = found[-1].raw = None
        return f"{name(tensor)} transposed"
    if choice == 3:
        packed = b"".join(varint(random.choice(NUMBERS)) for _ in range(random.randrange(4)))
        tensor.set(DIMS, BYTES, packed)
        return f"{name(tensor)} packed"
    if found and isinstance(found[0].value, int):
        field = random.choice(found)
        old = field.value if isinstance(field.value, int) else 1
        field.value, field.raw = random.choice([*NUMBERS, old + 1, old - 1, old * 2, old // 2]), None
        return f"{name(tensor)} {old} -> {field.value}"
    return "unchanged"


def data_type(tree: Message, random: random.Random) -> str:
    tensor = some_tensor(tree, random)
    if tensor is None:
        return "none"
    value = random.choice(DATA_TYPES)
    tensor.set(TYPE, VARINT, value)
    return f"{name(tensor)} = {value}"


def data(tree: Message, random: random.Random) -> str:
    """Changes elements, their number, or the field that they are in."""
    tensor = some_tensor(tree, random)
    raw = tensor.get(RAW) if tensor else None
    if tensor is None or raw is None or not isinstance(raw.value, bytes | memoryview):
        return "none"
    size = len(raw.value)
    choice = random.randrange(8)
    if choice < 3:
        content = bytearray(raw.value)
        bits = random.choice(
            [0x7FC00000, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0xFF7FFFFF, 1, 0x80000000, 0x7F80, 0x7C00]
        )
        for _ in range(random.choice([1, 1, 100])):
            if size >= 4:
                struct.pack_into("<I", content, random.randrange(size - 3) & ~3, bits)
        tensor.set(RAW, BYTES, bytes(content))
        return f"{name(tensor)} has {bits:#x}"
    if choice == 3:
        content = bytes(raw.value)[: random.choice([0, 1, size - 1, size // 2, size - 4])]
        tensor.set(RAW, BYTES, content)
        return f"{name(tensor)} has {len(content)} bytes of {size}"
    if choice == 4:
        tensor.set(RAW, BYTES, bytes(raw.value) + bytes(random.choice([1, 4, 1000])))
        return f"{name(tensor)} has more bytes"
    if choice == 5:
        del tensor.fields[tensor.fields.index(raw)]
        return f"{name(tensor)} has no data"
    number = random.choice(list(TYPED))
    content = random.choice([bytes(raw.value)[:4096], varint(random.choice(NUMBERS)) * 64, b"", b"\x80" * 64])
    if choice == 6:
        tensor.fields.remove(raw)
    tensor.fields.append(Field(number, random.choice([BYTES, TYPED[number]]), content))
    return f"{name(tensor)} has field {number}" + ("" if choice == 6 else " as well")


def external(tree: Message, random: random.Random) -> str:
    """Lets a tensor lie in another file."""
    tensor = some_tensor(tree, random)
    if tensor is None:
        return "none"
    raw = tensor.get(RAW)
    size = len(raw.value) if raw and isinstance(raw.value, bytes | memoryview) else 0
    location = random.choice(PATHS)
    offsets = [0, 1, 4096, size, 1 << 20, 1 << 62, 2**63 - 1, 2**63, 2**64, -1, ""]
    entries = {
        "location": location,
        "offset": random.choice(offsets),
        "length": random.choice([size, size + 1, *offsets]),
    }
    tensor.set(LOCATION, VARINT, random.choice([1, 1, 1, 0, 2, 2**32 + 1]))
    for key, value in entries.items():
        if random.random() < 0.9:
            content = b"".join(
                Field(number, BYTES, str(text).encode()).raw_bytes() for number, text in ((1, key), (2, value))
            )
            tensor.fields += [Field(EXTERNAL, BYTES, content)] * random.choice([1, 1, 1, 2])
    if random.random() < 0.8:
        tensor.fields = [field for field in tensor.fields if field.number != RAW]
    return f"{name(tensor)} in {entries!r:.80}"


def tokenizer(tree: Message, random: random.Random) -> str:
    """Breaks entries of the vocabulary, the merges, or the lists of ids."""
    tensor = some_tensor(tree, random, "tokenizer.")
    if tensor is None:
        return "none"
    entries = [field for field in tensor.fields if field.number == STRINGS]
    if not entries:
        count = random.choice([0, 1, 2, 3])
        values = [random.choice(NUMBERS) for _ in range(count)]
        content = b"".join(struct.pack("<q", (value + 2**63) % 2**64 - 2**63) for value in values)
        tensor.set(RAW, BYTES, content)
        tensor.set(DIMS, VARINT, random.choice([count, count, count + 1]))
        return f"{name(tensor)} = {values}"
    for _ in range(random.choice([1, 1, 10, 500])):
        index = random.randrange(len(entries))
        field, other = entries[index], random.choice(entries)
        content = bytes(field.value)
        words = [
            b"",
            b" ",
            b"a",
            b"a b",
            b"a b c",
            b"  ",
            b" a",
            b"a ",
            content + b" ",
            content[1:],
            bytes(other.value),
        ]
        words += [
            content + bytes(other.value),
            "ÿĀ".encode(),
            b"\xff",
            b"\xc4",
            b"\0",
            "😀".encode(),
            some_value(random),
        ]
        field.value, field.raw = random.choice(words), None
    choice = random.randrange(6)
    if choice == 0:
        tensor.fields = [field for field in tensor.fields if field.number != STRINGS]
        return f"{name(tensor)} has no entries"
    if choice == 1:
        tensor.fields.remove(random.choice(entries))
    if choice == 2:
        random.shuffle(tensor.fields)
    if choice in (1, 3):
        tensor.set(DIMS, VARINT, random.choice([len(entries) - 1, len(entries) + 1, 0]))
    return f"{name(tensor)} has other entries"


def names(tree: Message, random: random.Random) -> str:
    """Renames tensors, drops them, lets two have one name."""
    tensor, other = some_tensor(tree, random), some_tensor(tree, random)
    if tensor is None or other is None:
        return "none"
    old = name(tensor)
    choice = random.randrange(5)
    if choice == 0:
        parent = graph(tree)
        parent.fields = [field for field in parent.fields if field.value is not tensor]
        return f"{old} removed"
    if choice == 1:
        tensor.set(NAME, BYTES, name(other).encode())
        return f"{old} -> {name(other)}"
    if choice == 2:
        mine, its = old.encode(), name(other).encode()
        tensor.set(NAME, BYTES, its)
        other.set(NAME, BYTES, mine)
        return f"{old} <-> {name(tensor)}"
    parts = old.split(".")
    index = random.randrange(len(parts))
    parts[index] = random.choice(
        ["", "-1", "0", "1", "00", "99999999999999999999", "x", "weight", "bias", "scale", "é" * 500]
    )
    tensor.set(NAME, BYTES, ".".join(parts).encode())
    return f"{old} -> {name(tensor)[:60]}"
