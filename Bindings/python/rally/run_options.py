"""How deep a language model runs over given rows: the arguments that `forward` and `logprobs` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, cast

import numpy as np
import numpy.typing as npt

from . import _library
from ._library import Library
from .errors import RallyError, Status
from .rows import check_names, choice, integer, is_integer
from .sampling import set_exits


class RunOptions(TypedDict, total=False):
    """Keyword arguments of `Model.forward` and `Model.logprobs`.

    Attributes
    ----------
    target_depth : float, optional
        Mean depth that the model is steered to, row by row, in [1, num_recursion]; needs ``"threshold"``, and a router
        or exits.
    min_depth : int, optional
        Recursions a token of a looped model runs at least; None: 1.
    exit_threshold : float, optional
        What a looped model's rule for exits compares with, at least 0; None: the file's own. The hazard rule lets a
        token leave where it is reached, 1 never and 0 always; the latent difference where it is not, 0 never.
    exit_from : int, or one per row; optional
        Tokens of a row before this one run at full depth; None: 0.
    kv_policy : {"full", "last_exited", "propagated"}, optional
        What later tokens see of the recursions that a token did not run; None: as the file says.
    timeout : float, optional
        Seconds after which the call fails with DEADLINE_EXCEEDED.
    """

    target_depth: float | None
    min_depth: int | None
    exit_threshold: float | None
    exit_from: int | Sequence[int] | None
    kv_policy: str | None
    timeout: float | None


def raw_options(
    library: Library, selection: str, max_depth: int | None, how: RunOptions, row_count: int
) -> tuple[Any, npt.NDArray[np.uintp] | None]:
    """Return a ``rally_run_options``, and what it points to."""
    check_names(how, RunOptions)
    raw = library.new("rally_run_options")
    raw.selection = choice("selection", selection, _library.SELECTIONS)
    raw.max_depth = integer("max_depth", max_depth or 0, 0, 2**32 - 1)
    raw.target_depth = how.get("target_depth") or 0.0
    raw.timeout_seconds = how.get("timeout") or 0.0
    set_exits(raw, how.get("min_depth"), how.get("exit_threshold"), how.get("kv_policy"))
    starts = _starts(how.get("exit_from"), row_count)
    if starts is not None:
        raw.exit_from = starts.ctypes.data
    return raw, starts


def _starts(exit_from: int | Sequence[int] | None, row_count: int) -> npt.NDArray[np.uintp] | None:
    if exit_from is None:
        return None
    given = [exit_from] * row_count if is_integer(exit_from) else list(cast("Sequence[int]", exit_from))
    if len(given) != row_count:
        raise RallyError(
            Status.INVALID_ARGUMENT, f"exit_from: expected an int or one per row, {row_count}, found {len(given)}"
        )
    return np.array([integer("exit_from", start, 0, 2**63 - 1) for start in given], np.uintp)
