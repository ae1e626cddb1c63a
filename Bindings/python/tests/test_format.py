"""What a written file says: files of format 1 keep their bytes, and newer keys make a file format 2."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import pytest

from rally.modelfile import RopeTable

#: Of the files as they were before format 2.
DIGESTS = {
    "vanilla": "1d870348acffe14b9a5118483dacd4d5d46640f428eaecc8a144fd9d46dbffe0",
    "recursive": "8bacd1da87f63bcc20531faa87252c05274536e57886de7d09e2107d70c4816d",
    "expert": "d3a77ab8da87f983ac888408fc3bb0b6a1c8851dba8433a9f03181bfd35c5ad4",
    "expert shared": "9ee635b9fb5547861619b95c57bbc3f482710d3fff0c229077401b117d21a3f9",
    "token": "750db3cafc4e933926c4a93471884aed685f546d0a9533ea212c16fe6c43146f",
    "token shared": "6afe8b3d8f31aef137e93a3bf101b0f5f0a7f64a7827049d33e6ccb18e935975",
    "rater": "1dc734fd80b59712073f00c4b9411002bb48f3d925b9fc080f7d51355a702b39",
}

#: Changes of `models.VANILLA` and what they add to the metadata.
NEWER: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "biases of some": ({"attention_bias": ("q", "k", "v")}, {"attention_bias": "q,k,v"}),
    "sandwich": ({"norm_position": "sandwich"}, {"norm_position": "sandwich"}),
    "query-key norms": ({"qk_norm": "head"}, {"qk_norm": "head"}),
    "a window": (
        {"sliding_window": 8, "layer_types": ("full_attention", "sliding_attention", "full_attention")},
        {"sliding_window": "8", "layer_types": "full_attention,sliding_attention,full_attention"},
    ),
    "no positions in a layer": ({"rope_layers": (0, None, 0)}, {"rope_layers": "0,none,0"}),
    "tables": (
        {"rope_tables": (RopeTable((1.0, 0.5, 0.25, 0.1, 0.01, 0.001), 1.25),), "rope_scaling": "by hand"},
        {"rope_tables": "1", "rope_attention_factors": "1.25", "rope_scaling": "by hand"},
    ),
    "scale": ({"embed_scale": 2.5}, {"embed_scale": "2.5"}),
    "ends": ({"eos_token_ids": (1, 2)}, {"eos_token_ids": "1,2"}),
    "template": ({"chat_template": "{{ messages }}"}, {"chat_template": "{{ messages }}"}),
}


@pytest.mark.parametrize("name", DIGESTS)
def test_format_1_keeps_its_bytes(name: str, tmp_path: Path) -> None:
    model = models.RATER if name == "rater" else models.LANGUAGE_MODELS[name]
    path = models.write(tmp_path / "model.onnx", model)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == DIGESTS[name]


@pytest.mark.parametrize("name", NEWER)
def test_newer_keys_make_format_2(name: str) -> None:
    changes, expected = NEWER[name]
    before, after = models.VANILLA.metadata(), replace(models.VANILLA, **changes).metadata()
    assert before["rally.format"] == "1"
    added = {f"rally.{key}": value for key, value in expected.items()} | {"rally.format": "2"}
    assert {key: value for key, value in after.items() if before.get(key) != value} == added
    assert before.keys() - after.keys() == ({"rally.rope_theta"} if name == "tables" else set())
