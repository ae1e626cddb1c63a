"""The command's options, under llama-server's names where it has them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Literal

from ..tokenizer import ANYBODYS_SPECIAL


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes from its clients.

    Attributes
    ----------
    alias : str
        The model's name in answers.
    context : int
        Tokens of a prompt and its answer together; 0: what the model takes.
    max_tokens : int
        Tokens of one answer; 0: until the context is full.
    parallel : int
        Answers that are generated at the same time.
    max_queue : int
        Answers that may wait; more are refused with status 429.
    max_choices : int
        Answers of one request: its prompts times ``n``.
    body_bytes : int
        Bytes of a request's body; more are refused with status 413.
    timeout : float
        Seconds until an answer ends with what it has; 0: never.
    cache_bytes : int
        The engine's memory for keys and values; 0: the engine's choice.
    threads : int
        Threads that compute; 0: as many as this process may use.
    cache_type : str
        What the engine keeps keys and values as.
    parse_special : bool
        Whether the text of special tokens in prompts and messages becomes these tokens.
    """

    alias: str = "rally"
    context: int = 0
    max_tokens: int = 0
    parallel: int = 64
    max_queue: int = 256
    max_choices: int = 64
    body_bytes: int = 4 << 20
    timeout: float = 600.0
    cache_bytes: int = 0
    threads: int = 0
    cache_type: Literal["f32", "bf16", "int8"] = "f32"
    parse_special: bool = ANYBODYS_SPECIAL


def _count(text: str) -> int:
    if (value := int(text)) < 0:
        raise ValueError
    return value


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError
    return value


def _tokens(text: str) -> int:
    return 0 if text == "-1" else _count(text)  # llama-server's word for no limit


def _seconds(text: str) -> float:
    if not 0 <= (value := float(text)) < 1e9:
        raise ValueError
    return value


for _check in (_count, _positive, _tokens, _seconds):
    _check.__name__ = {"_positive": "whole number above 0", "_seconds": "number of seconds"}.get(
        _check.__name__, "whole number"
    )


_CACHE_TYPES = ("f32", "bf16", "int8")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m rally.serve", description="Serves a model to clients of OpenAI's interface.", allow_abbrev=False
    )
    add = made.add_argument
    add("model", metavar="MODEL", help="a language model, or a rater: then only /rate computes")
    add("--rater", metavar="MODEL", help="what /rate rates with, besides a language model")
    add("-a", "--alias", help="the model's name in answers (default: the file's name without its ending)")
    add("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s, this machine only)")
    add("--port", type=_count, default=8080, help="the port; 0: any free one (default: %(default)s)")
    add("-t", "--threads", type=_count, default=0, help="threads that compute; 0: all that may be used (default)")
    add("-c", "--ctx-size", type=_count, default=0, help="tokens of a prompt and its answer; 0: the model's (default)")
    add("-n", "--predict", "--n-predict", type=_tokens, default=0, help="tokens of one answer; -1: no limit (default)")
    add("-np", "--parallel", type=_positive, default=64, help="answers at the same time (default: %(default)s)")
    add("--max-queue", type=_positive, default=256, help="answers that may wait (default: %(default)s)")
    add("--max-body", type=_positive, default=4 << 20, metavar="BYTES", help="of a request (default: %(default)s)")
    add("--cache-bytes", type=_count, default=0, metavar="BYTES", help="for keys and values; 0: the engine's choice")
    for short, long, what in (("-ctk", "--cache-type-k", "keys"), ("-ctv", "--cache-type-v", "values")):
        add(short, long, choices=_CACHE_TYPES, default="f32", help=f"what {what} are kept as, one type for both")
    add("-to", "--timeout", type=_seconds, default=600.0, help="seconds of one answer; 0: any (default: %(default)g)")
    add("--parse-special", action="store_true", help="special tokens in clients' texts become these tokens")
    return made


def limits(given: argparse.Namespace, alias: str) -> Limits:
    """What the command line says of requests."""
    return Limits(
        alias=given.alias or alias,
        context=given.ctx_size,
        max_tokens=given.predict,
        parallel=given.parallel,
        max_queue=given.max_queue,
        body_bytes=given.max_body,
        timeout=given.timeout,
        cache_bytes=given.cache_bytes,
        threads=given.threads,
        cache_type=given.cache_type_k,
        parse_special=given.parse_special,
    )
