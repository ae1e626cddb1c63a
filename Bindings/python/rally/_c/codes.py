"""The numbers with names of the C interface.

Written by `make generate` from include/rally.h: change the header, not this file.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Status(IntEnum):
    """What a call answers: RALLY_OK, or why it failed."""

    UNKNOWN_STATUS = -1
    """A code that only a newer library knows."""

    OK = 0

    # The arguments of the call.
    INVALID_ARGUMENT = 1
    """NULL, misaligned or contradictory; a NaN or a number outside its range."""
    INVALID_TOKEN = 2
    """A token id outside [0, vocab_size)."""
    EMPTY_INPUT = 3
    """No rows, or a row without tokens."""
    CONTEXT_EXCEEDED = 4
    """A row longer than the model's max_position_embeddings."""
    WRONG_KIND = 5
    """A rater asked to generate, a language model asked to rate."""
    BUFFER_TOO_SMALL = 6
    """The message says how much is needed."""
    WRONG_MODEL = 7
    """A saved state that another model, dtype or depth budget computed."""
    MISMATCH = 8
    """Two things that do not belong together, such as distributions of two raters."""

    # The state of a handle or of the machine.
    CLOSED = 10
    BUSY = 11
    """Another call is running on this handle."""
    FORKED = 12
    """The handle belongs to the parent process: open it again in this one."""
    CANCELLED = 13
    """rally_runner_cancel, or a progress callback that returned non-zero."""
    DEADLINE_EXCEEDED = 14
    """timeout_seconds went by."""
    OUT_OF_MEMORY = 15
    LIMIT_EXCEEDED = 16
    """A limit of the options, such as max_file_bytes."""
    UNSUPPORTED = 17
    """A valid request that this library cannot serve; the message names it."""
    QUEUE_FULL = 18
    """As many unfinished requests as max_sequences and max_queue allow: submit again later."""

    # The file as a file.
    FILE_NOT_FOUND = 20
    NOT_A_FILE = 21
    """A directory or a device."""
    EMPTY_FILE = 22
    IO = 23
    """The system's own message is in the error."""

    # The file as a model; docs/format.md describes what is expected.
    CORRUPT_FILE = 30
    """Not a protobuf message, cut off, or nested too deeply."""
    NOT_A_RALLY_MODEL = 31
    """An ONNX model without `rally.` metadata."""
    UNSUPPORTED_VERSION = 32
    MISSING_KEY = 33
    UNKNOWN_KEY = 34
    DUPLICATE_KEY = 35
    INVALID_VALUE = 36
    MISSING_TENSOR = 37
    UNKNOWN_TENSOR = 38
    DUPLICATE_TENSOR = 39
    INVALID_SHAPE = 40
    INVALID_DATA_TYPE = 41
    TRUNCATED_DATA = 42
    """Fewer or more bytes than shape and type ask for."""
    NOT_FINITE = 43
    """A NaN or an infinity among the weights, or among scores."""
    EXTERNAL_DATA_FORBIDDEN = 44
    """Outside the model's folder, or from memory."""
    EXTERNAL_DATA_MISSING = 45
    EXTERNAL_DATA_RANGE = 46
    INVALID_TOKENIZER = 47

    @classmethod
    def _missing_(cls, value: object) -> Status:
        return cls.UNKNOWN_STATUS


@unique
class Dtype(IntEnum):
    """Element type of the matrix products. Norms, routers, softmax, scores and the embedding are computed in f32
    whatever it is. BF16: weights are rounded to bf16; rows and sums are f32, but where the processor multiplies
    bf16 at more than the speed of f32 (AMD with AVX512_BF16, Intel with AMX) rows are rounded to bf16, too. INT8:
    weights and rows with a scale for every 32 inputs, max|w| / 127, or as the file stores them; sums are exact
    within such a group (docs/number-formats.md). Q4: weights of the layers in four bits with an f16 scale for
    every 32 inputs, the head and what the layers have alongside them as INT8; rows as with INT8.
    """

    AUTO = 0
    """What most weights of the layers are stored in; f32 for f16."""
    F32 = 1
    BF16 = 2
    INT8 = 3
    Q4 = 4


@unique
class Switch(IntEnum):
    """Three-valued switch: what the model file says, or what the caller asks for."""

    DEFAULT = -1
    OFF = 0
    ON = 1


