"""What language models compute: states, logits, log-probabilities, texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ctypes import byref
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt

from . import generation
from ._opened import arguments
from ._text_model import TextModel
from .documents import Floats
from .errors import RallyError, Status
from .events import Event
from .generation import Generation
from .rows import Row, Rows, integer, is_integer, split
from .run_options import RunOptions, raw_options
from .sampling import Prompt, Sampling


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """What a language model computed for one row of T tokens.

    The arrays are views of one array for all rows of the call: keep a copy to keep one row only.

    Attributes
    ----------
    depth : ndarray, shape [T], int32
        Recursions each token ran.
    logits : ndarray, shape [T, V], float32, or None
        V is the vocabulary's size; [P, V] where P positions were asked for.
    hidden : ndarray, shape [T, D], float32, or None
        After the final norm, what the head sees; [P, D] where P positions were asked for.
    """

    depth: npt.NDArray[np.int32]
    logits: Floats | None
    hidden: Floats | None


class LanguageModel(TextModel):
    """What `Model` has for language models."""

    def forward(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        selection: str = "threshold",
        max_depth: int | None = None,
        *,
        logits: bool = True,
        hidden: bool = False,
        positions: int | Sequence[Row] | None = None,
        **how: Unpack[RunOptions],
    ) -> list[Forward]:
        """Runs a language model over rows.

        Parameters
        ----------
        rows : list of rows
        selection : {"threshold", "topk"}
            How an expert-choice model selects the tokens that go on: by the router's threshold, which is causal and
            what generation does, or the capacity's best of the whole row, as in training.
        max_depth : int, optional
            Recursions a token may run; None: the model's own number.
        logits, hidden : bool
            What is computed, besides the depths.
        positions : int, or one sequence of int per row; optional
            Tokens whose logits and hidden states are wanted, -1 the last; one int holds for every row. None: all.
        **how
            `RunOptions`: target depth, exits, timeout.

        Returns
        -------
        list of Forward
            In the order of the rows.
        """
        packed = self._rows(rows)
        wanted, counts = (None, packed.lengths) if positions is None else _flatten(positions, packed)
        shape = int(counts.sum())
        all_logits = np.empty((shape, self._info.vocab_size), np.float32) if logits else None
        all_hidden = np.empty((shape, self._info.hidden_size), np.float32) if hidden else None
        depths = np.empty(packed.tokens.size, np.int32)

        outputs = self._library.new("rally_outputs")
        outputs.depths = depths.ctypes.data
        if wanted is not None:
            outputs.positions, outputs.position_count = wanted.ctypes.data, wanted.size
        if all_logits is not None:
            outputs.logits = all_logits.ctypes.data
        if all_hidden is not None:
            outputs.hidden = all_hidden.ctypes.data
        options, starts = raw_options(self._library, selection, max_depth, how, len(packed))
        self._run(packed, options, outputs, (wanted, all_logits, all_hidden, depths, starts))

        none = [None] * len(packed)
        return [
            Forward(*row)
            for row in zip(
                split(depths, packed.lengths),
                none if all_logits is None else split(all_logits, counts),
                none if all_hidden is None else split(all_hidden, counts),
                strict=True,
            )
        ]

    def logprobs(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        selection: str = "threshold",
        max_depth: int | None = None,
        *,
        targets: Rows | Sequence[Row] | None = None,
        **how: Unpack[RunOptions],
    ) -> list[Floats]:
        """Log-probabilities of each row's own next tokens, or of given ones; the logits are never held whole.

        Parameters
        ----------
        rows, selection, max_depth, **how
            As in `forward`.
        targets : list of rows, optional
            For every token the id whose log-probability is wanted after it, -1: none (a NaN is returned).

        Returns
        -------
        list of ndarray, float32
            Natural logarithms: [T - 1] per row, entry t for token t + 1; with `targets` [T] per row.
        """
        packed = self._rows(rows)
        aims = None if targets is None else Rows.pack(targets)
        if aims is not None and not np.array_equal(aims.offsets, packed.offsets):
            raise RallyError(Status.INVALID_ARGUMENT, "targets: expected one id per token, in rows of the same lengths")
        lengths = packed.lengths if aims is not None else np.maximum(packed.lengths - 1, 0)
        values = np.empty(int(lengths.sum()), np.float32)

        outputs = self._library.new("rally_outputs")
        outputs.logprobs = values.ctypes.data
        if aims is not None:
            outputs.targets = aims.tokens.ctypes.data
        options, starts = raw_options(self._library, selection, max_depth, how, len(packed))
        self._run(packed, options, outputs, (aims, values, starts))
        return split(values, lengths)

    def generate(
        self,
        prompt: Prompt | Sequence[Prompt],
        max_tokens: int | None = None,
        *,
        seed: int | Sequence[int] = 0,
        skip_special: bool = False,
        timeout: float | None = None,
        **how: Unpack[Sampling],
    ) -> Any:
        """Continues a prompt, or a list of prompts together.

        Parameters
        ----------
        prompt : str, bytes, sequence of int, or a list of these
        max_tokens : int, optional
            Tokens to generate; None or 0: until the context is full.
        seed : int, or one per prompt
            The same seed gives the same text, whatever else runs.
        skip_special : bool
            Whether special tokens are left out of the text.
        timeout : float, optional
            Seconds after which all end as "cancelled", with what they have.
        **how
            `Sampling`: temperature, cuts, stops, penalties, log-probabilities, depths.

        Returns
        -------
        Generation, or list of Generation
            One for one prompt, a list for a list.

        See Also
        --------
        stream : one prompt, token by token.
        """
        single = generation.is_one_prompt(prompt)
        prompts = self._rows([prompt] if single else prompt)
        requests = generation.Requests(self, prompts, max_tokens, seed, skip_special, how)
        results: list[Generation] = generation.generate(self, requests, timeout)
        return results[0] if single else results

    def stream(
        self,
        prompt: Prompt,
        max_tokens: int | None = None,
        *,
        seed: int = 0,
        skip_special: bool = False,
        **how: Unpack[Sampling],
    ) -> Iterator[Event]:
        """Continues one prompt, token by token.

        The tokens are computed on a thread of their own, ahead of whoever reads them. Closing the iterator, or
        leaving the loop over it, ends them; other calls that compute wait until then.

        Parameters
        ----------
        skip_special : bool
            Whether special tokens are left out of the text.
        prompt, max_tokens, seed, **how
            As in `generate`.

        Yields
        ------
        Event
            The texts of all events are the text that `generate` gives; none of them splits a character.
        """
        requests = generation.Requests(self, self._rows([prompt]), max_tokens, seed, skip_special, how)
        return generation.stream(self, requests)

    def _run(self, rows: Rows, options: Any, outputs: Any, keep: Any) -> None:
        def run(keep: Any = keep) -> None:  # what `outputs` points to, alive as long as the call
            self._library.call("rally_run", self._runner(), *arguments(rows), byref(options), byref(outputs))

        self._compute(run)


def _flatten(positions: Any, rows: Rows) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.int64]]:
    """Positions within rows as positions within all tokens, and how many there are per row."""
    lengths = rows.lengths
    if is_integer(positions):
        counts = np.ones(len(rows), np.int64)
        flat = np.full(len(rows), integer("positions", positions, -(2**31), 2**31), np.int64)
    else:
        packed = Rows.pack(positions)
        if len(packed) != len(rows):
            raise RallyError(
                Status.INVALID_ARGUMENT,
                f"positions: expected an int or {len(rows)} rows of them, found {len(packed)} rows",
            )
        counts, flat = packed.lengths, packed.tokens.astype(np.int64)
    extent = np.repeat(lengths, counts)
    flat += np.where(flat < 0, extent, 0)
    wrong = (flat < 0) | (flat >= extent)
    if wrong.any():
        index = int(np.argmax(wrong))
        row = int(np.repeat(np.arange(len(rows)), counts)[index])
        raise RallyError(
            Status.INVALID_ARGUMENT, f"positions: row {row} has {lengths[row]} tokens, none at the place asked for"
        )
    starts = np.repeat(rows.offsets[:-1].astype(np.int64), counts)
    return (flat + starts).astype(np.uintp), counts
