"""The other side of :class:`benchmarks.processes.Worker`: one JSON object per line in, one out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def serve(open_server: Callable[[], Any]) -> None:
    """Open a server and answer calls of its methods until the input ends.

    A server that cannot be opened answers every call with the reason. What libraries print goes to standard error.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server, reason = None, ""
    try:
        server = open_server()
    except Exception as error:
        reason = _line(error)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"error": reason}
            if server is not None:
                answer = {"answer": getattr(server, request["function"])(**request["arguments"])}
        except Exception as error:
            answer = {"error": f"{request['function']}: {_line(error)}"}
        print(json.dumps(answer), file=answers, flush=True)


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
