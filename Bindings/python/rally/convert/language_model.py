"""Plans the conversion of a language model: which variant the keys say it is, and where each weight comes from."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import base_fields, family
from rally.convert.loops import NO_LOOPS, LoopChoices, Loops, read_loops, with_head_width
from rally.convert.plan import Entry, check_keys, collect
from rally.convert.recursion import explain_sharing, physical_layers
from rally.convert.routing import RoutingSettings, read_routing
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, LanguageModel, ModelFileError, Routing, Tensor
from rally.modelfile.rope import plain_frequencies
from rally.modelfile.shapes import layer_dims

_BLOCK = re.compile(r"model\.layers\.(\d+)\.(block|block_list)\.(.+)")
_LAYER = re.compile(r"model\.layers\.(\d+)\.(?!block|mor_router|mlp_router|router_bias)")
_INV_FREQ = re.compile(r"model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")


@dataclass(frozen=True)
class Structure:
    """How the layers of a checkpoint are arranged.

    ``prefixes[r][j]`` is where the checkpoint keeps layer j of the block for recursion r.
    """

    first: tuple[str, ...]
    prefixes: tuple[tuple[str, ...], ...]
    last: tuple[str, ...]
    sharing: str
    routing: Routing | None = None
    routers: tuple[tuple[str, str], ...] = ()  # canonical name, checkpoint prefix
    router_bias: str | None = None
    loops: Loops = NO_LOOPS

    @property
    def recursions(self) -> int:
        """How often the block is run: once per copy, or the one copy several times."""
        return self.loops.count if self.loops.count > 1 else len(self.prefixes)


def convert_language_model(
    checkpoint: Checkpoint,
    config: Settings,
    name: str,
    tokenizer: AnyTokenizer | None,
    dtype: str | None,
    choices: LoopChoices | None = None,
) -> tuple[LanguageModel, list[Tensor]]:
    """Return the description and the weights of a language model's checkpoint.

    Raises
    ------
    ModelFileError
        When a key is missing, unknown or of the wrong shape, or the configuration asks for what the format cannot say.
    """
    queries = checkpoint.sources.get("model.layers.0.self_attn.q_proj.weight")
    config = with_head_width(config, queries.dims[0] if queries and queries.dims else None)
    fields: dict[str, Any] = base_fields(config)
    refuse_whole_norms(checkpoint, fields["head_dim"])
    loops = read_loops(config, choices or LoopChoices())
    if loops.count > 1:
        structure = _looped(config, loops)
    else:
        found = find_structure(checkpoint, read_routing(checkpoint.directory, config), config)
        structure = replace(found, loops=loops)
    model = LanguageModel(
        name=name,
        tokenizer=tokenizer,
        tie_word_embeddings=_is_tied(checkpoint, config),
        num_first_layers=len(structure.first),
        num_block_layers=len(structure.prefixes[0]),
        num_last_layers=len(structure.last),
        num_recursion=structure.recursions,
        sharing=structure.sharing,
        routing=structure.routing,
        **fields,
        **dict(loops.fields),
    )
    entries = _entries(model, structure)
    known = [*_known_keys(checkpoint, model), *loops.unused]
    check_keys(checkpoint, entries, known)
    return model, collect(checkpoint, entries, dtype)


def find_structure(checkpoint: Checkpoint, routing: RoutingSettings | None, config: Settings) -> Structure:
    """Decide by the keys what kind of language model a checkpoint holds."""
    blocks = [match for key in checkpoint.sources if (match := _BLOCK.match(key))]
    kinds = {match[2] for match in blocks}
    if len(kinds) == 2:
        raise ModelFileError("the checkpoint has both block and block_list keys")
    kind = {"block": "expert", "block_list": "token"}[kinds.pop()] if kinds else None
    if kind is None:
        if routing and routing.kind:
            raise ModelFileError(f"{routing.values.source}: type {routing.kind}, but the checkpoint has no block keys")
        return _unrouted(checkpoint, routing, config)
    if routing is None:
        raise ModelFileError(
            f"{checkpoint.directory}: {kind}-choice keys need a mor.json or a Hydra yaml alongside them"
        )
    if routing.kind != kind:
        raise ModelFileError(f"{routing.values.source}: type {routing.kind}, but the keys are those of {kind} choice")
    middle = any(key.startswith("model.layers.0.self_attn.") for key in checkpoint.sources)
    sharing = "middle_cycle" if middle else "cycle"
    if routing.sharing != sharing:
        raise ModelFileError(f"{routing.values.source}: sharing {routing.sharing}, but the keys are those of {sharing}")
    structure = (
        _expert(checkpoint, blocks, middle, routing)
        if kind == "expert"
        else _token(checkpoint, blocks, middle, routing)
    )
    recursions, depth = len(structure.prefixes), len(structure.prefixes[0])
    if recursions != routing.num_recursion:
        raise ModelFileError(
            f"{routing.values.source}: num_recursion {routing.num_recursion}, but the keys have {recursions}"
        )
    if routing.values.source == "mor.json" and routing.values.integer("base_depth", depth) != depth:
        raise ModelFileError(
            f"mor.json: base_depth {routing.values.get('base_depth')}, but the block has {depth} layers"
        )
    return structure


def _count(indices: set[int]) -> int:
    return max(indices) + 1


def _router_type(checkpoint: Checkpoint, prefix: str) -> str:
    return "mlp" if f"{prefix}.0.weight" in checkpoint.sources else "linear"


def _expert(checkpoint: Checkpoint, blocks: list[re.Match[str]], middle: bool, routing: RoutingSettings) -> Structure:
    start = 1 if middle else 0
    count = _count({int(match[1]) for match in blocks}) - start
    depth = _count({int(match[3].split(".")[0]) for match in blocks})
    homes = [f"model.layers.{start + r}" for r in range(count)]
    aux = any(".mlp_router." in key for key in checkpoint.sources)
    if routing.values.get("sampling", "") == "aux_router" and not aux:
        raise ModelFileError(f"{routing.values.source}: sampling aux_router, but the checkpoint has no mlp_router keys")
    routers = [(f"router.{r}", f"{home}.mor_router.router") for r, home in enumerate(homes)]
    routers += [(f"aux_router.{r}", f"{home}.mlp_router.router") for r, home in enumerate(homes) if aux]
    return Structure(
        first=("model.layers.0",) if middle else (),
        prefixes=tuple(tuple(f"{home}.block.{j}" for j in range(depth)) for home in homes),
        last=(f"model.layers.{count + 1}",) if middle else (),
        sharing="middle_cycle" if middle else "cycle",
        routing=routing.resolve(count, _router_type(checkpoint, routers[0][1]), aux, False),
        routers=tuple(routers),
    )


def _token(checkpoint: Checkpoint, blocks: list[re.Match[str]], middle: bool, routing: RoutingSettings) -> Structure:
    home = f"model.layers.{1 if middle else 0}"
    pairs = [match[3].split(".") for match in blocks]
    if any(len(pair) < 2 or not pair[0].isdigit() or not pair[1].isdigit() for pair in pairs):
        raise ModelFileError(f"key unknown: {blocks[0].string}")
    count, depth = _count({int(pair[0]) for pair in pairs}), _count({int(pair[1]) for pair in pairs})
    bias = f"{home}.router_bias"
    biased = bias in checkpoint.sources
    if routing.values.get("balancing", "") == "loss_free" and not biased:
        raise ModelFileError(f"{routing.values.source}: balancing loss_free, but the checkpoint has no {bias}")
    router = f"{home}.mor_router.router"
    return Structure(
        first=("model.layers.0",) if middle else (),
        prefixes=tuple(tuple(f"{home}.block_list.{r}.{j}" for j in range(depth)) for r in range(count)),
        last=("model.layers.2",) if middle else (),
        sharing="middle_cycle" if middle else "cycle",
        routing=routing.resolve(count, _router_type(checkpoint, router), False, biased),
        routers=(("router.0", router),),
        router_bias=bias if biased else None,
    )


def _unrouted(checkpoint: Checkpoint, routing: RoutingSettings | None, config: Settings) -> Structure:
    indices = {int(match[1]) for key in checkpoint.sources if (match := _LAYER.match(key))}
    count = config.layer_count(default=_count(indices) if indices else 1)
    names = tuple(f"model.layers.{index}" for index in range(count))
    if routing is None:
        sharing, recursions = explain_sharing(checkpoint, count)
    elif routing.recurses:
        sharing, recursions = routing.sharing, routing.num_recursion
        if routing.values.get("kv_sharing", False):
            raise ModelFileError(f"{routing.values.source}: kv_sharing needs routing; a plain Recursive model has none")
    else:
        sharing, recursions = "none", 1
    first, block, last = physical_layers(sharing, count, recursions)
    return Structure(
        first=tuple(names[index] for index in first),
        prefixes=tuple(tuple(names[index] for index in copy) for copy in block),
        last=tuple(names[index] for index in last),
        sharing=sharing,
    )


def _looped(config: Settings, loops: Loops) -> Structure:
    names = tuple(f"model.layers.{index}" for index in range(config.layer_count()))
    return Structure(first=(), prefixes=(names,), last=(), sharing="cycle", loops=loops)


def refuse_whole_norms(checkpoint: Checkpoint, head_dim: int) -> None:
    """Raise an error for norms of all queries and keys of a layer at once, as OLMo has them; Qwen's are per head."""
    for key, source in checkpoint.sources.items():
        if key.endswith(".self_attn.q_norm.weight") and source.dims != (head_dim,):
            raise ModelFileError(
                f"{key}: norms over all heads at once (OLMo) are not supported: expected shape [{head_dim}], one head, "
                f"found {list(source.dims)}"
            )


