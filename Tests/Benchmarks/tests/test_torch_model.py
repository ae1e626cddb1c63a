"""The peer in PyTorch computes what Rally computes, whole and token by token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rally
import torch
from rally.modelfile import LanguageModel
from rally.synthesize import SHAPES, synthesize

from benchmarks.inputs import random_ids, relative_error
from benchmarks.torch_model import TorchModel


@pytest.mark.parametrize("shape", ["vanilla-360m", "mor-360m-r2", "mor-360m-r3", "ouro-tiny"])
def test_logits_and_depths(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = SHAPES[shape]
    assert isinstance(published, LanguageModel)
    sizes = {"vocab_size": 500, "hidden_size": 128, "intermediate_size": 256, "num_block_layers": 2}
    monkeypatch.setitem(
        SHAPES, "small", replace(published, name="small", num_attention_heads=4, num_key_value_heads=2, **sizes)
    )
    path = tmp_path / "small.onnx"
    synthesize("small", path, quiet=True)
    rows = random_ids(1, 3, 40, vocabulary=500)
    with rally.Model(path) as model:
        full = {"exit_threshold": 1.0} if published.exit == "hazard" else {}
        wanted = model.forward(list(rows), positions=-1, **full)
    logits = np.stack([np.asarray(row.logits)[-1] for row in wanted])
    depths = np.stack([row.depth for row in wanted])
    peer = TorchModel(path, torch.float32)

    for index, row in enumerate(rows):
        found, depth = peer.prompt(torch.from_numpy(row))
        assert relative_error(found.numpy(), logits[index]) < 1e-5
        assert depth.tolist() == depths[index].tolist()

    cache = peer.new_cache(*rows.shape)
    for column in range(rows.shape[1]):
        found, depth = peer.step(torch.from_numpy(rows[:, column].copy()), cache)
        assert depth.tolist() == depths[:, column].tolist()
    assert relative_error(found.numpy(), logits) < 1e-5
