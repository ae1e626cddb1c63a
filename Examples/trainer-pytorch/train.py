"""One training run: a small language model on what a RatedLoader hands out."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from rally import Scorer
from rally.torch import RatedLoader
from torch.nn import functional as F
from torch.utils.data import DataLoader

from mixture import CLEAN, Windows
from model import LanguageModel, Shape, initialise  # of ../training, which mixture makes known

ARMS = ("filtered", "random", "unfiltered", "clean only")


@dataclass(frozen=True)
class Settings:
    """What all arms share."""

    steps: int = 600
    batch: int = 16
    length: int = 64
    keep: float = 0.5
    junk: float = 0.5
    rate: float = 5e-3
    warmup: int = 30
    evaluate_every: int = 50
    width: int = 128
    layers: int = 2
    vocabulary: int = 4096


def build(settings: Settings, seed: int) -> LanguageModel:
    """A vanilla decoder with tied embeddings; the same weights for the same seed."""
    torch.manual_seed(seed)
    shape = Shape(
        vocab=settings.vocabulary,
        width=settings.width,
        heads=settings.width // 64,
        kv_heads=1,
        feed_forward=3 * settings.width,
        block_layers=settings.layers,
        recursions=0,
        context=settings.length,
    )
    model = LanguageModel(shape)
    initialise(model)
    return model


def batches(arm: str, data: Windows, scorer: Scorer, settings: Settings, seed: int) -> RatedLoader:
    """The arm's batches of N rows."""
    rng = np.random.default_rng(seed)
    loader = DataLoader(data, batch_size=settings.batch)
    if arm == "filtered":
        size = sum(p.numel() for p in build(settings, seed).parameters())
        return RatedLoader(loader, scorer, settings.keep, threads=1, model_parameters=size)
    if arm == "random":
        return RatedLoader(loader, lambda rows: rng.random(len(rows)), settings.keep)
    return RatedLoader(loader, scorer, keep=1)


def losses(model: LanguageModel, ids: torch.Tensor) -> torch.Tensor:
    """Mean next-token cross entropy of windows [N, T], in nats."""
    hidden, _, _ = model(ids[:, :-1])
    return F.cross_entropy(model.logits(hidden).flatten(0, 1), ids[:, 1:].flatten())


@torch.no_grad()
def validation(model: LanguageModel, heldout: torch.Tensor, batch: int) -> float:
    """Loss on clean held-out windows [n, T], in nats per token."""
    return float(np.mean([losses(model, part).item() for part in heldout.split(batch)]))


def rate_at(step: int, settings: Settings) -> float:
    """Linear warm-up, then a cosine to a tenth."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.rate * (0.55 + 0.45 * float(np.cos(np.pi * done)))


def run(arm: str, seed: int, data: Windows, heldout: torch.Tensor, scorer: Scorer, settings: Settings) -> dict:
    """Train one model.

    Returns
    -------
    dict
        ``curve`` (step and validation loss), ``kept`` and ``drawn`` (rows of every kind), ``meter``.
    """
    if arm == "clean only":
        data = data.only_clean()  # all other arms read the same windows in the same order
    model = build(settings, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate, betas=(0.9, 0.95), weight_decay=0.1)
    kept: Counter[str] = Counter()
    curve = [(0, validation(model, heldout, settings.batch))]
    begin = time.perf_counter()
    with batches(arm, data, scorer, settings, seed) as rated:
        for step, batch in enumerate(limited(rated, settings.steps), start=1):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step - 1, settings)
            losses(model, batch["input_ids"]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            kept.update(batch["kind"])
            if step % settings.evaluate_every == 0 or step == settings.steps:
                curve.append((step, validation(model, heldout, settings.batch)))
        meter = asdict(rated.meter)
    drawn = Counter(data.kinds[: meter["drawn_rows"]].tolist())
    return {
        "arm": arm,
        "seed": seed,
        "curve": curve,
        "kept": dict(kept),
        "drawn": dict(drawn),
        "junk_kept": 1 - kept[CLEAN] / kept.total(),
        "meter": meter,
        "seconds": time.perf_counter() - begin,
    }


def limited(rated: RatedLoader, steps: int) -> Iterable[dict]:
    """The first `steps` batches.

    Raises
    ------
    ValueError
        There are fewer.
    """
    for _, batch in zip(range(steps), rated, strict=False):
        yield batch
    if rated.meter.batches < steps:
        raise ValueError(f"expected {steps} batches, the data ended after {rated.meter.batches}")
