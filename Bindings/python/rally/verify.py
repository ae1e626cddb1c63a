"""Runs a model file through onnxruntime and through Rally, and compares: ``python -m rally.verify FILE``.

Of a prepared file, which no other runtime reads, every byte is compared with its digests instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rally._extras import sentence
from rally._program import run
from rally.errors import RallyError
from rally.opening import validate
from rally.preparation import is_prepared

Rows = list[npt.NDArray[np.int64]]
Outputs = dict[str, npt.NDArray[Any]]

#: Where a looped model is asked to let tokens go whose file lets none go, by its rule.
_EXIT_THRESHOLDS = {"hazard": 0.5, "latent_diff": 0.2}

#: Largest relative difference that passes, by the element type that Rally computes in.
TOLERANCES = {"f32": 1e-4, "bf16": 5e-2, "int8": 2e-1, "q4": 4e-1}


@dataclass(frozen=True)
class Comparison:
    """One output of the two engines, over all rows.

    Attributes
    ----------
    name : str
        ``logits``, ``depth``, ``score`` or ``pooled``; for a looped model with the rule of exits in brackets.
    count : int
        Numbers compared.
    different : int
        Numbers that are not equal.
    largest_absolute : float
        Largest |a − b|.
    relative : float
        ‖a − b‖ / ‖b‖, b onnxruntime's.
    agrees : bool
        Depths: all equal. Others: ``relative`` within the tolerance.
    """

    name: str
    count: int
    different: int
    largest_absolute: float
    relative: float
    agrees: bool


def verify(
    path: Path, *, rows: int = 4, length: int = 64, seed: int = 0, dtype: str = "f32", tolerance: float | None = None
) -> list[Comparison]:
    """Compare the two engines on random token ids.

    Parameters
    ----------
    path : Path
        The model file.
    rows, length : int
        Number of rows, and tokens of the longest; the others are of random lengths up to it.
    seed : int
        Same seed, same rows.
    dtype : {"f32", "bf16", "int8", "q4"}
        Element type that Rally computes in; onnxruntime computes in f32.
    tolerance : float, optional
        Largest relative difference that passes; by default that of :data:`TOLERANCES`.

    Returns
    -------
    list of Comparison
        One per output of the model.

    Raises
    ------
    RallyError
        When Rally cannot run the file.
    ValueError
        When onnxruntime cannot, or the rows do not fit the model.
    """
    session, metadata = _open(path)
    longest, vocabulary = int(metadata["rally.max_position_embeddings"]), int(metadata["rally.vocab_size"])
    if rows < 1 or not 1 <= length <= longest:
        raise ValueError(f"rows must be at least 1, length from 1 to the model's {longest}")
    ids = random_rows(rows, length, vocabulary, seed)
    limit = TOLERANCES[dtype] if tolerance is None else tolerance
    if metadata["rally.kind"] == "rater":
        wanted, found = _score_by_onnxruntime(session, ids), run_by_rally(path, ids, True, dtype)
        return [compare(name, found[name], wanted[name], limit) for name in wanted]
    comparisons = []
    for label, options in exit_rules(metadata).items():
        wanted = _run_by_onnxruntime(session, ids, options)
        found = run_by_rally(path, ids, False, dtype, options)
        comparisons += [compare(name + label, found[name], wanted[name], limit) for name in wanted]
    return comparisons


def exit_rules(metadata: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return what is asked of a language model, by a label: the file's own rule, and of a looped one further rules."""
    own: dict[str, dict[str, Any]] = {"": {}}
    rule, recursions = metadata.get("rally.exit", "none"), int(metadata.get("rally.num_recursion", "1"))
    if rule == "none":
        return own
    own_threshold = float(metadata["rally.exit_threshold"])
    lets_go = own_threshold > 0.0 and (rule != "hazard" or own_threshold < 1.0)
    threshold = own_threshold if lets_go else _EXIT_THRESHOLDS[rule]
    policies = ("full", metadata.get("rally.kv_cache", "last_exited"))
    exits = [{"exit_threshold": threshold, "kv_policy": policy} for policy in dict.fromkeys(policies)]
    deepest = max(1, recursions - 1)
    bounded = exits[-1] | {"exit_from": 5, "min_depth": min(2, deepest), "max_depth": deepest}
    return own | {
        " (" + ", ".join(f"{name} {value}" for name, value in one.items()) + ")": one for one in [*exits, bounded]
    }


def random_rows(rows: int, length: int, vocabulary: int, seed: int) -> Rows:
    """Return ragged rows of random ids; the first has the full length."""
    stream = np.random.default_rng(seed)
    lengths = [length, *stream.integers(1, length + 1, rows - 1).tolist()]
    return [stream.integers(0, vocabulary, count) for count in lengths]


