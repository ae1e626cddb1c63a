"""Reads which layers of a model see a window alone, and which rotate."""

from __future__ import annotations

from collections.abc import Sequence

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError

FULL, SLIDING = "full_attention", "sliding_attention"

#: What a Mistral has where its configuration does not say: null says that there is none.
_MISTRAL_WINDOW = 4096


def read_windows(config: Settings, read: Sequence[str], length: int) -> tuple[int | None, tuple[str, ...]]:
    """Return the width of the window, and the type of each layer.

    Without a window the width is None; the types are empty where the configuration says nothing of them. A window at
    least as wide as the longest row is none.
    """
    count = config.layer_count()
    listed = _listed(config, count)
    off = config.values.get("use_sliding_window") is False
    if "sliding_window" not in read or off:
        if SLIDING in listed:
            why = "use_sliding_window is false" if off else f"a {config.values.get('model_type') or 'llama'} has none"
            raise ModelFileError(f"{config.source}: layer_types has {SLIDING!r}, but {why}")
        return None, listed
    if "use_sliding_window" in config and config.values.get("model_type") in ("smollm3", "ouro"):
        kind = config.values["model_type"]
        raise ModelFileError(
            f"{config.source}: use_sliding_window true is not supported in {kind}: full attention alone"
        )
    if config.values.get("model_type") == "mistral" and "sliding_window" not in config.values:
        config = Settings({**config.values, "sliding_window": _MISTRAL_WINDOW}, config.source)
    types = listed or _by_window(config, count)
    if SLIDING not in types:
        return None, listed
    width = config.integer("sliding_window")
    return (width if width < length else None), types


def _listed(config: Settings, count: int) -> tuple[str, ...]:
    layers = config.get("layer_types", [])
    if not isinstance(layers, list) or any(layer not in (FULL, SLIDING) for layer in layers):
        other = next((layer for layer in layers if layer not in (FULL, SLIDING)), layers)
        raise ModelFileError(f"{config.source}: layer_types {other!r} is not supported; known: {FULL}, {SLIDING}")
    if SLIDING in layers and len(layers) != count:
        raise ModelFileError(
            f"{config.source}: layer_types has {len(layers)} layers with {SLIDING}, but num_hidden_layers is {count}"
        )
    return tuple(layers) if len(layers) == count else ()


def _by_window(config: Settings, count: int) -> tuple[str, ...]:
    """Return the types as older fields say them: Mistral's layers all slide, Qwen's from ``max_window_layers`` on."""
    if "sliding_window" not in config:
        return ()
    if config.values.get("model_type") == "mistral":
        return (SLIDING,) * count
    if not config.boolean("use_sliding_window", False):
        return ()
    start = config.integer("max_window_layers", 28, minimum=0)
    return tuple(SLIDING if layer >= start else FULL for layer in range(count))


def rotating_layers(config: Settings) -> tuple[bool, ...]:
    """Return for each layer of a SmolLM3 whether it rotates: 1 in ``no_rope_layers`` says that it does."""
    count, given = config.layer_count(), config.values.get("no_rope_layers")
    if given is None:
        interval = config.integer("no_rope_layer_interval", 4)
        return tuple((layer + 1) % interval != 0 for layer in range(count))
    if not isinstance(given, list) or len(given) != count or any(one not in (0, 1) for one in given):
        raise ModelFileError(
            f"{config.source}: no_rope_layers: expected {count} numbers, 1 for a layer that rotates and 0 for one that "
            f"does not, found {given!r}"
        )
    return tuple(bool(one) for one in given)
