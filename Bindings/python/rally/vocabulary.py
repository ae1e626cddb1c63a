"""What each token of a model stands for."""

from __future__ import annotations

import itertools
from ctypes import byref, c_size_t
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ._library import Library


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The tokens of a model with a tokenizer; V of them.

    Attributes
    ----------
    tokens : list of V bytes
        What each token stands for, often part of a character; ids beyond the tokenizer's are empty.
    special : ndarray, shape [V], bool
        Tokens that steer the model and are no text.
    longest : int
        Bytes of the longest token, the most that one token adds to a text.
    """

    tokens: list[bytes] = field(repr=False)
    special: npt.NDArray[np.bool_]
    longest: int


def read_vocabulary(library: Library, model: int | None, vocab_size: int) -> Vocabulary:
    offsets, special, longest = np.empty(vocab_size + 1, np.uintp), np.empty(vocab_size, np.uint8), c_size_t()
    places = offsets.ctypes.data, special.ctypes.data, byref(longest)
    library.call("rally_model_vocabulary", model, None, 0, *places)
    data = np.empty(int(offsets[-1]), np.uint8)
    library.call("rally_model_vocabulary", model, data.ctypes.data, data.size, *places)
    content, ends = data.tobytes(), offsets.tolist()
    tokens = [content[start:end] for start, end in itertools.pairwise(ends)]
    return Vocabulary(tokens, special.astype(np.bool_), longest.value)
