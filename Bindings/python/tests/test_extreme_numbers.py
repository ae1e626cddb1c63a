"""Whatever number stands in a configuration: one sentence and no file, or a file that the engine opens; never endless."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rally
from rally.convert import convert
from rally.modelfile import LanguageModel, ModelFileError

FIXTURES = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures"
FILES = [
    path
    for group in ("models", "raters", "mor")
    for path in sorted((FIXTURES / group).glob("*/*.json"))
    if path.name in ("config.json", "mor.json")
]
EXTREMES = (0, -1, 10**6, 2**31 - 1, 10**15, 1e308, 1e-308)
#: Of processor time, for one conversion of a model of a few kilobytes.
SECONDS = 10.0


def numbers(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the numbers stand; of a list, the first two."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:2]):
            yield from numbers(item, (*place, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place


def replaced(text: str, place: tuple[Any, ...], value: float) -> str:
    whole = json.loads(text)
    part = whole
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return json.dumps(whole)


def seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def refusal(folder: Path, out: Path) -> str | None:
    """Why a checkpoint was not converted; None: it was."""
    try:
        convert(folder, out, quiet=True)
    except ModelFileError as error:
        return str(error)
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_number(path: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "checkpoint", tmp_path / "out.onnx"
    shutil.copytree(path.parent, folder)
    text = path.read_text()
    places = list(numbers(json.loads(text)))
    assert places
    for place in places:
        for value in EXTREMES:
            (folder / path.name).write_text(replaced(text, place, value))
            start = seconds()
            message = refusal(folder, out)
            assert seconds() - start < SECONDS, (place, value)
            if message is None:
                rally.Model(out).close()
                out.unlink()
            else:
                assert "\n" not in message
                assert not out.exists(), (place, value)


@pytest.mark.parametrize(
    ("case", "key"), [("ouro", "total_ut_steps"), ("nanbeige", "num_loops"), ("retrofit", "mean_recurrence")]
)
@pytest.mark.parametrize("count", [0, 256, 10**6])
def test_loops_are_counted_in_a_byte(case: str, key: str, count: int, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(FIXTURES / "models" / case, folder)
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(replaced(text, (key,), count))
    with pytest.raises(ModelFileError, match=f"{key}: expected 1 to 255, found {count}$"):
        convert(folder, tmp_path / "out.onnx", quiet=True)


def test_recursions_that_are_asked_for(tmp_path: Path) -> None:
    for count in (-1, 0, 1, 256, 10**6):
        with pytest.raises(ModelFileError, match=f"recursions: expected 2 to 255, found {count}$"):
            convert(FIXTURES / "models" / "retrofit", tmp_path / "out.onnx", recursions=count, quiet=True)


def test_a_description_is_bounded() -> None:
    sizes: dict[str, Any] = {"vocab_size": 8, "hidden_size": 8, "num_attention_heads": 1, "num_key_value_heads": 1}
    sizes |= {"head_dim": 8, "intermediate_size": 8, "max_position_embeddings": 8, "tie_word_embeddings": True}
    assert LanguageModel(name="most", num_block_layers=257, num_recursion=255, **sizes).layer_applications == 65535
    with pytest.raises(ModelFileError, match="layers: expected at most 65536 unrolled, found 65790"):
        LanguageModel(name="more", num_block_layers=258, num_recursion=255, **sizes)
