"""How an engine is opened."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from . import _library
from ._library import Library
from .pool import Pool, address_of
from .rows import check_names, choice, integer


class EngineOptions(TypedDict, total=False):
    """Keyword arguments of `Engine` and `AsyncEngine`.

    Attributes
    ----------
    max_sequences : int
        Requests that are continued at the same time, others queue; 0, the default: 64.
    max_step_tokens : int
        Tokens on their way together, of prompts and of texts; 0: 512.
    cache_bytes : int
        Memory for keys and values; 0: what all sequences can fill, at most 1 GiB or one of full length.
    threads : int
        Threads that compute; 0: as many as this process may use.
    batching : {"depth", "sequence"}
        Tokens of all recursions together, or, for comparison, all requests finish their token before the next.
    share_prefixes : bool
        Whether requests with the same beginning share its keys and values, also with the last 32 that finished.
    max_queue : int
        Requests that may wait besides `max_sequences`; more are refused with QUEUE_FULL. 0: any number.
    cache_dtype : {"f32", "bf16", "int8"}
        What keys and values are kept as; int8: with a scale for each 32 channels of one head of one token. Attention
        computes from the rounded ones, whoever reads them.
    pool : Pool, optional
        Whose threads compute, shared with others, with `threads` 0; otherwise threads of its own.
    max_memory_bytes : int
        What the engine may take besides the model: workspaces, and a cache that takes no more than is left where
        `cache_bytes` is 0. 0: no limit of its own.
    """

    max_sequences: int
    max_step_tokens: int
    cache_bytes: int
    threads: int
    batching: Literal["depth", "sequence"]
    share_prefixes: bool
    max_queue: int
    cache_dtype: Literal["f32", "bf16", "int8"]
    pool: Pool | None
    max_memory_bytes: int


def raw_options(library: Library, options: EngineOptions) -> Any:
    given: dict[str, Any] = {**options}
    check_names(given, EngineOptions)
    raw = library.new("rally_engine_options")
    for name in ("max_sequences", "max_step_tokens", "max_queue"):
        setattr(raw, name, integer(name, given.get(name, 0), 0, 2**32 - 1))
    for name in ("cache_bytes", "max_memory_bytes"):
        setattr(raw, name, integer(name, given.get(name, 0), 0, 2**64 - 1))
    raw.threads = integer("threads", given.get("threads", 0), 0, 256)
    raw.pool = address_of(given.get("pool"))
    raw.batching = choice("batching", given.get("batching", "depth"), _library.BATCHINGS)
    raw.share_prefixes = choice("share_prefixes", given.get("share_prefixes", True), _library.SWITCHES)
    raw.cache_dtype = choice("cache_dtype", given.get("cache_dtype", "f32"), _library.CACHE_DTYPES)
    return raw
