"""SmolLM2 as a model whose tokens leave early: its layers in groups, gates between them.

The first ``EDGE`` layers run for every token, then ``RECURSIONS`` groups of untied layers, after each of which a gate
may let a token go, then the last ``EDGE`` layers. Skipped layers take keys and values from the state that a token left
with: to a later token it looks as if the state had passed through them unchanged.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from rally.convert.gguf_file import GgufFile
from rally.convert.gguf_model import read_config
from rally.convert.gguf_tokenizer import tokenizer_content
from rally.convert.llama import base_fields
from rally.convert.tokenizer import read_tokenizer
from rally.modelfile import LanguageModel, write_model
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import float_tensor
from torch import nn
from torch.nn import functional

from fetch import FOLDER, GGUF, fetch

EDGE = 6
RECURSIONS = 3


def load() -> nn.Module:
    """Return SmolLM2 as transformers reads it from the GGUF file, in f32."""
    transformers.logging.set_verbosity_error()
    fetch()
    return transformers.AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=GGUF, dtype=torch.float32)


@dataclass
class Outputs:
    """What a forward pass gives: logits [B, T, V], and the gates' z [B, T, RECURSIONS − 1]."""

    logits: torch.Tensor
    gates: torch.Tensor


class Adaptive(nn.Module):
    """The adaptive model, around the layers of a Llama."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base
        layers = base.model.layers
        middle = len(layers) - 2 * EDGE
        if middle % RECURSIONS:
            raise ValueError(f"{middle} layers cannot be {RECURSIONS} groups")
        size = middle // RECURSIONS
        self.first, self.last = layers[:EDGE], layers[-EDGE:]
        self.groups = [layers[EDGE + r * size : EDGE + (r + 1) * size] for r in range(RECURSIONS)]
        self.gates = nn.ModuleList(nn.Linear(base.config.hidden_size, 1) for _ in range(RECURSIONS))
        for gate in self.gates:
            nn.init.zeros_(gate.weight)
            nn.init.constant_(gate.bias, -3.0)

    def forward(self, ids: torch.Tensor, depths: torch.Tensor | None = None) -> Outputs:
        """Run ids [B, T]; ``depths`` [B, T] says after how many groups each token leaves, None: by all."""
        inner = self.base.model
        x = inner.embed_tokens(ids)
        places = torch.arange(ids.shape[1])[None]
        turns = inner.rotary_emb(x, places)
        for layer in self.first:
            x = layer(x, position_embeddings=turns, attention_mask=None)
        gates = []
        for index, group in enumerate(self.groups):
            runs = None if depths is None or index == 0 else (depths > index)[..., None]
            for layer in group:
                y = layer(x, position_embeddings=turns, attention_mask=None)
                x = y if runs is None else torch.where(runs, y, x)
            if index + 1 < RECURSIONS:
                gates.append(self.gates[index](x.detach()))
        for layer in self.last:
            x = layer(x, position_embeddings=turns, attention_mask=None)
        return Outputs(self.base.lm_head(inner.norm(x)), torch.cat(gates, dim=-1))

    def trained(self) -> list[nn.Parameter]:
        """The parameters that are trained: every norm, the last layers, and the gates."""
        norms = [value for name, value in self.base.named_parameters() if "norm" in name]
        chosen = [*norms, *self.last.parameters(), *self.gates.parameters()]
        return list({id(parameter): parameter for parameter in chosen}.values())


def divergence(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """KL(teacher ‖ model) of each token, [B, T]."""
    wanted = functional.log_softmax(teacher, dim=-1)
    return (wanted.exp() * (wanted - functional.log_softmax(logits, dim=-1))).sum(dim=-1)


def export(model: Adaptive, path: Path, threshold: float, natural_depth: float) -> None:
    """Write the model file."""
    file = GgufFile(FOLDER / GGUF)
    config = read_config(file)
    description = LanguageModel(
        name="SmolLM2-135M-Instruct, adaptive",
        tokenizer=read_tokenizer(tokenizer_content(file), [config]),
        chat_template=file.values.get("tokenizer.chat_template"),
        tie_word_embeddings=True,
        num_first_layers=EDGE,
        num_block_layers=len(model.groups[0]),
        num_last_layers=EDGE,
        num_recursion=RECURSIONS,
        sharing="middle_cycle",
        exit="hazard",
        exit_gates=RECURSIONS,
        exit_threshold=threshold,
        natural_depth=natural_depth,
        kv_cache="propagated",
        **base_fields(config),
    )
    weights = {"embed_tokens.weight": model.base.model.embed_tokens.weight, "norm.weight": model.base.model.norm.weight}
    places = [(f"first.{index}", layer) for index, layer in enumerate(model.first)]
    places += [
        (f"block.{r}.{index}", layer) for r, group in enumerate(model.groups) for index, layer in enumerate(group)
    ]
    places += [(f"last.{index}", layer) for index, layer in enumerate(model.last)]
    for place, layer in places:
        weights |= {f"{place}.{kind}": layer.get_parameter(kind) for kind in layer_dims(description)}
    for index, gate in enumerate(model.gates):
        weights |= {f"exit.{index}.weight": gate.weight, f"exit.{index}.bias": gate.bias}
    tensors = [float_tensor(name, np.asarray(value.detach())) for name, value in weights.items()]
    write_model(path, description, tensors)
