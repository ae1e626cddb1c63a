"""What mutants say where a model says something sensible."""

from __future__ import annotations

import random

from wire import varint

NUMBERS = [0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 65535, 65536, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**32]
NUMBERS += [2**33, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1, -1, -2, -128, -(2**31), -(2**63)]

# Values of metadata: numbers at and beyond every edge, words that are right elsewhere.
WORDS = """
    0 1 -1 2 3 7 64 1.5 -0 0.0 1e-5 1e308 1e309 -1e309 1e-400 nan NaN inf -inf 0x10 1_000 +1 1,1,1 1.0,0.5 1,,1 ,
    1,0.5,nan 1,0.5,0 2147483647 2147483648 4294967296 9223372036854775807 -9223372036854775808 9223372036854775808
    99999999999999999999 true false TRUE none lm rater expert token cycle middle_cycle sequence shared hybrid recursion
    mlp linear gpt2 smollm bpe rope learned post layernorm sandwich branch q,k q,q 0,1,none sliding_attention head causal
    expectation softmax sigmoid logit logits windows first middle ends mean max min cls disentangled c2p,p2c 0,2.5,5 5,0 [] ["a"]
    bidirectional concat zeros seeded embedding hazard latent_diff last_exited full propagated 2 255 256
""".split()  # noqa: SIM905
WORDS += ["", " ", " 1", "1 ", "\0", "\n", "1\0", "é", "\u202e", "x" * 100_000]

DATA_TYPES = [*range(24), 255, 2**31, -1]

# Places of external data; `run` makes some of them.
PATHS = """
    . .. / /etc/passwd /dev/zero ../model.onnx model.onnx weights.data out out/passwd pipe folder folder/weights.data
    ./weights.data a/../weights.data loop dangling missing.data é
""".split()  # noqa: SIM905
PATHS += ["", "weights.data\0x", "\0", "x" * 5000]


def some_value(random: random.Random) -> bytes:
    """Contents for a field of bytes."""
    choice = random.randrange(7)
    if choice == 0:
        return b""
    if choice == 1:
        return random.randbytes(random.randrange(1, 40))
    if choice == 2:
        return random.choice(WORDS).encode()
    if choice == 3:
        return random.choice([b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\0"])
    if choice == 4:
        return b"A" * random.choice([300, 70_000, 1 << 20])
    return varint(random.choice(NUMBERS)) * random.choice([1, 3, 100])
