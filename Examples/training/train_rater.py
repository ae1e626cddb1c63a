"""Train rally-rater-tiny to tell text from junk, on one core.

Half of the windows are good text in several languages, half are junk of the kinds of
``../raters``; the loss is the cross entropy of ``sigmoid(score)``. The body begins as the
first layer and the block of rally-tiny, which has the same tokens and knows which word
follows which: words in the wrong order would take many more windows to learn from nothing.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from tokenizers import Tokenizer
from torch.nn.functional import binary_cross_entropy_with_logits

from pools import HELD_OUT, KINDS, Supply
from rater import Rater, RaterShape, save
from samples import area_under_curve

WINDOWS = ((40, 40), (40, 40), (80, 20), (160, 10), (320, 5))  # tokens, and windows of a batch
#: How often each kind of junk is drawn: what is hard, or frequent on the web, more often than the others.
SHARES = {kind: 1.0 for kind in KINDS if kind not in HELD_OUT} | {
    "shuffled words": 9.0, "repeated lines": 2.0, "boilerplate": 3.0, "keyword lists": 2.0, "menus": 2.0,
    "licences": 2.0, "capitals": 1.5, "ocr noise": 1.5, "wrong encoding": 1.5,
}  # fmt: skip
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
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--save-every", type=int, default=75)
    return parser.parse_args()


def begin_with(rater: Rater, file: Path) -> None:
    """Put the layers of rally-tiny into the upper left corner of the rater's, where the rest is random.

    A norm divides by the root of the mean square of all columns, of which the new ones are small at first: its
    weights are smaller by the root of the ratio of the widths.
    """
    stored = {
        t.name: torch.from_numpy(np.array(numpy_helper.to_array(t)))
        for t in onnx.load(file).graph.initializer
        if t.data_type == 1
    }
    groups = {"layers.0": "first.0", "layers.1": "block.0", "layers.2": "block.1"}
    for name, parameter in rater.named_parameters():
        source = name
        for ours, theirs in groups.items():
            source = source.replace(ours, theirs)
        if source not in stored or name.startswith("head"):
            continue
        values = stored[source]
        if name.endswith(("k_proj.weight", "v_proj.weight")):
            values = torch.cat([values, values])  # one head of keys for two of queries
        if values.dim() == 1:
            parameter.data[: len(values)] = values * (len(values) / len(parameter)) ** 0.5
        else:
            parameter.data[: values.shape[0], : values.shape[1]] = values
            if name != "embed_tokens.weight":
                parameter.data[: values.shape[0], values.shape[1] :] *= 0.1


class Batches:
    """Draws windows of text and junk with their tokens."""

    def __init__(self, supply: Supply, tokenizer: Tokenizer) -> None:
        self.supply, self.tokenizer = supply, tokenizer

    def draw(self, rng: random.Random, length: int, good: bool) -> tuple[str, list[int]]:
        """Draw one window: its kind, and ``length`` ids."""
        while True:
            kind, text = self.supply.clean(rng, length * 5, half=rng.randrange(2)) if good else ("", "")
            if not good:
                kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
                text = self.supply.junk(rng, length * 6, kind)
            ids = self.tokenizer.encode(text).ids
            if len(ids) >= length:
                return kind, ids[:length]

    def batch(self, rng: random.Random, length: int, count: int) -> tuple[list[str], torch.Tensor]:
        """Draw kinds and ids [count, length], every second one good."""
        drawn = [self.draw(rng, length, place % 2 == 0) for place in range(count)]
        return [kind for kind, _ in drawn], torch.tensor([ids for _, ids in drawn])


@torch.no_grad()
def watch(rater: Rater, batches: Batches) -> tuple[float, dict[str, float]]:
    """AUC of good text against junk on other documents: overall and by kind."""
    rng, scores = random.Random("watch"), {}
    for length, count in ((40, 160), (160, 40)):
        kinds, ids = batches.batch(rng, length, count)
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
    found, tokenizer = json.loads(options.junk.read_text()), Tokenizer.from_file(str(options.tokenizer))
    learned, other = (Batches(Supply(options.corpus, found["real"], found["foreign"], p), tokenizer) for p in (0, 1))
    rater = Rater(RaterShape())
    rater.initialise()
    begin_with(rater, options.start)
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
    while step < options.steps:
        rng = random.Random(f"rater/{step}")
        kinds, ids = learned.batch(rng, *rng.choice(WINDOWS))
        score = rater(ids)
        good = torch.tensor([float(kind in GOOD) for kind in kinds])
        loss = binary_cross_entropy_with_logits(score, good * 0.96 + 0.02)
        warm = min(1.0, (step + 1) / 10) * min(1.0, max(0.02, 2 * (1 - step / options.steps)))
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
            save(rater, options.tokenizer, options.out)
            print(f"\r{step}/{options.steps} loss {loss.item():.3f} auc {record['auc']:.3f} ", end="", file=sys.stderr)
        with (options.state / "log.jsonl").open("a") as log:
            print(json.dumps(record), file=log)
    print(file=sys.stderr)


if __name__ == "__main__":
    main()
