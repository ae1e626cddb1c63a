"""The converter: every variant's graph in onnxruntime against the reference, forms of checkpoints, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import reference
import torch
import variants
from safetensors.torch import load_file, save_file

from rally.convert import convert
from rally.modelfile import ModelFileError

FIXTURES = Path(__file__).parents[3] / "Tests" / "Fixtures" / "mor"
GOLDENS = ("expert_nr3", "expert_nr3_kvshare", "expert_nr3_mlp_auxrouter", "token_nr3")
TOLERANCE = 1e-5


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def metadata(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}


def distance(found: Any, wanted: Any) -> float:
    found, wanted = np.asarray(found, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def run(path: Path, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    logits, depth = session(path).run(None, {"input_ids": np.array([ids])})
    return logits[0], depth[0]


def goldens(case: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    folder = FIXTURES / case
    return json.loads((folder / "mor.json").read_text()), load_file(folder / "golden.safetensors")


@pytest.mark.parametrize("case", GOLDENS)
def test_reference_computes_what_the_authors_code_computes(case: str) -> None:
    mor, golden = goldens(case)
    config = json.loads((FIXTURES / case / "config.json").read_text())
    model = reference.LanguageModel(load_file(FIXTURES / case / "model.safetensors"), config, mor)
    ids = golden["input_ids"].tolist()
    logits, depth = model.forward(ids, "topk")
    assert torch.equal(depth, golden["depth_upstream"])
    assert distance(logits, golden["logits_upstream_eager_fp32"]) < 1e-6
    if "depth_ref_threshold" in golden:
        logits, depth = model.forward(ids, "threshold")
        assert torch.equal(depth, golden["depth_ref_threshold"])
        assert distance(logits, golden["logits_ref_threshold"]) < 1e-6


@pytest.mark.parametrize("case", GOLDENS)
def test_converted_goldens(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, golden = goldens(case)
    path = tmp_path / "model.onnx"
    convert(str(FIXTURES / case), str(path))
    assert capsys.readouterr() == ("", ""), "a bar in a log"
    logits, depth = run(path, golden["input_ids"].tolist())
    kind = ("logits_ref_threshold", "depth_ref_threshold")
    kind = kind if kind[0] in golden else ("logits_upstream_eager_fp32", "depth_upstream")
    assert depth.tolist() == golden[kind[1]].tolist()
    assert distance(logits, golden[kind[0]]) < 1e-6


@pytest.mark.parametrize("case", list(variants.language_models()), ids=lambda case: case.name)
def test_language_model_variants(case: variants.Case, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    convert(case.write(tmp_path / "checkpoint"), path, quiet=True)
    onnx.checker.check_model(str(path), full_check=True)
    assert case.expected.items() <= metadata(path).items()
    engine = session(path)
    for ids in case.rows():
        logits, depth = engine.run(None, {"input_ids": np.array([ids])})
        wanted, wanted_depth = case.reference(ids)
        assert depth[0].tolist() == wanted_depth.tolist()
        assert distance(logits[0], wanted) < TOLERANCE
    batch = np.array([ids, ids[::-1]])
    both, depths = engine.run(None, {"input_ids": batch})
    assert distance(both[0], wanted) < TOLERANCE
    assert depths[0].tolist() == wanted_depth.tolist()


@pytest.mark.parametrize("case", list(variants.raters()), ids=lambda case: case.name)
def test_rater_variants(case: variants.Case, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    convert(case.write(tmp_path / "checkpoint"), path, quiet=True)
    onnx.checker.check_model(str(path), full_check=True)
    assert case.expected.items() <= metadata(path).items()
    rows = case.rows()
    longest = max(map(len, rows))
    ids = np.array([row + [0] * (longest - len(row)) for row in rows])
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    (scores,) = session(path).run(None, {"input_ids": ids, "attention_mask": mask})
    assert distance(scores, [case.reference(row) for row in rows]) < TOLERANCE


def test_variants_leave_at_every_depth() -> None:
    for kind in (variants.EXPERT, variants.TOKEN):
        seen = set()
        for settings in variants.covering(kind)[:8]:
            case = variants._routed("expert" if kind is variants.EXPERT else "token", settings)
            seen |= set(case.reference(case.rows()[-1])[1].tolist())
        assert {1, 2, 3} <= seen


# The forms of checkpoints


@pytest.fixture
def case() -> variants.Case:
    return next(iter(variants.language_models()))


@pytest.fixture
def folder(case: variants.Case, tmp_path: Path) -> Path:
    return case.write(tmp_path / "checkpoint")


def converted(folder: Path, **options: Any) -> bytes:
    path = folder.parent / "model.onnx"
    convert(folder, path, quiet=True, name="model", **options)
    return path.read_bytes()


def shards(state: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    keys = list(state)
    return {"one": {key: state[key] for key in keys[::2]}, "two": {key: state[key] for key in keys[1::2]}}


def test_all_forms_give_the_same_file(folder: Path) -> None:
    wanted = converted(folder)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()

    def index(name: str, suffix: str) -> None:
        places = {key: f"{part}{suffix}" for part, keys in shards(state).items() for key in keys}
        (folder / name).write_text(json.dumps({"metadata": {}, "weight_map": places}))

    torch.save(state, folder / "pytorch_model.bin")
    assert converted(folder) == wanted
    (folder / "pytorch_model.bin").unlink()
    for part, tensors in shards(state).items():
        torch.save(tensors, folder / f"{part}.bin")
    index("pytorch_model.bin.index.json", ".bin")
    assert converted(folder) == wanted
    (folder / "pytorch_model.bin.index.json").unlink()
    for part, tensors in shards(state).items():
        save_file(tensors, folder / f"{part}.safetensors")
    index("model.safetensors.index.json", ".safetensors")
    assert converted(folder) == wanted


def test_pickle_of_the_authors_code(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(FIXTURES / "expert_nr3", folder)
    wanted = converted(folder)
    (folder / "model.safetensors").unlink()
    assert converted(folder) == wanted


@pytest.mark.parametrize("place", ["train.yaml", ".hydra/config.yaml"])
@pytest.mark.parametrize(
    "capacity", ["null", '"1.0,0.6666666666666666,0.3333333333333333"', "[1.0, 0.6666666666666666, 0.3333333333333333]"]
)
def test_hydra_configuration(place: str, capacity: str, tmp_path: Path) -> None:
    source, folder = FIXTURES / "expert_nr3_kvshare", tmp_path / "checkpoint"
    shutil.copytree(source, folder)
    wanted = converted(folder)
    (folder / "mor.json").unlink()
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"""
learning_rate: 3e-3
recursive: {{enable: true, num_recursion: 3, sharing: middle_cycle, ln_share: true, base_depth: 8}}
kv_sharing: {{enable: true, update_cache: false}}
mor:
  enable: true
  type: expert
  capacity: {capacity}
  router_type: linear
  temp: 1.0
  expert: {{router_func: sigmoid, alpha: 0.1, sampling: aux_loss, gating: weighted, coeff: 0.001}}
  token: {{router_func: softmax, alpha: 1.0, balancing: loss, gating: weighted}}
