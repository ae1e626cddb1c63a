"""Perplexity of SmolLM2 on a long text: Rally in f32, bf16 and int8, and llama.cpp on the same GGUF file.

    python Examples/smollm2/perplexity.py [TEXT] [--bytes 220000] [--engines f32,bf16,int8,calibrated,llama.cpp]

Windows of 512 tokens stand alone, and every token but the first of a window is predicted. bf16 and int8 have the bounds
of docs/number-formats.md. `calibrated` is int8 that read another text first. llama.cpp comes from the wheel xllamacpp,
whose library is called by its C interface; it computes with the 4-bit weights as they are and rounds activations to
8 bits. Results are appended to perplexity.jsonl as they come; what is there is not computed again.
"""

import argparse
import ctypes
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import rally

from fetch import FOLDER, GGUF, fetch, model_file
from texts import texts

WINDOW = 512
LLAMA = "xllamacpp==2026.10.11549"
#: Relative to f32, by docs/number-formats.md.
BOUNDS = {"bf16": 0.002, "int8": 0.01, "calibrated": 0.005}

Losses = Callable[[list[int]], float]


def rally_losses(engine: str) -> Iterator[Losses]:
    """Yield what sums the losses of a window in Rally."""
    path = model_file()
    if engine == "calibrated":
        path = FOLDER / "calibrated.onnx"
        if not path.is_file():
            text = texts()[0].read_text(encoding="utf-8")
            rally.quantize(model_file(), path, calibration_text=text[len(text) // 2 :][:60_000])
    with rally.Model(path, dtype="int8" if engine == "calibrated" else engine, threads=1) as model:
        yield lambda window: -float(model.logprobs([window])[0].astype(np.float64).sum())


class Opaque(ctypes.Structure):
    """Parameters of llama.cpp, by value: larger than any of them, as only the first fields are known here."""

    _fields_ = (("context", ctypes.c_uint32), ("batch", ctypes.c_uint32), ("rest", ctypes.c_uint8 * 1016))


class Batch(ctypes.Structure):
    """``llama_batch``."""

    _fields_ = (
        ("count", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embedding", ctypes.c_void_p),
        ("position", ctypes.POINTER(ctypes.c_int32)),
        ("sequence_count", ctypes.POINTER(ctypes.c_int32)),
        ("sequence", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("wants_logits", ctypes.POINTER(ctypes.c_int8)),
    )


def llama_library() -> ctypes.CDLL:
    """Return llama.cpp, from a wheel that is fetched if it is not there and stays outside of the environment."""
    folder = FOLDER / "llama"
    found = sorted(folder.glob("xllamacpp/*.so"))
    if not found:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--only-binary", ":all:", "--target", str(folder), LLAMA], check=True)
        found = sorted(folder.glob("xllamacpp/*.so"))
    library = ctypes.CDLL(str(found[0]))
    for name in ("llama_model_default_params", "llama_context_default_params"):
        getattr(library, name).restype = Opaque
    library.llama_batch_init.restype = Batch
    library.llama_get_logits.restype = ctypes.POINTER(ctypes.c_float)
    for name in ("llama_model_load_from_file", "llama_init_from_model", "llama_get_memory"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


def llama_losses() -> Iterator[Losses]:
    """Yield what sums the losses of a window in llama.cpp."""
    library = llama_library()
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    library.llama_log_set(quiet, None)
    library.llama_backend_init()
    model = library.llama_model_load_from_file(str(fetch()).encode(), library.llama_model_default_params())
    options = library.llama_context_default_params()
    options.context = options.batch = WINDOW
    context = library.llama_init_from_model(ctypes.c_void_p(model), options)
    if not context:
        raise SystemExit(f"llama.cpp did not open {GGUF}")
    library.llama_set_n_threads(ctypes.c_void_p(context), 1, 1)
    memory = library.llama_get_memory(ctypes.c_void_p(context))
    batch = library.llama_batch_init(WINDOW, 0, 1)
    vocabulary = 49152

    def losses(window: list[int]) -> float:
        library.llama_memory_clear(ctypes.c_void_p(memory), ctypes.c_bool(True))
        batch.count = len(window)
        for place, token in enumerate(window):
            batch.token[place], batch.position[place], batch.wants_logits[place] = token, place, 1
            batch.sequence_count[place] = 1
            batch.sequence[place][0] = 0
        if library.llama_decode(ctypes.c_void_p(context), batch):
            raise SystemExit("llama.cpp did not compute a window")
        pointer = library.llama_get_logits(ctypes.c_void_p(context))
        logits = np.ctypeslib.as_array(pointer, (len(window), vocabulary))[:-1].astype(np.float64)
        most = logits.max(axis=1)
        sums = np.log(np.exp(logits - most[:, None]).sum(axis=1)) + most
        return float((sums - logits[np.arange(len(window) - 1), window[1:]]).sum())

    yield losses


def measure(engine: str, windows: list[list[int]]) -> dict[str, float]:
    """Return perplexity, tokens per second of processor time, and that time."""
    total = 0.0
    for losses in llama_losses() if engine == "llama.cpp" else rally_losses(engine):
        start = time.process_time()
        total = sum(losses(window) for window in windows)
        seconds = time.process_time() - start
    count = sum(len(window) - 1 for window in windows)
    return {"perplexity": round(math.exp(total / count), 4), "tokens per processor second": round(count / seconds, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure SmolLM2's perplexity.")
    parser.add_argument("text", type=Path, nargs="?", help="default: what training held out, from its start")
    parser.add_argument("--bytes", type=int, default=220_000)
    parser.add_argument("--engines", default="f32,bf16,int8,calibrated,llama.cpp")
    options = parser.parse_args()
    content = (options.text or texts()[1]).read_bytes()[: options.bytes]
    with rally.Model(model_file(), dtype="int8", threads=1) as model:
        tokens = list(model.encode(content.decode(errors="ignore")))
    windows = [tokens[start : start + WINDOW] for start in range(0, len(tokens) - 1, WINDOW)]
    log = FOLDER / "perplexity.jsonl"
    about = {"text": str(options.text or "held.txt"), "bytes": len(content), "tokens": len(tokens)}
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    found = {row["engine"]: row for row in rows if about.items() <= row.items()}
    failed = False
    for engine in options.engines.split(","):
        if engine not in found:
            found[engine] = {"engine": engine, **about, **measure(engine, windows)}
            with open(log, "a", encoding="utf-8") as file:
                print(json.dumps(found[engine]), file=file)
        print(json.dumps(found[engine]), flush=True)
        if engine in BOUNDS and "f32" in found:
            change = found[engine]["perplexity"] / found["f32"]["perplexity"] - 1
            failed |= abs(change) > BOUNDS[engine]
            print(f"{engine}: {change:+.3%} of f32's, at most {BOUNDS[engine]:.1%}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
