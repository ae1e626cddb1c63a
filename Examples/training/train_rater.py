"""Train rally-rater-tiny to tell text from junk, on one core.

Half of the windows are good text in several languages, half are junk of the kinds of
``../raters``, and some are good at one end and junk at the other. A score is the mean of
what the head says of each token; the loss is the cross entropy of ``sigmoid(score)``, and
that of every token, so that a window teaches at each of its places. The body begins as the
first layer and the block of rally-tiny, which has the same tokens and knows which word
follows which. White space is joined before the text becomes tokens: how a page is set says
nothing of what it says.
"""

import argparse
import json
import random
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.nn.functional import binary_cross_entropy_with_logits

from beginning import begin
from neighbours import Counts, count
from pools import HELD_OUT, KINDS, Supply
from rater import Rater, RaterShape, balanced, save
from samples import area_under_curve

WINDOWS = (
    (24, 64),
    (40, 40),
    (40, 40),
    (80, 20),
    (80, 20),
    (160, 10),
    (320, 5),
    (640, 3),
)  # tokens, and windows of a batch
#: How often each kind of junk is drawn: what is hard, or frequent on the web, more often than the others.
SHARES = {kind: 1.0 for kind in KINDS if kind not in HELD_OUT} | {
    "shuffled words": 6.0, "jumbled phrases": 6.0, "mixed texts": 3.0, "repeated lines": 4.0, "repeated sentences": 8.0, "boilerplate": 8.0,
    "keyword lists": 2.0, "menus": 2.0, "licences": 2.0, "capitals": 1.5, "ocr noise": 1.5, "wrong encoding": 1.5,
    "placeholder text": 0.5,
}  # fmt: skip
#: Share of other languages among good text, and so among what is spoilt.
FOREIGN = 0.4
#: Share of the windows of two pieces, the later of which may be of the other sort.
TWO = 0.3
#: Mean score of good windows, whatever their length, and the weight of that: a long one is surer, but no better.
LEVEL, EVEN = 2.5, 1.0
#: Weight of the tokens' loss alongside that of the windows.
TOKENS = 0.5
#: What runs of white space become, and words that a line's end divides.
JOINED = {
    "type": "Sequence",
    "normalizers": [
        {
            "type": "Replace",
            "pattern": {"Regex": "(?<=\\p{L})[-\u2010\u00ad][ \\t]*\\r?\\n\\s*(?=\\p{Ll})"},
            "content": "",
        },
        {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
        {"type": "Strip", "strip_left": True, "strip_right": True},
    ],
}
GOOD = ("english", "other languages")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that collect.py wrote")
    parser.add_argument("--junk", type=Path, required=True, help="junk.json of ../raters")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True, help="rally-tiny.onnx")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--state", type=Path, required=True, help="folder for the resumable state and the log")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--save-every", type=int, default=200)
    return parser.parse_args()


class Batches:
    """Draws windows of text and junk with their tokens."""

    def __init__(self, supply: Supply, tokenizer: Tokenizer) -> None:
        self.supply, self.tokenizer = supply, tokenizer

    def draw(self, rng: random.Random, length: int, good: bool) -> tuple[str, list[int]]:
        """Draw one window: its kind, and ``length`` ids."""
        while True:
            kind, text = self.supply.clean(rng, length * 5 + 80, half=rng.randrange(2)) if good else ("", "")
            if not good:
                kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
                text = self.supply.junk(rng, length * 6, kind)
            ids = self.tokenizer.encode(text).ids[:length]
            if len(ids) == length and (not kind.startswith("repeated") or repeats(ids)):
                return kind, ids

    def two(self, rng: random.Random, length: int, good: bool) -> tuple[list[int], list[float]]:
        """Draw a window of two pieces: ``length`` ids, and which of them are good."""
        first, other = rng.randint(8, length - 8), good if rng.random() < 0.3 else not good
        pieces = [self.draw(rng, first, good)[1], self.draw(rng, length - first, other)[1]]
        return pieces[0] + pieces[1], [float(good)] * first + [float(other)] * (length - first)

    def batch(self, rng: random.Random, length: int, count: int) -> tuple[list[str], torch.Tensor]:
        """Draw kinds and ids [count, length], every second one good."""
        drawn = [self.draw(rng, length, place % 2 == 0) for place in range(count)]
        return [kind for kind, _ in drawn], torch.tensor([ids for _, ids in drawn])

    def lesson(self, rng: random.Random, length: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw ids [count, length] and which of them are good, some windows of two pieces."""
        drawn = []
        for place in range(count):
            good = place % 2 == 0
            if rng.random() < TWO:
                drawn.append(self.two(rng, length, good))
            else:
                drawn.append((self.draw(rng, length, good)[1], [float(good)] * length))
        return torch.tensor([ids for ids, _ in drawn]), torch.tensor([labels for _, labels in drawn])


def open_batches(corpus: Path, junk: Path, tokenizer: Path) -> tuple[Batches, Batches]:
    """Return the batches of the training, and those of other documents."""
    found, reads = json.loads(junk.read_text()), Tokenizer.from_file(str(tokenizer))
    learned, other = (Batches(Supply(corpus, found["real"], found["foreign"], part), reads) for part in (0, 1))
    return learned, other


def repeats(ids: list[int]) -> bool:
    """Tell whether a window shows that a line comes again; one that is longer than the window does not."""
    return len(set(pairwise(ids))) < 0.6 * len(ids)


def loss_of(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy of tokens' scores [B, T] and of windows that are of one sort; labels are .02 and .98."""
    soft = labels * 0.96 + 0.02
    whole = (labels == labels[:, :1]).all(dim=1)
    loss = TOKENS * binary_cross_entropy_with_logits(scores, soft)
    if whole.any():
        loss = loss + binary_cross_entropy_with_logits(scores[whole].mean(dim=1), soft[whole, 0])
    good = whole & (labels[:, 0] == 1)
    if good.any():
        loss = loss + EVEN * (scores[good].mean() - LEVEL) ** 2
    return loss


def with_joined_space(tokenizer: Path, folder: Path) -> Path:
    """Write rally-tiny's tokenizer with ``JOINED`` before it; return the file."""
    description = json.loads(tokenizer.read_text()) | {"normalizer": JOINED}
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(description, ensure_ascii=False))
    return path


