"""Prepared files: the same bits, shared pages, and what is refused."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
from compare import same_bits

import rally
from rally import RallyError, Scorer, Status
from rally.preparation import MAGIC, is_prepared
from rally.verify import main as verify

ROWS = models.rows([3, 20, 1, 50])
TEXT = "The sea was calm, and the ship lay still. " * 40
DTYPES = ["f32", "bf16", "int8"]


def logits(model: rally.Model) -> np.ndarray:
    rows = models.rows([3, 20, 1, 50], vocab=model.info.vocab_size)
    return np.concatenate([row.logits for row in model.forward(rows) if row.logits is not None])


@pytest.fixture(scope="module")
def prepared(lm_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("prepared") / "lm.rally"
    rally.prepare(lm_path, target, "f32")
    return target


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", ["vanilla", "expert", "token", "looped", "looped by difference", "untied blocks", "rally-tiny"]
)
def test_language_models_have_the_same_bits(folder: Path, tmp_path: Path, name: str, dtype: str) -> None:
    source, target = models.path(folder, name), tmp_path / "lm.rally"
    rally.prepare(source, target, dtype, threads=2)
    with rally.Model(source, dtype) as one, rally.Model(target) as other:
        assert same_bits(logits(one), logits(other))
        assert one.info == other.info and one.metadata == other.metadata and one.tensors == other.tensors
        assert one.fingerprint() == other.fingerprint() and one.label() == other.label()
        prompt: Any = "The sea" if one.info.has_tokenizer else [5, 6, 7]
        assert prompt == [5, 6, 7] or one.encode(prompt) == other.encode(prompt)
        options: Any = {"max_tokens": 12, "temperature": 0.8, "seed": 3}
        assert one.generate(prompt, **options).tokens == other.generate(prompt, **options).tokens


@pytest.mark.parametrize("dtype", DTYPES)
def test_raters_have_the_same_bits(rater_path: Path, tmp_path: Path, dtype: str) -> None:
    target = tmp_path / "rater.rally"
    rally.prepare(rater_path, target, dtype)
    for options in ({}, {"share_weights": False}, {"dtype": dtype}):
        with rally.Model(rater_path, dtype) as one, rally.Model(target, **options) as other:
            assert same_bits(one.rate(ROWS), other.rate(ROWS))
            assert one.fingerprint() == other.fingerprint() and one.label() == other.label()


def test_a_calibrated_one_is_what_quantize_stores(lm_path: Path, tmp_path: Path) -> None:
    rally.quantize(lm_path, tmp_path / "int8.onnx", calibration_text=TEXT)
    rally.prepare(lm_path, tmp_path / "lm.rally", "int8", calibration_text=TEXT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["int8.onnx", "lm.rally"]
    with rally.Model(tmp_path / "int8.onnx") as one, rally.Model(tmp_path / "lm.rally") as other:
        assert same_bits(logits(one), logits(other))
        assert one.fingerprint() == other.fingerprint()
    with pytest.raises(RallyError) as caught:
        rally.prepare(lm_path, tmp_path / "other.rally", "bf16", calibration_text=TEXT)
    assert caught.value.code == Status.INVALID_ARGUMENT


def test_saved_states_go_on_in_it(lm_path: Path, prepared: Path) -> None:
    prompt = [5, 6, 7, 8, 9]
    with rally.Engine(lm_path) as engine:
        number = engine.submit(prompt, 12, stop_at_eos=False)
        events = [event for _ in range(8) for event in engine.step()]
        state = engine.save(number)
        before = len(events)
        events += list(engine)
    with rally.Engine(prepared) as engine:
        engine.restore(state, 12, stop_at_eos=False)
        assert [event.token for event in engine] == [event.token for event in events[before:]] and before > 1


# What is refused


def refusal(path: Path, **options: Any) -> RallyError:
    with pytest.raises(RallyError) as caught:
        rally.Model(path, **options)
    assert str(caught.value) and "\n" not in str(caught.value)
    return caught.value


def changed(source: Path, target: Path, change: Callable[[bytearray], object]) -> Path:
    data = bytearray(source.read_bytes())
    change(data)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("end", [8, 9, 100, 255, 256, 257, 4095, 4096, 5000, -4096, -1])
def test_cut_files(prepared: Path, tmp_path: Path, end: int) -> None:
    path = tmp_path / "cut.rally"
    path.write_bytes(prepared.read_bytes()[:end])
    assert refusal(path).code == Status.TRUNCATED_DATA
    path.write_bytes(prepared.read_bytes() + b"\0")
    assert refusal(path).code == Status.TRUNCATED_DATA


def test_every_bit_of_the_header_counts(prepared: Path, tmp_path: Path) -> None:
    path = tmp_path / "flipped.rally"
    for place in range(8, 256):
        changed(prepared, path, lambda data, place=place: data.__setitem__(place, data[place] ^ 1 << place % 8))
        assert refusal(path).code in {Status.CORRUPT_FILE, Status.UNSUPPORTED_VERSION}, place


def test_damage_of_the_description_is_seen_at_open_and_of_weights_by_verifying(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = struct.unpack_from("<Q", prepared.read_bytes(), 24)[0]
    for place in (300, start // 2, start - 1):
        path = changed(prepared, tmp_path / "front.rally", lambda data, place=place: data.__setitem__(place, 0xA5))
        assert refusal(path).code == Status.CORRUPT_FILE
    path = changed(
        prepared, tmp_path / "weights.rally", lambda data: data.__setitem__(start + 70, data[start + 70] ^ 1)
    )
    rally.Model(path).close()
    with pytest.raises(RallyError) as caught:
        rally.validate(path)
    assert caught.value.code == Status.CORRUPT_FILE and "weights" in str(caught.value)
    assert verify([str(path)]) == 1 and "weights" in capsys.readouterr().err
    rally.validate(prepared)
    assert verify([str(prepared)]) == 0 and "every byte" in capsys.readouterr().out


def test_another_instruction_set_is_named(prepared: Path) -> None:
    environment = os.environ | {"RALLY_MAX_CPU_ISA": "sse4"}
    code = f"import rally; rally.Model({str(prepared)!r})"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if rally.instruction_set() == "sse4":
        pytest.skip("there is no other instruction set here")
    assert "sse4" in done.stderr and rally.instruction_set() in done.stderr and "prepare it again" in done.stderr


def test_what_is_asked_of_the_wrong_file(lm_path: Path, prepared: Path, tmp_path: Path) -> None:
    assert refusal(prepared, dtype="int8").code == Status.INVALID_ARGUMENT
    for call in (
        lambda: rally.prepare(prepared, tmp_path / "again.rally"),
        lambda: rally.quantize(prepared, tmp_path / "int8.onnx"),
        lambda: rally.lineage(prepared, lm_path),
        lambda: rally.Model.from_bytes(prepared.read_bytes()),
    ):
        with pytest.raises(RallyError) as caught:
            call()
        assert caught.value.code == Status.UNSUPPORTED and "original" in str(caught.value)
    own = shutil.copy(lm_path, tmp_path / "own.onnx")
    with pytest.raises(RallyError) as caught:
        rally.prepare(own, own)
    assert caught.value.code == Status.INVALID_ARGUMENT and Path(own).read_bytes() == lm_path.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.onnx"]


def test_a_changed_original_is_seen_where_it_stands_beside(lm_path: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "lm.onnx", tmp_path / "lm.rally"
    shutil.copy(lm_path, source)
    rally.prepare(source, target)
    os.utime(source, (1, 1))  # touched, not changed
    rally.Model(target).close()
    models.write(source, models.VANILLA)
    error = refusal(target)
    assert error.code == Status.MISMATCH and "lm.onnx" in str(error)
    source.unlink()
    rally.Model(target).close()


def test_a_file_that_is_cut_while_it_is_open_is_an_error(rater_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "rater.rally"
    rally.prepare(rater_path, target)
    assert target.stat().st_mode & 0o222 == 0, "nobody writes to it by accident"
    with rally.Model(target, share_weights=False) as copied, rally.Model(target, threads=1) as mapped:
        expected = mapped.rate(ROWS)
        os.chmod(target, 0o600)
        os.truncate(target, 4096)
        with pytest.raises(RallyError) as caught:
            mapped.rate(ROWS)
        assert caught.value.code == Status.IO and "cut" in str(caught.value)
        assert same_bits(copied.rate(ROWS), expected)


# The cache


def test_a_cache_is_filled_once_and_kept_right(lm_path: Path, tmp_path: Path) -> None:
    source, cache = tmp_path / "lm.onnx", tmp_path / "cache"
    shutil.copy(lm_path, source)
    with rally.Model(source, "int8") as plain, rally.Model(source, "int8", cache=cache) as cached:
        assert same_bits(logits(plain), logits(cached)) and plain.fingerprint() == cached.fingerprint()
    names = sorted(path.name for path in cache.iterdir())
    (file,) = (path for path in cache.iterdir() if path.suffix == ".rally")
    assert len(names) == 2 and "int8" in file.name and rally.instruction_set() in file.name and is_prepared(file)
    before = file.stat()
    rally.Model(source, "int8", cache=cache).close()
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    # Damaged, cut and strange files are written again.
    for content in (file.read_bytes()[:5000], b"", MAGIC + bytes(1000), b"something else"):
        os.chmod(file, 0o600)
        file.write_bytes(content)
        rally.Model(source, "int8", cache=cache).close()
        rally.validate(file)
    # Another content is another file; the note of the old one is of no use.
    models.write(source, models.VANILLA)
    with rally.Model(source, cache=cache) as other, rally.Model(source) as plain:
        assert same_bits(logits(other), logits(plain))
    for note in cache.glob("*.note"):
        note.write_bytes(note.read_bytes()[:-3] + b"xyz")
    rally.Model(source, cache=cache).close()
    assert len(list(cache.glob("*.rally"))) == 2


def test_a_cache_that_cannot_be_written_is_named(lm_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for cache in (tmp_path / "file", tmp_path / "no" / "such"):
        assert refusal(lm_path, cache=cache).code in {Status.IO, Status.FILE_NOT_FOUND, Status.NOT_A_FILE}


def memory() -> dict[str, int]:
    """Kilobytes of this process' mappings of prepared files, and of all its memory."""
    sums = {"mapped_private": 0, "mapped": 0, "private": 0}
    name = ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        word, *rest = line.split()
        if not word.endswith(":"):
            name = rest[-1] if len(rest) == 5 else ""
            continue
        if word.startswith("Private_"):
            sums["private"] += int(rest[0])
        if name.endswith(".rally"):
            if word == "Rss:":
                sums["mapped"] += int(rest[0])
            if word.startswith("Private_"):
                sums["mapped_private"] += int(rest[0])
    return sums


def work(scorer: Scorer, ready: Any, leave: Any, results: Any) -> None:
    scores = scorer.rate(ROWS).tolist()
    ready.wait()  # all have their pages
    results.put((scores, memory()))
    leave.wait()


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_processes_share_the_pages(tmp_path: Path, start: str) -> None:
    wide = replace(models.RATER, hidden_size=256, head_dim=64, intermediate_size=1024)
    source = models.write(tmp_path / "rater.onnx", wide)
    scorer = Scorer(source, "f32", threads=1, cache=tmp_path / "cache")
    expected = scorer.rate(ROWS).tolist()
    context = multiprocessing.get_context(start)
    ready, leave, results = context.Barrier(3), context.Barrier(4), context.Queue()
    processes = [context.Process(target=work, args=(scorer, ready, leave, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=600) for _ in processes]
    leave.wait()
    for process in processes:
        process.join()
    weights = next((tmp_path / "cache").glob("*.rally")).stat().st_size
    for scores, used in found:
        assert scores == expected
        assert used["mapped"] * 1024 > 0.5 * weights and used["mapped_private"] * 1024 <= 0.05 * weights
