"""Writes ``stops.onnx``: a language model that says a fixed text, token by token, so that stops can be put anywhere in it.

Its one layer adds nothing; the head gives each token's successor the row that the token itself has in the embedding, so
the successor is the most probable next token by far, in every element type.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from rally.modelfile import LanguageModel, Tokenizer, write_model
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import float_tensor

END = "<|endoftext|>"
SPECIAL = ("<|go|>", "<|aa|>", "<|note|>", END)
WIDTH = 24

# After <|go|>: The cat sat on the mé<|note|> na😀 end.<|endoftext|>, with characters cut in two.
CHAINS: list[list[str | bytes]] = [
    ["<|go|>", "The", " cat", " s", "at", " on", " the", " m", b"\xc3", b"\xa9", "<|note|>", " na", b"\xf0\x9f",
     b"\x98\x80", " end", ".", END],
    ["<|aa|>", "aab", "aa", "abx", END],
]  # fmt: skip


def byte_alphabet() -> list[str]:
    """GPT-2's printable character for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable} | {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [table[byte] for byte in range(256)]


def main() -> None:
    alphabet = byte_alphabet()

    def spelled(token: str | bytes) -> str:
        if token in SPECIAL:
            return str(token)
        data = token if isinstance(token, bytes) else token.encode()
        return "".join(alphabet[byte] for byte in data)

    vocab = list(alphabet)
    for token in [*(token for chain in CHAINS for token in chain), *SPECIAL]:
        if spelled(token) not in vocab:
            vocab.append(spelled(token))
    ids = tuple(vocab.index(token) for token in SPECIAL)
    end = vocab.index(END)
    tokenizer = Tokenizer("gpt2", False, None, end, False, False, tuple(vocab), (), ids, ids)
    model = LanguageModel(
        name="stops", vocab_size=len(vocab), hidden_size=WIDTH, num_attention_heads=1, num_key_value_heads=1, head_dim=8,
        intermediate_size=8, max_position_embeddings=64, tokenizer=tokenizer, num_block_layers=1, tie_word_embeddings=False,
    )  # fmt: skip

    random = np.random.default_rng(7)
    embedding = random.standard_normal((len(vocab), WIDTH))
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    # Whatever has no successor is followed by the end.
    head = 0.01 * random.standard_normal((len(vocab), WIDTH))
    for chain in CHAINS:
        for token, successor in pairwise(chain):
            head[vocab.index(spelled(successor))] += 4 * embedding[vocab.index(spelled(token))]
    weights = {"embed_tokens.weight": embedding, "norm.weight": np.ones(WIDTH), "lm_head.weight": head}
    for name, shape in layer_dims(model).items():
        weights[f"block.0.{name}"] = np.ones(shape) if "norm" in name else np.zeros(shape)
    write_model(
        Path(__file__).parent / "stops.onnx", model, [float_tensor(name, value) for name, value in weights.items()]
    )


if __name__ == "__main__":
    main()
