"""The lineage test against its own mathematics in NumPy, its calibration, and every form of checkpoint."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy import stats
from transformers import LlamaConfig, LlamaForCausalLM

import rally
from rally.convert import convert

Matrix = np.ndarray


# The method once more, in NumPy.


def cosines(a: Matrix, b: Matrix) -> Matrix:
    a, b = (np.asarray(side, np.float64) for side in (a, b))
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


def twin(products: list[Matrix], permutations: int = 2000) -> tuple[float, float, float]:
    """rho, z and p of matrices that share their units, with permutations of NumPy's own."""
    total = np.sum(products, axis=0)
    h = len(total)
    trace, mean = np.trace(total), total.sum() / h
    rest = total - total.mean(0) - total.mean(1)[:, None] + total.mean()
    sigma = math.sqrt((rest**2).sum() / (h - 1))
    random = np.random.default_rng(0)
    traces = np.array([total[np.arange(h), random.permutation(h)].sum() for _ in range(permutations)])
    p = (1 + (traces >= trace).sum()) / (1 + permutations)
    return (trace / h - total.mean()) / len(products), (trace - mean) / sigma, p


def mixed(number: int) -> int:
    """One step of SplitMix64."""
    mask = 2**64 - 1
    z = (number + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
    return z ^ z >> 31


def permutation(count: int, seed: int, stream: int, index: int) -> list[int]:
    """The documented generator."""
    state = mixed(mixed(mixed(seed) ^ stream) ^ index)
    places = list(range(count))
    for last in range(count - 1, 0, -1):
        place = (last + 1) * mixed(state) >> 64
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        places[last], places[place] = places[place], places[last]
    return places


def related(seed: int, h: int, width: int, noise: float) -> tuple[Matrix, Matrix]:
    random = np.random.default_rng(seed)
    a = random.standard_normal((h, width)).astype(np.float32)
    return a, (a + noise * random.standard_normal((h, width))).astype(np.float32)


@pytest.mark.parametrize(("h", "width", "noise"), [(8, 3, 1.0), (33, 70, 9.0), (257, 300, 30.0), (64, 1, 0.1)])
def test_equals_the_twin(h: int, width: int, noise: float) -> None:
    a, b = related(h, h, width, noise)
    c, d = related(h + 1, h, 2 * width + 1, noise)
    report = rally.lineage({"one": a, "two": [a, c]}, {"one": b, "two": [b, d]}, permutations=2000)
    for match, parts in [
        (report.sets[0], [cosines(a, b)]),
        (report.sets[1], [cosines(a, b), cosines(c, d)]),
        (report.tensors[2], [cosines(c, d)]),
    ]:
        rho, z, p = twin(parts)
        assert match.rho == pytest.approx(rho, rel=1e-9, abs=1e-12)
        assert match.z == pytest.approx(z, rel=1e-9)
        assert abs(match.p - p) <= 5 * math.sqrt(2 * p * (1 - p) / 2000) + 1 / 2000
    statistic, p = stats.combine_pvalues([match.p for match in report.sets], "fisher")
    assert report.p == pytest.approx(p, rel=1e-12)
    assert stats.chi2.sf(statistic, 2 * len(report.sets)) == pytest.approx(report.p, rel=1e-12)
    weights = [match.units for match in report.sets]
    assert report.rho == pytest.approx(np.average([match.rho for match in report.sets], weights=weights))


def test_permutations_are_those_of_the_documents() -> None:
    a, b = related(3, 16, 5, 6.0)
    report = rally.lineage({"x": b, "y": a}, {"x": a, "y": b}, permutations=1500, seed=2**64 - 3)
    for stream, match in enumerate(report.sets):
        table = cosines(b, a) if match.name == "x" else cosines(a, b)
        traces = [table[range(16), permutation(16, 2**64 - 3, stream, k)].sum() for k in range(1500)]
        assert match.reached == sum(trace >= np.trace(table) for trace in traces)
    assert sorted(permutation(50, 0, 0, 0)) == list(range(50))


# Perceptrons that learn.


def perceptron(seed: int, sizes: tuple[int, ...] = (64, 128, 128, 13)) -> list[Matrix]:
    random = np.random.default_rng(seed)
    return [random.normal(0, d**-0.5, (h, d)).astype(np.float32) for d, h in pairwise(sizes)]


def named(weights: list[Matrix]) -> dict[str, Matrix]:
    """Rows are hidden units: the head is passed transposed, for its columns are."""
    return {"layers.0": weights[0], "layers.1": weights[1], "head": weights[2].T}


def learn(start: list[Matrix], target: Callable[[torch.Tensor], torch.Tensor], seed: int, steps: int) -> list[Matrix]:
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.tensor(weight, requires_grad=True) for weight in start]
    optimizer = torch.optim.Adam(weights, 3e-4)
    for _ in range(steps):
        x = 2 * torch.rand(256, start[0].shape[1], generator=generator) - 1
        loss = (forward(weights, x) - target(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [weight.detach().numpy() for weight in weights]


def forward(weights: list[Any], x: torch.Tensor) -> torch.Tensor:
    for weight in weights[:-1]:
        x = torch.relu(x @ torch.as_tensor(weight).T)
    return x @ torch.as_tensor(weights[-1]).T


@pytest.fixture(scope="module")
def family() -> dict[str, list[Matrix]]:
    """A teacher, a student from its initialisation, and one from another that learned from the same teacher."""
    torch.set_num_threads(1)  # products this small are not worth a second
    truth = perceptron(99)
    teacher = learn(perceptron(0), lambda x: forward(truth, x).detach(), seed=1, steps=300)
    outputs: Callable[[torch.Tensor], torch.Tensor] = lambda x: forward(teacher, x).detach()  # noqa: E731
    return {
        "teacher": teacher,
        "same": learn(perceptron(0), outputs, seed=2, steps=300),
        "other": learn(perceptron(1), outputs, seed=3, steps=300),
    }


def test_independent_pairs_are_rejected_as_often_as_they_should_be() -> None:
    weights = [named(perceptron(1000 + seed, (64, 48, 48, 13))) for seed in range(20)]
    reports = [rally.lineage(a, b, permutations=999, threads=1) for a, b in combinations(weights, 2)]
    assert len(reports) == 190
    assert 0.02 <= np.mean([report.p < 0.05 for report in reports]) <= 0.08
    assert 0.02 <= np.mean([match.p < 0.05 for report in reports for match in report.sets]) <= 0.08
    assert 0.02 <= np.mean([report.head.p < 0.05 for report in reports if report.head]) <= 0.08
    assert stats.kstest([report.p for report in reports], "uniform").pvalue > 0.01
    assert not any(report.verdict != "not seen" for report in reports if report.p >= 1e-3)


def test_same_initialisation_is_seen(family: dict[str, list[Matrix]]) -> None:
    report = rally.lineage(named(family["teacher"]), named(family["same"]))
    assert report.p < 1e-4
    assert all(match.z > 50 and match.reached == 0 for match in report.sets)
    assert report.head is not None
    assert report.head.z > 10
    assert report.verdict in ("shared, partial exposure", "shared, strong exposure")
    assert "p < 0.0001" in str(report)


def test_distilled_from_another_initialisation_is_not(family: dict[str, list[Matrix]]) -> None:
    report = rally.lineage(named(family["teacher"]), named(family["other"]))
    assert report.p > 1e-3
    assert all(abs(match.z) < 4 for match in (*report.tensors, report.head) if match)
    assert report.verdict == "not seen"
    assert "no proof" in report.text


def test_quantised_sides_keep_z_and_permuted_units_destroy_it(family: dict[str, list[Matrix]]) -> None:
    teacher, same = family["teacher"], family["same"]
    whole = rally.lineage(named(teacher), named(same))
    steps = [np.abs(weight).max(1, keepdims=True) / 7 for weight in same]
    coarse = [(np.round(weight / step) * step).astype(np.float32) for weight, step in zip(same, steps, strict=True)]
    report = rally.lineage(named(teacher), named(coarse))
    assert all(b.z > 0.95 * a.z for a, b in zip(whole.sets, report.sets, strict=True))
    first, second = (np.random.default_rng(seed).permutation(128) for seed in (1, 2))
    moved = [same[0][first], same[1][second][:, first], same[2][:, second]]
    x = torch.rand(5, 64)
    assert torch.allclose(forward(moved, x), forward(same, x), atol=1e-4)
    evaded = rally.lineage(named(teacher), named(moved))
    assert evaded.verdict == "not seen"
    assert all(abs(match.z) < 4 for match in evaded.sets)


def test_reports_depend_on_the_seed_and_not_on_threads() -> None:
    a, b = related(5, 100, 40, 60.0)
    reports = [
        rally.lineage({"a": a}, {"a": b}, permutations=2000, seed=seed, threads=threads)
        for seed, threads in [(1, 1), (1, 2), (2, 1)]
    ]
    assert reports[0] == reports[1]
    assert reports[0].tensors[0].z == reports[2].tensors[0].z
    assert reports[0].tensors[0].reached != reports[2].tensors[0].reached


# Checkpoints.

SETTINGS: dict[str, Any] = {
    "vocab_size": 101,
    "hidden_size": 48,
    "intermediate_size": 72,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": None,
}


def llama(seed: int, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**(SETTINGS | changes)))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One model in every form, a neighbour of the same initialisation, and one of another."""
    folder = tmp_path_factory.mktemp("checkpoints")
    model = llama(0)
    places = {name: folder / name for name in ("f32", "f16", "bf16", "shards", "near", "far")}
    model.save_pretrained(places["f32"])
    model.save_pretrained(places["shards"], max_shard_size="40KB")
    llama(0).half().save_pretrained(places["f16"])
    llama(0).bfloat16().save_pretrained(places["bf16"])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.002 * torch.randn_like(parameter))
    model.save_pretrained(places["near"])
    llama(1).save_pretrained(places["far"])
    for name in ("f32", "near"):
        places[f"{name}.onnx"] = folder / f"{name}.onnx"
        convert(places[name], places[f"{name}.onnx"], quiet=True)
    places["int8.onnx"] = folder / "int8.onnx"
    rally.quantize(places["near.onnx"], places["int8.onnx"])
    return places


def matrices(folder: Path) -> dict[str, list[Matrix]]:
    """The sets of units of a Llama checkpoint, by hand."""
    tensors = load_file(folder / "model.safetensors")
    sets: dict[str, list[Matrix]] = {"head": [tensors["lm_head.weight"].T]}
    for layer in range(3):
        part = {name: tensors[f"model.layers.{layer}.{name}.weight"] for name in (
            "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
        )}  # fmt: skip
        q, k, v, o, gate, up, down = part.values()
        groups = [side.reshape(3, -1) for side in (q, k, v)]
        # A group's two query heads are 16 columns of the output projection; its numbers may come in any order.
        groups.append(o.T.reshape(3, -1))
        sets[f"layers.{layer}.attention"] = groups
        sets[f"layers.{layer}.feed_forward"] = [gate, up, down.T]
    sets["residual"] = [tensors["model.embed_tokens.weight"].T]
    return sets


def test_a_checkpoint_is_compared_set_by_set(checkpoints: dict[str, Path]) -> None:
    report = rally.lineage(checkpoints["f32"], checkpoints["near"])
    a, b = matrices(checkpoints["f32"]), matrices(checkpoints["near"])
    assert [match.name for match in report.sets] == sorted(set(a) - {"head"})
    assert len(report.tensors) == 3 * 7 + 1
    for match in report.sets:
        parts = [cosines(x, y) for x, y in zip(a[match.name], b[match.name], strict=True)]
        rho, z, _ = twin(parts, 1)
        assert (match.rho, match.z) == (pytest.approx(rho, rel=1e-9), pytest.approx(z, rel=1e-9))
    assert report.head is not None
    assert report.head.z == pytest.approx(twin([cosines(a["head"][0], b["head"][0])], 1)[1], rel=1e-9)
    assert report.verdict == "shared, strong exposure"


def test_independent_checkpoints_are_rejected_no_more_often_than_they_should_be(tmp_path: Path) -> None:
    for seed in range(20):
        llama(100 + seed).save_pretrained(tmp_path / str(seed))
    pairs = combinations(range(20), 2)
    reports = [rally.lineage(tmp_path / str(a), tmp_path / str(b), permutations=999, threads=1) for a, b in pairs]
    layers = [match.p for report in reports for match in report.sets if "feed_forward" in match.name]
    assert 0.02 <= np.mean(np.array(layers) < 0.05) <= 0.08
    # Three groups of heads have six pairings, so no p below 1/6: the whole is more cautious than it says.
    assert np.mean([report.p < 0.05 for report in reports]) <= 0.08
    assert np.mean([report.p < 0.5 for report in reports]) <= 0.6


@pytest.mark.parametrize("form", ["f32", "f16", "bf16", "shards", "f32.onnx", "file"])
@pytest.mark.parametrize("other", ["near", "near.onnx", "int8.onnx"])
def test_every_form_gives_the_same_answer(form: str, other: str, checkpoints: dict[str, Path]) -> None:
    place = checkpoints["f32"] / "model.safetensors" if form == "file" else checkpoints[form]
    whole = rally.lineage(checkpoints["f32"], checkpoints["near"])
    report = rally.lineage(place, checkpoints[other])
    assert report.verdict == "shared, strong exposure"
    for match, expected in zip(report.sets, whole.sets, strict=True):
        assert match.name == expected.name
        assert match.z == pytest.approx(expected.z, rel=0.02)
    far = rally.lineage(checkpoints["far"], checkpoints[other])
    assert far.p > 1e-3


def test_heads_that_share_their_keys_are_compared_by_their_queries(tmp_path: Path) -> None:
    llama(0, num_key_value_heads=1).save_pretrained(tmp_path / "a")
    report = rally.lineage(tmp_path / "a", tmp_path / "a")
    attention = [match for match in report.tensors if match.set == "layers.0.attention"]
    assert [match.name.split(".")[-2] for match in attention] == ["o_proj", "q_proj"]
    assert attention[0].units == 6
    (tmp_path / "a" / "config.json").unlink()
    bare = rally.lineage(tmp_path / "a", tmp_path / "a")
    assert not [match for match in bare.sets if "attention" in match.name]


def test_recursions_count_once(tmp_path: Path) -> None:
    fixtures = Path(__file__).parents[3] / "Tests" / "Fixtures" / "mor" / "expert_nr3"
    folder = rally.lineage(fixtures, fixtures)
    assert len([match for match in folder.sets if "feed_forward" in match.name]) == 4  # first, two of the block, last
    onnx = models.write(tmp_path / "a.onnx", models.MOR)
    report = rally.lineage(onnx, models.write(tmp_path / "b.onnx", models.MOR, seed=1))
    assert len([match for match in report.sets if "feed_forward" in match.name]) == 4
    assert report.p > 1e-3


def test_large_sets_are_thinned_evenly() -> None:
    a, b = related(0, 1500, 8, 3.0)
    report = rally.lineage({"a": a}, {"a": b}, permutations=1200)
    chosen = [i * 1500 // 1024 for i in range(1024)]
    assert (report.tensors[0].units, report.tensors[0].all_units) == (1024, 1500)
    assert report.tensors[0].z == pytest.approx(twin([cosines(a[chosen], b[chosen])], 1)[1], rel=1e-9)


# What is refused.


def status(*arguments: Any, **options: Any) -> rally.Status:
    with pytest.raises(rally.RallyError) as error:
        rally.lineage(*arguments, **options)
    return error.value.code


def test_what_cannot_be_compared_is_refused(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    a, b = related(0, 20, 6, 1.0)
    assert status({"a": a}, {"a": b[:, :5]}) == rally.Status.MISMATCH
    assert status({"a": a}, {"b": b}) == rally.Status.MISMATCH
    assert status({"a": a}, checkpoints["f32"]) == rally.Status.MISMATCH
    assert status({"a": a[0]}, {"a": b[0]}) == rally.Status.INVALID_SHAPE
    assert status({"a": a[:1]}, {"a": b[:1]}) == rally.Status.INVALID_SHAPE
    assert status({"a": a[:4]}, {"a": b[:4]}) == rally.Status.UNSUPPORTED
    assert status({}, {}) == rally.Status.EMPTY_INPUT
    assert status({"head": a}, {"head": b}) == rally.Status.EMPTY_INPUT
    assert status({"a": np.where(a > 1, np.nan, a)}, {"a": b}) == rally.Status.NOT_FINITE
    assert status({"a": np.ones_like(a)}, {"a": b}) == rally.Status.INVALID_VALUE
    assert status({"a": a}, {"a": np.zeros_like(b)}) == rally.Status.INVALID_VALUE
    assert status({"a": a}, {"a": b}, permutations=0) == rally.Status.INVALID_ARGUMENT
    assert status({"a": a}, {"a": b}, permutations=99) == rally.Status.INVALID_ARGUMENT
    assert status({"a": a}, {"a": b}, threads=0) == rally.Status.INVALID_ARGUMENT
    assert status("a\0b", "c") == rally.Status.INVALID_ARGUMENT
    assert status(tmp_path, tmp_path) == rally.Status.FILE_NOT_FOUND
    save_file({"weight": a}, tmp_path / "x.safetensors")
    assert status(tmp_path / "x.safetensors", tmp_path / "x.safetensors") == rally.Status.UNSUPPORTED
    llama(0, intermediate_size=80).save_pretrained(tmp_path / "wider")
    with pytest.raises(rally.RallyError, match=r"\[48, 72\].*\[48, 80\]"):
        rally.lineage(checkpoints["f32"], tmp_path / "wider")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../x.safetensors"}}))
    assert status(tmp_path, tmp_path) == rally.Status.EXTERNAL_DATA_FORBIDDEN


def test_zero_units_have_no_direction_and_do_no_harm() -> None:
    a, b = related(0, 20, 6, 0.1)
    a[3] = 0
    assert rally.lineage({"a": a}, {"a": b}).verdict in ("shared, partial exposure", "shared, strong exposure")


def test_progress_ends_a_call() -> None:
    a, b = related(0, 20, 6, 1.0)
    seen: list[tuple[int, int]] = []
    rally.lineage({"a": a, "b": a}, {"a": b, "b": b}, progress=lambda *step: seen.append(step))
    assert seen == [(1, 2), (2, 2)]

    def fail(done: int, total: int) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        rally.lineage({"a": a}, {"a": b}, progress=fail)


def test_json_has_all_of_it() -> None:
    a, b = related(0, 20, 6, 1.0)
    report = rally.lineage({"a": a, "head": a}, {"a": b, "head": b})
    found = json.loads(report.json())
    assert found["head"]["name"] == "head"
    assert found["sets"][0]["z"] == report.sets[0].z
    assert found["verdict"] == report.verdict
    assert replace(report, head=None) != report


def test_threads_may_ask_together() -> None:
    a, b = related(0, 20, 6, 1.0)
    found: list[rally.LineageReport] = []
    threads = [threading.Thread(target=lambda: found.append(rally.lineage({"a": a}, {"a": b}))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert found.count(found[0]) == 4


def test_a_tied_tensor_under_its_other_name(tmp_path: Path) -> None:
    """`safetensors.torch.save_model` stores one name of tensors that share memory, and the others in the metadata."""
    model = llama(3, tie_word_embeddings=True)
    model.save_pretrained(tmp_path / "plain")
    tensors = load_file(tmp_path / "plain/model.safetensors")
    tensors["lm_head.weight"] = tensors.pop("model.embed_tokens.weight")
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved/config.json").write_bytes((tmp_path / "plain/config.json").read_bytes())
    save_file(tensors, tmp_path / "moved/model.safetensors", {"model.embed_tokens.weight": "lm_head.weight"})
    same = rally.lineage(tmp_path / "plain", tmp_path / "plain", permutations=999)
    report = rally.lineage(tmp_path / "plain", tmp_path / "moved", permutations=999)
    assert [(s.name, s.z) for s in report.sets] == [(s.name, s.z) for s in same.sets]
    # A name that leads nowhere, or to a tensor that is there under both names, means nothing.
    save_file(tensors, tmp_path / "moved/model.safetensors", {"model.embed_tokens.weight": "nothing"})
    with pytest.raises(rally.RallyError, match="residual"):
        rally.lineage(tmp_path / "plain", tmp_path / "moved", permutations=999)


@pytest.mark.parametrize("more", [1, 8, 500])
def test_a_vocabulary_that_grew(tmp_path: Path, more: int) -> None:
    """Rows that only one model has are left out; the layers are compared as ever."""
    model = llama(4)
    model.save_pretrained(tmp_path / "one")
    same = rally.lineage(tmp_path / "one", tmp_path / "one", permutations=999)
    model.resize_token_embeddings(model.config.vocab_size + more, mean_resizing=False)
    model.save_pretrained(tmp_path / "two")
    for pair in [("one", "two"), ("two", "one")]:
        report = rally.lineage(*(tmp_path / name for name in pair), permutations=999)
        assert [(s.name, s.z) for s in report.sets] == [(s.name, s.z) for s in same.sets]
        assert report.head is not None and report.head.z == same.head.z
