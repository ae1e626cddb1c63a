"""A model that was opened: text, logits, ratings, generation."""

from __future__ import annotations

from ._language_model import Forward, LanguageModel
from ._rating_model import RatingModel

__all__ = ["Forward", "Model"]


class Model(LanguageModel, RatingModel):
    """A language model or a rater.

    Any number of Python threads may use one model: calls that compute take turns, the others run at once. For calls
    that compute at the same time, open the model more than once. Ctrl-C ends a running call.

    Parameters
    ----------
    path : str or path
        The model file.
    dtype : {"auto", "f32", "bf16", "int8", "q4"}
        Element type of the matrix products; auto: what most weights of the layers are stored in.
    threads : int
        Threads that compute; 0: as many as this process may use.
    batch_tokens : int
        Tokens computed together; 0: the library's choice. Costs memory, changes no result.
    cache_dtype : {"f32", "bf16", "int8"}
        What a language model's own calls keep keys and values as (`EngineOptions` has the engine's).
    max_file_bytes, max_tensor_bytes : int
        The largest file, and the largest tensor, that is read, for files of strangers; 0: no limit.
    cache : str or path, optional
        A folder of prepared files: the model is opened through one, which is written first where there is none for it. It
        opens at once then, and processes share its pages. See `prepare`.
    share_weights : bool, optional
        False: the weights of a prepared file are copied into memory, so that they cannot be cut off while they are read.
    pool : Pool, optional
        Whose threads compute, shared with other models and engines, with `threads` 0; otherwise threads of its own.
    max_memory_bytes : int
        What the model may take with all engines on it: weights, tokenizer, caches, workspaces. More is OUT_OF_MEMORY,
        and later calls that need less go on; rally.h says what is counted. 0: no limit.
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
