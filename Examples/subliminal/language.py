"""What Rally itself runs of this: language models that share a start, their lineage, and what their samples expose.

rally-tiny is the base. Its twins are an int8 copy and copies whose matrices are moved a little, stand-ins for teachers
that were trained on from it. Every twin and the base write texts; the e-value says which of the two wrote them.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import rally
from tqdm import tqdm

from nudge import nudge
from tables import aligned

BASE = Path(__file__).resolve().parents[1] / "models" / "rally-tiny.onnx"
SIZES = (0.01, 0.05, 0.1, 0.2)
PROMPT = "The sea"
ALPHA = 0.001


@dataclass(frozen=True)
class Sample:
    """Texts that a model wrote, as rows of token ids, and how many tokens of each row were given to it."""

    rows: list[list[int]]
    given: list[int]


def main() -> None:
    """Write the twins and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400, help="texts of each model (400)")
    parser.add_argument("--tokens", type=int, default=48, help="most tokens of a text (48)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, rally.Model(BASE) as base:
        twins = write_twins(Path(folder))
        of_base = write_texts(base, options.rows, options.tokens, seed=0)
        rows = [("twin of rally-tiny", "ρ", "verdict", "Jeffreys", "log-ratio", "told after", "base's own, max log E")]
        for index, (name, path) in enumerate(tqdm(twins.items(), desc="twins", disable=None)):
            with rally.Model(path) as twin:
                of_twin = write_texts(twin, options.rows, options.tokens, seed=1000 * (index + 1))
                rows.append((name, *compare(path, twin, base, of_twin, of_base)))
    print(aligned(rows))


def write_twins(folder: Path) -> dict[str, Path]:
    """Write the int8 copy and the nudged ones, and return their files by name."""
    twins = {"int8": folder / "int8.onnx"}
    rally.quantize(BASE, twins["int8"], dtype="int8")
    for size in SIZES:
        twins[f"moved by {size:.0%}"] = folder / f"moved-{size}.onnx"
        nudge(BASE, twins[f"moved by {size:.0%}"], size)
    return twins


def write_texts(model: rally.Model, count: int, tokens: int, seed: int) -> Sample:
    """Sample from the whole distribution, as the e-value's guarantee asks: temperature 1 and nothing cut off."""
    prompt = list(model.encode(PROMPT))
    seeds = list(range(seed, seed + count))
    written = model.generate([prompt] * count, max_tokens=tokens, temperature=1.0, seed=seeds)
    return Sample([[*prompt, *one.tokens] for one in written], [len(prompt)] * count)


def compare(path: Path, twin: rally.Model, base: rally.Model, of_twin: Sample, of_base: Sample) -> tuple[str, ...]:
    """Return the cells of a twin's row: lineage, then exposure of both models' texts."""
    lineage = rally.lineage(path, BASE)
    own = rally.exposure(twin, base, of_twin.rows, of_twin.given)
    other = rally.exposure(twin, base, of_base.rows, of_base.given)
    reached = own.log_e >= -math.log(ALPHA)
    told = f"{int(reached.argmax()) + 1} texts" if reached.any() else "not told"
    count = int(own.tokens.sum())
    jeffreys, ratio = own.jeffreys.sum() / count, own.log_ratio.sum() / count
    return (
        f"{lineage.rho:.3f}",
        lineage.verdict,
        f"{jeffreys:.5f}",
        f"{ratio:+.5f}",
        told,
        f"{max(0.0, float(other.log_e.max())):.2f}",
    )


if __name__ == "__main__":
    main()
