"""What a cascade gains: documents per processor second of two raters for one cut, over those of the expensive one alone.

``python Bindings/python/tests/cascade_factor.py EXPENSIVE.onnx CHEAP.onnx TEXTS.jsonl --discard 0.5 0.75 0.9``

Both raters read every document once, and the rest is counted: for each cut the band from samples of several seeds, the share that
the expensive rater reads besides the sample, how many decisions agree, and the factor in a corpus that is much larger than the
sample. Processor time, so that other programs on the machine do not matter much.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import rally
from rally import Band, select
from rally.sweep import kept_count


def read(path: Path, most: int) -> list[str]:
    """Texts of a file of lines, of its member "text" or as they stand."""
    rows = [json.loads(line) for line in path.read_text().splitlines()[:most]]
    return [row["text"] if isinstance(row, dict) else row for row in rows]


def scored(path: str, texts: list[str], **how: Any) -> tuple[Any, float]:
    """Scores, and seconds of the processor, tokenizing included."""
    with rally.Model(path, threads=1) as model:
        model.rate_documents(texts[:8], **how)
        start = time.process_time()
        found = model.rate_documents(texts, **how).score
        return found, time.process_time() - start


def factors(cheap: Any, expensive: Any, share: float, asked: argparse.Namespace) -> list[tuple[float, float, float]]:
    """For several samples: share in the band, share of equal decisions, the promise."""
    found = []
    kept = kept_count(cheap.size, share)
    alone = set(select.top(expensive, kept).tolist())
    for seed in range(asked.seeds):
        drawn = np.random.default_rng(seed).permutation(cheap.size)[: asked.sample]
        band = Band.choose(cheap[drawn], expensive[drawn], share, asked.agreement, asked.confidence)
        both = set(select.top(band.scores(cheap, expensive), kept).tolist())
        found.append((float(band.reads(cheap).mean()), 1 - len(alone ^ both) / cheap.size, band.agreement))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("expensive", metavar="EXPENSIVE.onnx")
    parser.add_argument("cheap", metavar="CHEAP.onnx")
    parser.add_argument("texts", metavar="TEXTS.jsonl", type=Path)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--max-windows", type=int, default=1)
    parser.add_argument("--discard", type=float, nargs="+", default=[0.5, 0.75, 0.9])
    parser.add_argument("--agreement", type=float, default=0.99)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--sample", type=int, default=4096)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    texts = read(asked.texts, asked.documents)
    how = {"max_windows": asked.max_windows}
    (cheap, cheap_time), (expensive, time_of_all) = (
        scored(path, texts, **how) for path in (asked.cheap, asked.expensive)
    )
    ranks = [np.argsort(np.argsort(one)) for one in (cheap, expensive)]
    print(
        f"{len(texts):,} documents; {len(texts) / time_of_all:.1f} a second by the expensive rater, "
        f"{len(texts) / cheap_time:.1f} by the cheap one; rank correlation {np.corrcoef(*ranks)[0, 1]:.3f}"
    )
    for share in asked.discard:
        found = factors(cheap, expensive, share, asked)
        band, equal, promise = (float(np.mean([one[place] for one in found])) for place in range(3))
        factor = time_of_all / (cheap_time + band * time_of_all)
        print(
            f"discard {share:g}: {band:.1%} in the band, {equal:.2%} of decisions equal "
            f"(least {min(one[1] for one in found):.2%}, promised {promise:.2%}); {factor:.2f} times the documents"
        )


if __name__ == "__main__":
    main()
