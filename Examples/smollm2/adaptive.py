"""A Llama as a model whose tokens leave early: its layers in groups, gates between them.

The first layers run for every token, then groups of untied layers, after each of which a gate may let a token go, then
the other layers. Skipped layers take keys and values from the state that a token left with: to a later token it looks
as if the state had passed through them unchanged.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rally.convert.gguf_file import GgufFile
from rally.convert.gguf_model import read_config
from rally.convert.gguf_tokenizer import tokenizer_content
from rally.convert.llama import base_fields
from rally.convert.tokenizer import read_tokenizer
from rally.modelfile import LanguageModel, write_model
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import float_tensor
from torch import nn

#: Of SmolLM2's 30 layers, the first 12, three groups of 4, and the last 6.
FIRST = 12
SIZE = 4
RECURSIONS = 3


@dataclass
class Outputs:
    """What a forward pass gives.

    Attributes
    ----------
    hidden : torch.Tensor
        [B, T, D], what the head reads.
    states : list of torch.Tensor
        [B, T, D] after each group: what its gate reads.
    depths : torch.Tensor
        [B, T], how many groups each token ran.
    """

    hidden: torch.Tensor
    states: list[torch.Tensor]
    depths: torch.Tensor


class Adaptive(nn.Module):
    """The adaptive model, around the layers of a Llama."""

    def __init__(self, base: nn.Module, first: int = FIRST, size: int = SIZE, recursions: int = RECURSIONS) -> None:
        super().__init__()
        self.base = base
        layers = base.model.layers
        if (end := first + recursions * size) >= len(layers):
            raise ValueError(f"{len(layers)} layers leave none after {first} and {recursions} groups of {size}")
        self.first, self.last = layers[:first], layers[end:]
        self.groups = [layers[start : start + size] for start in range(first, end, size)]
        self.gates = nn.ModuleList(nn.Linear(base.config.hidden_size, 1) for _ in range(recursions))
        for gate in self.gates:
            nn.init.zeros_(gate.weight)
            nn.init.constant_(gate.bias, -3.0)

    def run(self, layers: nn.ModuleList, x: torch.Tensor, running: torch.Tensor | None = None) -> torch.Tensor:
        """Run layers on x [B, T, D]; a token that is not running [B, T, 1] keeps its state, which all layers see."""
        turns = self.base.model.rotary_emb(x, torch.arange(x.shape[1])[None])
        for layer in layers:
            y = layer(x, position_embeddings=turns, attention_mask=None)
            x = y if running is None else torch.where(running, y, x)
        return x

    def prefix(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the state [B, T, D] after the first group, which every token runs."""
        return self.run(self.groups[0], self.run(self.first, self.base.model.embed_tokens(ids)))

    def forward(
        self, prefix: torch.Tensor, depths: torch.Tensor | None = None, threshold: float | None = None
    ) -> Outputs:
        """Run on from the first group's state: tokens leave after ``depths`` [B, T], or by the gates, or never."""
        x, states = prefix, [prefix]
        survival = torch.ones(prefix.shape[:2])
        ran = torch.ones(prefix.shape[:2], dtype=torch.int64)
        running = torch.ones(prefix.shape[:2], dtype=torch.bool)
        for index, group in enumerate(self.groups[1:]):
            if threshold is not None:
                survival = survival * torch.sigmoid(-self.gates[index](x)[..., 0])
                running = running & (1 - survival < threshold)
            elif depths is not None:
                running = depths > index + 1
            ran = ran + running
            x = self.run(group, x, running[..., None])
            states.append(x)
        return Outputs(self.base.model.norm(self.run(self.last, x)), states, ran)

    def trained(self) -> list[nn.Parameter]:
        """The parameters that distillation trains: the last layers and the last norm."""
        return [*self.last.parameters(), *self.base.model.norm.parameters()]


def smollm2_fields(path: Path) -> dict[str, Any]:
    """Return what the GGUF file says of SmolLM2 besides its layers: sizes, tokenizer, chat template."""
    file = GgufFile(path)
    config = read_config(file)
    return {
        "name": "SmolLM2-135M-Instruct, adaptive",
        "tokenizer": read_tokenizer(tokenizer_content(file), [config]),
        "chat_template": file.values.get("tokenizer.chat_template"),
        "tie_word_embeddings": True,
        **base_fields(config),
    }


def export(model: Adaptive, path: Path, threshold: float, natural_depth: float, fields: dict[str, Any]) -> None:
    """Write the model file; ``fields`` are those of the description that its layers do not determine."""
    description = LanguageModel(
        num_first_layers=len(model.first),
        num_block_layers=len(model.groups[0]),
        num_last_layers=len(model.last),
        num_recursion=len(model.groups),
        sharing="middle_cycle",
        exit="hazard",
        exit_gates=len(model.groups),
        exit_threshold=threshold,
        natural_depth=natural_depth,
        kv_cache="propagated",
        **fields,
    )
    weights = {"embed_tokens.weight": model.base.model.embed_tokens.weight, "norm.weight": model.base.model.norm.weight}
    if not description.tie_word_embeddings:
        weights["lm_head.weight"] = model.base.lm_head.weight
    places = [(f"first.{index}", layer) for index, layer in enumerate(model.first)]
    places += [
        (f"block.{r}.{index}", layer) for r, group in enumerate(model.groups) for index, layer in enumerate(group)
    ]
    places += [(f"last.{index}", layer) for index, layer in enumerate(model.last)]
    for place, layer in places:
        weights |= {f"{place}.{kind}": layer.get_parameter(kind) for kind in layer_dims(description)}
    for index, gate in enumerate(model.gates):
        weights |= {f"exit.{index}.weight": gate.weight, f"exit.{index}.bias": gate.bias}
    write_model(path, description, [float_tensor(name, np.asarray(value.detach())) for name, value in weights.items()])
