"""What is done with scores: removal of the worst, weights, and decisions on one point at a time.

>>> count = select.draw_count(keep=128, discard=0.75)  # 512
>>> kept = select.top(rater.rate(rows[:count]), keep=128)

Or, over a corpus that no batch holds:

>>> p = distribution.cdf(scores)
>>> stays = select.decide(ids, select.acceptance(p, batch=512, keep=128), scorer.fingerprint)

Source: DataRater (arXiv 2505.17895).
"""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import byref, c_double, c_size_t
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._library import library
from .errors import RallyError, Status
from .rows import integer, is_integer

Numbers: TypeAlias = npt.ArrayLike

_MOST = 2**63 - 1


def draw_count(keep: int, discard: float) -> int:
    """How many points to draw so that `keep` are left when the share `discard` is removed: ⌈keep / (1 - discard)⌉.

    Exact for the decimal number that was written: 1 kept at 0.9 are 10 drawn, not 11.

    Parameters
    ----------
    keep : int
        0 or more.
    discard : float
        In [0, 1).

    Raises
    ------
    RallyError
        INVALID_ARGUMENT; LIMIT_EXCEEDED where the count is beyond 63 bits.
    """
    count = c_size_t()
    library().call("rally_draw_count", integer("keep", keep, 0, _MOST), share(discard), byref(count))
    return count.value


def top(scores: Numbers, keep: int) -> npt.NDArray[np.intp]:
    """The places of the `keep` highest scores, ascending; of equal scores the earlier ones stay.

    Parameters
    ----------
    scores : array_like, shape [n]
        Taken as float32, infinities included.
    keep : int
        0 to n.

    Returns
    -------
    ndarray, shape [keep], intp

    Raises
    ------
    RallyError
        EMPTY_INPUT without scores, NOT_FINITE for a NaN, INVALID_ARGUMENT for another `keep`.
    """
    array = vector("scores", scores, np.float32)
    kept = np.empty(min(integer("keep", keep, 0, _MOST), array.size), np.intp)
    library().call("rally_select_top", array.ctypes.data, array.size, int(keep), kept.ctypes.data)
    return kept


def softmax_weights(scores: Numbers) -> npt.NDArray[np.float32]:
    """The softmax of the scores over the batch.

    Parameters
    ----------
    scores : array_like, shape [n]
        Taken as float32; finite.

    Returns
    -------
    ndarray, shape [n], float32

    Raises
    ------
    RallyError
        EMPTY_INPUT, NOT_FINITE.
    """
    array = vector("scores", scores, np.float32)
    weights = np.empty_like(array)
    library().call("rally_softmax_weights", array.ctypes.data, array.size, weights.ctypes.data)
    return weights


def acceptance(p: Numbers, batch: int, keep: int) -> npt.NDArray[np.float64]:
    """The probability that a point is among the best `keep` of `batch`, the others drawn at random.

    The regularised incomplete beta function I_p(batch - keep, keep). Its mean over the data is keep / batch.

    Parameters
    ----------
    p : array_like, any shape
        Quantiles in [0, 1]: mid-ranks of the points' scores, as `Distribution.cdf` gives them.
    batch : int
        1 to 2**24.
    keep : int
        0 to `batch`.

    Returns
    -------
    ndarray, shape of p, float64

    Raises
    ------
    RallyError
        INVALID_ARGUMENT, for a NaN too.
    """
    array = numbers("p", p, np.float64)
    found = np.empty_like(array)
    sizes = integer("batch", batch, 0, _MOST), integer("keep", keep, 0, _MOST)
    library().call("rally_acceptance", array.ctypes.data, array.size, *sizes, found.ctypes.data)
    return found