@unique
class LogLevel(IntEnum):
    """How important a line of the log is."""

    DEBUG = 0
    INFO = 1
    WARNING = 2


@unique
class Kind(IntEnum):
    """What a model is for."""

    LM = 0
    RATER = 1


@unique
class Routing(IntEnum):
    """How the recursions that a token runs are chosen: not at all, by the capacity of each, or by each token at its
    first.
    """

    NONE = 0
    EXPERT = 1
    TOKEN = 2


@unique
class Exit(IntEnum):
    """The rule by which a token leaves a looped model before its last recursion."""

    NONE = 0
    """There is none."""
    HAZARD = 1
    """Leaves where 1 - (product of 1 - sigmoid(gate)) has reached the threshold."""
    LATENT_DIFF = 2
    """Leaves where |x - x before| / |x| is below the threshold."""


@unique
class KvPolicy(IntEnum):
    """What later tokens see of the recursions that a token did not run."""

    DEFAULT = 0
    """As the model file says."""
    FULL = 1
    """Its own: all recursions are computed, and the rule chooses which one is read."""
    LAST_EXITED = 2
    """Keys and values of the deepest recursion that it ran."""
    PROPAGATED = 3
    """Where recursions have layers of their own: what those that it skipped make of the state it left with."""


@unique
class ScoreRule(IntEnum):
    """How one score comes from the outputs z of a rater, one per label."""

    NONE = 0
    """none: the outputs are no probabilities either; and language models."""
    LOGIT = 1
    """Z of one label."""
    EXPECTATION = 2
    """The sum of value times softmax(z), with a value for each label."""
    SOFTMAX = 3
    """softmax(z) of one label."""
    SIGMOID = 4
    """sigmoid(z) of one label."""


@unique
class Selection(IntEnum):
    """How an expert-choice model selects the tokens that go on. Other models are not affected."""

    THRESHOLD = 0
    """By the router's own threshold: causal, what generation does."""
    TOPK = 1
    """The capacity's best of the whole row: not causal, what training did."""


@unique
class Reading(IntEnum):
    """Which part of a document is read."""

    DEFAULT = 0
    """What the file says, or all windows."""
    WINDOWS = 1
    """All of it, window after window."""
    FIRST = 2
    """One window, of its beginning."""
    MIDDLE = 3
    """One window, of the beginning of what `characters` leaves around the middle."""
    ENDS = 4
    """The first window and the one that ends with the document; one where both would be the same."""


@unique
class Join(IntEnum):
    """What the windows' scores make together."""

    DEFAULT = 0
    """What the file says, or the mean."""
    MEAN = 1
    """Weighted by the windows' tokens."""
    MAX = 2
    MIN = 3


@unique
class FinishReason(IntEnum):
    """Why a sequence ended."""

    NOT_FINISHED = 0
    FINISH_STOP = 1
    """A stop token, a stop string, or eos."""
    FINISH_LIMIT = 2
    """max_tokens."""
    FINISH_CONTEXT_FULL = 3
    """max_position_embeddings, or all that the engine's cache_bytes hold."""
    FINISH_CANCELLED = 4
    """By a callback, a cancel function, or the timeout of the call."""
    FINISH_DEADLINE = 5
    """timeout_seconds of the request."""


@unique
class Batching(IntEnum):
    """How an engine puts tokens together."""

    DEPTH = 0
    """Tokens of all recursions run together."""
    SEQUENCE = 1
    """All sequences finish their token before the next ones start; for comparison."""


@unique
class LineageVerdict(IntEnum):
    """The bounds of rho were calibrated on three-layer perceptrons that learned from each other's outputs; other
    models may differ.
    """

    NOT_SEEN = 0
    """P >= 0.001; no proof: a checkpoint whose units were permuted evades the test."""
    SHARED = 1
    """P < 0.001, rho < 0.75."""
    PARTIAL = 2
    """P < 0.001, rho in [0.75, 0.95)."""
    STRONG = 3
    """P < 0.001, rho >= 0.95."""


@unique
class LineageKind(IntEnum):
    """What the entries of a report are about."""

    TENSORS = 0
    """One matrix each; those of one set depend on each other."""
    SETS = 1
    """Matrices that share their units, as one; what p is combined from."""
    HEAD = 2
    """apart: heads are often initialised again."""
