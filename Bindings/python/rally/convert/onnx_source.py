"""A conversion from an exported ONNX file: what it reads, and the proof that the result computes the same."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from rally.convert.checkpoint import Checkpoint
from rally.convert.ends import end_ids
from rally.convert.onnx_file import OnnxCheckpoint
from rally.convert.onnx_widening import widened
from rally.convert.settings import Settings
from rally.convert.tokenizer import find_tokenizer
from rally.modelfile import AnyTokenizer, Description, ModelFileError, Rater, WrittenFile
from rally.modelfile.tensors import Array

#: ‖difference‖ / ‖outputs‖ up to which two files compute the same.
TOLERANCE = 1e-4

#: Lengths of the random rows on which the files are compared, as far as the model takes them.
_LENGTHS = (1, 2, 7, 33, 130)


def is_onnx(path: Path) -> bool:
    """Tell whether a path is a file that is called as ONNX files are."""
    return path.is_file() and path.suffix == ".onnx"


class OnnxSource:
    """An exported file; as ``FolderSource``.

    Parameters
    ----------
    path : Path
        The ONNX file.
    config : Path, optional
        A ``config.json``; by default the one alongside the file, or one folder up.
    """

    tokenizer_name = "tokenizer.json"

    def __init__(self, path: Path, config: Path | None) -> None:
        self.path = path
        self.name = path.stem if path.stem != "model" else path.resolve().parent.name
        folder = self._beside("config.json") if config is None else config.parent
        if folder is None:
            raise ModelFileError(
                f"{path.name}: the graph does not say heads, labels and positions: no config.json alongside it or one "
                "folder up; name one by --config"
            )
        self.folder = folder
        self.config = Settings.read(config or folder / "config.json")
        self._checkpoint: OnnxCheckpoint | None = None

    def _beside(self, name: str) -> Path | None:
        places = (self.path.resolve().parent, self.path.resolve().parent.parent)
        return next((folder for folder in places if (folder / name).is_file()), None)

    def open(self) -> Checkpoint:
        """Open the weights."""
        self._checkpoint = OnnxCheckpoint(self.path)
        if self._checkpoint.is_quantised:
            print(
                f"warning: {self.path.name} holds 8-bit weights: the result has what they stand for, and its scores "
                "differ from those of the float model and of runtimes that round activations, too",
                file=sys.stderr,
            )
        return self._checkpoint

    def tokenizer(self, given: Path | None) -> AnyTokenizer | None:
        """Return the tokenizer at ``given``, or that alongside the file or one folder up."""
        return find_tokenizer(self._beside("tokenizer.json") or self.folder, given, self.config)

    def end_ids(self) -> list[int]:
        """Return the tokens at which generation ends."""
        return end_ids(None, self.config)

    def chat_template(self) -> str | None:
        """Return nothing: raters do not chat."""
        return None

    def complete(self, model: Description) -> Description:
        """Return the description, once the graph agrees with it."""
        if not isinstance(model, Rater):
            raise ModelFileError(f"{self.path.name}: only classifiers are read from ONNX files, found a language model")
        epsilons = self._checkpoint.epsilons if self._checkpoint else set()
        wrong = [value for value in epsilons if abs(value - model.norm_eps) > 1e-3 * model.norm_eps]
        if wrong and model.norm == "layernorm":
            raise ModelFileError(
                f"{self.config.source}: the layer norms' eps is {model.norm_eps:g} there, "
                f"and {wrong[0]:g} in {self.path.name}"
            )
        return model

    def prove(self, model: Description, write: Callable[[Path], WrittenFile]) -> None:
        """Write a model with weights as wide as the original's into a folder of its own, and compare the two.

        Raises
        ------
        ModelFileError
            They compute something else, or one of them does not run.
        """
        assert isinstance(model, Rater)
        with tempfile.TemporaryDirectory(prefix="rally-proof-") as folder:
            self._prove(write(Path(folder) / "proof.onnx").path, model)

    def _prove(self, path: Path, model: Rater) -> None:
        """Run random rows through both files.

        Raises
        ------
        ModelFileError
            They differ by more than `TOLERANCE`, or the original does not run.
        """
        assert self._checkpoint is not None
        original = _session(widened(self._checkpoint) if self._checkpoint.is_quantised else self.path)
        result = _session(path)
        stream = np.random.default_rng(0)
        for length in _LENGTHS:
            if length > model.max_position_embeddings:
                break
            # Without the token of padding, at which positions and pooling stop in some originals.
            pad = self.config.values.get("pad_token_id")
            known = np.setdiff1d(np.arange(model.vocab_size), [pad if isinstance(pad, int) else -1])
            ids = stream.choice(known, (1, length)).astype(np.int64)
            expected = _run(original, ids, self.path.name, model)
            found = _run(result, ids, path.name, model)
            if expected.size != found.size:
                raise ModelFileError(
                    f"{self.path.name}: expected {found.size} outputs, as the weights say, found {list(expected.shape)}"
                )
            error = np.linalg.norm(found.ravel() - expected.ravel()) / max(float(np.linalg.norm(expected)), 1e-30)
            if not error <= TOLERANCE:
                raise ModelFileError(
                    f"{self.path.name}: the converted model differs from it by {error:.1e} on a row of {length} random "
                    f"tokens: expected at most {TOLERANCE:g}; is {self.config.source} that of this file?"
                )


def _session(model: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever the runtime has against a file
        name = model.name if isinstance(model, Path) else "the file with widened weights"
        raise ModelFileError(f"{name}: onnxruntime: {str(error).splitlines()[0]}") from None


def _run(session: onnxruntime.InferenceSession, ids: Array, name: str, model: Rater) -> Array:
    """Return the outputs of one row: ``logits`` where a file has them, else its first output; the pooled states of a
    body without a head.
    """
    feed = {}
    for known in session.get_inputs():
        ones = np.ones if known.name == "attention_mask" else np.zeros
        feed[known.name] = ids if known.name == "input_ids" else ones(ids.shape, np.int64)
        if known.name == "position_ids":
            feed[known.name] = np.arange(ids.shape[1], dtype=np.int64)[None]
        if known.type == "tensor(int32)":
            feed[known.name] = feed[known.name].astype(np.int32)
    names = [output.name for output in session.get_outputs() if output.type == "tensor(float)"]
    wanted = ["logits"] if "logits" in names else names[:1] if model.head != "none" else names
    try:
        results = session.run(wanted, feed)
    except Exception as error:  # whatever the runtime has against these inputs
        raise ModelFileError(f"{name}: onnxruntime: {str(error).splitlines()[0]}") from None
    if model.head != "none":
        return np.asarray(results[0], np.float32)
    return _pooled(results, model, name)


def _pooled(results: list[Array], model: Rater, name: str) -> Array:
    """Return the pooled states [1, D] of one row, of a file that gives them or the states of its tokens [1, T, D]."""
    states = next((value for value in results if value.ndim == 3 and value.shape[2] == model.hidden_size), None)
    if states is not None:
        pooled: Array = (
            states.mean(axis=1) if model.pooling == "mean" else states[:, 0 if model.pooling == "cls" else -1]
        )
        return pooled
    found = next((value for value in results if value.ndim == 2 and value.shape[1] == model.hidden_size), None)
    if found is None:
        raise ModelFileError(f"{name}: expected an output [rows, tokens, {model.hidden_size}], found none")
    return found
