"""What was measured: samples under keys, and the ratios of keys that took turns."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Key:
    """Who did what.

    Attributes
    ----------
    section : str
        Keys of one section took turns and may be compared; keys of two sections may not.
    test : str
        Such as ``prompt 512`` or ``decode 32``.
    engine, model, dtype : str
        Such as ``Rally``, ``mor-360m-r3``, ``bf16``.
    unit : str
        Of the samples, such as ``tokens/s``; greater is better for rates.
    """

    section: str
    test: str
    engine: str
    model: str
    dtype: str
    unit: str = "tokens/s"


@dataclass
class Book:
    """All samples of one benchmark, in the order they were taken, and remarks for the reader."""

    samples: dict[Key, list[float]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, values: Mapping[Key, float]) -> None:
        """Take one sample under each key."""
        for key, value in values.items():
            self.samples.setdefault(key, []).append(value)

    def remark(self, text: str) -> None:
        """Keep a remark, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def median(self, key: Key) -> float | None:
        """Return the median under a key, None where there is none."""
        return statistics.median(self.samples[key]) if key in self.samples else None

    def best(self, key: Key) -> float | None:
        """Return the greatest sample under a key, None where there is none."""
        return max(self.samples[key]) if key in self.samples else None

    def spread(self, key: Key) -> float:
        """Return half of what lies between the least and the greatest sample, over the median."""
        values = self.samples[key]
        return (max(values) - min(values)) / 2 / abs(statistics.median(values) or 1)

    def ratio(self, above: Key, below: Key) -> float | None:
        """Return the median, over the turns, of one key's sample over the other's of the same turn."""
        if above not in self.samples or below not in self.samples:
            return None
        pairs = zip(self.samples[above], self.samples[below], strict=False)
        return statistics.median(a / b for a, b in pairs)

    def keys(self, **wanted: str) -> list[Key]:
        """Return the keys with these fields, in the order of their first sample."""
        return [key for key in self.samples if all(getattr(key, name) == value for name, value in wanted.items())]

    def to_json(self) -> dict[str, Any]:
        """Return a value for ``json.dump``."""
        rows = [asdict(key) | {"samples": values} for key, values in self.samples.items()]
        return {"measurements": rows, "remarks": self.remarks}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Book:
        """Return the book that :meth:`to_json` wrote."""
        book = cls(remarks=list(value["remarks"]))
        for row in value["measurements"]:
            fields = dict(row)
            samples = fields.pop("samples")
            book.samples[Key(**fields)] = samples
        return book
