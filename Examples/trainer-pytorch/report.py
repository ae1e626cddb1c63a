"""The table and the figure of the experiment, from its runs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from train import ARMS

COLOURS = dict(zip(ARMS, ("tab:blue", "tab:orange", "tab:red", "tab:green"), strict=True))
Runs = Sequence[dict]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval by Student's t; NaN for a single value."""
    data = np.asarray(values, np.float64)
    if data.size < 2:
        return float(data.mean()), float("nan")
    spread = data.std(ddof=1) / np.sqrt(data.size)
    return float(data.mean()), float(stats.t.ppf(0.975, data.size - 1) * spread)


def arms_of(runs: Runs) -> list[str]:
    """The arms that there are runs of."""
    return [arm for arm in ARMS if of_arm(runs, arm)]


def of_arm(runs: Runs, arm: str) -> list[dict]:
    """The runs of one arm, by seed."""
    return sorted((run for run in runs if run["arm"] == arm), key=lambda run: run["seed"])


def final(run: dict) -> float:
    """Validation loss after the last step."""
    return run["curve"][-1][1]


def steps_to(run: dict, loss: float) -> float:
    """Steps until the validation loss is as low as `loss`, between the points of the curve; infinite if never."""
    for (before, high), (after, low) in zip(run["curve"], run["curve"][1:], strict=False):
        if low <= loss < high:
            return before + (after - before) * (high - loss) / (high - low)
    return float("inf")


def table(runs: Runs) -> str:
    """Markdown: an arm per line."""
    lines = [
        "| batches | loss, nats per token | less than random, same seed | junk among what it trained on |",
        "|---|---|---|---|",
    ]
    reference = [final(run) for run in of_arm(runs, "random")]
    for arm in arms_of(runs):
        found = of_arm(runs, arm)
        loss = interval([final(run) for run in found])
        gain = interval([base - final(run) for base, run in zip(reference, found, strict=True)])
        junk = interval([100 * run["junk_kept"] for run in found])
        less = "" if arm == "random" else f"{gain[0]:+.3f} ± {gain[1]:.3f}"
        lines.append(f"| {arm} | {loss[0]:.3f} ± {loss[1]:.3f} | {less} | {junk[0]:.1f} ± {junk[1]:.1f} % |")
    return "\n".join(lines)


def kinds_table(runs: Runs) -> str:
    """Markdown: of every kind of window the share that the filter keeps, over all seeds."""
    kept: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for run in of_arm(runs, "filtered"):
        kept.update(run["kept"])
        drawn.update(run["drawn"])
    lines = ["| kind of window | drawn | kept |", "|---|---:|---:|"]
    for kind in sorted(drawn, key=lambda name: -kept[name] / drawn[name]):
        lines.append(f"| {kind.replace('_', ' ')} | {drawn[kind]} | {100 * kept[kind] / drawn[kind]:.1f} % |")
    return "\n".join(lines)


def speed(runs: Runs) -> str:
    """Where the filtered runs pass the end of the random ones, and what rating takes."""
    pairs = list(zip(of_arm(runs, "filtered"), of_arm(runs, "random"), strict=True))
    whole, ratio = pairs[0][0]["curve"][-1][0], pairs[0][0]["meter"]["cost_ratio"]
    reached = [steps_to(filtered, final(random)) for filtered, random in pairs]
    rating = f"Rating takes {ratio:.2f} times the computation of training a model as small as this"
    if not np.isfinite(reached).all():
        few = sum(map(np.isfinite, reached))
        return f"{few} of {len(reached)} filtered runs come to where the random one of their seed ends. {rating}."
    mean, half = interval(reached)
    share = mean / whole
    return (
        f"A filtered run is where the random one ends after {mean:.0f} ± {half:.0f} of {whole} steps. {rating}, so that"
        f" takes {share * (1 + ratio):.2f} of the random run's computation with rating in the loop, {share:.2f} with"
        " stored scores."
    )


def figure(runs: Runs, path: Path) -> None:
    """Mean validation loss of every arm with the range of its seeds."""
    plot, (whole, end) = plt.subplots(1, 2, figsize=(9, 3.6))
    for arm in arms_of(runs):
        found = of_arm(runs, arm)
        steps = np.array([step for step, _ in found[0]["curve"]])
        losses = np.array([[loss for _, loss in run["curve"]] for run in found])
        for axis, first in ((whole, 0), (end, len(steps) // 2)):
            axis.plot(steps[first:], losses.mean(axis=0)[first:], color=COLOURS[arm], label=arm, lw=1.4)
            low, high = losses.min(axis=0), losses.max(axis=0)
            axis.fill_between(steps[first:], low[first:], high[first:], color=COLOURS[arm], alpha=0.15, lw=0)
    for axis, title in ((whole, "all steps"), (end, "the second half")):
        axis.set(xlabel="updates", ylabel="loss on clean held-out text, nats", title=title)
        axis.grid(alpha=0.3)
    whole.legend()
    plot.tight_layout()
    plot.savefig(path, dpi=100)
    plt.close(plot)


def write_report(runs: Runs, settings: dict, folder: Path) -> str:
    """Write ``loss.png`` and ``results.md``; return the text of the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    figure(runs, folder / "loss.png")
    seeds = len(of_arm(runs, "filtered"))
    described = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in settings.items())
    text = "\n\n".join(
        (f"{seeds} seeds; {described}.", table(runs), speed(runs), kinds_table(runs), "![Loss curves](loss.png)")
    )
    (folder / "results.md").write_text(text + "\n")
    return text