""")
    assert converted(folder) == wanted


def test_bf16_keeps_what_decides_in_f32(case: variants.Case, folder: Path) -> None:
    path = folder.parent / "model.onnx"
    convert(folder, path, dtype="bf16", quiet=True)
    onnx.checker.check_model(str(path), full_check=True)
    types = {tensor.name: tensor.data_type for tensor in onnx.load(path).graph.initializer}
    assert types["block.0.mlp.up_proj.weight"] == types["embed_tokens.weight"] == onnx.TensorProto.BFLOAT16
    assert types["router.0.weight" if "router.0.weight" in types else "router.0.0.weight"] == onnx.TensorProto.FLOAT
    assert types["norm.weight"] == onnx.TensorProto.FLOAT
    narrow = {
        key: value.bfloat16().float() if value.dim() == 2 and "router" not in key else value
        for key, value in case.state.items()
    }
    ids = case.rows()[-1]
    logits, depth = run(path, ids)
    wanted, wanted_depth = reference.LanguageModel(narrow, case.config, case.mor).forward(ids)
    assert depth.tolist() == wanted_depth.tolist()
    assert distance(logits, wanted) < TOLERANCE


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_narrow_checkpoints_keep_their_type(dtype: torch.dtype, case: variants.Case, folder: Path) -> None:
    state = {key: value.to(dtype) for key, value in case.state.items()}
    save_file(state, folder / "model.safetensors")
    path = folder.parent / "model.onnx"
    convert(folder, path, quiet=True)
    onnx.checker.check_model(str(path), full_check=True)
    kinds = {torch.float16: onnx.TensorProto.FLOAT16, torch.bfloat16: onnx.TensorProto.BFLOAT16}
    found = {t.data_type for t in onnx.load(path).graph.initializer if not t.name.startswith("graph.")}
    assert found == {kinds.get(dtype, onnx.TensorProto.FLOAT)}
    ids = case.rows()[-1]
    logits, depth = run(path, ids)
    wanted, wanted_depth = reference.LanguageModel(state, case.config, case.mor).forward(ids)
    assert depth.tolist() == wanted_depth.tolist()
    assert distance(logits, wanted) < TOLERANCE


def test_external_data(case: variants.Case, folder: Path) -> None:
    path = folder.parent / "model.onnx"
    convert(folder, path, quiet=True, external_data=True)
    onnx.checker.check_model(str(path), full_check=True)
    entries = [
        {entry.key: entry.value for entry in tensor.external_data}
        for tensor in onnx.load(path, load_external_data=False).graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    assert entries
    assert all(entry["location"] == "model.onnx.data" and int(entry["offset"]) % 4096 == 0 for entry in entries)
    ids = case.rows()[-1]
    logits, _ = run(path, ids)
    assert distance(logits, case.reference(ids)[0]) < TOLERANCE
    assert sorted(file.name for file in path.parent.iterdir()) == ["checkpoint", "model.onnx", "model.onnx.data"]


# What is refused, and by which name


def refused(folder: Path, *names: str, **options: Any) -> None:
    path = folder.parent / "refused.onnx"
    with pytest.raises(ModelFileError) as caught:
        convert(folder, path, quiet=True, **options)
    message = str(caught.value)
    assert "\n" not in message
    for name in names:
        assert name in message
    assert not list(folder.parent.glob("*refused*"))


def rewrite(folder: Path, **changes: Any) -> None:
    state = load_file(folder / "model.safetensors")
    for key, value in changes.items():
        if value is None:
            del state[key]
        else:
            state[key] = value
    save_file(state, folder / "model.safetensors")


def reconfigure(folder: Path, file: str = "config.json", **changes: Any) -> None:
    values = json.loads((folder / file).read_text()) | changes
    (folder / file).write_text(json.dumps(values))


def test_missing_and_unknown_keys(folder: Path) -> None:
    rewrite(folder, **{"model.norm.weight": None, "model.layers.9.extra": torch.ones(2)})
    refused(folder, "model.norm.weight", "model.layers.9.extra [2]")


def test_missing_layer_of_a_later_recursion(folder: Path) -> None:
    key = next(key for key in load_file(folder / "model.safetensors") if key.endswith("block.1.mlp.up_proj.weight"))
    rewrite(folder, **{key: None})
    refused(folder, key)


def test_wrong_shape(folder: Path) -> None:
    rewrite(folder, **{"model.norm.weight": torch.ones(7)})
    refused(folder, "model.norm.weight", f"expected [{variants.WIDTH}], found [7]")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", ["f32", "bf16", None])
def test_values_that_are_not_finite(value: float, dtype: str | None, case: variants.Case, folder: Path) -> None:
    table = case.state["model.embed_tokens.weight"].clone()
    table[3, 4] = value
    rewrite(folder, **{"model.embed_tokens.weight": table, "lm_head.weight": table.clone()})
    refused(folder, "embed_tokens.weight", dtype=dtype)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "low_freq_factor"),
        ({"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4}}, "longrope"),
        ({"hidden_act": "mish"}, "mish"),
        ({"sliding_window": 128}, "sliding_window"),
        ({"num_local_experts": 8}, "num_local_experts"),
        ({"model_type": "gemma2"}, "gemma2"),
        ({"layer_types": ["sliding_attention"]}, "sliding_attention"),
        ({"rope_theta": 0.0}, "rope_theta"),
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping"),
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"vocab_size": "many"}, "vocab_size"),
    ],
)
def test_configurations(changes: dict[str, Any], name: str, folder: Path) -> None:
    reconfigure(folder, **changes)
    refused(folder, name)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"router_func": "softmax"}, "router_func"),
        ({"num_recursion": 4}, "num_recursion"),
        ({"sharing": "sequence"}, "sharing"),
        ({"capacity": [1.0, 0.5]}, "capacity"),
        ({"capacity": [1.0, 0.5, 0.0]}, "capacity"),
        ({"type": "token"}, "token"),
        ({"alpha": None}, "alpha"),
        ({"base_depth": 5}, "base_depth"),
        ({"gating": "sum"}, "gating"),
    ],
)
def test_routing_configurations(changes: dict[str, Any], name: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(FIXTURES / "expert_nr3", folder)
    reconfigure(folder, "mor.json", **changes)
    refused(folder, name)


def test_routed_keys_need_a_routing_file(folder: Path) -> None:
    (folder / "mor.json").unlink()
    refused(folder, "mor.json")


def test_foreign_checkpoints(folder: Path) -> None:
    rewrite(folder, **{"model.layers.0.self_attn.q_norm.weight": torch.ones(10)})
    refused(folder, "q_norm")
    save_file({"bert.embeddings.word_embeddings.weight": torch.ones(2, 2)}, folder / "model.safetensors")
    refused(folder, "word_embeddings")


def test_unusable_files(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not a tensor file")
    refused(folder, "model.safetensors")
    (folder / "model.safetensors").unlink()
    refused(folder, "no checkpoint")
    (folder / "config.json").unlink()
    refused(folder, "config.json")


def test_a_head_that_differs_is_kept(case: variants.Case, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(folder, **{"lm_head.weight": case.state["lm_head.weight"] * 2})
    path = folder.parent / "model.onnx"
    convert(folder, path, quiet=True)
    assert "tie_word_embeddings" in capsys.readouterr().err
    ids = case.rows()[-1]
    assert distance(run(path, ids)[0], case.reference(ids)[0] * 2) < TOLERANCE


def test_command_line(folder: Path) -> None:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rally.convert", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])

    path = folder.parent / "model.onnx"
    done = call(str(folder), str(path), "--name", "a name")
    assert done.returncode == 0
    assert "parameters stored" in done.stderr
    assert metadata(path)["rally.name"] == "a name"
    failed = call(str(folder / "nowhere"), str(path))
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert "Traceback" not in failed.stderr
