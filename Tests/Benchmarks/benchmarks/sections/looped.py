"""Do exits pay: a looped model whose tokens leave after 1 to 4 loops alongside itself at full depth, decoding in int8.

The synthesizer sets the gate so that tokens leave in given shares where the threshold is a half. It fires sharply: at
thresholds many powers of ten smaller, tokens leave a loop or two earlier. Threshold 1 is never reached.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.turns import Contender, take_turns

SECTION = "looped"
DTYPE = "int8"
#: Sequences decoded together where exits are compared with full depth; alone, what is read is compared with memory.
BATCHES = (8, 32)
#: Share of the tokens that leaves after each loop at :data:`CHOSEN`: mean depth 2.
SHARES = (0.4, 0.3, 0.2, 0.1)
CHOSEN, NEVER = 0.5, 1.0
THRESHOLDS = (0.0, 1e-9, 1e-6, CHOSEN, NEVER)


def rate_key(batch: int, threshold: float, model: str) -> Key:
    """Return the key of a rate."""
    return Key(SECTION, f"decode {batch}, threshold {threshold:g}", "Rally", model, DTYPE)


def depth_key(batch: int, threshold: float, model: str) -> Key:
    """Return the key of the mean depth of the tokens."""
    return Key(SECTION, f"mean depth, decode {batch}, threshold {threshold:g}", "Rally", model, DTYPE, "loops")


def run(context: Context) -> None:
    """Take turns, a threshold each; full depth also decodes alone."""
    contenders = [_contender(context, threshold) for threshold in THRESHOLDS]
    take_turns(context.book, contenders, context.plan.repetitions, context.progress)


def _contender(context: Context, threshold: float) -> Contender:
    model, plan = context.plan.looped, context.plan
    path = context.files.looped(model, SHARES)
    batches = (1, *BATCHES) if threshold == NEVER else BATCHES

    def run() -> Mapping[Key, float]:
        runs = rally_bench.decoding(path, DTYPE, plan.looped_generated, batches, exit_threshold=threshold)
        found: dict[Key, float] = {}
        for batch, result in runs.items():
            found[rate_key(batch, threshold, model)] = result.tokens_per_second
            found[depth_key(batch, threshold, model)] = result.mean_depth
        return found

    return Contender(f"{model}, threshold {threshold:g}", run)