def _is_tied(checkpoint: Checkpoint, config: Settings) -> bool:
    """Tell whether the head is the embedding: by the weights when both are there, else by the configuration."""
    said = config.boolean("tie_word_embeddings", family(config).tied)
    head, embedding = "lm_head.weight", "model.embed_tokens.weight"
    if head not in checkpoint.sources or embedding not in checkpoint.sources:
        return said
    tied = checkpoint.equal(head, embedding)
    if said and not tied:
        print(
            f"warning: {config.source} says tie_word_embeddings, but {head} differs from {embedding}: kept both",
            file=sys.stderr,
        )
    return tied


def _entries(model: LanguageModel, structure: Structure) -> list[Entry]:
    width, kinds = model.hidden_size, layer_dims(model)
    entries = [Entry("embed_tokens.weight", (model.vocab_size, width), ("model.embed_tokens.weight",))]
    for part, prefixes in (("first", structure.first), ("last", structure.last)):
        for index, prefix in enumerate(prefixes):
            entries += [Entry(f"{part}.{index}.{kind}", dims, (f"{prefix}.{kind}",)) for kind, dims in kinds.items()]
    shared_cache = structure.routing is not None and structure.routing.kv_cache == "shared"
    for j in range(model.num_block_layers):
        for kind, dims in kinds.items():
            keys = tuple(f"{copy[j]}.{kind}" for copy in structure.prefixes)
            copies = tuple(f"block.{r}.{j}.{kind}" for r in range(len(keys)))
            unused = shared_cache and kind.startswith(("self_attn.k_proj", "self_attn.v_proj"))
            entries.append(Entry(f"block.{j}.{kind}", dims, keys, copies, first_only=unused))
    entries.append(Entry("norm.weight", (width,), ("model.norm.weight",)))
    if not model.tie_word_embeddings:
        entries.append(Entry("lm_head.weight", (model.vocab_size, width), ("lm_head.weight",)))
    return [*entries, *structure.loops.entries, *_router_entries(model, structure)]


