"""One conversion, from a checkpoint folder to a model file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from rally.convert.checkpoint import Checkpoint
from rally.convert.ends import chat_template, fit_table, with_ends
from rally.convert.gguf_file import is_gguf
from rally.convert.language_model import convert_language_model
from rally.convert.loops import LoopChoices
from rally.convert.onnx_source import OnnxSource, is_onnx
from rally.convert.rater import convert_rater, is_rater
from rally.convert.raters import RaterChoices, convert_classifier, is_classifier
from rally.convert.raters.outputs import check_reading
from rally.convert.retrofit import convert_retrofit, is_retrofit
from rally.convert.settings import Settings
from rally.convert.sources import FolderSource, GgufSource
from rally.convert.tokenizer_pipeline import wordpiece_steps
from rally.modelfile import (
    AnyTokenizer,
    Description,
    LanguageModel,
    ModelFileError,
    Rater,
    Tensor,
    WordPiece,
    WrittenFile,
    write_model,
)
from rally.modelfile.tensors import ELEMENT_NAMES
from rally.quantization import quantize

#: Made of the file in the checkpoint's own type.
QUANTIZED = ("int8", "q4")


@dataclass(frozen=True)
class Summary:
    """What a conversion made.

    ``stored`` counts the elements in the file, ``effective`` those of the unrolled model: a shared layer R times.
    """

    description: Description
    file: WrittenFile
    stored: int
    effective: int
    elements: tuple[str, ...]

    def __str__(self) -> str:
        model = self.description
        kind = "rater"
        if isinstance(model, LanguageModel):
            routing = f"{model.routing.kind}-choice " if model.routing else ""
            exits = f", exit by {model.exit}" if model.exit != "none" else ""
            shared = (
                f"{routing}{model.sharing}, R = {model.num_recursion}{exits}, "
                if model.num_recursion > 1
                else "vanilla, "
            )
            kind = f"language model, {shared}{model.num_block_layers}-layer block"
        return (
            f"{self.file.path}: {kind}; {self.stored:,} parameters stored, {self.effective:,} effective; "
            f"{'+'.join(self.elements)}, {self.file.byte_count:,} bytes"
        )


def convert(
    directory: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    dtype: str | None = None,
    name: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    external_data: bool = False,
    exit_threshold: float | None = None,
    kv_policy: str | None = None,
    recursions: int | None = None,
    rater: RaterChoices | None = None,
    config: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Summary:
    """Convert a checkpoint folder, a GGUF file, or an exported ONNX file into a model file.

    Parameters
    ----------
    directory : str or path
        Holds the weights, ``config.json``, and what says how the model routes; see ``docs/format.md`` and ``--help``.
        Or a GGUF file of a Llama or Qwen, whose quantized weights become f32. Or an ONNX file of a classifier, with
        ``config.json`` next to it or one folder up: the result is compared with it before anything is written.
    out : str or path
        The file to write.
    dtype : {"f32", "bf16", "int8", "q4"}, optional
        Element type of the large matrices; routers, norms, biases and score heads are never narrowed. int8 and q4
        are what :func:`rally.quantize` makes of the file, without a text. Default: as they are.
    name : str, optional
        For people; by default the folder's name.
    tokenizer : str or path, optional
        A ``tokenizer.json`` other than the folder's own.
    external_data : bool
        Keep the weights in a side file whatever their size.
    exit_threshold : float, optional
        Looped models: the file's threshold of exits, in the place of the checkpoint's. Requests may give another.
    kv_policy : {"last_exited", "full"}, optional
        Looped models with exits: which keys and values stand for the recursions that a token did not run.
    recursions : int, optional
        Retrofitted models: how often the core is run, in the place of ``mean_recurrence``.
    rater : RaterChoices, optional
        What comes before the configuration of a rater: score rule, reading of documents, a named policy.
    config : str or path, optional
        ONNX files: a ``config.json`` other than the one alongside the file.
    quiet : bool
        No progress bar.

    Returns
    -------
    Summary
        What was written.

    Raises
    ------
    ModelFileError
        When the checkpoint cannot be converted; the message is one line that names the key or file.
    """
    directory, out = Path(directory), Path(out)
    tokenizer = None if tokenizer is None else Path(tokenizer)
    source = _source(directory, None if config is None else Path(config))
    choices = LoopChoices(exit_threshold, kv_policy, recursions)
    stored = None if dtype in QUANTIZED else dtype
    with source.open() as checkpoint, _place(out, dtype) as place:
        refuse_foreign(checkpoint)
        found = source.tokenizer(tokenizer)
        said = name or source.name
        model, tensors = plan(checkpoint, source.config, said, found, stored, choices, rater or RaterChoices())
        model = source.complete(model)
        if isinstance(model, Rater):
            check_reading(source.config, model)
        if found:
            table = tokenizer.name if tokenizer else source.tokenizer_name
            model = replace(model, tokenizer=fit_table(found, model.vocab_size, table))
        if isinstance(model, LanguageModel):
            template = chat_template(tokenizer.parent) if tokenizer else source.chat_template()
            model = with_ends(model, source.end_ids(), template)
        if isinstance(source, OnnxSource):
            wide = plan(checkpoint, source.config, said, found, "f32", choices, rater or RaterChoices())[1]
            source.prove(model, lambda path: write_model(path, model, wide))
        total = sum(tensor.byte_count for tensor in tensors)
        with tqdm(total=total, unit="B", unit_scale=True, desc=out.name, disable=quiet or None, leave=False) as bar:
            written = write_model(place, model, tensors, external_data=external_data, progress=bar.update)
    summary = summarise(model, tensors, written)
    if place == out or dtype is None:
        return summary
    side = out.with_name(f"{out.name}.data")
    written = WrittenFile(out, side if side.exists() else None, out.stat().st_size)
    return replace(summary, elements=(dtype,), file=written)


@contextmanager
def _place(out: Path, dtype: str | None) -> Iterator[Path]:
    """Where the file is written: at its own place, or alongside it, to be quantized to it."""
    if dtype is None or dtype not in QUANTIZED:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        yield Path(folder) / out.name
        quantize(Path(folder) / out.name, out, dtype)


def _source(path: Path, config: Path | None) -> FolderSource | GgufSource | OnnxSource:
    """Tell by the path what is converted."""
    if is_onnx(path):
        return OnnxSource(path, config)
    if config is not None:
        raise ModelFileError(f"--config {config}: is for ONNX files; {path} has a configuration of its own")
    return GgufSource(path) if is_gguf(path) else FolderSource(path)


def plan(
    checkpoint: Checkpoint,
    config: Settings,
    name: str,
    tokenizer: AnyTokenizer | None,
    dtype: str | None,
    choices: LoopChoices,
    rater: RaterChoices,
) -> tuple[Description, list[Tensor]]:
    """Return the description and the weights of a checkpoint of any layout that is known."""
    if is_classifier(checkpoint, config) or is_rater(checkpoint, config):
        choices.refuse("rater")
    if is_classifier(checkpoint, config):
        kind = config.values.get("model_type") or "bert"
        if rater.pooling is not None and kind != "bert":
            raise ModelFileError(f"--pooling is for BERT; {config.source}: model_type {kind!r} pools as its class does")
        return convert_classifier(checkpoint, rater.applied(config), name, tokenizer, dtype)
    if is_rater(checkpoint, config):
        return convert_rater(checkpoint, rater.applied(config), name, tokenizer, dtype)
    rater.refuse("language model")
    if isinstance(tokenizer, WordPiece):
        tokenizer = wordpiece_steps(tokenizer)
    convert_kind = convert_retrofit if is_retrofit(config) else convert_language_model
    return convert_kind(checkpoint, config, name, tokenizer, dtype, choices)


def refuse_foreign(checkpoint: Checkpoint) -> None:
    """Raise an error that names a kind of checkpoint which is known but not supported."""
    marks = {
        "experts.": "mixtures of experts",
        "block_sparse_moe.": "mixtures of experts",
    }
    for key in checkpoint.sources:
        for mark, what in marks.items():
            if mark in key:
                raise ModelFileError(f"{what} are not supported: found {key}")


def summarise(model: Description, tensors: list[Tensor], written: WrittenFile) -> Summary:
    """Count what was written."""
    stored = sum(tensor.element_count for tensor in tensors)
    effective = stored
    if isinstance(model, LanguageModel):
        shared = sum(
            t.element_count for t in tensors if t.name.startswith("block.") and not t.name.split(".")[2].isdigit()
        )
        effective += (model.num_recursion - 1) * shared
    elements = sorted({ELEMENT_NAMES[tensor.element] for tensor in tensors})
    return Summary(model, written, stored, effective, tuple(elements))
