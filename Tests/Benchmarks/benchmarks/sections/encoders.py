"""BERT-base and ModernBERT-base shapes on ragged rows: Rally against onnxruntime, OpenVINO and CTranslate2."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np

from benchmarks.context import Context
from benchmarks.inputs import ragged_lengths, relative_error
from benchmarks.measurements import Book, Key
from benchmarks.processes import PEERS, Worker, check_equal
from benchmarks.turns import Contender, take_turns

SECTION = "encoders"
SHAPES = ("bert-base", "modernbert-base")
#: Rows of least to most tokens, and how many of them a turn has.
ROWS = {(32, 512): 32, (8, 96): 128}
FORMATS = ("f32", "bf16", "int8")
PEER_FORMATS = {"onnxruntime": ("f32", "int8"), "openvino": FORMATS, "ctranslate2": ("f32", "int8")}
#: What CTranslate2 knows.
CTRANSLATE2_SHAPES = ("bert-base",)
#: Rows of a padded batch that are tried; the best takes part.
BATCHES = (1, 2, 4, 8, 16, 32)
SEED = 6


def rate_key(engine: str, shape: str, rows: tuple[int, int], dtype: str) -> Key:
    """Return the key of a rate."""
    return Key(SECTION, f"{shape}, rows of {rows[0]}–{rows[1]}", engine, shape, dtype)


def best_peer(book: Book, shape: str, rows: tuple[int, int], dtype: str) -> Key | None:
    """Return the key of the fastest peer of a format."""
    keys = [rate_key(engine, shape, rows, dtype) for engine in PEER_FORMATS]
    rates = {key: rate for key in keys if (rate := book.median(key)) is not None}
    return max(rates, key=lambda key: rates[key]) if rates else None


def run(context: Context) -> None:
    """For each shape and kind of rows: compare scores, find every peer's best batch, take turns."""
    for shape in context.plan.encoders:
        folder = context.files.encoder(shape)
        for rows, count in ROWS.items():
            _compare(
                context, shape, folder, rows, ragged_lengths(5, max(4, int(count * context.plan.encoder_share)), *rows)
            )


def _compare(context: Context, shape: str, folder: str, rows: tuple[int, int], lengths: list[int]) -> None:
    with ExitStack() as stack:
        contenders = []
        reference: list[float] | None = None
        for dtype in FORMATS:
            worker = stack.enter_context(Worker("rally_worker", f"{folder}/rally.onnx", dtype))
            scores = worker.call("rate", lengths=lengths, seed=SEED)["scores"]
            reference = reference or scores
            _remark_quality(context.book, shape, "Rally", dtype, reference, scores)
            contenders.append(_contender("Rally", shape, rows, dtype, worker, lengths))
            vocabulary = worker.call("size")
            for engine, formats in PEER_FORMATS.items():
                if dtype not in formats or (engine == "ctranslate2" and shape not in CTRANSLATE2_SHAPES):
                    continue
                peer = stack.enter_context(Worker("encoder_worker", engine, folder, dtype, python=PEERS))
                options = {"vocabulary": vocabulary}
                batch, scores = _best_batch(context, engine, peer, lengths, options)
                if scores is not None:
                    _remark_quality(context.book, shape, engine, dtype, reference, scores)
                contenders.append(_contender(engine, shape, rows, dtype, peer, lengths, batch=batch, **options))
        take_turns(context.book, contenders, context.plan.encoder_repetitions, context.progress)


def _best_batch(
    context: Context, engine: str, peer: Worker, lengths: list[int], options: Mapping[str, int]
) -> tuple[int, list[float] | None]:
    seconds = {}
    for batch in BATCHES:
        context.progress.show(f"{engine} with batches of {batch}")
        answer = peer.call("rate", lengths=lengths, seed=SEED, batch=batch, **options)
        seconds[batch] = answer["seconds"]
    return min(seconds, key=lambda batch: seconds[batch]), answer["scores"]


def _remark_quality(
    book: Book, shape: str, engine: str, dtype: str, reference: list[float], scores: list[float]
) -> None:
    """Say how far scores are from Rally's in f32, which must be the same for every engine in f32."""
    wanted, found = np.array(reference), np.array(scores)
    if dtype == "f32":
        check_equal(f"scores of {engine}", relative_error(found, wanted))
        return
    error = float(np.abs(found - wanted).max() / wanted.std())
    order = float(np.corrcoef(found.argsort().argsort(), wanted.argsort().argsort())[0, 1])
    book.remark(
        f"{shape}, random weights, {engine} {dtype} against f32 over {len(scores)} rows: rank correlation {order:.4f}, "
        f"largest error {error:.3f} of the scores' standard deviation."
    )


def _contender(
    engine: str, shape: str, rows: tuple[int, int], dtype: str, worker: Worker, lengths: list[int], **options: int
) -> Contender:
    def run() -> Mapping[Key, float]:
        answer = worker.call("rate", lengths=lengths, seed=SEED, **options)
        return {rate_key(engine, shape, rows, dtype): sum(lengths) / answer["seconds"]}

    return Contender(f"{engine} {dtype}", run)