def compare(name: str, found: npt.NDArray[Any], wanted: npt.NDArray[Any], tolerance: float) -> Comparison:
    """Compare one output, flat or not, of equal shapes; NaN never agrees."""
    a, b = found.astype(np.float64).ravel(), wanted.astype(np.float64).ravel()
    if a.shape != b.shape:
        raise ValueError(f"{name}: Rally returned shape {list(found.shape)}, onnxruntime {list(wanted.shape)}")
    difference = np.abs(a - b)
    scale = float(np.linalg.norm(b)) or 1.0
    relative = float(np.linalg.norm(difference)) / scale
    different = int(np.count_nonzero(a != b))
    agrees = different == 0 if name.startswith("depth") else relative <= tolerance
    return Comparison(name, a.size, different, float(difference.max(initial=0.0)), relative, bool(agrees))


def run_by_rally(path: Path, rows: Rows, rater: bool, dtype: str, options: dict[str, Any] | None = None) -> Outputs:
    """Return Rally's outputs, rows end to end."""
    import rally

    with rally.Model(path, dtype=dtype) as model:
        if rater:
            return _score_by_rally(model, rows)
        results = model.forward(rows, selection="threshold", **(options or {}))
    logits = [result.logits for result in results if result.logits is not None]
    return {"logits": np.concatenate(logits), "depth": np.concatenate([result.depth for result in results])}


def _open(path: Path) -> tuple[Any, dict[str, str]]:
    try:
        import onnxruntime  # type: ignore[import-untyped,unused-ignore]
    except ModuleNotFoundError as error:
        raise ImportError(sentence(error, "rally.verify", "convert")) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a type of its own for each kind of failure
        raise ValueError(f"onnxruntime: {str(error).splitlines()[0]}") from None
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    if "rally.kind" not in metadata:
        raise ValueError(f"{path}: no Rally model file, it has no rally.kind")
    return session, metadata


def _run_by_onnxruntime(session: Any, rows: Rows, options: dict[str, Any]) -> Outputs:
    types = {"exit_threshold": np.float32, "full_kv": np.bool_}
    given = {name: value for name, value in options.items() if name != "kv_policy"}
    if "kv_policy" in options:
        given["full_kv"] = options["kv_policy"] == "full"
    inputs: Outputs = {f"graph.{name}": np.array(value, types.get(name, np.int64)) for name, value in given.items()}
    results = [session.run(["logits", "depth"], {"input_ids": row[None], **inputs}) for row in rows]
    return {
        name: np.concatenate([result[place][0] for result in results]) for place, name in enumerate(("logits", "depth"))
    }


def _score_by_rally(model: Any, rows: Rows) -> Outputs:
    """Return what a rater's graph has for outputs."""
    if model.info.num_labels == 0:
        return {"pooled": np.asarray(model.pooled(rows))}
    outputs = {"logits": np.asarray(model.rate_outputs(rows))}
    return outputs | ({"score": np.asarray(model.rate(rows))} if model.info.has_score else {})


def _score_by_onnxruntime(session: Any, rows: Rows) -> Outputs:
    longest = max(len(row) for row in rows)
    ids, mask = np.zeros((len(rows), longest), dtype=np.int64), np.zeros((len(rows), longest), dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"input_ids": ids, "attention_mask": mask}), strict=True))


def table(comparisons: list[Comparison]) -> str:
    """Return the comparisons as lines for people."""
    width = max(8, *(len(one.name) + 2 for one in comparisons))
    lines = [f"{'output':<{width}}{'numbers':>12}{'different':>12}{'largest':>12}{'relative':>12}  agrees"]
    for one in comparisons:
        numbers = (
            f"{one.name:<{width}}{one.count:>12,}{one.different:>12,}{one.largest_absolute:>12.3g}{one.relative:>12.3g}"
        )
        lines.append(f"{numbers}  {'yes' if one.agrees else 'NO'}")
    return "\n".join(lines)


def _verify_prepared(path: Path, as_json: bool) -> int:
    validate(path)
    line = f"{path}: a prepared file, every byte as it was written; compare its original with onnxruntime"
    print(json.dumps({"agrees": True, "outputs": []}) if as_json else line)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison; returns the exit status: 0 when every output agrees."""
    parser = argparse.ArgumentParser(
        prog="python -m rally.verify", description="Run a model file through onnxruntime and Rally, and compare."
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--rows", type=int, default=4, help="number of rows (default: 4)")
    parser.add_argument("--length", type=int, default=64, help="tokens of the longest row (default: 64)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=sorted(TOLERANCES), default="f32", help="what Rally computes in")
    parser.add_argument("--tolerance", type=float, help=f"largest relative difference (default by dtype: {TOLERANCES})")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    options = parser.parse_args(arguments)
    try:
        if is_prepared(options.file):
            return _verify_prepared(options.file, options.json)
        comparisons = verify(
            options.file,
            rows=options.rows,
            length=options.length,
            seed=options.seed,
            dtype=options.dtype,
            tolerance=options.tolerance,
        )
    except (RallyError, ImportError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    agrees = all(one.agrees for one in comparisons)
    if options.json:
        print(json.dumps({"agrees": agrees, "outputs": [dataclasses.asdict(one) for one in comparisons]}))
    else:
        print(table(comparisons))
    return 0 if agrees else 1


if __name__ == "__main__":
    run(main)
