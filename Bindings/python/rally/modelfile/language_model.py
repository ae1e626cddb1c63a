"""What a file says about a language model: stacks of layers, recursions, routing and exits."""

from __future__ import annotations

from dataclasses import dataclass, field

from rally.modelfile.description import MAX_LAYERS, MAX_RECURSIONS, Description
from rally.modelfile.errors import ModelFileError
from rally.modelfile.seeded_state import SeededState


@dataclass(frozen=True)
class Routing:
    """How tokens leave the shared block."""

    kind: str
    router_type: str
    router_func: str
    alpha: float
    temp: float
    gating: str
    kv_cache: str
    capacity: tuple[float, ...] = ()
    aux_router: bool = False
    router_bias: bool = False

    def metadata(self) -> dict[str, object]:
        """Return the keys of a routed model, without the ``rally.`` prefix."""
        pairs: dict[str, object] = {
            "router_type": self.router_type,
            "router_func": self.router_func,
            "router_alpha": self.alpha,
            "router_temp": self.temp,
            "gating": self.gating,
            "kv_cache": self.kv_cache,
        }
        if self.kind == "expert":
            return pairs | {"capacity": self.capacity, "aux_router": self.aux_router}
        return pairs | {"router_bias": self.router_bias}


@dataclass(frozen=True, kw_only=True)
class LanguageModel(Description):
    """A vanilla, Recursive, looped or Mixture-of-Recursions language model.

    ``exit`` says by which rule a token leaves a looped model, ``kv_cache`` what later tokens see of the recursions that
    it did not run: ``last_exited``, its deepest; ``full``, all of them, since all are computed; ``propagated``, with
    copies that differ, the skipped layers' projections of the state it left with. ``None``: ``last_exited``.
    ``initial_state`` is ``embedding``, ``zeros`` or a :class:`SeededState`.
    """

    tie_word_embeddings: bool
    num_first_layers: int = 0
    num_last_layers: int = 0
    num_recursion: int = 1
    sharing: str = "none"
    routing: Routing | None = None
    loop_norm: bool = False
    injection: str = "none"
    injection_bias: bool = False
    initial_state: str | SeededState = "embedding"
    exit: str = "none"
    exit_gates: int | None = None
    exit_threshold: float = 1.0
    natural_depth: float | None = None
    fixed_depth: int | None = None
    kv_cache: str | None = None
    eos_token_ids: tuple[int, ...] = ()
    chat_template: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what the engine cannot count; the graph, which unrolls every layer, would be endless, too."""
        if not 1 <= self.num_recursion <= MAX_RECURSIONS:
            raise ModelFileError(f"num_recursion: expected 1 to {MAX_RECURSIONS}, found {self.num_recursion}")
        if self.layer_applications > MAX_LAYERS:
            raise ModelFileError(f"layers: expected at most {MAX_LAYERS} unrolled, found {self.layer_applications}")

    @property
    def kind(self) -> str:
        """Always ``lm``."""
        return "lm"

    @property
    def layer_applications(self) -> int:
        """Layers a token runs through at full depth."""
        return self.num_first_layers + self.num_recursion * self.num_block_layers + self.num_last_layers

    @property
    def stored_layer_count(self) -> int:
        """Layers that the file describes: first, block and last."""
        return self.num_first_layers + self.num_block_layers + self.num_last_layers

    @property
    def is_looped(self) -> bool:
        """Tell whether recursions are joined by more than the residual stream: a norm, an adapter or an exit."""
        return self.loop_norm or self.injection != "none" or self.exit != "none"

    def _own_metadata(self) -> dict[str, object]:
        pairs: dict[str, object] = {
            "tie_word_embeddings": self.tie_word_embeddings,
            "num_first_layers": self.num_first_layers,
            "num_block_layers": self.num_block_layers,
            "num_last_layers": self.num_last_layers,
            "num_recursion": self.num_recursion,
            "sharing": self.sharing,
            "routing": self.routing.kind if self.routing else "none",
        }
        return pairs | (self.routing.metadata() if self.routing else {})

    def _newer_metadata(self) -> dict[str, object]:
        pairs = super()._newer_metadata()
        if self.loop_norm:
            pairs["loop_norm"] = True
        if self.injection != "none":
            pairs |= {"injection": self.injection, "injection_bias": self.injection_bias}
        if isinstance(self.initial_state, SeededState):
            pairs |= {
                "initial_state": "seeded",
                "initial_state_std": self.initial_state.deviation,
                "initial_state_seed": self.initial_state.seed,
            }
        elif self.initial_state != "embedding":
            pairs["initial_state"] = self.initial_state
        if self.exit != "none":
            pairs |= {
                "exit": self.exit,
                "exit_threshold": self.exit_threshold,
                "kv_cache": self.kv_cache or "last_exited",
            }
            names = ("exit_gates", "natural_depth", "fixed_depth")
            pairs |= {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.eos_token_ids:
            pairs["eos_token_ids"] = self.eos_token_ids
        if self.chat_template is not None:
            pairs["chat_template"] = self.chat_template
        return pairs

    def _uses_newer_values(self) -> bool:
        middle = self.sharing.startswith("middle_")
        grown = middle and (self.num_first_layers, self.num_last_layers) != (1, 1)
        return super()._uses_newer_values() or self.norm_position == "post" or grown
