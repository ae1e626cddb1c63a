"""Ways to break a model file, most of them where its structure is: weights are most of its bytes and say little."""

from __future__ import annotations

import random
from collections.abc import Callable

from settings import STRINGS, data, data_type, dims, external, metadata, names, some_tensor, tokenizer
from values import NUMBERS, some_value
from wire import BYTES, SCHEMA, VARINT, Field, Message, graph, long_varint, varint


class Mutator:
    """Makes mutants of one model. A mutant depends on the random numbers it is given alone."""

    def __init__(self, model: bytes) -> None:
        self.model = model

    def mutant(self, random: random.Random) -> tuple[bytes, str]:
        """The bytes, and what was done to them."""
        tree = Message("Model", self.model)
        names = []
        for _ in range(random.choice([1, 1, 1, 2, 3])):
            operation = random.choices(OPERATIONS, WEIGHTS)[0]
            names.append(f"{operation.__name__}: {operation(tree, random)}")
        chunks = tree.chunks()
        if not names[-1].startswith(("bomb", "truncate")) and random.random() < 0.15:
            chunks, done = damage(chunks, random)
            names.append(done)
        return b"".join(chunks), "; ".join(names)


def structure(tree: Message, random: random.Random) -> str:
    """Breaks a field of any message, as a program that knows nothing of ONNX would."""
    path, message = "Model", tree
    while True:
        below = SCHEMA.get(message.name, {})
        numbers = sorted({field.number for field in message.fields if field.number in below and field.wire == BYTES})
        if not numbers or random.random() < 0.2:
            break
        number = random.choice(numbers)
        message = message.message(random.choice(message.messages(number)))
        path += f".{message.name}"
    if not message.fields:
        message.fields.append(Field(random.randrange(1, 20), VARINT, random.choice(NUMBERS)))
        return f"{path} is no longer empty"
    index = random.randrange(len(message.fields))
    return f"{path}[{index}] {break_field(message, index, random)}"


