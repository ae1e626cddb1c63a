"""Reads how a checkpoint routes: from ``mor.json``, or from the Hydra configuration that the reference code saves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError, Routing

SHARINGS = ("cycle", "sequence", "middle_cycle", "middle_sequence")


@dataclass(frozen=True)
class RoutingSettings:
    """The routing fields in one vocabulary, whichever file they came from.

    Attributes
    ----------
    values : Settings
        ``type`` (``expert``, ``token`` or null), ``num_recursion``, ``sharing``, and the rest of ``mor.json``'s fields.
    """

    values: Settings

    @property
    def kind(self) -> str | None:
        """``expert``, ``token``, or None for a model without routers."""
        return self.values.choice("type", ("expert", "token")) if "type" in self.values else None

    @property
    def num_recursion(self) -> int:
        """R."""
        return self.values.recursion_count("num_recursion")

    @property
    def sharing(self) -> str:
        """Which unrolled layers are the same layer."""
        return self.values.choice("sharing", SHARINGS)

    @property
    def recurses(self) -> bool:
        """Tell whether layers are shared at all."""
        return self.kind is not None or ("sharing" in self.values and self.values.get("num_recursion", 1) != 1)

    def resolve(self, num_recursion: int, router_type: str, aux_router: bool, router_bias: bool) -> Routing:
        """Return the routing of a model whose keys say the arguments."""
        values, kind = self.values, self.kind or ""
        functions = ("sigmoid", "tanh", "none") if kind == "expert" else ("softmax", "sigmoid")
        if kind == "expert" and values.values.get("router_func", "") is None:
            function = "none"
        else:
            function = values.choice("router_func", functions)
        shared = values.boolean("kv_sharing", False)
        cache = "recursion" if not shared else "hybrid" if values.boolean("update_cache", False) else "shared"
        return Routing(
            kind=kind,
            router_type=router_type,
            router_func=function,
            alpha=1.0 if function == "none" and "alpha" not in values else values.number("alpha"),
            temp=values.positive("temp", 1.0),
            gating=values.choice("gating", ("weighted", "additive"), "weighted"),
            kv_cache=cache,
            capacity=self._capacity(num_recursion) if kind == "expert" else (),
            aux_router=aux_router,
            router_bias=router_bias,
        )

    def _capacity(self, num_recursion: int) -> tuple[float, ...]:
        given = self.values.get("capacity", [(num_recursion - r) / num_recursion for r in range(num_recursion)])
        if isinstance(given, str):
            given = given.split(",")
        try:
            capacity = tuple(float(value) for value in given)
        except (TypeError, ValueError):
            raise self.values.wrong("capacity", given) from None
        if len(capacity) != num_recursion or not all(0.0 < value <= 1.0 for value in capacity):
            raise self.values.wrong("capacity", given)
        return capacity


def read_routing(directory: Path, config: Settings) -> RoutingSettings | None:
    """Return the routing fields of a checkpoint folder, or None when no file there has any."""
    found = _from_json(directory / "mor.json") if (directory / "mor.json").is_file() else _from_yaml(directory)
    sharing = config.values.get("kv_sharing")
    if found is None or not isinstance(sharing, dict):
        return found
    fields = dict(found.values.values)
    for field, key in {"kv_sharing": "enable", "update_cache": "update_cache"}.items():
        told, own = sharing.get(key), fields.get(field)
        if own is None:
            fields[field] = told
        elif told is not None and bool(told) != bool(own):
            raise ModelFileError(f"kv_sharing.{key}: {config.source} says {told}, {found.values.source} says {own}")
    return RoutingSettings(Settings(fields, found.values.source))


def _from_json(path: Path) -> RoutingSettings:
    return RoutingSettings(Settings.read(path))


def _from_yaml(directory: Path) -> RoutingSettings | None:
    paths = [*sorted(directory.glob("*.yaml")), *sorted(directory.glob(".hydra/config.yaml"))]
    candidates: list[RoutingSettings] = []
    for path in paths:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ModelFileError(f"{path.name}: {str(error).splitlines()[0]}") from None
        if isinstance(content, dict) and ("mor" in content or "recursive" in content):
            candidates.append(_flatten(Settings(content, str(path.relative_to(directory)))))
    for other in candidates[1:]:
        if other.values.values != candidates[0].values.values:
            raise ModelFileError(f"{candidates[0].values.source} and {other.values.source} disagree; keep one")
    return candidates[0] if candidates else None


def _flatten(hydra: Settings) -> RoutingSettings:
    """Bring the Hydra keys into the vocabulary of ``mor.json``."""
    recursive, sharing, mor = hydra.section("recursive"), hydra.section("kv_sharing"), hydra.section("mor")
    fields: dict[str, Any] = {"type": None}
    if mor.boolean("enable", False):
        if mor.values.get("rand_router"):
            raise ModelFileError(f"{mor.source}: rand_router is not supported")
        kind = mor.choice("type", ("expert", "token"))
        own = mor.section(kind)
        fields |= {"type": kind, "capacity": mor.values.get("capacity"), "temp": mor.values.get("temp")}
        names = ("router_func", "alpha", "gating", "sampling", "balancing")
        fields |= {name: own.values[name] for name in names if name in own.values}
    if mor.boolean("enable", False) or recursive.boolean("enable", False):
        fields |= {name: recursive.values.get(name) for name in ("num_recursion", "sharing")}
    fields |= {"kv_sharing": sharing.values.get("enable"), "update_cache": sharing.values.get("update_cache")}
    unresolved = [name for name, value in fields.items() if isinstance(value, str) and "${" in value]
    if unresolved:
        raise ModelFileError(f"{hydra.source}: {unresolved[0]} is an unresolved interpolation")
    return RoutingSettings(Settings(fields, hydra.source))