def decide(
    ids: Iterable[str | bytes | int], probabilities: Numbers, fingerprint: str, seed: int = 0
) -> npt.NDArray[np.bool_]:
    """Whether each point stays: the same on every machine, in every language and order.

    A point stays if u < its probability. u in [0, 1) is the first 53 bits of the digest, divided by 2**53, of

        SHA-256( seed u64 · bytes of the fingerprint u64 · fingerprint · bytes of the id u64 · id )

    with numbers little-endian.

    Parameters
    ----------
    ids : iterable of str, bytes or int, n of them
        Names of the points. Text stands for its UTF-8, a number for its decimal digits.
    probabilities : array_like, shape [n]
        `acceptance` of the scores as they were stored.
    fingerprint : str
        Of the rater (`Scorer.fingerprint`); other raters decide again.
    seed : int
        Of 64 bits.

    Returns
    -------
    ndarray, shape [n], bool

    Raises
    ------
    RallyError
        INVALID_ARGUMENT.
    """
    names = [_name(value) for value in ids]
    chances = vector("probabilities", probabilities, np.float64)
    if chances.size != len(names):
        raise RallyError(
            Status.INVALID_ARGUMENT, f"probabilities: expected one for each of {len(names)} ids, found {chances.size}"
        )
    if not isinstance(fingerprint, str) or "\0" in fingerprint:
        raise RallyError(Status.INVALID_ARGUMENT, f"fingerprint: expected text without NUL, found {fingerprint!r}")
    offsets = np.zeros(len(names) + 1, np.uintp)
    np.cumsum([len(name) for name in names], out=offsets[1:], dtype=np.uintp)
    keeps = np.empty(len(names), np.uint8)
    library().call(
        "rally_decide",
        b"".join(names),
        offsets.ctypes.data,
        chances.ctypes.data,
        len(names),
        fingerprint.encode(),
        integer("seed", seed, 0, 2**64 - 1),
        keeps.ctypes.data,
    )
    return keeps.astype(np.bool_)


def cost_ratio(rater_parameters: float, model_parameters: float, discard: float) -> float:
    """What rating costs as a share of the training it is for: P_r / (3 P_m (1 - ρ)).

    The rater reads every point that is drawn once, forward; the model is trained on those that are kept. `costs_more`
    says when that does not pay.

    Parameters
    ----------
    rater_parameters, model_parameters : float
        P_r and P_m, above 0.
    discard : float
        ρ, in [0, 1).

    Raises
    ------
    RallyError
        INVALID_ARGUMENT.
    """
    cost = c_double()
    sizes = number("rater_parameters", rater_parameters), number("model_parameters", model_parameters)
    library().call("rally_rating_cost", *sizes, share(discard), byref(cost))
    return cost.value


def costs_more(cost: float, discard: float) -> bool:
    """Whether rating inside the training loop takes more than it can save, or as much as the training itself.

    What the dropped points would have taken, ρ / (1 - ρ) of the training, is the most that can be saved. Beyond, rate
    once, store the scores, and cut them again without rating.
    """
    return cost >= min(1.0, discard / (1 - discard))


def share(value: Any, name: str = "discard") -> float:
    """A share as the decimal number that was written, also where it is a NumPy number of fewer bits."""
    return number(name, float(str(value)) if isinstance(value, np.floating) else value)


def number(name: str, value: Any) -> float:
    """`value` as a double. Raises INVALID_ARGUMENT for what is no number."""
    if isinstance(value, (bool, str, bytes)):
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected a number, found {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected a number, found {value!r}") from None


def numbers(name: str, values: Any, dtype: Any) -> npt.NDArray[Any]:
    """`values` as a contiguous array of floats of any shape. Raises INVALID_ARGUMENT for what are no numbers."""
    try:
        array = np.asarray(values)
        if array.size and array.dtype.kind not in "fiu":
            raise ValueError(f"found {array.dtype}")
        with np.errstate(over="ignore"):
            return np.require(array, dtype, ["C", "A"])
    except (ValueError, TypeError) as error:
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected numbers ({error})") from None


def vector(name: str, values: Any, dtype: Any) -> npt.NDArray[Any]:
    """As `numbers`, of one dimension."""
    array = numbers(name, values, dtype)
    if array.ndim != 1:
        raise RallyError(Status.INVALID_ARGUMENT, f"{name}: expected one dimension, found shape {array.shape}")
    return array


def _name(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, bytes):
        return value
    if is_integer(value):
        return str(int(value)).encode()
    raise RallyError(Status.INVALID_ARGUMENT, f"ids: expected text, bytes or integers, found {value!r}")
