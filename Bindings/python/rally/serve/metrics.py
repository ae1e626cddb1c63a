"""What the server did and holds, as Prometheus reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Metrics:
    """An ASGI application around another one that counts its answers by path and status.

    Parameters
    ----------
    inner : ASGI application
    paths : iterable of str
        Those that are counted under their name; any other is "other".
    """

    def __init__(self, inner: ASGIApp, paths: Iterable[str], counts: Counter[tuple[str, int]]) -> None:
        self._inner = inner
        self._paths = frozenset(paths)
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = scope["path"] if scope["path"] in self._paths else "other"
                self._counts[path, message["status"]] += 1
            await send(message)

        await self._inner(scope, receive, counted if scope["type"] == "http" else send)


def exposition(counters: Mapping[str, float], answers: Mapping[tuple[str, int], int], open_requests: int) -> str:
    """The page of ``/metrics``: the engine's counters under ``rally_``, the server's under ``rally_http_``."""
    lines = []
    for name, value in counters.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# TYPE rally_{name} {kind}", f"rally_{name} {value:.17g}"]
    lines += ["# TYPE rally_http_requests_open gauge", f"rally_http_requests_open {open_requests}"]
    lines.append("# TYPE rally_http_requests_total counter")
    for (path, status), count in sorted(answers.items()):
        lines.append(f'rally_http_requests_total{{path="{path}",status="{status}"}} {count}')
    return "\n".join(lines) + "\n"
