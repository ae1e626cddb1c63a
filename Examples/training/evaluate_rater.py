"""Figures of a trained rater: AUC, score against level, and the shuffled-score control."""

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path

import torch

import rater as rater_files
from corruptions import ALL, EXTRA, LISTED, UNSEEN
from meta import AdamRule, AdamState, Parameters, inner_updates, leaves, sample_losses
from model import LanguageModel, initialise
from rater import Rater
from samples import SampleSource, TextMix, area_under_curve
from train_rater import inner_shape

LEVELS = (0.1, 0.25, 0.5, 0.75, 1.0)
LENGTHS = (64, 128, 256, 512)


@torch.no_grad()
def scores_of(
    rater: Rater,
    source: SampleSource,
    rng: random.Random,
    count: int,
    length: int,
    name: str,
    level: float | None = None,
) -> list[float]:
    """Scores of ``count`` windows with one corruption (``clean`` for none)."""
    ids = torch.tensor([source.draw(rng, length, name, level)[1] for _ in range(count)])
    return rater(ids).tolist()


def curves(rater: Rater, source: SampleSource, rng: random.Random, count: int) -> dict:
    """AUC by corruption and length with levels uniform in [0.1, 1]; mean score by level at 256."""
    auc: dict[str, dict] = {}
    pooled: dict[str, list[float]] = {}
    for length in LENGTHS:
        clean = scores_of(rater, source, rng, 2 * count, length, "clean")
        spoilt = {name: scores_of(rater, source, rng, count, length, name) for name in ALL}
        auc[str(length)] = {name: area_under_curve(clean, values) for name, values in spoilt.items()}
        for group, names in (("listed", LISTED), ("extra", EXTRA), ("unseen", UNSEEN), ("trained", LISTED | EXTRA)):
            value = area_under_curve(clean, [s for n in names for s in spoilt[n]])
            auc[str(length)][group] = value
            pooled.setdefault(group, []).append(value)
    by_level, clean = {}, scores_of(rater, source, rng, 2 * count, 256, "clean")
    for name in ALL:
        by_level[name] = {str(level): mean(scores_of(rater, source, rng, count, 256, name, level)) for level in LEVELS}
    overall = {group: mean(values) for group, values in pooled.items()}
    spread = torch.tensor(clean)
    return {
        "auc": auc,
        "auc_mean_over_lengths": overall,
        "clean": {"mean": spread.mean().item(), "std": spread.std().item()},
        "mean_score_by_level": by_level,
    }


def mean(values: list[float]) -> float:
    """Arithmetic mean."""
    return sum(values) / len(values)


def dealt(score: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The same scores [B], dealt to other samples."""
    return score[torch.randperm(len(score), generator=generator)]


def better_half(score: torch.Tensor) -> torch.Tensor:
    """Weights [B] of the batch filter at discard fraction one half: even over the kept."""
    keep = len(score) // 2
    return torch.zeros_like(score).scatter_(0, score.topk(keep).indices, 1 / keep)


def control(rater: Rater, inner: SampleSource, heldout: SampleSource, steps: int, seed: int) -> dict:
    """Train fresh models on half-corrupted batches with five weightings; report clean loss.

    ``rater``: softmax of its scores. ``rater_shuffled``: the same weights dealt to other
    samples of the batch. ``filter``: the better half by score, evenly. ``filter_shuffled``:
    a random half. ``uniform``: 1/B. Same initial weights, same batches.
    """
    rng = random.Random(seed)
    clean = torch.cat([heldout.batch(rng, 16, 128)[1] for _ in range(8)])
    arms: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
        "rater": lambda score, _: torch.softmax(score, 0),
        "rater_shuffled": lambda score, g: torch.softmax(dealt(score, g), 0),
        "filter": lambda score, _: better_half(score),
        "filter_shuffled": lambda score, g: better_half(dealt(score, g)),
        "uniform": lambda score, _: torch.full_like(score, 1 / len(score)),
    }
    torch.manual_seed(seed)
    model = LanguageModel(inner_shape())
    initialise(model)
    start = leaves(dict(model.named_parameters()))
    states: dict[str, tuple[Parameters, AdamState]] = {name: (start, AdamState()) for name in arms}
    shuffle, curve, kept = torch.Generator().manual_seed(seed), [], {name: [] for name in arms}
    for step in range(steps + 1):
        if step % 25 == 0:
            with torch.no_grad():
                point = {name: sample_losses(model, theta, clean).mean().item() for name, (theta, _) in states.items()}
            curve.append({"step": step, **point})
        samples, ids = inner.batch(rng, 16, 128)
        good = torch.tensor([s.name == "clean" for s in samples])
        with torch.no_grad():
            score = rater(ids)
        for name, weigh in arms.items():
            weight = weigh(score, shuffle)
            kept[name].append((weight[good].sum() / max(1, good.sum()) * 16).item())
            states[name] = inner_updates(model, *states[name], AdamRule(), [weight], [ids], graph=False)
    share = {name: mean(values) for name, values in kept.items()}
    return {"curve": curve, "clean_weight_relative_to_uniform": share}


def shuffled_auc(rater: Rater, source: SampleSource, rng: random.Random) -> float:
    """AUC after the scores were dealt to other samples: 0.5 if nothing leaks."""
    samples, ids = source.batch(rng, 256, 128)
    with torch.no_grad():
        scores = rater(ids).tolist()
    rng.shuffle(scores)
    pairs = list(zip(samples, scores, strict=True))
    return area_under_curve([s for d, s in pairs if d.name == "clean"], [s for d, s in pairs if d.name != "clean"])


def main() -> None:
    """Write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100, help="windows of each corruption, length and level")
    parser.add_argument("--control-steps", type=int, default=300)
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = rater_files.load(options.checkpoint).eval()
    tokenizer = options.checkpoint / "tokenizer.json"
    heldout = SampleSource(TextMix(options.corpus, "heldout"), tokenizer, corrupted=0.5)
    report = curves(model, heldout, random.Random(11), options.count)
    report["auc_of_shuffled_scores"] = shuffled_auc(model, heldout, random.Random(12))
    inner = SampleSource(TextMix(options.corpus, "train", 0, 2), tokenizer, corrupted=0.5)
    clean = SampleSource(TextMix(options.corpus, "heldout"), tokenizer, corrupted=0.0)
    report["control"] = control(model, inner, clean, options.control_steps, 5)
    report["parameters"] = sum(p.numel() for p in model.parameters())
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({k: report[k] for k in ("auc_mean_over_lengths", "auc_of_shuffled_scores", "clean")}, indent=1))
    print(report["control"]["curve"][-1])


if __name__ == "__main__":
    main()
