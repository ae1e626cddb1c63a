"""The command: opens the models and the port, then serves until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from .._extras import sentence
from .._program import run
from ..errors import RallyError
from ..model import Model
from . import options

if TYPE_CHECKING:
    import argparse

GRACE_SECONDS = 3  # for answers in progress, when the server is told to end


def main(arguments: list[str] | None = None) -> int:
    """Serves; returns the exit status: 0 told to end, 1 failed, 2 wrong arguments."""
    given = options.parser().parse_args(arguments)
    try:
        with contextlib.ExitStack() as opened:
            return _serve(given, opened)
    except (RallyError, _Refusal) as error:
        print(f"error: {getattr(error, 'message', error)}", file=sys.stderr)
        return 1


class _Refusal(Exception):
    """Why the server does not start, in one sentence."""


def _serve(given: argparse.Namespace, opened: contextlib.ExitStack) -> int:
    try:
        import uvicorn

        from .application import build
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise _Refusal(sentence(error, "rally.serve", "serve")) from None

    model = opened.enter_context(Model(given.model, threads=given.threads))
    _check_cache(given, model)
    rater = opened.enter_context(Model(given.rater, threads=given.threads)) if given.rater else None
    listening = opened.enter_context(_listen(given.host, given.port))
    application = build(model, options.limits(given, Path(given.model).stem), rater)
    config = uvicorn.Config(
        application, log_level="warning", access_log=False, timeout_graceful_shutdown=2 * GRACE_SECONDS, lifespan="on"
    )

    class Server(uvicorn.Server):
        """One whose answers end some time after it was told to."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            with contextlib.suppress(RuntimeError):  # before the loop runs
                asyncio.get_running_loop().call_later(GRACE_SECONDS, application.state.server.end_answers)

    host, port = listening.getsockname()[:2]
    print(f"Listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again when it has ended
        signal.signal(number, lambda *_: None)
    Server(config).run([listening])
    return 0


def _check_cache(given: argparse.Namespace, model: Model) -> None:
    keys, values = given.cache_type_k, given.cache_type_v
    if keys != values:
        raise _Refusal(f"-ctk, -ctv: expected one type for keys and values, found {keys} and {values}")
    if keys != "f32" and model.kind != "lm":
        raise _Refusal(f"-ctk {keys}: expected a language model, found a rater, which keeps no keys and values")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise _Refusal(f"--host {host} --port {port}: {_reason(error)}; give an address of this machine") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except (OSError, OverflowError) as error:
        listening.close()
        raise _Refusal(
            f"--host {host} --port {port}: {_reason(error)}; choose another with --port, or 0 for any free one"
        ) from None
    return listening


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


if __name__ == "__main__":
    run(main)