def break_field(message: Message, index: int, random: random.Random) -> str:
    fields, field = message.fields, message.fields[index]
    choice = random.randrange(14)
    if choice == 0:
        del fields[index]
        return "removed"
    if choice == 1:
        # Not beyond some megabytes: a file of any size may be right.
        size = sum(map(len, field.chunks()))
        count = min(random.choice([1, 1, 2, 1000]), max(1, (1 << 22) // max(size, 1)))
        fields[index:index] = [field] * count
        return f"repeated {count} times"
    if choice == 2:
        fields.insert(random.randrange(len(fields)), fields.pop(index))
        return "moved"
    if choice == 3:
        random.shuffle(fields)
        return "shuffled with its neighbours"
    changed = Field(field.number, field.wire, field.value)
    fields[index] = changed
    if choice == 4:
        changed.number = random.choice([0, 1, 2, 5, 7, 8, 9, 14, 20, 25, 100, 536870911, 536870912])
        return f"numbered {changed.number}"
    if choice == 5:
        changed.wire = random.randrange(8)
        if changed.wire != VARINT and isinstance(changed.value, int):
            changed.value = varint(changed.value)
        return f"of wire type {changed.wire}"
    if choice == 6:
        other = random.choice(fields)
        changed.value, changed.wire = other.value, other.wire
        return "with the value of another"
    if field.wire == VARINT:
        if choice < 10 and isinstance(field.value, int):
            changed.value = random.choice(
                [*NUMBERS, field.value + 1, field.value - 1, field.value * 2, field.value << 32]
            )
            return f"= {changed.value}"
        changed.raw = varint(field.number << 3) + long_varint(
            random.choice(NUMBERS) & (1 << 70) - 1, random.randrange(2, 15)
        )
        return "as a long varint"
    if choice in (7, 8) and field.wire == BYTES:
        size = sum(map(len, changed.value.chunks())) if isinstance(changed.value, Message) else len(changed.value)
        changed.length = random.choice(
            [0, 1, max(0, size - 1), size + 1, size * 2, 2**31 - 1, 2**31, 2**32, 2**63, 2**64 - 1]
        )
        return f"of length {changed.length} instead of {size}"
    if choice == 9 and isinstance(field.value, memoryview | bytes):
        changed.value = field.value[: random.randrange(len(field.value) + 1)]
        return "cut short"
    if choice == 10 and field.wire == BYTES:
        return nest(changed, random.choice([10, 31, 32, 33, 100, 1000, 20_000]))
    changed.wire, changed.value = BYTES, some_value(random)
    return "of other contents"


def nest(field: Field, depth: int) -> str:
    """A message that is its own field, again and again."""
    content = b"".join(field.value.chunks()) if isinstance(field.value, Message) else bytes(field.value[:1000])
    for _ in range(depth):
        head = varint(field.number << 3 | BYTES) + varint(len(content))
        content = head + content
    field.value = content
    return f"nested {depth} deep"


def bomb(tree: Message, random: random.Random) -> str:
    """Few bytes, or some megabytes, that ask for much more."""
    choice = random.randrange(6)
    if choice == 0:
        tree.fields += [Field(14, BYTES, b"\x0a\x01k\x12\x01v")] * 200_000
        return "200000 metadata pairs"
    if choice == 1:
        tree.fields.append(Field(14, BYTES, b"\x0a\x01k\x12" + varint(1 << 21) + b"v" * (1 << 21)))
        return "a value of 2 MB"
    parent = graph(tree)
    if parent is None:
        return "none"
    if choice == 2:
        parent.fields += [Field(1, BYTES, b"")] * 1_000_000
        return "a million nodes"
    if choice == 3:
        parent.fields += [Field(5, BYTES, b"\x08\x01\x10\x01")] * 300_000
        return "300000 tensors"
    if choice == 4:
        inner = b""
        depth = random.choice([20, 50, 5000])
        for _ in range(depth):
            # A graph of one node with one attribute that is a graph.
            attribute = Field(6, BYTES, inner).raw_bytes()
            node = Field(5, BYTES, attribute).raw_bytes()
            inner = Field(1, BYTES, node).raw_bytes()
        parent.fields.append(Field(1, BYTES, Field(5, BYTES, Field(6, BYTES, inner).raw_bytes()).raw_bytes()))
        return f"graphs {depth} deep"
    tensor = some_tensor(tree, random)
    if tensor:
        tensor.fields += [Field(STRINGS, BYTES, b"")] * 1_000_000
    return "a million empty strings"


def untouched(tree: Message, random: random.Random) -> str:
    return "nothing"


def damage(chunks: list, random: random.Random) -> tuple[list, str]:
    choice = random.randrange(4)
    total = sum(map(len, chunks))
    if choice == 0:
        cut = random.choice([random.randrange(total + 1), random.randrange(min(total, 4096) + 1), total - 1])
        return [b"".join(chunks)[:cut]], f"cut at {cut} of {total}"
    places = [index for index, chunk in enumerate(chunks) if len(chunk)]
    for _ in range(random.choice([1, 1, 4, 32])):
        index = random.choice(places)
        chunk = bytearray(chunks[index])
        if not chunk:
            continue
        # Of large chunks, the head: the rest is weights.
        place = random.randrange(len(chunk) if random.random() < 0.1 else min(len(chunk), 64))
        if choice == 1:
            chunk[place] ^= 1 << random.randrange(8)
        elif choice == 2:
            del chunk[place : place + random.randrange(1, 9)]
        else:
            chunk[place:place] = random.randbytes(random.randrange(1, 9))
        chunks[index] = bytes(chunk)
    return chunks, ["", "bits flipped", "bytes removed", "bytes inserted"][choice]


Operation = Callable[[Message, random.Random], str]
OPERATIONS: list[Operation] = [
    structure, metadata, dims, data_type, data, external, tokenizer, names, bomb, untouched,
]  # fmt: skip
WEIGHTS = [30, 22, 8, 4, 7, 7, 10, 6, 2, 4]
