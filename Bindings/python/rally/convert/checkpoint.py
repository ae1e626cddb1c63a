"""Reads the tensors of a checkpoint folder, one at a time."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from onnx import TensorProto
from safetensors import SafetensorError, safe_open

from rally.modelfile import ModelFileError, Tensor
from rally.modelfile.tensors import Array

#: Files looked for, in this order.
FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)

_ELEMENTS = {torch.float32: TensorProto.FLOAT, torch.float16: TensorProto.FLOAT16, torch.bfloat16: TensorProto.BFLOAT16}
_SAFETENSORS_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}


#: What wrappers of a module put into the names of its tensors: compilation, sharding, recomputation.
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


@dataclass(frozen=True)
class Source:
    """A tensor in a checkpoint file."""

    dims: tuple[int, ...]
    dtype: object
    load: Callable[[], torch.Tensor]


class Checkpoint:
    """The tensors of a checkpoint folder, by key. Loading reads from the file each time; nothing is kept.

    Parameters
    ----------
    directory : Path
        Folder that holds one of :data:`FILES`.

    Raises
    ------
    ModelFileError
        When there is no such file, or it cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise ModelFileError(f"{directory}: no such folder")
        self.directory = directory
        self.sources: dict[str, Source] = {}
        self._open_files = ExitStack()
        names = [name for name in FILES if (directory / name).is_file()]
        if not names:
            raise ModelFileError(f"{directory}: no checkpoint; looked for {', '.join(FILES)}")
        name = names[0]
        for part in self._parts(directory / name) if name.endswith(".index.json") else [directory / name]:
            (self._add_safetensors if part.suffix == ".safetensors" else self._add_pickle)(part)
        self._unwrap()

    def close(self) -> None:
        """Close the files."""
        self._open_files.close()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, key: str) -> torch.Tensor:
        """Return a tensor, contiguous, in the checkpoint's own type."""
        return self.sources[key].load().detach().contiguous()

    def equal(self, first: str, second: str) -> bool:
        """Tell whether two tensors are equal bit for bit."""
        a, b = self.sources[first], self.sources[second]
        if a.dims != b.dims or a.dtype != b.dtype:
            return False
        return bool(
            torch.equal(self.load(first).flatten().view(torch.uint8), self.load(second).flatten().view(torch.uint8))
        )

    def tensor(self, key: str, name: str, dtype: str | None) -> Tensor:
        """Return the tensor of a key as the weight ``name``.

        ``dtype`` is ``f32`` or ``bf16``, or None for the checkpoint's own type (f64 becomes f32).
        """
        source = self.sources[key]
        wanted = {"f32": torch.float32, "bf16": torch.bfloat16, None: source.dtype}[dtype]
        if wanted == torch.float64:
            wanted = torch.float32
        if source.dtype not in (*_ELEMENTS, torch.float64) or not isinstance(wanted, torch.dtype):
            raise ModelFileError(f"{key}: element type {source.dtype} is not supported")
        return Tensor(name, source.dims, _ELEMENTS[wanted], lambda: _elements(self.load(key).to(wanted)))

    def _parts(self, index: Path) -> list[Path]:
        try:
            files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise ModelFileError(f"{index.name}: not an index of shards ({error})") from None
        for name in files:
            if Path(name).name != name or not (self.directory / name).is_file():
                raise ModelFileError(f"{index.name}: shard {name} not found")
        return [self.directory / name for name in files]

    def _unwrap(self) -> None:
        """Take the names of wrappers out of the keys; ``DistributedDataParallel`` puts ``module.`` before each."""
        found, self.sources = self.sources, {}
        for key, source in found.items():
            plain = key
            for wrapper in WRAPPERS:
                plain = plain.replace(wrapper, "")
            self._add(plain, source, self.directory)
        while self.sources and all(key.startswith("module.") for key in self.sources):
            self.sources = {key.removeprefix("module."): source for key, source in self.sources.items()}

    def _add_safetensors(self, path: Path) -> None:
        try:
            stream = self._open_files.enter_context(safe_open(path, framework="pt"))
            aliases = stream.metadata() or {}
            for key in stream.keys():  # noqa: SIM118
                view = stream.get_slice(key)
                dtype = _SAFETENSORS_DTYPES.get(view.get_dtype(), view.get_dtype())
                self._add(key, Source(tuple(view.get_shape()), dtype, _safetensors_loader(stream, key)), path)
            for alias, key in aliases.items():  # save_model stores a shared tensor once, and its other names here
                if key in self.sources and alias not in self.sources:
                    self.sources[alias] = self.sources[key]
        except (OSError, SafetensorError) as error:
            raise ModelFileError(f"{path.name}: {error}") from None

    def _add_pickle(self, path: Path) -> None:
        try:
            # Only archives, which torch.save writes since 1.6, can be mapped.
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except Exception as error:  # torch.load raises whatever the pickle machinery does
            raise ModelFileError(f"{path.name}: {str(error).splitlines()[0]}") from None
        if not isinstance(state, dict):
            raise ModelFileError(f"{path.name}: not a state dict")
        for key, value in state.items():
            if not isinstance(value, torch.Tensor):
                raise ModelFileError(f"{path.name}: {key} is no tensor")
            self._add(str(key), Source(tuple(value.shape), value.dtype, _constant_loader(value)), path)

    def _add(self, key: str, source: Source, path: Path) -> None:
        if key in self.sources:
            raise ModelFileError(f"{path.name}: key {key} is in two files")
        self.sources[key] = source


def _safetensors_loader(stream: safe_open, key: str) -> Callable[[], torch.Tensor]:
    return lambda: stream.get_tensor(key)  # type: ignore[no-untyped-call]


def _constant_loader(value: torch.Tensor) -> Callable[[], torch.Tensor]:
    return lambda: value


def _elements(values: torch.Tensor) -> Array:
    values = values.contiguous()
    return values.view(torch.uint16).numpy() if values.dtype == torch.bfloat16 else values.numpy()
