"""Looped models and the Llama family, against goldens of their makers' code: Tests/Fixtures/models."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import onnx
import pytest
from compare import TOLERANCE, Graph, relative_error
from safetensors.numpy import load_file, save_file

import rally
from rally.convert import convert
from rally.modelfile import ModelFileError, SeededState
from rally.verify import verify

FIXTURES = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "models"
PLAIN = ("qwen2", "qwen3", "smollm3", "nanbeige", "ouro")

#: Prefix of the golden's names → what a request says.
OURO: dict[str, dict[str, Any]] = {
    "hf": {"full_kv": True},
    "last_exited": {},
    "last_exited_prompt12": {"exit_from": 12},
    "last_exited_min2_max3": {"min_depth": 2, "max_depth": 3},
}
RETROFIT: dict[str, dict[str, Any]] = {"latent_diff": {}, "latent_diff_prompt10": {"exit_from": 10}}


@pytest.fixture(scope="module")
def graph_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Graph]:
    folder, made = tmp_path_factory.mktemp("looped"), {}

    def make(case: str) -> Graph:
        if case not in made:
            convert(FIXTURES / case, folder / f"{case}.onnx", quiet=True)
            made[case] = Graph(folder / f"{case}.onnx")
        return made[case]

    return make


def golden(case: str) -> dict[str, np.ndarray]:
    return load_file(FIXTURES / case / "golden.safetensors")


@pytest.mark.parametrize("case", PLAIN)
def test_full_depth(case: str, graph_of: Callable[[str], Graph]) -> None:
    expected = golden(case)
    logits, depth = graph_of(case).forward(expected["input_ids"])
    assert relative_error(logits, expected["logits"]) <= TOLERANCE
    assert set(depth.tolist()) == {{"nanbeige": 2, "ouro": 4}.get(case, 1)}


@pytest.mark.parametrize("threshold", [0.5, 0.9])
@pytest.mark.parametrize("rule", OURO)
def test_exits_by_hazard(rule: str, threshold: float, graph_of: Callable[[str], Graph]) -> None:
    expected = golden("ouro")
    logits, depth = graph_of("ouro").exits(expected["input_ids"], exit_threshold=threshold, **OURO[rule])
    assert depth.tolist() == expected[f"{rule}.{threshold}.depth"].tolist()
    assert relative_error(logits, expected[f"{rule}.{threshold}.logits"]) <= TOLERANCE


@pytest.mark.parametrize("threshold", [0.4, 0.15])
@pytest.mark.parametrize("rule", RETROFIT)
def test_exits_by_latent_difference(rule: str, threshold: float, graph_of: Callable[[str], Graph]) -> None:
    expected = golden("retrofit")
    logits, depth = graph_of("retrofit").exits(expected["input_ids"], exit_threshold=threshold, **RETROFIT[rule])
    assert depth.tolist() == expected[f"{rule}.{threshold}.steps"].tolist()
    assert relative_error(logits, expected[f"{rule}.{threshold}.logits"]) <= TOLERANCE


@pytest.mark.parametrize(("case", "name"), [("ouro", "logits_per_loop"), ("retrofit", "logits_zero_state_per_step")])
def test_every_largest_depth(case: str, name: str, graph_of: Callable[[str], Graph]) -> None:
    expected = golden(case)
    for index, wanted in enumerate(expected[name]):
        logits, depth = graph_of(case).exits(expected["input_ids"], max_depth=index + 1)
        assert set(depth.tolist()) == {index + 1}
        assert relative_error(logits, wanted) <= TOLERANCE


@pytest.mark.parametrize(("threshold", "depth"), [(1.0, 4), (2.0, 4), (0.0, 1), (-1.0, 1)])
def test_thresholds_that_are_never_or_always_reached(
    threshold: float, depth: int, graph_of: Callable[[str], Graph]
) -> None:
    ids = golden("ouro")["input_ids"]
    assert set(graph_of("ouro").exits(ids, exit_threshold=threshold)[1].tolist()) == {depth}
    steps = graph_of("retrofit").exits(golden("retrofit")["input_ids"], exit_threshold=min(threshold, 0.0))[1]
    assert set(steps.tolist()) == {5}


GATED: dict[str, Any] = {"sharing": "cycle", "loop_norm": True, "exit": "hazard", "exit_threshold": 0.6}
MODELS = models.LOOPED | {
    "without exits": replace(models.VANILLA, num_recursion=2, sharing="cycle", loop_norm=True),
    "full": replace(models.VANILLA, num_recursion=3, kv_cache="full", **GATED),
    "untied, first and last layers": replace(
        models.LOOPED["looped, untied"], sharing="middle_cycle", num_first_layers=2, num_last_layers=1
    ),
    "core": replace(
        models.MOR,
        routing=None,
        num_first_layers=2,
        num_recursion=4,
        injection="concat",
        injection_bias=True,
        initial_state="zeros",
        exit="latent_diff",
        exit_threshold=0.95,
        embed_scale=1.5,
    ),
    "a seeded state": replace(
        models.LOOPED["looped by difference"],
        initial_state=SeededState(0.7, 2**62 + 5),
        exit_threshold=1.0,
    ),
    "windows in loops": replace(
        models.VANILLA,
        num_recursion=3,
        sliding_window=7,
        layer_types=("sliding_attention", "full_attention", "sliding_attention"),
        rope_layers=(0, None, 0),
        **GATED,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_rally_equals_the_graph(name: str, tmp_path: Path) -> None:
    path = models.write(tmp_path / "one.onnx", MODELS[name])
    onnx.checker.check_model(str(path), full_check=True)
    comparisons = verify(path, length=40, tolerance=TOLERANCE)
    assert [one.name for one in comparisons if not one.agrees] == []
    assert len(comparisons) == (2 if MODELS[name].exit == "none" else 6 if name == "full" else 8)


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.exit != "none"])
def test_tokens_of_the_models_leave_everywhere(name: str, tmp_path: Path) -> None:
    path = models.write(tmp_path / "one.onnx", MODELS[name])
    graph = Graph(path)
    depths = [graph.forward(row)[1] for row in models.rows([60, 60, 60])]
    assert len(set(np.concatenate(depths).tolist())) >= 2


@pytest.mark.parametrize("case", ["ouro", "retrofit"])
def test_rally_equals_the_makers(case: str, tmp_path: Path) -> None:
    convert(FIXTURES / case, tmp_path / "one.onnx", quiet=True)
    expected = golden(case)
    rules, thresholds = (OURO, (0.5, 0.9)) if case == "ouro" else (RETROFIT, (0.4, 0.15))
    with rally.Model(tmp_path / "one.onnx", dtype="f32", threads=2) as model:
        for rule, threshold in itertools.product(rules, thresholds):
            options = dict(rules[rule])
            if options.pop("full_kv", False):
                options["kv_policy"] = "full"
            (found,) = model.forward([expected["input_ids"]], exit_threshold=threshold, **options)
            depths = expected[f"{rule}.{threshold}.{'depth' if case == 'ouro' else 'steps'}"]
            assert found.depth.tolist() == depths.tolist()
            assert relative_error(found.logits, expected[f"{rule}.{threshold}.logits"]) <= TOLERANCE


def changed(case: str, folder: Path, changes: dict[str, Any], tensors: dict[str, Any] | None = None) -> Path:
    """A copy of a fixture with other fields (None: without it) and with other tensors."""
    folder.mkdir()
    config = json.loads((FIXTURES / case / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))
    state = load_file(FIXTURES / case / "model.safetensors") | (tensors or {})
    save_file({key: value for key, value in state.items() if value is not None}, folder / "model.safetensors")
    return folder


def test_a_file_has_its_own_defaults(tmp_path: Path) -> None:
    expected = golden("ouro")
    folder = changed("ouro", tmp_path / "one", {"early_exit_threshold": 0.9})
    convert(folder, tmp_path / "one.onnx", quiet=True)
    logits, depth = Graph(tmp_path / "one.onnx").forward(expected["input_ids"])
    assert depth.tolist() == expected["last_exited.0.9.depth"].tolist()
    assert relative_error(logits, expected["last_exited.0.9.logits"]) <= TOLERANCE
    convert(folder, tmp_path / "one.onnx", exit_threshold=0.5, kv_policy="full", quiet=True)
    logits, depth = Graph(tmp_path / "one.onnx").forward(expected["input_ids"])
    assert depth.tolist() == expected["hf.0.5.depth"].tolist()
    assert relative_error(logits, expected["hf.0.5.logits"]) <= TOLERANCE


def test_a_fixed_depth_wins_over_the_gate(tmp_path: Path) -> None:
    expected = golden("ouro")
    folder = changed("ouro", tmp_path / "one", {"early_exit_threshold": 0.5, "early_exit_step": 1})
    summary = convert(folder, tmp_path / "one.onnx", quiet=True)
    assert summary.description.metadata()["rally.fixed_depth"] == "2"
    logits, depth = Graph(tmp_path / "one.onnx").forward(expected["input_ids"])
    assert set(depth.tolist()) == {2}
    assert relative_error(logits, expected["logits_per_loop"][1]) <= TOLERANCE


def test_a_retrofit_runs_as_often_as_asked(tmp_path: Path) -> None:
    expected = golden("retrofit")
    convert(FIXTURES / "retrofit", tmp_path / "one.onnx", recursions=3, quiet=True)
    logits, depth = Graph(tmp_path / "one.onnx").forward(expected["input_ids"])
    assert set(depth.tolist()) == {3}
    assert relative_error(logits, expected["logits_zero_state_per_step"][2]) <= TOLERANCE


REFUSED: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "gate": ("ouro", {}, {"model.early_exit_gate.weight": None}, "early_exit_gate.weight"),
    "branch norm": ("ouro", {}, {"model.layers.1.input_layernorm_2.weight": None}, "layers.1.input_layernorm_2"),
    "window": ("ouro", {"use_sliding_window": True, "sliding_window": 8}, {}, "use_sliding_window"),
    "step": ("ouro", {"early_exit_step": 4}, {}, "early_exit_step 4"),
    "threshold": ("ouro", {"early_exit_threshold": "high"}, {}, "early_exit_threshold"),
    "no loops": ("ouro", {"total_ut_steps": 0}, {}, "total_ut_steps"),
    "weighted": ("ouro", {"use_weighted_exit": True}, {}, "use_weighted_exit"),
    "skipped norm": ("nanbeige", {"skip_loop_final_norm": True}, {}, "skip_loop_final_norm"),
    "neighbours": ("nanbeige", {"emb_neighbor_num": 2}, {}, "emb_neighbor_num 2"),
    "widths": ("nanbeige", {"kv_channels": 8}, {}, "kv_channels 8"),
    "adapter": ("retrofit", {}, {"transformer.adapter.weight": np.zeros((48, 48), np.float32)}, "adapter.weight"),
    "counts": ("retrofit", {"n_layers_in_recurrent_block": 3}, {}, "n_layers_in_recurrent_block is 3"),
    "huginn": ("retrofit", {}, {"transformer.coda.0.norm_3.weight": np.ones(48, np.float32)}, "Huginn"),
    "injection": ("retrofit", {"injection_type": "add"}, {}, "injection_type 'add'"),
    "whole norms": ("qwen3", {}, {"model.layers.0.self_attn.q_norm.weight": np.ones(64, np.float32)}, "OLMo"),
    "other field": ("qwen3", {"attn_logit_softcapping": 30.0}, {}, "attn_logit_softcapping 30.0 is not supported"),
    "rotating": ("smollm3", {"no_rope_layers": [1, 1]}, {}, "no_rope_layers"),
    "type": ("qwen2", {"model_type": "olmo2"}, {}, "olmo2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_is_refused_by_name(name: str, tmp_path: Path) -> None:
    case, changes, tensors, message = REFUSED[name]
    folder = changed(case, tmp_path / "one", changes, tensors)
    with pytest.raises(ModelFileError, match=message) as found:
        convert(folder, tmp_path / "one.onnx", quiet=True)
    assert "\n" not in str(found.value)
    assert not (tmp_path / "one.onnx").exists()


@pytest.mark.parametrize(
    ("case", "choice", "message"),
    [
        ("qwen2", {"exit_threshold": 0.5}, "exit-threshold"),
        ("nanbeige", {"kv_policy": "full"}, "kv-policy"),
        ("ouro", {"recursions": 3}, "recursions"),
        ("ouro", {"exit_threshold": float("nan")}, "exit-threshold"),
        ("ouro", {"exit_threshold": -0.5}, "exit-threshold"),
        ("ouro", {"kv_policy": "shared"}, "kv-policy"),
        ("retrofit", {"recursions": 1}, "recursions"),
    ],
)
def test_choices_that_a_model_does_not_have(case: str, choice: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=message):
        convert(FIXTURES / case, tmp_path / "one.onnx", quiet=True, **choice)


def test_neutral_fields_are_ignored(tmp_path: Path) -> None:
    neutral = {
        "sliding_window": 32768,
        "max_window_layers": 28,
        "pretraining_tp": 1,
        "torch_dtype": "bfloat16",
        "attention_dropout": 0.1,
        "quantization_config": None,
        "unsloth_fixed": True,
        "_name_or_path": "elsewhere",
        "use_mrope": False,
    }
    convert(changed("qwen2", tmp_path / "one", neutral), tmp_path / "one.onnx", quiet=True)
    expected = golden("qwen2")
    logits, _ = Graph(tmp_path / "one.onnx").forward(expected["input_ids"])
    assert relative_error(logits, expected["logits"]) <= TOLERANCE
