"""The other side of :class:`benchmarks.processes.Worker`: one JSON object per line in, one out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any


def serve(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Answer calls until the input ends. What libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": functions[request["function"]](**request["arguments"])}
        except Exception as error:
            answer = {"error": f"{request['function']}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)
