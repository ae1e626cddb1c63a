"""What a rater must beat: numbers that need no training, and how well a language model expects the text."""

import re
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import rally

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """the of and to a in is that it for as was with be by on not he his but at are this have from or had an they
        which you were her she all one we there been their if has will so no would when who him more me them my than
        up out what into some could its then do about like other time very now only""",
    )
)
#: Tokens that the language model reads of a document.
READ = 256


def gzip_ratio(text: str) -> float:
    """Compressed bytes over bytes: low where text repeats itself, high where nothing is expected."""
    data = text.encode()
    return len(zlib.compress(data, 6)) / max(1, len(data))


def letters(text: str) -> float:
    """Share of letters and spaces."""
    return sum(c.isalpha() or c == " " for c in text) / max(1, len(text))


def stop_words(text: str) -> float:
    """Share of English stop words."""
    words = text.lower().split()
    return sum(word.strip(".,;:!?\"'()") in STOP_WORDS for word in words) / max(1, len(words))


def log_likelihood(model: Path, number_format: str, texts: Sequence[str]) -> np.ndarray:
    """Mean log probability of a token of each text, in nats: -log of the perplexity."""
    found = np.zeros(len(texts))
    with rally.Model(model, number_format, threads=1) as language:
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), 64):
            places = order[start : start + 64]
            rows = [list(language.encode(texts[place]))[:READ] for place in places]
            for place, logprobs in zip(places, language.logprobs(rows), strict=True):
                found[place] = np.mean(logprobs) if len(logprobs) else 0.0
            print(f"\rperplexity: {start + len(places)} of {len(texts)} ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return found


def baselines(texts: Sequence[str], language_models: dict[str, tuple[Path, str]], out: Path) -> dict[str, np.ndarray]:
    """Return the scores of every baseline, [n] each; higher is taken for better.

    Language models are files and the formats in which they run; what they said is kept in ``out``.
    """
    plain: dict[str, Callable[[str], float]] = {
        "gzip ratio": gzip_ratio, "share of letters": letters, "stop words": stop_words,
    }  # fmt: skip
    scores = {name: np.array([measure(text) for text in texts]) for name, measure in plain.items()}
    # Text compresses to about half of its size; what compresses much better or worse is neither.
    scores["gzip ratio, nearness to that of good text"] = -np.abs(scores["gzip ratio"] - 0.55)
    for name, (path, number_format) in language_models.items():
        kept = out / f"perplexity-{name}.npy"
        if not kept.exists():
            np.save(kept, log_likelihood(path, number_format, texts))
        scores[f"perplexity by {name}"] = np.load(kept)
    return scores
