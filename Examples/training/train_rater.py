"""Meta-train rally-rater-tiny by algorithm 1 of the DataRater paper, on one core.

Several inner language models live at staggered ages. For each, the rater weighs T = 2
inner batches (half of their samples corrupted); the loss of the updated model on clean
held-out data is differentiated through both updates into the rater. Each inner model has
its own Adam state for the rater; their proposals are averaged. No label is ever used:
``auc`` in the log only watches.
"""

import argparse
import json
import math
import random
import sys
import time
from pathlib import Path

import torch

from meta import AdamRule, AdamState, leaves, meta_gradient
from model import LanguageModel, Shape, initialise
from rater import Rater, RaterShape, save
from samples import SampleSource, TextMix, area_under_curve

WINDOWS = (
    (64, 32),
    (64, 32),
    (64, 32),
    (128, 16),
    (128, 16),
    (256, 8),
    (512, 5),
)  # (length, samples) of an inner batch


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that collect.py wrote")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--state", type=Path, required=True, help="folder for the resumable state and the log")
    parser.add_argument("--steps", type=int, default=230, help="meta-updates; each visits every inner model")
    parser.add_argument("--inner-models", type=int, default=4)
    parser.add_argument("--window", type=int, default=2, help="inner updates that are differentiated")
    parser.add_argument("--lifetime", type=int, default=400, help="meta-updates until an inner model starts anew")
    parser.add_argument("--inner-rate", type=float, default=2e-3)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--clip", type=float, default=0.01, help="global norm of a meta-gradient")
    parser.add_argument("--save-every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def inner_shape() -> Shape:
    """Sizes of an inner model: two layers, 96 wide."""
    return Shape(
        width=96, heads=2, kv_heads=2, head_dim=48, feed_forward=256, block_layers=2, recursions=0, context=512
    )


class InnerModel:
    """Parameters, optimiser state and age of one inner model."""

    def __init__(self, number: int, seed: int, age: int) -> None:
        self.number, self.seed, self.births = number, seed, 0
        self.restart()
        self.age = age  # staggered: the first life is shorter

    def restart(self) -> None:
        """Begin a new life from fresh weights."""
        torch.manual_seed(hash((self.seed, self.number, self.births)) % 2**31)
        model = LanguageModel(inner_shape())
        initialise(model)
        self.theta = leaves(dict(model.named_parameters()))
        self.adam, self.age, self.births = AdamState(), 0, self.births + 1


class RaterOptimiser:
    """One decoupled-weight-decay Adam per inner model over the same rater; proposals are averaged."""

    def __init__(self, rater: Rater, count: int, weight_decay: float) -> None:
        self.parameters, self.weight_decay = list(rater.parameters()), weight_decay
        zeros = [torch.zeros_like(p) for p in self.parameters]
        self.moments = [([z.clone() for z in zeros], [z.clone() for z in zeros]) for _ in range(count)]
        self.steps = 0

    @torch.no_grad()
    def update(self, gradients: list[list[torch.Tensor]], rate: float) -> None:
        """Set eta to the mean of the per-model Adam proposals."""
        self.steps += 1
        for j, parameter in enumerate(self.parameters):
            change = torch.zeros_like(parameter)
            for (first, second), gradient in zip(self.moments, gradients, strict=True):
                first[j].lerp_(gradient[j], 0.1)
                second[j].lerp_(gradient[j] ** 2, 0.01)
                m, v = first[j] / (1 - 0.9**self.steps), second[j] / (1 - 0.99**self.steps)
                change += m / (v.sqrt() + 1e-10)
            decay = self.weight_decay * parameter if parameter.dim() == 2 else 0
            parameter -= rate * (change / len(gradients) + decay)


def clipped(gradient: list[torch.Tensor], limit: float) -> tuple[list[torch.Tensor], float]:
    """Scale a gradient down to the global norm ``limit``; also return the norm it had."""
    norm = math.sqrt(sum(g.square().sum().item() for g in gradient))
    return [g * min(1.0, limit / (norm + 1e-12)) for g in gradient], norm


@torch.no_grad()
def watch(rater: Rater, source: SampleSource, seed: int) -> tuple[float, dict[str, float]]:
    """AUC of clean against corrupted on held-out windows, overall and by corruption."""
    rng, scores = random.Random(seed), {}
    for length, count in ((64, 96), (128, 96), (256, 48), (512, 16)):
        samples, ids = source.batch(rng, count, length)
        for sample, score in zip(samples, rater(ids).tolist(), strict=True):
            scores.setdefault(sample.name, []).append(score)
    clean = scores.pop("clean")
    each = {name: round(area_under_curve(clean, values), 3) for name, values in sorted(scores.items())}
    return area_under_curve(clean, [s for values in scores.values() for s in values]), each


def main() -> None:
    """Meta-train, log, save."""
    options = parse_arguments()
    torch.set_num_threads(1)
    options.state.mkdir(parents=True, exist_ok=True)
    # Inner and outer data are disjoint parts of the training split.
    inner = SampleSource(TextMix(options.corpus, "train", 0, 2), options.tokenizer, corrupted=0.5, steep=2.0)
    outer = SampleSource(TextMix(options.corpus, "train", 1, 2), options.tokenizer, corrupted=0.0)
    heldout = SampleSource(TextMix(options.corpus, "heldout"), options.tokenizer, corrupted=0.5)
    torch.manual_seed(options.seed)
    rater, skeleton = Rater(RaterShape()), LanguageModel(inner_shape())
    rater.initialise()
    optimiser = RaterOptimiser(rater, options.inner_models, options.weight_decay)
    share = options.lifetime // options.inner_models
    models = [InnerModel(i, options.seed, i * share) for i in range(options.inner_models)]
    rule, step, elapsed = AdamRule(rate=options.inner_rate), 0, 0.0
    state_file = options.state / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=False)
        rater.load_state_dict(state["rater"])
        optimiser.moments, optimiser.steps, step, elapsed = (
            state["moments"],
            state["step"],
            state["step"],
            state["elapsed"],
        )
        for model, saved in zip(models, state["models"], strict=True):
            model.theta, model.adam, model.age, model.births = leaves(saved[0]), *saved[1:]
        print(f"resumed at step {step}", file=sys.stderr)
    log = (options.state / "log.jsonl").open("a")
    while step < options.steps:
        start, rng = time.monotonic(), random.Random(f"{options.seed}/{step}")
        rate = options.rate * min(1.0, (step + 1) / options.warmup, max(0.05, 2 * (1 - step / options.steps)))
        gradients, norms, losses = [], [], []
        for model in models:
            length, count = rng.choice(WINDOWS)
            batches = [inner.batch(rng, count, length)[1] for _ in range(options.window)]
            held = outer.batch(rng, 16, 128)[1]
            gradient, loss, model.theta, model.adam = meta_gradient(
                rater, skeleton, model.theta, model.adam, rule, batches, held
            )
            gradient, norm = clipped(gradient, options.clip)
            gradients.append(gradient)
            norms.append(norm)
            losses.append(loss)
            model.age += 1
            if model.age >= options.lifetime:
                model.restart()
        optimiser.update(gradients, rate)
        step += 1
        elapsed += time.monotonic() - start
        record = {
            "step": step,
            "outer": losses,
            "norm": norms,
            "rate": rate,
            "ages": [m.age for m in models],
            "elapsed": elapsed,
        }
        if step % options.save_every == 0 or step == options.steps:
            record["auc"], record["auc_by_corruption"] = watch(rater, heldout, 1)
            saved = [({k: v.detach() for k, v in m.theta.items()}, m.adam, m.age, m.births) for m in models]
            torch.save(
                {
                    "rater": rater.state_dict(),
                    "moments": optimiser.moments,
                    "step": step,
                    "elapsed": elapsed,
                    "models": saved,
                },
                state_file,
            )
            save(rater, options.tokenizer, options.out)
        print(json.dumps(record), file=log, flush=True)
        bar = "#" * (24 * step // options.steps)
        left = elapsed / step * (options.steps - step) / 60
        print(
            f"\r[{bar:.<24}] {step}/{options.steps} outer {sum(losses) / len(losses):.3f} {left:.0f} min left ",
            end="",
            file=sys.stderr,
        )
    print(file=sys.stderr)


if __name__ == "__main__":
    main()
