"""The routes, and what stands between them and the engine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ..async_engine import AsyncEngine
from ..errors import RallyError, Status
from ..model import Model
from . import generating, rating
from .answers import Answers
from .errors import ApiError, of_library
from .metrics import Metrics, exposition
from .options import Limits
from .requests import Asked, Reader

T = TypeVar("T")


class Server:
    """The handlers of all routes over one engine.

    Parameters
    ----------
    model : Model
    limits : Limits
    rater : Model, optional
    """

    def __init__(self, model: Model, limits: Limits, rater: Model | None) -> None:
        self._limits = limits
        self._model = model if model.kind == "lm" else None
        self._rater = rater if rater is not None or model.kind == "lm" else model
        self._reader = None if self._model is None else Reader(self._model, limits)
        self._tokens = [] if self._model is None else self._model.vocabulary().tokens
        self._engine: AsyncEngine | None = None
        self._created = int(time.time())
        self._open = 0
        self.answers: Counter[tuple[str, int]] = Counter()

    @contextlib.asynccontextmanager
    async def lifespan(self, application: Starlette) -> AsyncIterator[None]:
        """Opens the engine, and closes it after the last request."""
        limits = self._limits
        if self._model is not None:
            self._engine = AsyncEngine(
                self._model,
                max_sequences=limits.parallel,
                max_queue=limits.max_queue,
                cache_bytes=limits.cache_bytes,
                threads=limits.threads,
                cache_dtype=limits.cache_type,
            )
        try:
            yield
        finally:
            if self._engine is not None:
                await self._engine.aclose()

    def end_answers(self) -> None:
        """Ends all texts in progress, so that the server can end. On the event loop's thread."""
        if self._engine is not None:
            self._engine.cancel_all()

    # Routes

    async def completions(self, request: Request) -> Response:
        return await self._generated(request, lambda reader, body: reader.completion(body))

    async def chat(self, request: Request) -> Response:
        return await self._generated(request, lambda reader, body: reader.chat(body))

    async def rate(self, request: Request) -> Response:
        if self._rater is None:
            raise ApiError(400, "this server has no rater; start it with --rater", code="wrong_kind")
        with self._admitted():
            body = await self._body(request)
            made = await asyncio.to_thread(rating.rate, self._rater, body, self._limits)
        return JSONResponse(made)

    async def models(self, request: Request) -> Response:
        entry = {"id": self._limits.alias, "object": "model", "created": self._created, "owned_by": "rally"}
        return JSONResponse({"object": "list", "data": [entry]})

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        counters = {} if self._engine is None else await self._engine.counters()
        page = exposition(counters, self.answers, self._open)
        return PlainTextResponse(page, media_type="text/plain; version=0.0.4")

    # What the routes share

    async def _generated(self, request: Request, read: Callable[[Reader, bytes], Asked]) -> Response:
        if self._reader is None or self._engine is None:
            raise ApiError(400, "this server has a rater, which generates no text; use /rate", code="wrong_kind")
        with contextlib.ExitStack() as held:
            held.enter_context(self._admitted())
            body = await self._body(request)
            asked = await asyncio.to_thread(read, self._reader, body)
            readers = generating.submit(self._engine, asked, self._limits.timeout)
            answers = Answers(asked, self._limits.alias, self._tokens)
            if asked.stream:
                events = generating.stream(readers, answers, asked, held.pop_all())
                return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
            return JSONResponse(await _unless_disconnected(request, generating.whole(readers, answers)))

    @contextlib.contextmanager
    def _admitted(self) -> Iterator[None]:
        """A place among the requests that are open; refuses where there is none."""
        if self._open >= self._limits.parallel + self._limits.max_queue:
            raise ApiError(429, f"{self._open} requests are open already; ask again later", code="queue_full")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # which no foreign web page can send without asking first
            raise ApiError(415, f"Content-Type: expected application/json, found {kind or 'none'}")
        data = bytearray()
        async for piece in request.stream():
            data += piece
            if len(data) > self._limits.body_bytes:
                raise ApiError(413, f"the body has more than {self._limits.body_bytes} bytes", code="body_too_large")
        return bytes(data)


async def _unless_disconnected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; ends it when the client leaves."""
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        leaving.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answered(error: ApiError) -> Response:
    headers = {"Retry-After": "1"} if error.status in (429, 503) else None
    return JSONResponse(error.body(), error.status, headers)


async def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return _answered(error)
    if isinstance(error, RallyError):
        if error.code == Status.QUEUE_FULL:
            return _answered(ApiError(429, "the queue is full; ask again later", code="queue_full"))
        return _answered(of_library(error))
    if isinstance(error, HTTPException):
        return _answered(ApiError(error.status_code, f"{request.method} {request.url.path}: {error.detail.lower()}"))
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)  # the client is gone; counted under this number, as nginx does
    return _answered(ApiError(500, "the server failed; its log says how"))


def build(model: Model, limits: Limits, rater: Model | None) -> Starlette:
    """The application; its `state.server` is the `Server`."""
    server = Server(model, limits, rater)
    posts = {"/v1/completions": server.completions, "/v1/chat/completions": server.chat, "/rate": server.rate}
    gets = {"/v1/models": server.models, "/health": server.health, "/metrics": server.metrics}
    routes = [Route(path, handler, methods=["POST"]) for path, handler in posts.items()]
    routes += [Route(path, handler, methods=["GET"]) for path, handler in gets.items()]
    application = Starlette(
        routes=routes,
        middleware=[Middleware(Metrics, paths=[*posts, *gets], counts=server.answers)],
        exception_handlers=dict.fromkeys((ApiError, RallyError, HTTPException, ClientDisconnect, Exception), _failed),
        lifespan=server.lifespan,
    )
    application.state.server = server
    return application