def _router_entries(model: LanguageModel, structure: Structure) -> list[Entry]:
    if structure.routing is None:
        return []
    width = model.hidden_size
    outputs = 1 if structure.routing.kind == "expert" else model.num_recursion
    if structure.routing.router_type == "linear":
        parts = {"weight": (outputs, width)}
    else:
        parts = {"0.weight": (2 * width, width), "2.weight": (outputs, 2 * width)}
    entries = [
        Entry(f"{name}.{part}", dims, (f"{prefix}.{part}",))
        for name, prefix in structure.routers
        for part, dims in parts.items()
    ]
    if structure.router_bias:
        entries.append(Entry("router.bias", (outputs,), (structure.router_bias,)))
    return entries


def _known_keys(checkpoint: Checkpoint, model: LanguageModel) -> list[str]:
    """Return the keys that hold nothing of their own: a tied head, rotary frequencies as configured."""
    known = ["lm_head.weight"] if model.tie_word_embeddings else []
    plain = plain_frequencies(model.rope_theta, model.head_dim)
    expected = [plain, *(np.array(table.inv_freq) for table in model.rope_tables)]
    for key in checkpoint.sources:
        if not _INV_FREQ.fullmatch(key):
            continue
        found = checkpoint.load(key).double().numpy()
        if not any(found.shape == one.shape and np.allclose(found, one, rtol=1e-2, atol=0.0) for one in expected):
            raise ModelFileError(f"{key}: rotary frequencies other than those of rope_theta {model.rope_theta}")
        known.append(key)
    return known
