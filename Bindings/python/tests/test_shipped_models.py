"""The models that are shipped with the examples."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compare import TOLERANCE, Graph, relative_error

import rally

ROOT = Path(__file__).resolve().parents[3]
LM = ROOT / "Examples" / "models" / "rally-tiny.onnx"
RATER = ROOT / "Examples" / "models" / "rally-rater-tiny.onnx"
TEXTS = [
    "The sea was calm that morning, and the old man looked at it for a long time.",
    "She opened the letter, read it twice, and put it back into the drawer without a word.",
    "It is not enough to have a good mind; the main thing is to use it well.",
]


def corrupted(text: str) -> list[str]:
    """What a curated corpus should not contain."""
    random = np.random.default_rng(0)
    letters = np.array(list(text))
    return [
        "".join(random.permutation(letters)),
        "".join(chr(33 + int(code)) for code in random.integers(0, 94, len(text))),
        text.encode().hex()[: len(text)],
    ]


@pytest.fixture(scope="module")
def lm() -> rally.Model:
    return rally.Model(LM, threads=2)


@pytest.fixture(scope="module")
def rater() -> rally.Model:
    return rally.Model(RATER, threads=2)


def test_tells_a_story(lm: rally.Model) -> None:
    for prompt in ("The sea", "She opened", "It was"):
        result = lm.generate(prompt, max_tokens=60)
        assert result.text
        assert len(result.text.split()) > 10
        letters = sum(character.isalpha() or character.isspace() for character in result.text)
        assert letters > 0.8 * len(result.text)


def test_thinks_longer_about_some_tokens(lm: rally.Model) -> None:
    depths = np.concatenate([row.depth for row in lm.forward(TEXTS, logits=False)])
    assert len(np.unique(depths)) > 1
    assert depths.max() == lm.info.num_recursion


def test_prefers_text_to_noise(lm: rally.Model) -> None:
    for text in TEXTS:
        clean, *noise = [row.sum() for row in lm.logprobs([text, *corrupted(text)])]
        assert clean > max(noise)


def test_language_model_equals_onnxruntime(lm: rally.Model) -> None:
    graph = Graph(LM)
    for text, found in zip(TEXTS, lm.forward(TEXTS), strict=True):
        logits, depth = graph.forward(lm.encode(text))
        assert found.depth.tolist() == depth.tolist()
        assert relative_error(found.logits, logits) <= TOLERANCE


def test_rater_prefers_text_to_noise(rater: rally.Model) -> None:
    for text in TEXTS:
        clean, *noise = rater.rate([text, *corrupted(text)])
        assert clean > max(noise)


def test_rater_prefers_prose_to_what_pages_carry(rater: rally.Model) -> None:
    """A banner, a footer, letters apart and the other junk of the example: below all prose. Words in no order: below the
    same words in theirs, which is as much as a rater of this size sees of them.
    """
    lines = (ROOT / "Examples" / "texts.jsonl").read_text().splitlines()
    rows = {row["id"]: row["text"] for row in map(json.loads, lines)}
    scores = dict(zip(rows, rater.rate(list(rows.values())).tolist(), strict=True))
    salad, prose = scores.pop("salad"), [scores.pop("paragraph"), scores.pop("manual"), *rater.rate(TEXTS).tolist()]
    assert min(prose) > max(scores.values()) + 1
    assert salad < prose[0]


def test_rater_equals_onnxruntime(rater: rally.Model) -> None:
    graph = Graph(RATER)
    texts = TEXTS + corrupted(TEXTS[0])
    expected = [graph.rate(rater.encode(text)) for text in texts]
    assert relative_error(rater.rate(texts), expected) <= TOLERANCE


def test_the_example_runs() -> None:
    script = ROOT / "Examples" / "python" / "story.py"
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("The sea")
    assert result.stdout.count("\n") >= 6
