"""Where a conversion reads from: a folder as Hugging Face's libraries save it, or a GGUF file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from rally.convert.checkpoint import Checkpoint
from rally.convert.ends import chat_template, end_ids
from rally.convert.gguf_file import GgufFile
from rally.convert.gguf_model import ROPE_FACTORS, GgufCheckpoint, read_config
from rally.convert.gguf_tokenizer import tokenizer_content
from rally.convert.retrofit import without_foreign_ids
from rally.convert.settings import Settings
from rally.convert.tokenizer import find_tokenizer, read_content
from rally.modelfile import AnyTokenizer, Description, ModelFileError, RopeTable
from rally.modelfile.rope import plain_frequencies


class FolderSource:
    """A checkpoint folder.

    Attributes
    ----------
    config : Settings
        Its ``config.json``.
    name : str
        What the model is called where the caller gives no name.
    tokenizer_name : str
        What its tokenizer is called in messages.
    """

    tokenizer_name = "tokenizer.json"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = without_foreign_ids(Settings.read(directory / "config.json"))
        self.name = directory.resolve().name

    def open(self) -> Checkpoint:
        """Open the weights."""
        return Checkpoint(self.directory)

    def tokenizer(self, given: Path | None) -> AnyTokenizer | None:
        """Return the tokenizer at ``given``, or the folder's own."""
        return find_tokenizer(self.directory, given, self.config)

    def end_ids(self) -> list[int]:
        """Return the tokens at which generation ends."""
        return end_ids(self.directory, self.config)

    def chat_template(self) -> str | None:
        """Return the Jinja template of a chat."""
        return chat_template(self.directory)

    def complete(self, model: Description) -> Description:
        """Return the description with what no configuration says."""
        return model


class GgufSource:
    """A GGUF file; as :class:`FolderSource`."""

    def __init__(self, path: Path) -> None:
        self.file = GgufFile(path)
        self.config = read_config(self.file)
        self.name = path.stem
        self.tokenizer_name = path.name

    def open(self) -> Checkpoint:
        """Open the weights."""
        return GgufCheckpoint(self.file, self.config)

    def tokenizer(self, given: Path | None) -> AnyTokenizer | None:
        """Return the tokenizer at ``given``, or the file's own."""
        if given:
            return find_tokenizer(given.parent, given, self.config)
        content = tokenizer_content(self.file)
        return read_content(content, [self.config]) if content else None

    def end_ids(self) -> list[int]:
        """Return the tokens at which generation ends."""
        return end_ids(None, self.config)

    def chat_template(self) -> str | None:
        """Return the Jinja template of a chat."""
        template = self.file.values.get("tokenizer.chat_template")
        return template if isinstance(template, str) and template else None

    def complete(self, model: Description) -> Description:
        """Return the description with the frequencies of a Llama 3, which such a file keeps as factors."""
        factors = self.file.tensors.get(ROPE_FACTORS)
        if factors is None:
            return model
        values = factors.load().astype(np.float64)
        plain = plain_frequencies(model.rope_theta, model.head_dim)
        if values.shape != plain.shape or not bool(np.all((values > 0) & np.isfinite(values))) or model.rope_tables:
            raise ModelFileError(f"{ROPE_FACTORS}: expected {plain.size} positive factors, and no other scaling")
        if bool(np.all(values == 1.0)):
            return model
        table = RopeTable(tuple((plain / values).tolist()))
        return replace(
            model, rope_tables=(table,), rope_scaling=f"factors of {ROPE_FACTORS}, theta {model.rope_theta:g}"
        )
