"""Train the byte-level BPE tokenizer and turn the corpus into token files.

Writes ``tokenizer.json`` and, per split and kind, ``{split}-{kind}.npy``: uint16 ids of
all documents in hashed order, each followed by ``<|endoftext|>`` (id 0).
"""

import argparse
import hashlib
import json
import random
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT = "<|endoftext|>"
# Share of each kind in the tokenizer's sample, in the training batches and in evaluation.
MIX = {"story": 0.2, "prose": 0.45, "reference": 0.15, "manual": 0.2}


def read_documents(path: Path) -> list[dict]:
    """Read a split; documents come in the order of their text's hash."""
    with path.open() as lines:
        found = [json.loads(line) for line in lines]
    return sorted(found, key=lambda d: hashlib.sha256(d["text"].encode()).digest())


def tokenizer_sample(documents: list[dict], size: int, seed: int) -> list[str]:
    """Draw about ``size`` characters, kinds in the proportions of ``MIX``."""
    sample = []
    for kind, share in MIX.items():
        texts = [d["text"] for d in documents if d["kind"] == kind]
        random.Random(seed).shuffle(texts)
        taken = 0
        for body in texts:
            if taken > size * share:
                break
            sample.append(body)
            taken += len(body)
    return sample


def train_tokenizer(texts: list[str], vocabulary: int) -> Tokenizer:
    """Train GPT-2 style byte-level BPE with the end-of-text token as id 0."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """Encode documents to one uint16 array ``[tokens]``, each ended by id 0."""
    rows = []
    for start in range(0, len(texts), 256):
        for encoding in tokenizer.encode_batch_fast(texts[start : start + 256]):
            rows.append(np.asarray([*encoding.ids, 0], dtype=np.uint16))
    return np.concatenate(rows) if rows else np.zeros(0, np.uint16)


def main() -> None:
    """Write the tokenizer, then the token files of every split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--sample", type=int, default=24_000_000, help="characters the tokenizer sees")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    train = read_documents(options.corpus / "train.jsonl")
    tokenizer = train_tokenizer(tokenizer_sample(train, options.sample, options.seed), options.vocabulary)
    tokenizer.save(str(options.out / "tokenizer.json"))
    for split in ("train", "heldout", "unseen"):
        found = train if split == "train" else read_documents(options.corpus / f"{split}.jsonl")
        for kind in MIX:
            texts = [d["text"] for d in found if d["kind"] == kind]
            ids = encode(tokenizer, texts)
            if len(ids):
                np.save(options.out / f"{split}-{kind}.npy", ids)
                size = sum(len(t.encode()) for t in texts)
                print(f"{split:8} {kind:10} {len(ids):10} tokens {size / len(ids):.2f} bytes each", file=sys.stderr)


if __name__ == "__main__":
    main()
