"""Looped models in the engine: against their makers' numbers, against the file's own graph, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import onnx
import pytest
from compare import TOLERANCE, Graph, relative_error, same_bits
from onnx import numpy_helper
from safetensors.numpy import load_file
from test_looped import FIXTURES, PLAIN, RETROFIT

import rally
from rally import RallyError, Status
from rally.convert import convert
from rally.modelfile import LanguageModel, RopeTable, SeededState

#: Prefix of the golden's names → what a request says.
OURO: dict[str, dict[str, Any]] = {
    "hf": {"kv_policy": "full"},
    "last_exited": {},
    "last_exited_prompt12": {"exit_from": 12},
    "last_exited_min2_max3": {"min_depth": 2, "max_depth": 3},
}
ROW = models.rows([90], seed=7)[0]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], rally.Model]]:
    folder, made = tmp_path_factory.mktemp("exits"), {}

    def make(case: str) -> rally.Model:
        if case not in made:
            convert(FIXTURES / case, folder / f"{case}.onnx", quiet=True)
            made[case] = rally.Model(folder / f"{case}.onnx", threads=2)
        return made[case]

    yield make
    for model in made.values():
        model.close()


def golden(case: str) -> dict[str, np.ndarray]:
    return load_file(FIXTURES / case / "golden.safetensors")


def check(model: rally.Model, ids: np.ndarray, logits: np.ndarray, depth: Any, **how: Any) -> None:
    (found,) = model.forward([ids], **how)
    assert found.depth.tolist() == np.broadcast_to(depth, found.depth.shape).tolist()
    assert relative_error(found.logits, logits) <= TOLERANCE


@pytest.mark.parametrize("case", PLAIN)
def test_full_depth(case: str, opened: Callable[[str], rally.Model]) -> None:
    expected = golden(case)
    check(opened(case), expected["input_ids"], expected["logits"], {"nanbeige": 2, "ouro": 4}.get(case, 1))


@pytest.mark.parametrize("threshold", [0.5, 0.9])
@pytest.mark.parametrize("rule", OURO)
def test_exits_by_hazard(rule: str, threshold: float, opened: Callable[[str], rally.Model]) -> None:
    expected, name = golden("ouro"), f"{rule}.{threshold}"
    how = OURO[rule] | {"exit_threshold": threshold}
    check(opened("ouro"), expected["input_ids"], expected[f"{name}.logits"], expected[f"{name}.depth"], **how)


@pytest.mark.parametrize("threshold", [0.4, 0.15])
@pytest.mark.parametrize("rule", RETROFIT)
def test_exits_by_latent_difference(rule: str, threshold: float, opened: Callable[[str], rally.Model]) -> None:
    expected, name = golden("retrofit"), f"{rule}.{threshold}"
    how = RETROFIT[rule] | {"exit_threshold": threshold}
    check(opened("retrofit"), expected["input_ids"], expected[f"{name}.logits"], expected[f"{name}.steps"], **how)


@pytest.mark.parametrize(("case", "name"), [("ouro", "logits_per_loop"), ("retrofit", "logits_zero_state_per_step")])
def test_every_largest_depth(case: str, name: str, opened: Callable[[str], rally.Model]) -> None:
    expected = golden(case)
    for index, logits in enumerate(expected[name]):
        check(opened(case), expected["input_ids"], logits, index + 1, max_depth=index + 1, exit_threshold=None)


def test_thresholds_that_are_never_or_always_reached(opened: Callable[[str], rally.Model]) -> None:
    expected = golden("ouro")
    for threshold, depth in [(1.0, 4), (2.0, 4), (0.0, 1)]:
        check(
            opened("ouro"),
            expected["input_ids"],
            expected["logits_per_loop"][depth - 1],
            depth,
            exit_threshold=threshold,
        )
    expected = golden("retrofit")
    check(opened("retrofit"), expected["input_ids"], expected["logits_zero_state"], 5, exit_threshold=0.0)


# Layers and loops of random shapes, against the graph

LAYERS: dict[str, dict[str, Any]] = {
    "sandwich": {"norm_position": "sandwich", "mlp_bias": ("down",)},
    "branch": {"norm_position": "branch", "attention_bias": ("o",)},
    "post": {"norm_position": "post", "norm": "layernorm", "norm_bias": True},
    "some biases": {"attention_bias": ("q", "k", "v"), "mlp_bias": ("gate", "up")},
    "head norms": {"qk_norm": "head", "attention_bias": ("k",)},
    "a window": {
        "sliding_window": 5,
        "layer_types": ("sliding_attention", "full_attention", "sliding_attention"),
    },
    "a window of a page": {"sliding_window": 33, "layer_types": ("full_attention",) * 2 + ("sliding_attention",)},
    "tables": {
        "rope_tables": (
            RopeTable((1.0, 0.5, 0.25, 0.1, 0.01, 0.001), 1.25),
            RopeTable((0.9, 0.3, 0.1, 0.03, 0.01, 0.0)),
        ),
        "rope_layers": (1, None, 0),
    },
    "scale, no first norm": {"embed_scale": 0.75, "layers_without_input_norm": (0, 2)},
    "all": {
        "norm_position": "sandwich",
        "qk_norm": "head",
        "sliding_window": 9,
        "layer_types": ("full_attention", "sliding_attention", "full_attention"),
        "rope_tables": (
            RopeTable((1.0, 0.5, 0.25, 0.1, 0.01, 0.001)),
            RopeTable((1.0, 0.2, 0.04, 0.008, 0.0016, 0.0003)),
        ),
        "rope_layers": (0, 1, 0),
        "head_dim": 12,
        "hidden_act": "gelu_tanh",
    },
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_equal_the_graph(name: str, tmp_path: Path) -> None:
    path = models.write(tmp_path / "one.onnx", replace(models.VANILLA, **LAYERS[name]))
    logits, _ = Graph(path).forward(ROW)
    with rally.Model(path, threads=2) as model:
        (whole,) = model.forward([ROW])
        assert relative_error(whole.logits, logits) <= TOLERANCE
        text = model.generate(ROW[:40], 12, stop_at_eos=False)
        (again,) = model.logprobs([ROW[:40] + text.tokens])
        assert same_bits(text.logprobs, again[39:])


REQUESTS: list[dict[str, Any]] = [
    {},
    {"exit_threshold": 0.3},
    {"exit_threshold": 0.8, "exit_from": 20},
    {"min_depth": 2},
    {"max_depth": 2, "exit_threshold": 0.4},
    {"min_depth": 2, "max_depth": 2, "exit_from": 3},
]


@pytest.mark.parametrize("name", models.LOOPED)
def test_loops_equal_the_graph(name: str, folder: Path) -> None:
    path = models.path(folder, name)
    graph = Graph(path)
    depths = set()
    with rally.Model(path, threads=2) as model:
        for request in REQUESTS:
            how = dict(request)
            if "exit_threshold" in how and model.info.exit == "latent_diff":
                how["exit_threshold"] = 1 + how["exit_threshold"] / 4
            for full in (False, True):
                logits, depth = graph.exits(ROW, **how, full_kv=full)
                check(model, np.array(ROW), logits, depth, **how, kv_policy="full" if full else None)
                depths |= set(depth.tolist())
    assert depths == {1, 2, 3}


def seeded_state(deviation: float, seed: int, positions: int, width: int) -> np.ndarray:
    """The first state of docs/format.md, [positions, width], in f64."""
    place = np.arange(positions, dtype=np.uint64)[:, None] << np.uint64(20) | np.arange(width, dtype=np.uint64)
    word = np.uint64(seed) + (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ word >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ word >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    u, v = (((part).astype(np.float64) + 0.5) / 2**32 for part in (word >> np.uint64(32), word & np.uint64(2**32 - 1)))
    return deviation * np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)


def test_a_seeded_state(tmp_path: Path) -> None:
    """Through a model that hands its first state on: A = [1 0], and layers that add nothing."""
    path, changed = tmp_path / "one.onnx", tmp_path / "changed.onnx"
    base = replace(models.LOOPED["looped by difference"], num_last_layers=0, sliding_window=None, layer_types=())
    seeded = SeededState(0.25, 123456789012345)
    models.write(path, replace(base, rope_layers=(), exit="none", exit_threshold=1.0, initial_state=seeded))
    proto = onnx.load(path)
    width = base.hidden_size
    for tensor in proto.graph.initializer:
        if tensor.name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor.CopyFrom(numpy_helper.from_array(0 * numpy_helper.to_array(tensor), tensor.name))
        if tensor.name == "adapter.weight":
            tensor.CopyFrom(numpy_helper.from_array(np.eye(width, 2 * width, dtype=np.float32), tensor.name))
        if tensor.name == "norm.weight":
            tensor.CopyFrom(numpy_helper.from_array(np.ones(width, np.float32), tensor.name))
    onnx.save(proto, changed)
    state = seeded_state(0.25, 123456789012345, 70, width)
    expected = state / np.sqrt((state**2).mean(1, keepdims=True) + base.norm_eps)
    with rally.Model(changed, threads=1) as model:
        (found,) = model.forward([ROW[:70]], hidden=True)
        assert relative_error(found.hidden, expected) <= 1e-6
        assert relative_error(Graph(changed).forward(ROW[:70])[0], found.logits) <= TOLERANCE
        (alone,) = model.forward([ROW[5:9]], hidden=True)
        assert same_bits(alone.hidden, found.hidden[:4]), "position and channel alone decide"


def test_a_number_for_each_row(folder: Path) -> None:
    rows = models.rows([30, 5, 17])
    with rally.Model(models.path(folder, "looped"), threads=1) as model:
        together = model.forward(rows, exit_from=[3, 100, 9], exit_threshold=0.2)
        for row, start, found in zip(rows, (3, 100, 9), together, strict=True):
            (alone,) = model.forward([row], exit_from=start, exit_threshold=0.2)
            assert found.depth.tolist() == alone.depth.tolist()
            assert same_bits(found.logits, alone.logits)
            assert set(found.depth[:start].tolist()) <= {3}


def test_perplexity_has_the_same_options(folder: Path) -> None:
    rows = models.rows([90, 20, 61])
    with rally.Model(models.path(folder, "looped"), threads=1) as model:
        seen = set()
        for request in [
            *REQUESTS,
            {"kv_policy": "full"},
            {"target_depth": 1.0},
            {"exit_threshold": 0.3, "max_depth": 2},
        ]:
            how = dict(request)
            found = rally.perplexity(model, rows, **how)
            wanted = [np.exp(-row.mean(dtype=np.float64)) for row in model.logprobs(rows, **how)]
            assert found == pytest.approx(wanted, rel=1e-6)
            seen.add(found.tobytes())
        assert len(seen) >= 6
        each = rally.perplexity(model, rows, window=40, exit_threshold=0.2, exit_from=[3, 100, 9])
        for row, start, found in zip(rows, (3, 100, 9), each, strict=True):
            assert found == rally.perplexity(model, [row], window=40, exit_threshold=0.2, exit_from=start)[0]
        with pytest.raises(RallyError, match="one per document, 3, found 2"):
            rally.perplexity(model, rows, exit_from=[1, 2])


def test_perplexity_has_no_windows_that_score_nothing(folder: Path) -> None:
    rows = models.rows([90])
    with rally.Model(models.path(folder, "looped"), threads=1) as model:
        for name, wrong in [("window", 0), ("window", 1), ("window", -3), ("stride", 2.5), ("max_windows", 0)]:
            with pytest.raises(RallyError, match=f"{name}: expected an integer"):
                rally.perplexity(model, rows, **{"window": 40, name: wrong})
        assert np.isfinite(rally.perplexity(model, rows, window=2, max_windows=1)).all()


def test_a_prompt_runs_at_full_depth(folder: Path) -> None:
    prompt = models.rows([40])[0]
    with rally.Model(models.path(folder, "looped"), threads=1) as model:
        text = model.generate(prompt, 20, exit_threshold=0.0, stop_at_eos=False)
        assert set(text.prompt_depth.tolist()) == {3}
        # The first new token is predicted from the prompt's last one.
        assert text.depth.tolist() == [3] + [1] * 19
        (whole,) = model.forward([prompt + text.tokens], exit_threshold=0.0, exit_from=40)
        assert whole.depth.tolist() == [3] * 40 + [1] * 20


@pytest.mark.parametrize("name", models.LOOPED)
@pytest.mark.parametrize("target", [1.0, 1.6, 2.4, 3.0])
def test_a_target_moves_the_threshold(name: str, target: float, tmp_path: Path) -> None:
    model_of = {**vars(models.LOOPED[name])} | {"max_position_embeddings": 2048}
    path = models.write(tmp_path / "one.onnx", LanguageModel(**model_of))
    rows = models.rows([1500, 1100])
    with rally.Model(path, threads=2) as model:
        for row, found in zip(rows, model.forward(rows, target_depth=target, logits=False), strict=True):
            mean = found.depth.mean()
            assert mean == target if target in (1.0, 3.0) else abs(mean - target) <= 0.15, (len(row), mean)
            (alone,) = model.forward([row], target_depth=target, logits=False)
            assert alone.depth.tolist() == found.depth.tolist()
        (late,) = model.forward([rows[0]], target_depth=1.0, exit_from=200, logits=False)
        assert late.depth.tolist() == [3] * 200 + [1] * 1300


def test_what_a_model_says_about_its_exits(folder: Path, lm: rally.Model) -> None:
    with rally.Model(models.path(folder, "looped")) as model:
        assert (model.info.exit, model.info.kv_policy, model.info.exit_threshold) == ("hazard", "last_exited", 0.6)
    with rally.Model(models.path(folder, "looped, untied")) as model:
        assert (model.info.exit, model.info.kv_policy) == ("hazard", "propagated")
    assert (lm.info.exit, lm.info.kv_policy, lm.info.exit_threshold) == ("none", None, None)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"exit_threshold": float("nan")}, "exit_threshold"),
    ({"exit_threshold": -0.5}, "exit_threshold"),
    ({"exit_threshold": -1.0}, "exit_threshold"),
    ({"exit_threshold": float("inf")}, "exit_threshold"),
    ({"min_depth": 4}, "min_depth"),
    ({"min_depth": 3, "max_depth": 2}, "min_depth"),
    ({"kv_policy": "propagated"}, "kv_policy"),
    ({"exit_from": -1}, "exit_from"),
    ({"min_depth": 0}, "min_depth"),
    ({"kv_policy": "shared"}, "kv_policy"),
]


@pytest.mark.parametrize(("how", "message"), WRONG, ids=str)
def test_wrong_options(how: dict[str, Any], message: str, folder: Path) -> None:
    with rally.Model(models.path(folder, "looped"), threads=1) as model:
        for call in (lambda: model.forward([[1, 2]], **how), lambda: model.generate([1, 2], 3, **how)):
            with pytest.raises(RallyError, match=message) as caught:
                call()
            assert caught.value.code == Status.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "how", [{"exit_threshold": 0.5}, {"exit_from": 1}, {"min_depth": 2}, {"kv_policy": "full"}], ids=str
)
def test_models_without_exits(how: dict[str, Any], lm: rally.Model) -> None:
    for call in (lambda: lm.forward([[1, 2]], **how), lambda: lm.generate([1, 2], 3, **how)):
        with pytest.raises(RallyError, match=next(iter(how))) as caught:
            call()
        assert caught.value.code == Status.UNSUPPORTED
