"""The model files of the benchmark: written once, kept beneath `.build/benchmarks/models`."""

from __future__ import annotations

from pathlib import Path

import rally
from rally.convert import convert
from rally.synthesize import synthesize

from benchmarks.console import Progress
from benchmarks.gguf_file import FORMATS, write_gguf
from benchmarks.processes import PEERS, run_program
from benchmarks.shapes import RATER, RECURSIVE, VANILLA, VANILLA_34

#: Tokens that a row may have: prompts grow to 4096, and decoding goes on from there.
POSITIONS = 8192


class ModelFiles:
    """Files by what is in them.

    Parameters
    ----------
    folder : Path
    progress : Progress
        Told what is written.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self._progress = progress
        folder.mkdir(parents=True, exist_ok=True)

    def write_all(self) -> None:
        """Write what is missing of all that the benchmark needs, before any clock runs."""
        for shape in (VANILLA, VANILLA_34, *RECURSIVE, RATER):
            self.onnx(shape)
        for external in (False, True):
            self.onnx(VANILLA, "bf16", external_data=external)
        for format_name in FORMATS:
            self.gguf(VANILLA, format_name)

    def onnx(self, shape: str, dtype: str = "f32", external_data: bool = False) -> Path:
        """Return a model file of one of the synthesizer's shapes, random weights.

        ``dtype`` is what the file stores; Rally computes in any of its formats from f32.
        """
        place = "-external" if external_data else ""
        path = self.folder / f"{shape}-{dtype}{place}.onnx"
        if not path.exists():
            self._progress.say(f"writing {path.name}")
            positions = None if shape.startswith("rater") else POSITIONS
            synthesize(shape, path, dtype=dtype, external_data=external_data, positions=positions, quiet=True)
        return path

    def encoder(self, shape: str) -> str:
        """Return the folder of an encoder in the forms of all engines, Rally's among them."""
        folder = self.folder / shape
        path = folder / "rally.onnx"
        if not path.exists():
            self._progress.say(f"writing {shape}")
            run_program([PEERS, "-m", "benchmarks.encoders", self.folder, shape])
            convert(folder / "checkpoint", path)
        return str(folder)

    def decoder(self, shape: str) -> Path:
        """Return the folder of a language model in the forms of the peers that read checkpoints."""
        folder = self.folder / f"{shape}-peers"
        if not (folder / "done").exists():
            self._progress.say(f"writing {folder.name}")
            run_program([PEERS, "-m", "benchmarks.decoders", self.onnx(shape), folder])
        return folder

    def looped(self, shape: str, shares: tuple[float, ...], dtype: str) -> Path:
        """Return a looped model stored in bf16 or int8 whose tokens leave in these shares after each loop."""
        path = self.folder / f"{shape}-{'-'.join(f'{share:g}' for share in shares)}-{dtype}.onnx"
        if path.exists():
            return path
        full = path if dtype == "bf16" else self.looped(shape, shares, "bf16")
        self._progress.say(f"writing {path.name}")
        if dtype == "bf16":
            synthesize(shape, path, dtype=dtype, exits=shares, quiet=True)
        else:
            rally.quantize(full, path)
        return path

    def gguf(self, shape: str, format_name: str) -> Path:
        """Return the same weights for llama.cpp."""
        path = self.folder / f"{shape}-{format_name}.gguf"
        if not path.exists():
            source = self.onnx(shape)
            self._progress.say(f"writing {path.name}")
            write_gguf(source, path, format_name)
        return path
