"""Which module converts which classifier."""

from __future__ import annotations

import difflib

from rally.convert.checkpoint import Checkpoint
from rally.convert.raters import bert, causal, deberta, distilbert, electra, eurobert, gte, modernbert, roberta
from rally.convert.raters.planning import Plan, collect_plan
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, ModelFileError, Rater, Tensor

#: ``model_type`` of the configuration → what plans such a checkpoint.
PLANNERS = {
    "bert": bert.plan,
    "camembert": roberta.plan,
    "deberta-v2": deberta.plan,
    "distilbert": distilbert.plan,
    "electra": electra.plan,
    "eurobert": eurobert.plan,
    "gte": gte.plan,
    "modernbert": modernbert.plan,
    "new": gte.plan,
    "roberta": roberta.plan,
    "xlm-roberta": roberta.plan,
}


def is_classifier(checkpoint: Checkpoint, config: Settings) -> bool:
    """Tell whether a checkpoint is converted here: by its configuration, or by BERT's table."""
    known = config.values.get("model_type") in PLANNERS
    return known or causal.is_causal(checkpoint, config) or bert.is_bert(checkpoint)


def convert_classifier(
    checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None, dtype: str | None
) -> tuple[Rater, list[Tensor]]:
    """Return the description and the weights.

    Raises
    ------
    ModelFileError
        When a key is missing, unknown or of the wrong shape, or the configuration asks for what the format cannot say.
    """
    kind = config.values.get("model_type") or "bert"
    planner = causal.plan if causal.is_causal(checkpoint, config) else PLANNERS.get(kind)
    if planner is None:
        raise unknown_architecture(checkpoint, config, kind)
    planned: Plan = planner(checkpoint, config, name, tokenizer)
    return planned.model, collect_plan(checkpoint, config, planned, dtype)


def unknown_architecture(checkpoint: Checkpoint, config: Settings, kind: object) -> ModelFileError:
    """Return the error for an architecture that no module converts, with the closest one that is."""
    table = next((key for key in checkpoint.sources if key.endswith(bert.TABLE)), None)
    near = difflib.get_close_matches(str(kind), PLANNERS, 1, 0.0)
    return ModelFileError(
        f"{config.source}: model_type {kind!r} is not supported for raters; known: {', '.join(PLANNERS)}, "
        f"and {', '.join(causal.TYPES)} as ForSequenceClassification; the closest: {near[0]}"
        + (f"; found {table}" if table else "")
    )
