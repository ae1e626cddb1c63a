"""A model that was opened: text, logits, ratings, generation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from ctypes import byref, c_uint64
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, Unpack, cast

import numpy as np
import numpy.typing as npt

from . import _handles, _library, documents, generation, identity, info, opening, sampling, tokenizer, vocabulary
from ._handles import Handle, Turn
from .chat import Chat
from .documents import DocumentScores, Reading
from .errors import RallyError, Status
from .events import Event
from .generation import Generation
from .info import ModelInfo, TensorInfo
from .rows import Row, Rows, choice, integer, is_integer, listed, row_lengths, split
from .sampling import Prompt, Sampling
from .vocabulary import Vocabulary

T = TypeVar("T")
Floats = npt.NDArray[np.float32]


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


class Model(Chat):
    """A language model or a rater.

    Any number of Python threads may use one model: calls that compute take turns, the others run at once. For calls
    that compute at the same time, open the model more than once. Ctrl-C ends a running call.

    Parameters
    ----------
    path : str or path
        The model file.
    dtype : {"auto", "f32", "bf16", "int8"}
        Element type of the matrix products; auto: what most weights of the layers are stored in.
    threads : int
        Threads that compute; 0: as many as this process may use.
    batch_tokens : int
        Tokens computed together; 0: the library's choice. Costs memory, changes no result.
    max_file_bytes, max_tensor_bytes : int
        The largest file, and the largest tensor, that is read, for files of strangers; 0: no limit.
    progress : callable, optional
        Called with the bytes that were read while the model opens, and those in all. What it raises ends opening.
    log : callable, optional
        Called with "debug", "info" or "warning" and a line about the file.

    Raises
    ------
    RallyError
        The file is missing, or not a model that this library can run; ``code`` and message say which and why.
    ImportError
        The library was not found, or does not fit this package.

    Notes
    -----
    `rows` are token ids: a list of sequences or integer arrays of any lengths, an array [row_count, T], a `Rows`, or,
    where the model has a tokenizer, a list of texts. They are never padded, and the result of a row does not depend
    on the other rows, by a single bit.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        dtype: str = "auto",
        threads: int = 0,
        batch_tokens: int = 0,
        *,
        max_file_bytes: int = 0,
        max_tensor_bytes: int = 0,
        progress: Callable[[int, int], object] | None = None,
        log: Callable[[str, str], object] | None = None,
    ) -> None:
        encoded = opening.encoded_path(path)
        options = opening.model_options(dtype, threads, max_file_bytes, max_tensor_bytes)
        name = Path(os.fsdecode(encoded)).name
        self._open(name, "rally_model_open", (encoded,), options, batch_tokens, progress, log)

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        dtype: str = "auto",
        threads: int = 0,
        batch_tokens: int = 0,
        *,
        max_file_bytes: int = 0,
        max_tensor_bytes: int = 0,
    ) -> Model:
        """Opens a model file that is in memory; it must not keep tensors in a second file."""
        model = cls.__new__(cls)
        array = np.frombuffer(data, np.uint8)
        source = (array.ctypes.data, array.size)
        options = opening.model_options(dtype, threads, max_file_bytes, max_tensor_bytes)
        model._open("from memory", "rally_model_open_memory", source, options, batch_tokens)
        return model

    def _open(
        self,
        name: str,
        function: str,
        source: tuple[Any, ...],
        options: Any,
        batch_tokens: int,
        progress: Callable[[int, int], object] | None = None,
        log: Callable[[str, str], object] | None = None,
    ) -> None:
        self._name = name
        self._threads = options.threads
        self._batch_tokens = integer("batch_tokens", batch_tokens, 0, 2**32 - 1)
        self._library = _library.library()
        self._turn = Turn()
        self._runner_handle: Handle | None = None

        def opened() -> Handle:
            model = _library.Handle()
            self._library.call(function, *source, byref(options), byref(model))
            return Handle(self._library, "rally_model_close", model.value, f"model {name}")

        self._handle = opening.watched(options, progress, log, opened)
        self._info = info.read_info(self._library, self._handle.address)

    def close(self) -> None:
        """Cancels the call in progress and frees everything. A second time: nothing."""
        # The model first: no runner is opened on a closed model, so the one found below is the last.
        self._handle.close()
        if self._runner_handle is not None:
            self._runner_handle.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<rally.Model {self._name}: {self.kind}, {self._info.parameter_count:,} parameters>"

    # What it is

    @property
    def kind(self) -> str:
        """ "lm" or "rater"."""
        return self._info.kind

    @property
    def info(self) -> ModelInfo:
        """Sizes, routing and kind."""
        _ = self._handle.address
        return self._info

    @property
    def metadata(self) -> dict[str, str]:
        """The file's metadata, in its order."""
        return info.read_metadata(self._library, self._handle.address)

    @property
    def tensors(self) -> tuple[TensorInfo, ...]:
        """The weight tensors, as the file stores them."""
        return info.read_tensors(self._library, self._handle.address)

    # Text

    def encode(
        self,
        text: str | bytes,
        add_bos: bool | None = None,
        add_eos: bool | None = None,
        parse_special: bool = True,
    ) -> list[int]:
        """The token ids of a text. Bytes that are not UTF-8 are kept: decoding gives back the very bytes.

        A rater with BERT's tokenizer drops them, and its decoding gives words with one space between, not the text.

        Parameters
        ----------
        text : str or bytes
        add_bos, add_eos : bool, optional
            Whether the model's first and last token are added; None: as the model file says.
        parse_special : bool
            Whether "<|endoftext|>" in the text becomes its one token. False for text of strangers.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model has no tokenizer.
        """
        tokens: list[int] = self.encode_rows([text], add_bos, add_eos, parse_special).tokens.tolist()
        return tokens

    def encode_rows(
        self,
        texts: Sequence[str | bytes],
        add_bos: bool | None = None,
        add_eos: bool | None = None,
        parse_special: bool = True,
    ) -> Rows:
        """The token ids of many texts, laid end to end as the methods that compute take them; see `encode`."""
        switches = {"add_bos": add_bos, "add_eos": add_eos, "parse_special": parse_special}
        wishes = tokenizer.options(self._library, **switches)
        return Rows.pack([tokenizer.encode(self._library, self._handle.address, text, wishes) for text in texts])

    def decode(self, ids: Row, skip_special: bool = False) -> str:
        """The text of token ids; what is not UTF-8 becomes U+FFFD (`decode_bytes` keeps it).

        Parameters
        ----------
        ids : sequence of int, or integer array [n]
        skip_special : bool
            Whether special tokens are left out.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model has no tokenizer. INVALID_TOKEN: an id outside the vocabulary.
        """
        return self.decode_bytes(ids, skip_special).decode("utf-8", "replace")

    def decode_bytes(self, ids: Row, skip_special: bool = False) -> bytes:
        """The bytes of token ids; see `decode`."""
        wishes = tokenizer.options(self._library, skip_special=skip_special)
        return tokenizer.decode(self._library, self._handle.address, Rows.pack([ids]).tokens, wishes)

    def vocabulary(self) -> Vocabulary:
        """What each token stands for: for grammars, and for the text of single tokens.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model has no tokenizer.
        """
        return vocabulary.read_vocabulary(self._library, self._handle.address, self._info.vocab_size)

    # Who makes scores

    def fingerprint(self, squash: bool = False) -> str:
        """64 hexadecimal digits that stand for the file's content and for what changes its scores.

        The same on every machine and for every name of the file; what `select.decide` takes. Reads the whole file, the
        first time.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model was opened from memory.
        """
        return identity.fingerprint(self._library, self._handle.address, squash)

    def label(
        self,
        window: int | None = None,
        stride: int | None = None,
        max_windows: int | None = None,
        *,
        packed: int | None = None,
        squash: bool = False,
        more: str = "",
    ) -> str:
        """What a `Distribution` of this model's scores, or perplexities, is labelled with.

        Parameters
        ----------
        window, stride, max_windows : int, optional
            As in `rate_documents`.
        packed : int, optional
            Tokens of rows that are rated whole; None: documents, window by window.
        squash : bool
            As in `rate`.
        more : str
            Further ``key=value`` pairs with one space between, for whatever else parts scores.

        Returns
        -------
        str
            Equal ones mean scores that belong together.
        """
        arguments = (squash, window, stride, max_windows, packed, more)
        return identity.label(self._library, self._handle.address, *arguments)

    def reads_same_tokens(self, other: Model) -> bool:
        """Whether both models read the same tokens: equal tokenizers, or none and as many ids."""
        return identity.same_tokens(self._library, self._handle.address, other._handle.address)

    # What calls take

    def memory(self, lengths: Sequence[int], new_tokens: int = 0) -> int:
        """Greatest number of bytes that a call takes for rows of these lengths, besides the model's own weights.

        Parameters
        ----------
        lengths : sequence of int
            Tokens of each row.
        new_tokens : int
            Tokens generated per row; 0 for calls that generate none.
        """
        offsets = np.concatenate(([0], np.cumsum([integer("lengths", length, 0, 2**40) for length in lengths])))
        offsets = offsets.astype(np.uintp)
        count, added = c_uint64(), integer("new_tokens", new_tokens, 0, 2**40)

        def asked() -> None:
            arguments = (self._runner(), offsets.ctypes.data, len(lengths), added, byref(count))
            self._library.call("rally_runner_memory", *arguments)

        self._compute(asked)
        return count.value

    # Language models

    def forward(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        selection: str = "threshold",
        max_depth: int | None = None,
        *,
        logits: bool = True,
        hidden: bool = False,
        positions: int | Sequence[Row] | None = None,
        target_depth: float | None = None,
        min_depth: int | None = None,
        exit_threshold: float | None = None,
        exit_from: int | Sequence[int] | None = None,
        kv_policy: str | None = None,
        timeout: float | None = None,
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
            What is computed, beside the depths.
        positions : int, or one sequence of int per row; optional
            Tokens whose logits and hidden states are wanted, -1 the last; one int holds for every row. None: all.
        target_depth : float, optional
            Mean depth that the model is steered to, row by row, in [1, num_recursion]; needs ``"threshold"``, and a
            router or exits.
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
        options = self._run_options(selection, max_depth, target_depth, timeout)
        starts = _set_exits(options, min_depth, exit_threshold, exit_from, kv_policy, len(packed))
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
        target_depth: float | None = None,
        min_depth: int | None = None,
        exit_threshold: float | None = None,
        exit_from: int | Sequence[int] | None = None,
        kv_policy: str | None = None,
        timeout: float | None = None,
    ) -> list[Floats]:
        """Log-probabilities of each row's own next tokens, or of given ones; the logits are never held whole.

        Parameters
        ----------
        rows, selection, max_depth, target_depth, min_depth, exit_threshold, exit_from, kv_policy, timeout
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
        options = self._run_options(selection, max_depth, target_depth, timeout)
        starts = _set_exits(options, min_depth, exit_threshold, exit_from, kv_policy, len(packed))
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

    # Raters

    def rate(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        squash: bool = False,
        *,
        timeout: float | None = None,
    ) -> Floats:
        """Scores rows with a rater. Higher is better; the scale is the rater's own, so compare within one rater only.

        Special tokens in texts are the characters that they are written with.

        Parameters
        ----------
        rows : list of rows
        squash : bool
            False: the raw score, which ranks without ties. True: squashed as the model file says.
        timeout : float, optional
            Seconds after which the call fails with DEADLINE_EXCEEDED.

        Returns
        -------
        ndarray, shape [row_count], float32

        Raises
        ------
        RallyError
            UNSUPPORTED: the rater has several outputs and its file does not say which number is the score.
        """
        packed = self._rows(rows)
        scores = np.empty(len(packed), np.float32)
        self._rate("rally_rate", packed, scores, timeout, squash=squash)
        return scores

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of a rater's outputs; none for a language model."""
        return self._info.labels

    def rate_outputs(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        probabilities: bool = False,
        *,
        timeout: float | None = None,
    ) -> Floats:
        """All outputs of a rater, in the order of `labels`.

        Parameters
        ----------
        rows : list of rows
        probabilities : bool
            False: the outputs as they are (logits). True: what the score rule makes of them, softmax or sigmoid.
        timeout : float, optional
            As in `rate`.

        Returns
        -------
        ndarray, shape [row_count, n], float32
        """
        packed = self._rows(rows)
        outputs = np.empty((len(packed), max(1, self._info.num_labels)), np.float32)
        self._rate("rally_rate_outputs", packed, outputs, timeout, probabilities=probabilities)
        return outputs

    def pooled(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        normalize: bool = False,
        *,
        timeout: float | None = None,
    ) -> Floats:
        """What a rater's head sees of each row, after pooling and the final norm: an embedding of the row.

        Parameters
        ----------
        rows : list of rows
        normalize : bool
            Whether each state is divided by its length, √Σx².
        timeout : float, optional
            As in `rate`.

        Returns
        -------
        ndarray, shape [row_count, hidden_size], float32
        """
        packed = self._rows(rows)
        states = np.empty((len(packed), self._info.hidden_size), np.float32)
        self._rate("rally_pooled", packed, states, timeout, normalize=normalize)
        return states

    def _rate(self, function: str, rows: Rows, result: Floats, timeout: float | None, **switches: bool) -> None:
        options = self._library.new("rally_rate_options")
        for name, value in switches.items():
            setattr(options, name, choice(name, value, _library.SWITCHES))
        options.timeout_seconds = timeout or 0.0

        def rated() -> None:
            self._library.call(function, self._runner(), *_arguments(rows), byref(options), result.ctypes.data)

        self._compute(rated)

    def encode_document(self, text: str | bytes, reading: Reading | str | None = None) -> list[int]:
        """The token ids of a text as a document to be rated.

        They are those of what the reading leaves of its characters, with what the tokenizer puts around a text. Special
        tokens in the text are the characters that they are written with.

        Parameters
        ----------
        text : str or bytes
        reading : Reading or str, optional
            As in `rate_documents`.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model has no tokenizer. WRONG_KIND: it is no rater.
        """
        tokens: list[int] = self._documents([text], reading).tokens.tolist()
        return tokens

    def _documents(self, rows: Any, reading: Reading | str | None) -> Rows:
        if isinstance(rows, (list, tuple)) and any(isinstance(row, (str, bytes)) for row in rows):
            wishes = documents.options(self._library, reading=reading)
            address = self._handle.address
            rows = [
                tokenizer.encode(self._library, address, row, wishes, "rally_encode_document")
                if isinstance(row, (str, bytes))
                else row
                for row in rows
            ]
        return Rows.pack(rows)

    def rate_documents(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        window: int | None = None,
        stride: int | None = None,
        max_windows: int | None = None,
        squash: bool = False,
        *,
        reading: Reading | str | None = None,
        outputs: bool = False,
        timeout: float | None = None,
    ) -> DocumentScores:
        """Scores documents of any length with a rater, window by window; all windows share the batches.

        Parameters
        ----------
        rows : list of rows
            Documents as `encode_document` encodes them, or texts, which are encoded so: what the tokenizer puts around
            a text is put around every window.
        window : int, optional
            Tokens of a window; None: as the model file says, or the rater's longest row.
        stride : int, optional
            Tokens from the beginning of a window to that of the next; None: one window behind the other.
        max_windows : int, optional
            Windows of a document at most, spread evenly over it; None: all.
        squash, timeout
            As in `rate`.
        reading : Reading or str, optional
            Which part of a document is read: "windows", "first", "middle", "ends", or with how its windows join; None:
            what the model file says.
        outputs : bool
            Whether all outputs of the rater are wanted, too.

        Returns
        -------
        DocumentScores
            The score of each document, the token-weighted mean, minimum and coverage, and the score of every window.
        """
        packed = self._documents(rows, reading)
        wishes = documents.options(self._library, window, stride, max_windows, squash, timeout, reading)
        scores, places = documents.empty(self._library, packed, self._info, outputs)

        def rated() -> None:
            arguments = *_arguments(packed), byref(wishes), byref(places)
            self._library.call("rally_rate_documents", self._runner(), *arguments)

        self._compute(rated)
        return documents.trimmed(scores, self._info.int_score is not None)

    def document_windows(
        self,
        rows: Rows | Sequence[Row] | Sequence[str],
        window: int | None = None,
        stride: int | None = None,
        max_windows: int | None = None,
        *,
        reading: Reading | str | None = None,
    ) -> npt.NDArray[np.int64]:
        """How many windows `rate_documents` would score of each document, without computing anything.

        Returns
        -------
        ndarray, shape [row_count], int64
        """
        packed = self._documents(rows, reading)
        wishes = documents.options(self._library, window, stride, max_windows, reading=reading)
        offsets = np.empty(len(packed) + 1, np.uintp)
        arguments = *_arguments(packed), byref(wishes), offsets.ctypes.data
        self._library.call("rally_document_windows", self._handle.address, *arguments)
        return row_lengths(offsets)

    def cancel(self) -> None:
        """Makes the call in progress fail with CANCELLED soon (generation ends with what it has). From any thread."""
        runner = self._runner_handle
        if runner is not None and runner.close.alive:
            self._library.c.rally_runner_cancel(runner.address)

    # How the methods above call the library

    def _rows(self, rows: Any) -> Rows:
        rows = listed(rows)
        if isinstance(rows, (list, tuple)) and any(isinstance(row, (str, bytes)) for row in rows):
            # The text of a document is text: no token of control comes out of it.
            parses = None if self.kind == "lm" else False
            wishes = tokenizer.options(self._library, parse_special=parses)
            address = self._handle.address
            rows = [
                tokenizer.encode(self._library, address, row, wishes) if isinstance(row, (str, bytes)) else row
                for row in rows
            ]
        return Rows.pack(rows)

    def _run_options(
        self, selection: str, max_depth: int | None, target_depth: float | None, timeout: float | None
    ) -> Any:
        options = self._library.new("rally_run_options")
        options.selection = choice("selection", selection, _library.SELECTIONS)
        options.max_depth = integer("max_depth", max_depth or 0, 0, 2**32 - 1)
        options.target_depth = target_depth or 0.0
        options.timeout_seconds = timeout or 0.0
        return options

    def _run(self, rows: Rows, options: Any, outputs: Any, keep: Any) -> None:
        def run(keep: Any = keep) -> None:  # what `outputs` points to, alive as long as the call
            self._library.call("rally_run", self._runner(), *_arguments(rows), byref(options), byref(outputs))

        self._compute(run)

    def _compute(self, function: Callable[[], T]) -> T:
        """Calls `function` when it is its turn."""
        _ = self._handle.address  # a forked child must not wait for a lock that a thread of its parent held
        return _handles.call(function, self.cancel, self._turn)

    def _runner(self) -> int | None:
        """The runner's address; its threads start with the first call that computes. Called in turn."""
        model = self._handle.address
        if self._runner_handle is None:
            options = self._library.new("rally_runner_options")
            options.threads, options.max_batch_tokens = self._threads, self._batch_tokens
            runner = _library.Handle()
            self._library.call("rally_runner_open", model, byref(options), byref(runner))
            self._runner_handle = Handle(self._library, "rally_runner_close", runner.value, f"model {self._name}")
            if not self._handle.close.alive:  # closed meanwhile, by a thread that saw no runner
                self._runner_handle.close()
        return self._runner_handle.address


def _arguments(rows: Rows) -> tuple[int, int, int]:
    return rows.tokens.ctypes.data, rows.offsets.ctypes.data, len(rows)


def _set_exits(
    options: Any,
    min_depth: int | None,
    exit_threshold: float | None,
    exit_from: int | Sequence[int] | None,
    kv_policy: str | None,
    row_count: int,
) -> npt.NDArray[np.uintp] | None:
    """Sets the fields about a looped model's exits; what they point to."""
    sampling.set_exits(options, min_depth, exit_threshold, kv_policy)
    if exit_from is None:
        return None
    given = [exit_from] * row_count if is_integer(exit_from) else list(cast("Sequence[int]", exit_from))
    if len(given) != row_count:
        raise RallyError(
            Status.INVALID_ARGUMENT, f"exit_from: expected an int or one per row, {row_count}, found {len(given)}"
        )
    starts = np.array([integer("exit_from", start, 0, 2**63 - 1) for start in given], np.uintp)
    options.exit_from = starts.ctypes.data
    return starts


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
