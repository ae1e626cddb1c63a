"""What a classifier's numbers are called, how one score comes of them, and what of a document is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rally.convert.checkpoint import Checkpoint
from rally.convert.settings import Settings
from rally.modelfile import ModelFileError, Rater, Reading

_RULES = ("logit", "expectation", "softmax", "sigmoid", "none")
_PARTS = ("windows", "first", "middle", "ends")


def has_outputs(checkpoint: Checkpoint, key: str) -> bool:
    """Tell whether a checkpoint has the last linear map."""
    return f"{key}.weight" in checkpoint.sources


def stated_pooling(checkpoint: Checkpoint, config: Settings) -> str | None:
    """Return how states become one: as the configuration says, or the ``1_Pooling`` of sentence-transformers."""
    if "pooling" in config:
        return config.choice("pooling", ("mean", "cls", "last"), "mean")
    place = checkpoint.directory
    for folder in (place, place.parent, place.parent.parent):
        path = folder / "1_Pooling" / "config.json"
        if path.is_file():
            modes = Settings.read(path).values
            names = {"cls_token": "cls", "mean_tokens": "mean", "lasttoken": "last"}
            chosen = [name for mode, name in names.items() if modes.get(f"pooling_mode_{mode}") is True]
            others = [mode for mode, value in modes.items() if mode.startswith("pooling_mode_") and value is True]
            if len(chosen) != 1 or len(others) != 1:
                raise ModelFileError(f"{path}: expected one of cls, mean and last token, found {', '.join(others)}")
            return chosen[0]
    return None


def headless_fields(config: Settings, pooling: str) -> dict[str, Any]:
    """Return what there is to say of a body that gives pooled states alone.

    Raises
    ------
    ModelFileError
        Something was said of outputs.
    """
    for key in ("score", "score_label", "score_index", "score_values", "int_score"):
        if key in config:
            raise ModelFileError(f"{config.source}: {key}: the checkpoint has no head, so that there are no outputs")
    template = config.text("text_template") if "text_template" in config else None
    return {
        "pooling": pooling,
        "head": "none",
        "score": "none",
        "reading": _reading(config),
        "text_template": template,
    }


def output_count(checkpoint: Checkpoint, key: str) -> int:
    """Return the rows of the last linear map; an error that says so where a checkpoint has no head."""
    source = checkpoint.sources.get(f"{key}.weight")
    if source is None or len(source.dims) != 2:
        raise ModelFileError(
            f"{checkpoint.directory}: key missing: {key}.weight; this is a body without a head for scores, "
            "such as a masked language model or an embedder; of a BERT, --pooling cls, mean or last makes embeddings"
        )
    return source.dims[0]


def last_rows(checkpoint: Checkpoint, keys: Sequence[str]) -> int:
    """Return the rows of the last linear map under one of these keys; 1 where there is none."""
    found = [source for key in keys if (source := checkpoint.sources.get(f"{key}.weight")) is not None]
    return found[0].dims[0] if found and len(found[0].dims) == 2 and found[0].dims[0] > 0 else 1


def output_fields(config: Settings, count: int) -> dict[str, Any]:
    """Return labels, score rule and reading of a rater with ``count`` outputs.

    Read are ``id2label``, ``problem_type``, and under the format's own names ``score`` (with ``score_label`` or
    ``score_index``), ``score_values``, ``int_score``, ``reading``, ``reading_tokens``, ``reading_characters``,
    ``reading_join`` and ``text_template``.
    """
    labels = _labels(config, count)
    fields = _score(config, labels)
    bounds = config.values.get("int_score")
    if bounds is not None:
        fields["int_score"] = _bounds(config, bounds)
    return fields | {
        "labels": labels if count > 1 else (),
        "reading": _reading(config),
        "text_template": config.text("text_template") if "text_template" in config else None,
    }


def _labels(config: Settings, count: int) -> tuple[str, ...]:
    """Return the names of the outputs, LABEL_0, LABEL_1, … where the configuration has none."""
    names = config.values.get("id2label")
    if names is None:
        return tuple(f"LABEL_{index}" for index in range(count))
    given = isinstance(names, dict) and {str(key): value for key, value in names.items()}
    if not given or given.keys() != {str(index) for index in range(count)}:
        if count == 1:
            return ("LABEL_0",)
        found = len(names) if isinstance(names, dict) else repr(names)
        raise ModelFileError(
            f"{config.source}: id2label: expected names of the outputs 0 to {count - 1}, found {found}"
        )
    labels = tuple(given[str(index)] for index in range(count))
    if not all(isinstance(label, str) and label for label in labels):
        raise ModelFileError(
            f"{config.source}: id2label: expected a name for each of the {count} outputs, found {names}"
        )
    if len(set(labels)) < count:
        raise ModelFileError(f"{config.source}: id2label: expected {count} different names, found {list(labels)}")
    return labels


def _score(config: Settings, labels: Sequence[str]) -> dict[str, Any]:
    several = len(labels) > 1
    usual = {"multi_label_classification": "sigmoid", "regression": "none"}
    default = usual.get(config.values.get("problem_type") or "", "softmax") if several else "logit"
    rule = config.choice("score", _RULES, default)
    index = config.values.get("score_index")
    label = config.values.get("score_label")
    if label is not None:
        if label not in labels:
            raise ModelFileError(
                f"{config.source}: score: no output is called {label!r}; the labels are {', '.join(labels)}"
            )
        index = labels.index(label)
    if index is not None and not (isinstance(index, int) and 0 <= index < len(labels)):
        raise ModelFileError(f"{config.source}: score_index {index!r}: expected 0 to {len(labels) - 1}")
    if rule == "logit" and several and index is None:
        raise ModelFileError(
            f"{config.source}: score logit: say which output, as in logit:{labels[0]}; "
            f"the labels are {', '.join(labels)}"
        )
    if rule in ("expectation", "none") and index is not None:
        raise ModelFileError(f"{config.source}: score {rule} takes no label")
    if not several and rule == "logit":
        return {}
    return {"score": rule, "score_index": index, "score_values": _values(config, rule, len(labels))}


def _values(config: Settings, rule: str, count: int) -> tuple[float, ...]:
    values = config.values.get("score_values")
    if values is None:
        return ()
    if rule != "expectation" or not isinstance(values, Sequence) or len(values) != count:
        raise ModelFileError(f"{config.source}: score_values: expected {count} numbers with score expectation")
    return tuple(float(value) for value in values)


def _bounds(config: Settings, bounds: Any) -> tuple[float, float]:
    whole = (
        isinstance(bounds, Sequence) and len(bounds) == 2 and all(isinstance(value, int | float) for value in bounds)
    )
    if not whole or not bounds[0] <= bounds[1]:
        raise ModelFileError(f"{config.source}: int_score: expected two bounds such as 0,5, found {bounds!r}")
    return float(bounds[0]), float(bounds[1])


def check_reading(config: Settings, model: Rater) -> None:
    """Raise an error where a window of the reading has more tokens than the model takes."""
    asked, longest = model.reading.tokens, model.max_position_embeddings
    if asked is not None and not 1 <= asked <= longest:
        raise ModelFileError(f"{config.source}: reading_tokens {asked}: expected 1 to the model's {longest} positions")


def _reading(config: Settings) -> Reading:
    """Return the reading policy; the graph says nothing of it, so it is the configuration's or the caller's."""
    part = config.choice("reading", _PARTS, "windows")
    characters = config.integer("reading_characters") if "reading_characters" in config else None
    if characters is not None and part == "windows":
        raise ModelFileError(f"{config.source}: reading_characters: expected a reading of {', '.join(_PARTS[1:])}")
    join = config.choice("reading_join", ("mean", "max", "min"), "mean")
    if join != "mean" and part not in ("windows", "ends"):
        raise ModelFileError(f"{config.source}: reading_join {join}: a reading of {part} is one window")
    tokens = config.integer("reading_tokens") if "reading_tokens" in config else None
    return Reading(part, tokens, characters, join)
