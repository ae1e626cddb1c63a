"""Reads how often a looped model runs its layers, and when a token may stop: Ouro and Nanbeige."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rally.convert.plan import Entry
from rally.convert.settings import MAX_NUMBER, Settings
from rally.modelfile import ModelFileError

KV_POLICIES = ("last_exited", "full")


@dataclass(frozen=True)
class LoopChoices:
    """What the caller of a conversion chooses in the place of the checkpoint; None: nothing.

    Attributes
    ----------
    exit_threshold : float, optional
        The file's default.
    kv_policy : str, optional
        ``last_exited`` or ``full``.
    recursions : int, optional
        Loops of a retrofitted model, which its configuration gives as a mean.
    """

    exit_threshold: float | None = None
    kv_policy: str | None = None
    recursions: int | None = None

    def refuse(self, kind: str, *supported: str) -> None:
        """Raise an error that names a choice which this kind of model does not have."""
        for name in ("exit_threshold", "kv_policy", "recursions"):
            if getattr(self, name) is not None and name not in supported:
                raise ModelFileError(f"{name.replace('_', '-')}: a {kind} has none to choose; leave it out")

    def exit_fields(self, threshold: float) -> dict[str, Any]:
        """Return the fields of the description for a model with exits; ``threshold`` is the checkpoint's."""
        chosen = threshold if self.exit_threshold is None else self.exit_threshold
        if not 0.0 <= chosen <= MAX_NUMBER:
            raise ModelFileError(f"exit-threshold: expected a number of at least 0, found {chosen}")
        if self.kv_policy not in (None, *KV_POLICIES):
            raise ModelFileError(f"kv-policy: expected {' or '.join(KV_POLICIES)}, found {self.kv_policy!r}")
        return {"exit_threshold": chosen, "kv_cache": self.kv_policy or KV_POLICIES[0]}


@dataclass(frozen=True)
class Loops:
    """How the layers of a checkpoint are repeated: fields of the description, and weights besides the layers'."""

    count: int = 1
    fields: tuple[tuple[str, Any], ...] = ()
    entries: tuple[Entry, ...] = ()
    unused: tuple[str, ...] = ()


#: Of a model whose layers are run once.
NO_LOOPS = Loops()


def read_loops(config: Settings, choices: LoopChoices) -> Loops:
    """Read the loops of a configuration of the Llama family; one without any is run once."""
    kind = config.values.get("model_type")
    if kind == "ouro":
        return _ouro(config, choices)
    choices.refuse(str(kind or "llama"))
    return _nanbeige(config) if kind == "nanbeige" else NO_LOOPS


def _ouro(config: Settings, choices: LoopChoices) -> Loops:
    count = config.recursion_count("total_ut_steps", 4)
    gate = "model.early_exit_gate"
    if count == 1:
        return Loops(unused=(f"{gate}.weight", f"{gate}.bias"))
    choices.refuse("Ouro", "exit_threshold", "kv_policy")
    threshold = config.number("early_exit_threshold", 1.0)
    fields = {"loop_norm": True, "exit": "hazard", **choices.exit_fields(max(threshold, 0.0))}
    if "early_exit_step" in config:
        step = config.integer("early_exit_step", minimum=0)
        if step >= count:
            raise ModelFileError(f"{config.source}: early_exit_step {step} is beyond total_ut_steps {count}")
        fields["fixed_depth"] = step + 1
    width = config.integer("hidden_size")
    entries = (
        Entry("exit.weight", (1, width), (f"{gate}.weight",)),
        Entry("exit.bias", (1,), (f"{gate}.bias",)),
    )
    return Loops(count, tuple(fields.items()), entries)


def _nanbeige(config: Settings) -> Loops:
    if config.values.get("skip_loop_final_norm"):
        raise ModelFileError(
            f"{config.source}: skip_loop_final_norm true is not supported: implementations disagree on what is left out"
        )
    count = config.recursion_count("num_loops", 1)
    return Loops(count, (("loop_norm", True),)) if count > 1 else NO_LOOPS


def with_head_width(config: Settings, rows: int | None) -> Settings:
    """Return the configuration with ``head_dim`` where another field, or ``rows`` of a layer's queries, says it."""
    if config.values.get("model_type") == "nanbeige" and "kv_channels" in config:
        width = config.integer("kv_channels")
        if config.integer("head_dim", width) != width:
            raise ModelFileError(f"{config.source}: head_dim {config.get('head_dim')}, but kv_channels {width}")
    elif config.values.get("model_type") == "qwen3" and "head_dim" not in config and rows:
        width = rows // config.integer("num_attention_heads")
    else:
        return config
    return Settings({**config.values, "head_dim": width}, config.source)
