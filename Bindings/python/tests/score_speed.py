"""Sets `rally.score` from Parquet alongside the bare rater over the same tokens, in turns.

A rater without a tokenizer gets a column of token ids, of rally-rater-tiny's tokenizer.

``python Bindings/python/tests/score_speed.py RATER.onnx --tokens 2000000``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import corpora
import numpy as np
import pyarrow as pa

import rally
from rally.score import Settings, score_corpus

REPOSITORY = Path(__file__).resolve().parents[3]
TOKENIZER = REPOSITORY / "Examples" / "models" / "rally-rater-tiny.onnx"


def texts(count: int, seed: int) -> list[str]:
    """Pieces of the project's own prose, of 200 to 20 000 characters, their logarithms even."""
    prose = "".join(path.read_text() for path in sorted((REPOSITORY / "docs").glob("*.md")))
    random = np.random.default_rng(seed)
    lengths = np.exp(random.uniform(np.log(200), np.log(20_000), count)).astype(int)
    starts = random.integers(0, len(prose) - 20_000, count)
    return [prose[start : start + length] for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)]


def measure(rater: str, tokens: int, rounds: int, threads: int) -> None:
    """Prints tokens per second of both, on the clock and of the processor, and their quotients."""
    clock, work = np.zeros((rounds, 2)), np.zeros((rounds, 2))
    with tempfile.TemporaryDirectory() as folder, rally.Model(rater, threads=threads) as model:
        tokens_column = None if model.info.has_tokenizer else "ids"
        reader = model if model.info.has_tokenizer else rally.Model(TOKENIZER)
        done = 0
        for turn in range(rounds):
            own = texts(max(tokens // rounds // 1500, 4), turn)
            path = Path(folder) / f"{turn}.parquet"
            rows = reader.encode_rows(own, parse_special=False)
            ids = pa.array(np.split(rows.tokens, rows.offsets[1:-1].astype(np.int64)))
            corpora.write_parquet(path, {"ids": ids} if tokens_column else {"text": own}, group=1000)
            done += rows.tokens.size
            sides = [
                lambda rows=rows: model.rate_documents(rows),
                lambda path=path: score_corpus(
                    Settings(rater, (str(path),), f"{path}.out", threads=threads, tokens=tokens_column)
                ),
            ]
            for side in (0, 1) if turn % 2 else (1, 0):
                start = time.perf_counter(), time.process_time()
                sides[side]()
                clock[turn, side] = time.perf_counter() - start[0]
                work[turn, side] = time.process_time() - start[1]
    print(f"{Path(rater).name}, {threads or 'all'} threads, {done:,} tokens in {rounds} rounds")
    for name, spent in (("clock", clock), ("processor", work)):
        bare, scored = done / spent.sum(0)
        each = spent[:, 0] / spent[:, 1]
        spread = f"rounds {each.min():.3f} to {each.max():.3f}, median {np.median(each):.3f}"
        print(f"{name:<10}bare {bare:>9,.0f} tok/s  score {scored:>9,.0f} tok/s  {scored / bare:.3f} of it ({spread})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rater", metavar="RATER.onnx")
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    measure(options.rater, options.tokens, options.rounds, options.threads)


if __name__ == "__main__":
    main()
