"""Do exits pay: a looped model whose tokens leave after 1 to 4 loops alongside itself at full depth, decoding in int8.

The synthesizer sets the gate so that tokens leave in given shares where the threshold is a half. It fires sharply: at
thresholds many powers of ten smaller, tokens leave a loop or two earlier. Threshold 1 is never reached. PyTorch decodes
the same weights in bf16, eager, with a cache, at full depth: tokens of a batch leave together or not at all there.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.processes import Worker
from benchmarks.turns import Contender, take_turns

SECTION = "looped"
DTYPE = "int8"
#: Sequences decoded together where exits are compared with full depth; alone, what is read is compared with memory.
BATCHES = (8, 32)
#: Share of the tokens that leaves after each loop at :data:`CHOSEN`: mean depth 2.
SHARES = (0.4, 0.3, 0.2, 0.1)
CHOSEN, NEVER = 0.5, 1.0
THRESHOLDS = (0.0, 1e-9, 1e-6, CHOSEN, NEVER)
#: Sequences that PyTorch decodes together, and its format.
EAGER_BATCH, EAGER_DTYPE = 8, "bf16"


def rate_key(batch: int, threshold: float, model: str) -> Key:
    """Return the key of a rate."""
    return Key(SECTION, f"decode {batch}, threshold {threshold:g}", "Rally", model, DTYPE)


def depth_key(batch: int, threshold: float, model: str) -> Key:
    """Return the key of the mean depth of the tokens."""
    return Key(SECTION, f"mean depth, decode {batch}, threshold {threshold:g}", "Rally", model, DTYPE, "loops")


def eager_key(model: str) -> Key:
    """Return the key of PyTorch's rate."""
    return Key(SECTION, f"decode {EAGER_BATCH}, full depth", "PyTorch", model, EAGER_DTYPE)


def run(context: Context) -> None:
    """Take turns, a threshold each; full depth also decodes alone."""
    path = context.files.looped(context.plan.looped, SHARES, EAGER_DTYPE)
    contenders = [_contender(context, threshold) for threshold in THRESHOLDS]
    with Worker("torch_worker", path, EAGER_DTYPE) as torch:
        contenders.append(_eager(context, torch))
        take_turns(context.book, contenders, context.plan.repetitions, context.progress)


def _eager(context: Context, torch: Worker) -> Contender:
    model, count = context.plan.looped, context.plan.looped_generated

    def run() -> Mapping[Key, float]:
        seconds = torch.call("decode", batch=EAGER_BATCH, count=count, seed=5)["seconds"]
        return {eager_key(model): EAGER_BATCH * count / seconds}

    return Contender(f"{model}, PyTorch", run)


def _contender(context: Context, threshold: float) -> Contender:
    model, plan = context.plan.looped, context.plan
    path = context.files.looped(model, SHARES, DTYPE)
    batches = (1, *BATCHES) if threshold == NEVER else BATCHES

    def run() -> Mapping[Key, float]:
        runs = rally_bench.decoding(path, DTYPE, plan.looped_generated, batches, exit_threshold=threshold)
        found: dict[Key, float] = {}
        for batch, result in runs.items():
            found[rate_key(batch, threshold, model)] = result.tokens_per_second
            found[depth_key(batch, threshold, model)] = result.mean_depth
        return found

    return Contender(f"{model}, threshold {threshold:g}", run)
