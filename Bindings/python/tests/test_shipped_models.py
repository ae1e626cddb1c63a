"""The models that are shipped with the examples."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from compare import TOLERANCE, Graph, relative_error
from tokenizers import Tokenizer

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


@pytest.fixture(scope="module")
def held_out() -> list[dict[str, Any]]:
    """Prose and junk that no training saw."""
    lines = (ROOT / "Tests" / "Fixtures" / "texts" / "prose-and-junk.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_no_junk_of_the_demo_outranks_prose(rater: rally.Model) -> None:
    """A banner, a footer, words in no order and the other junk of the example: below all prose."""
    lines = (ROOT / "Examples" / "texts.jsonl").read_text().splitlines()
    rows = {row["id"]: row["text"] for row in map(json.loads, lines)}
    scores = dict(zip(rows, rater.rate(list(rows.values())).tolist(), strict=True))
    prose = [scores.pop("paragraph"), scores.pop("manual"), *rater.rate(TEXTS).tolist()]
    assert min(prose) > max(scores.values()) + 0.5


#: What the rater takes for prose, as its card says.
TAKEN_FOR_PROSE = {"repeated sentence", "sentences of words in no order, french"}


def test_prose_of_every_kind_stands_above_junk(rater: rally.Model, held_out: list[dict[str, Any]]) -> None:
    """Manuals, news, stories, encyclopedia, instructions, letters, other languages: above all junk but two pieces."""
    scores = rater.rate([row["text"] for row in held_out])
    named = [(score, row["id"]) for score, row in zip(scores.tolist(), held_out, strict=True)]
    prose = [pair for pair, row in zip(named, held_out, strict=True) if row["good"]]
    junk = [pair for pair, row in zip(named, held_out, strict=True) if not row["good"]]
    assert len(prose) > 40 and len(junk) > 50
    kept = [pair for pair in junk if pair[1] not in TAKEN_FOR_PROSE]
    assert min(prose) > max(kept), (sorted(prose)[:3], sorted(kept)[-6:])
    right = np.mean([[good > bad for bad, _ in junk] for good, _ in prose])
    assert right > 0.99


def hyphenated(text: str) -> str:
    """Divide a long word at a line's end, as a printed page does."""
    return re.sub(r"(\b[a-z]{4})([a-z]{4,}\b)", r"\1-\n   \2", text, count=1)


def wrapped(text: str, width: int, **how: Any) -> str:
    """Text in lines, words kept whole."""
    return textwrap.fill(text, width, break_on_hyphens=False, break_long_words=False, **how)


LAYOUTS: dict[str, Callable[[str], str]] = {
    "narrow": lambda text: wrapped(text, 30),
    "wide, indented": lambda text: textwrap.indent(wrapped(text, 90), " " * 8),
    "hanging": lambda text: wrapped(text, 60, initial_indent="    ", subsequent_indent="        "),
    "justified": lambda text: wrapped(text, 50).replace(" ", "  "),
    "a line for a sentence": lambda text: text.replace(". ", ".\n"),
    "paragraphs": lambda text: text.replace(". ", ".\n\n\t"),
    "line ends of Windows": lambda text: wrapped(text, 60).replace("\n", "\r\n") + "\r\n",
    "spaces that do not break": lambda text: text.replace(" ", "\u00a0"),
    "divided words": hyphenated,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_says_nothing(rater: rally.Model, held_out: list[dict[str, Any]], layout: str) -> None:
    """Nor at a window's edge: what becomes tokens is the same."""
    texts = [row["text"] for row in held_out if row["good"] and "\n" not in row["text"]]
    texts.append(" ".join(texts))
    changed = [LAYOUTS[layout](text) for text in texts]
    assert changed != texts
    assert rater.rate_documents(changed).score.tolist() == rater.rate_documents(texts).score.tolist()


def test_a_line_that_ends_at_a_hyphen_says_little(rater: rally.Model) -> None:
    """Whether it belongs to the word nobody knows: it is left out."""
    text = "Of the thirty-one well-known clocks, twenty-two were hand-made and ran for a hundred and twenty-five years."
    broken = re.sub(r"(thirty|well|hand|twenty)-", r"\1-\n  ", text)
    one, other = rater.rate([text, broken])
    assert one != other and abs(one - other) < 0.5


def test_rater_reads_the_tokens_of_its_file(rater: rally.Model, held_out: list[dict[str, Any]]) -> None:
    """As the library `tokenizers` does with the steps and tables that the file holds."""
    file = onnx.load(RATER)
    said = {entry.key: entry.value for entry in file.metadata_props}
    stored = {tensor.name: tensor for tensor in file.graph.initializer if tensor.name.startswith("tokenizer.")}
    vocabulary = [entry.decode() for entry in stored["tokenizer.vocab"].string_data]
    pairs = onnx.numpy_helper.to_array(stored["tokenizer.merge_pairs"])
    model = {
        "type": "BPE",
        "vocab": {entry: place for place, entry in enumerate(vocabulary)},
        "merges": [[vocabulary[left], vocabulary[right]] for left, right in pairs.tolist()],
    }
    steps = {name: json.loads(said[f"rally.{name}"]) for name in ("normalizer", "pre_tokenizer", "decoder")}
    reference = Tokenizer.from_str(json.dumps({"version": "1.0", "added_tokens": [], "model": model} | steps))
    texts = [row["text"] for row in held_out]
    texts += [layout(text) for layout in LAYOUTS.values() for text in texts[:40]]
    for text in [*texts, "", " \n", "well-\nknown", "A-\nB", "Stra\u00ad\nße", "a\u2028b\u200bc\x1cd"]:
        assert rater.encode(text) == reference.encode(text).ids, text


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