def counted(batches: Batches, folder: Path) -> Counts:
    """Count the tokens and pairs of the training's text, once."""
    path = folder / "counts.pt"
    if not path.exists():
        torch.save(count(batches.supply, batches.tokenizer, random.Random(0)), path)
    return torch.load(path, weights_only=False)


@torch.no_grad()
def watch(rater: Rater, batches: Batches) -> tuple[float, dict[str, float]]:
    """AUC of good text against junk on other documents: overall and by kind."""
    rng, scores = random.Random("watch"), {}
    for length, windows in ((40, 160), (160, 40)):
        kinds, ids = batches.batch(rng, length, windows)
        for kind, score in zip(kinds, rater(ids).tolist(), strict=True):
            scores.setdefault(kind, []).append(score)
    good = [score for kind in GOOD for score in scores.pop(kind)]
    each = {kind: round(area_under_curve(good, values), 3) for kind, values in sorted(scores.items())}
    return area_under_curve(good, [s for values in scores.values() for s in values]), each


def main() -> None:
    """Train, log, save."""
    options = parse_arguments()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    options.state.mkdir(parents=True, exist_ok=True)
    joined = with_joined_space(options.tokenizer, options.state)
    learned, other = open_batches(options.corpus, options.junk, joined)
    learned.supply.foreign_share = FOREIGN
    rater = Rater(RaterShape())
    rater.initialise()
    begin(rater, counted(learned, options.state), options.start)
    matrices = [p for p in rater.parameters() if p.dim() == 2]
    others = [p for p in rater.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.98))
    step, start = 0, time.process_time()
    state_file = options.state / "state.pt"
    if state_file.exists():
        saved = torch.load(state_file, weights_only=False)
        rater.load_state_dict(saved["rater"])
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
    sample = learned.batch(random.Random("balance"), 160, 24)[1]
    while step < options.steps:
        rng = random.Random(f"rater/{step}")
        ids, labels = learned.lesson(rng, *rng.choice(WINDOWS))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = rater.tokens(ids)
        loss = loss_of(scores.float(), labels)
        warm = min(1.0, (step + 1) / 50) * min(1.0, max(0.02, 2 * (1 - step / options.steps)))
        for group in optimiser.param_groups:
            group["lr"] = options.rate * warm
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(rater.parameters(), 1.0)
        optimiser.step()
        step += 1
        record = {"step": step, "loss": loss.item()}
        if step % options.save_every == 0 or step == options.steps:
            record["auc"], record["auc_by_kind"] = watch(rater, other)
            record["seconds"] = time.process_time() - start
            saved = {"rater": rater.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
            torch.save(saved, state_file.with_suffix(".partial"))
            state_file.with_suffix(".partial").replace(state_file)
            save(balanced(rater, sample), joined, options.out)
            print(f"\r{step}/{options.steps} loss {loss.item():.3f} auc {record['auc']:.3f} ", end="", file=sys.stderr)
        with (options.state / "log.jsonl").open("a") as log:
            print(json.dumps(record), file=log)
    print(file=sys.stderr)


if __name__ == "__main__":
    main()
