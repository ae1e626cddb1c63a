"""Texts of the engine as answers: whole, or as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from ..async_engine import AsyncEngine, AsyncEvents
from ..errors import RallyError
from ..events import Event, FinishReason
from .answers import Answers, Choice
from .errors import ApiError, of_library
from .requests import Asked


def submit(engine: AsyncEngine, asked: Asked, timeout: float) -> list[AsyncEvents]:
    """Puts all texts of a request into the engine's queue, or none."""
    readers: list[AsyncEvents] = []
    try:
        for prompt, count, seed in zip(asked.prompts, asked.max_tokens, asked.seeds, strict=True):
            readers.append(
                engine.generate(prompt, count, seed=seed, skip_special=True, timeout=timeout or None, **asked.how)
            )
    except BaseException:
        for reader in readers:
            reader.cancel()
        raise
    return readers


async def whole(readers: list[AsyncEvents], answers: Answers) -> dict[str, Any]:
    """The answer, when all texts have ended."""
    choices = [Choice(index) for index in range(len(readers))]
    async with contextlib.aclosing(_together(readers)) as events:
        async for index, event in events:
            choices[index].take(event, keeps=True)
    return answers.whole(choices)


async def stream(
    readers: list[AsyncEvents], answers: Answers, asked: Asked, held: contextlib.ExitStack
) -> AsyncIterator[str]:
    """The server-sent events of an answer; `held` is closed after the last."""
    choices = [Choice(index) for index in range(len(readers))]
    with held:
        try:
            for choice in choices if asked.is_chat else ():
                yield _line(answers.opening(choice))
            async with contextlib.aclosing(_together(readers)) as events:
                async for index, event in events:
                    choices[index].take(event, keeps=False)
                    if (piece := answers.piece(choices[index], event)) is not None:
                        yield _line(piece)
            if asked.include_usage:
                yield _line(answers.closing(choices))
            yield "data: [DONE]\n\n"
        except RallyError as error:
            yield _line(of_library(error).body())
        except ApiError as error:
            yield _line(error.body())
        finally:
            for reader in readers:
                reader.cancel()


def _line(value: Any) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def _together(readers: list[AsyncEvents]) -> AsyncGenerator[tuple[int, Event], None]:
    """The events of all texts as they come. Leaving early ends the texts."""
    arrived: asyncio.Queue[tuple[int, Event | Exception]] = asyncio.Queue()

    async def forward(index: int) -> None:
        try:
            async for event in readers[index]:
                arrived.put_nowait((index, event))
        except Exception as error:
            arrived.put_nowait((index, error))

    tasks = [asyncio.create_task(forward(index)) for index in range(len(readers))]
    try:
        left = len(readers)
        while left:
            index, event = await arrived.get()
            if isinstance(event, Exception):
                raise event
            if event.finish_reason is FinishReason.CANCELLED:
                raise ApiError(503, "the server is about to end; ask again later", code="cancelled")
            left -= event.finish_reason is not None
            yield index, event
    finally:
        for task, reader in zip(tasks, readers, strict=True):
            task.cancel()
            reader.cancel()
