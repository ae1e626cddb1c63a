"""Ways to break a prepared file. Most mutants carry right digests, so that what comes after them is reached."""

from __future__ import annotations

import random
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from values import NUMBERS, WORDS

MAGIC = b"\x89rally\r\n"
HEADER = 256
_MASK = 2**64 - 1


def prepared(model: bytes, command: Path) -> bytes:
    """A model as `command` prepares it, in int8."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "original.onnx", Path(folder) / "model.rally"
        source.write_bytes(model)
        subprocess.run([command, "prepare", source, target, "--dtype", "int8"], check=True, stdout=subprocess.DEVNULL)
        return target.read_bytes()


def digest(data: bytes) -> int:
    """The 64-bit number of `Digest`, for bytes that came in one piece."""
    lanes = np.array([_mixed(lane + 1) for lane in range(16)], np.uint64)
    words = np.frombuffer(data + bytes(-len(data) % 128), "<u8").reshape(-1, 16)
    with np.errstate(over="ignore"):
        for row in words:
            mixed = (lanes ^ row) * np.uint64(33)
            lanes = (mixed << np.uint64(27) | mixed >> np.uint64(37)) * np.uint64(513)
    numbers = [int(lane) for lane in lanes]
    numbers[0] = _mixed(numbers[0] ^ len(data))
    value = 0
    for number in numbers:
        value = _mixed(value ^ number)
    return value


def _mixed(number: int) -> int:
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & _MASK
    return number ^ number >> 31


def sealed(header: bytes, front: bytes, weights: bytes, *, fixes_size: bool = True) -> bytes:
    """The file with right digests of header and description."""
    head = bytearray(header)
    if fixes_size:
        struct.pack_into("<QQ", head, 16, HEADER + len(front) + len(weights), HEADER + len(front))
    struct.pack_into("<Q", head, 32, digest(front))
    struct.pack_into("<Q", head, 248, digest(bytes(head[:248])))
    return bytes(head) + front + weights


class PreparedMutator:
    """Makes mutants of one prepared file. A mutant depends on the random numbers it is given alone."""

    def __init__(self, model: bytes) -> None:
        start = struct.unpack_from("<Q", model, 24)[0]
        self.header, self.front, self.weights = model[:HEADER], model[HEADER:start], model[start:]
        # The description without what fills it up to a page; numbers and texts of it begin at any byte.
        self.length = len(self.front.rstrip(b"\0"))
        self.places = [
            place
            for place in range(self.length - 8)
            if self.front[place + 4 : place + 8] == bytes(4) and self.front[place] > 0 and self.front[place + 3] == 0
        ]

    def mutant(self, random: random.Random) -> tuple[bytes, str]:
        """The bytes, and what was done to them."""
        return random.choice([self._cut, self._flip, self._head, self._number, self._number, self._texts, self._move])(
            random
        )

    def _whole(self) -> bytes:
        return self.header + self.front + self.weights

    def _cut(self, random: random.Random) -> tuple[bytes, str]:
        whole = self._whole()
        end = random.choice([random.randrange(len(whole)), random.randrange(1000), HEADER + random.randrange(5000)])
        if random.random() < 0.3:
            return whole + bytes(random.choice([1, 7, 4096])), "added to"
        return whole[:end], f"cut at {end}"

    def _flip(self, random: random.Random) -> tuple[bytes, str]:
        whole = bytearray(self._whole())
        place = random.choice([random.randrange(HEADER), random.randrange(HEADER, HEADER + self.length)])
        whole[place] ^= 1 << random.randrange(8)
        return bytes(whole), f"a bit of byte {place}"

    def _head(self, random: random.Random) -> tuple[bytes, str]:
        head, place = bytearray(self.header), random.choice([8, 16, 24, 40, 48])
        number = random.choice([*NUMBERS, len(self._whole()) + 4096, 4096, 8192])
        struct.pack_into("<Q", head, place, number & _MASK)
        return sealed(bytes(head), self.front, self.weights, fixes_size=False), f"header[{place}] {number}"

    def _number(self, random: random.Random) -> tuple[bytes, str]:
        front, place = bytearray(self.front), random.choice(self.places)
        old = struct.unpack_from("<Q", front, place)[0]
        number = random.choice([*NUMBERS, old + 1, old - 1, old + 64, old - 64, old + 4096, old * 2])
        struct.pack_into("<Q", front, place, number & _MASK)
        return sealed(self.header, bytes(front), self.weights), f"description[{place}] {old} -> {number}"

    def _texts(self, random: random.Random) -> tuple[bytes, str]:
        front, place = bytearray(self.front), random.randrange(self.length)
        word = random.choice(WORDS).encode()[: self.length - place]
        if random.random() < 0.5:
            front[place : place + len(word)] = word
            return sealed(self.header, bytes(front), self.weights), f"{word[:20]!r} at {place}"
        # Longer or shorter, to a whole page again.
        front[place : place + random.randrange(20)] = word
        front += bytes(-(HEADER + len(front)) % 4096)
        return sealed(self.header, bytes(front), self.weights), f"{word[:20]!r} into {place}"

    def _move(self, random: random.Random) -> tuple[bytes, str]:
        """Weights are as long as they were, and begin elsewhere, or are others."""
        front = self.front + bytes(4096 * random.choice([0, 1, 2]))
        keep = random.choice([len(self.weights), 0, random.randrange(len(self.weights))])
        return sealed(self.header, front, self.weights[:keep]), f"{len(front)} of description, {keep} of weights"
