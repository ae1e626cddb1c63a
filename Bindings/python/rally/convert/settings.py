"""Reads configuration values by name and type, and says which file and key is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rally.modelfile import MAX_INTEGER, MAX_LAYERS, MAX_RECURSIONS, ModelFileError

_MISSING: Any = object()

#: The greatest number of float32.
MAX_NUMBER = float(np.finfo(np.float32).max)


class Settings:
    """A mapping from a configuration file.

    Every getter takes a default; without one, a missing or null value is an error that names the file and the key.

    Parameters
    ----------
    values : mapping
        The parsed content.
    source : str
        What the values are called in messages, such as ``config.json``.
    """

    def __init__(self, values: Mapping[str, Any], source: str) -> None:
        self.values = values
        self.source = source

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read a JSON file that holds an object."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ModelFileError(f"{path.name}: not found in {path.parent}") from None
        except (OSError, ValueError) as error:
            raise ModelFileError(f"{path.name}: {error}") from None
        if not isinstance(values, dict):
            raise ModelFileError(f"{path.name}: not an object")
        return cls(values, path.name)

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def get(self, key: str, default: Any = _MISSING) -> Any:
        """Return a value of any type."""
        value = self.values.get(key)
        if value is not None:
            return value
        if default is _MISSING:
            raise ModelFileError(f"{self.source}: missing {key}")
        return default

    def section(self, key: str) -> Settings:
        """Return a nested mapping; empty when it is missing."""
        value = self.get(key, {})
        if not isinstance(value, Mapping):
            raise self.wrong(key, value)
        return Settings(value, f"{self.source}: {key}")

    def integer(self, key: str, default: Any = _MISSING, minimum: int = 1, maximum: int = MAX_INTEGER) -> int:
        """Return a whole number from ``minimum`` to ``maximum``."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, value)
        if not minimum <= value <= maximum:
            raise ModelFileError(f"{self.source}: {key}: expected {minimum} to {maximum}, found {value}")
        return value

    def layer_count(self, key: str = "num_hidden_layers", default: Any = _MISSING) -> int:
        """Return how many layers there are, no more than a file can describe: what follows counts through them."""
        return self.integer(key, default, maximum=MAX_LAYERS)

    def recursion_count(self, key: str, default: Any = _MISSING) -> int:
        """Return how often a block is run, no more often than a file can say."""
        return self.integer(key, default, maximum=MAX_RECURSIONS)

    def number(self, key: str, default: Any = _MISSING) -> float:
        """Return a number that is finite in float32, which files and graphs hold."""
        value = self.get(key, default)
        if isinstance(value, str):  # YAML reads 1e-5 as text
            try:
                value = float(value)
            except ValueError:
                raise self.wrong(key, value) from None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_NUMBER:
            raise self.wrong(key, value)
        return float(value)

    def positive(self, key: str, default: Any = _MISSING) -> float:
        """Return a number that is above 0 and finite in float32."""
        value = self.number(key, default)
        if not np.float32(value) > 0:
            raise ModelFileError(f"{self.source}: {key}: expected a number above 0, found {value:g}")
        return value

    def boolean(self, key: str, default: Any = _MISSING) -> bool:
        """Return a boolean."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value)
        return value

    def text(self, key: str, default: Any = _MISSING) -> str:
        """Return a string."""
        value = self.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, value)
        return value

    def choice(self, key: str, choices: Sequence[str], default: Any = _MISSING) -> str:
        """Return one of a few strings."""
        value = self.text(key, default)
        if value not in choices:
            raise ModelFileError(f"{self.source}: {key} {value!r} is not supported; known: {', '.join(choices)}")
        return value

    def wrong(self, key: str, value: object) -> ModelFileError:
        """Return the error for a value of the wrong type or range."""
        return ModelFileError(f"{self.source}: {key} has the unusable value {value!r}")
