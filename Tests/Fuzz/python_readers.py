"""What Python reads of strangers, guided by coverage: `python_readers.py TARGET [libFuzzer's options] [CORPUS...]`.

Whatever the bytes are, a reader gives what it read or its own kind of error. Targets: gguf (files of llama.cpp), tokenizer
(tokenizer.json), lines (corpora as JSON lines, arrays and plain text, packed or not), checker (what onnx.checker and Rally say of a
model: Rally opens none that the checker refuses).
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import rally
from rally.modelfile import ModelFileError

FOLDER = Path(tempfile.mkdtemp())

# What reads, not what computes: instrumenting takes its time.
with atheris.instrument_imports(include=["rally.convert", "rally.score", "rally.content"]):
    from rally.score.inputs import expand
    from rally.score.lines import line_rows
    from rally.score.rows import Columns, Row

    if "gguf" in sys.argv[1:2]:
        from rally.convert.gguf_file import MAGIC, GgufFile
        from rally.convert.gguf_tokenizer import tokenizer_content
    if "tokenizer" in sys.argv[1:2]:
        from rally.convert.settings import Settings
        from rally.convert.tokenizer import find_tokenizer


def gguf(data: bytes) -> None:
    """The header, keys and tensors, and the tokenizer among them."""
    path = FOLDER / "model.gguf"
    path.write_bytes(MAGIC + data)
    with contextlib.suppress(ModelFileError):
        file = GgufFile(path)
        for tensor in list(file.tensors.values())[:3]:
            tensor.load()
        tokenizer_content(file)


def tokenizer(data: bytes) -> None:
    """Any JSON as a tokenizer.json."""
    (FOLDER / "tokenizer.json").write_bytes(data)
    with contextlib.suppress(ModelFileError):
        find_tokenizer(FOLDER, None, Settings({}, "config.json"))


def lines(data: bytes) -> None:
    """A file of a corpus: the first byte says what its name ends with."""
    path = FOLDER / ("rows" + (".jsonl", ".json", ".txt", ".jsonl.gz")[(data[:1] or b"\0")[0] % 4])
    path.write_bytes(data[1:])
    try:
        files = expand([str(path)], str(FOLDER / "out")).files
    except rally.RallyError:
        return
    number = -1
    for row in line_rows(files[0], Columns("text", "id", "source", ("metadata.url",)), 0, 0, 0):
        if isinstance(row, Row):  # what is lost has the number of the row after it
            assert row.number > number, "rows are numbered upwards"
            number = row.number


def checker(data: bytes) -> None:
    """Differential: a model that Rally opens and checks has a graph that onnx.checker accepts.

    Graphs that a checker may not survive, of other operators or with deep attributes, Rally does not give to it, and logs that.
    """
    import onnx

    path = FOLDER / "model.onnx"
    path.write_bytes(data)
    said: list[str] = []
    try:
        rally.Model(path, max_tensor_bytes=1 << 24, log=lambda _, line: said.append(line)).close()
    except rally.RallyError:
        return
    if any("checker was skipped" in line for line in said):
        return
    onnx.checker.check_model(onnx.load_model_from_string(data))


TARGETS: dict[str, Callable[[bytes], None]] = {target.__name__: target for target in (gguf, tokenizer, lines, checker)}

if __name__ == "__main__":
    name = sys.argv.pop(1)
    os.environ.setdefault("RALLY_NUM_THREADS", "1")
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
