"""Choosing the share to discard: cuts stored scores at several shares, and says what each costs.

The protocol of DataRater (arXiv 2505.17895): train the smallest model once per share, on what that share leaves, and
take the share with the best validation loss; it carries over to larger models. `python -m rally.sweep` writes what each
share leaves, without rating anything again, and names the best once the losses are there.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
import numpy.typing as npt

from . import select
from ._extras import sentence
from ._files import replacing
from ._program import run
from .errors import RallyError, Status
from .sweep_files import scored_files, scored_rows

_OLD_TOKENS = "scores with their numbers of tokens in a column 'tokens': it is called 'token_count' now; the next version reads that alone"

DISCARDS = ("0.1", "0.25", "0.5", "0.75", "0.9")


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Documents with their stored scores, in the order of the files.

    Attributes
    ----------
    ids : list
        Names, as they were written.
    scores : ndarray, shape [n], float32
    tokens : ndarray, shape [n], int64
    left_out : int
        Rows besides these that have no score.
    """

    ids: list[Any]
    scores: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.int64]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """What one share leaves, and what it costs.

    Attributes
    ----------
    discard : float
        ρ.
    drawn : int
        B: points to draw for each batch.
    threshold : float, optional
        The lowest score that stays; None where none does.
    kept, kept_tokens : int
    token_share : float
        `kept_tokens` among all.
    cost : float, optional
        Rating as a share of the training on what is kept.
    net : float, optional
        Training on what is kept, and rating all of it once, as a share of training on all of it.
    loss : float, optional
        Validation loss of the model that was trained on it.
    """

    discard: float
    drawn: int
    threshold: float | None
    kept: int
    kept_tokens: int
    token_share: float
    cost: float | None = None
    net: float | None = None
    loss: float | None = None


def kept_count(count: int, discard: str | float) -> int:
    """The most points that `count` drawn ones leave: ⌊count (1 - ρ)⌋, exact in decimal."""
    return math.floor(count * (1 - Fraction(str(discard))))


def cut(
    scored: Scored,
    discard: str | float,
    batch: int,
    rater_parameters: float | None = None,
    model_parameters: float | None = None,
    loss: float | None = None,
) -> tuple[Cut, npt.NDArray[np.intp]]:
    """One row of the sweep, and the places that stay, ascending.

    Raises
    ------
    RallyError
        EMPTY_INPUT without scores, NOT_FINITE for a NaN among them, INVALID_ARGUMENT for a share outside [0, 1).
    """
    share = select.share(float(discard))
    drawn = select.draw_count(batch, share)
    places = select.top(scored.scores, kept_count(scored.scores.size, discard))
    tokens, whole = int(scored.tokens[places].sum()), int(scored.tokens.sum())
    cost = net = None
    token_share = tokens / whole if whole else 0.0
    if rater_parameters is not None and model_parameters is not None:
        cost = select.cost_ratio(rater_parameters, model_parameters, share)
        net = token_share + select.cost_ratio(rater_parameters, model_parameters, 0)
    threshold = _decimal(scored.scores[places].min()) if places.size else None
    return Cut(share, drawn, threshold, places.size, tokens, token_share, cost, net, loss), places


# Files


def read(paths: Sequence[str], id: str = "id", score: str = "score", tokens: str | None = None) -> Scored:
    """Reads stored scores from what `rally.score`, ``rally score`` or one of the adapters' frameworks wrote.

    A row whose score is null has none, and is left out.

    Parameters
    ----------
    paths : sequence of str
        Files of lines of JSON, also packed, files of Parquet and Arrow, and folders of these with all inside.
    id, score, tokens : str
        Columns; without `tokens` "token_count", or with a warning "tokens", as versions before 0.2 wrote it.

    Raises
    ------
    RallyError
        FILE_NOT_FOUND; INVALID_ARGUMENT with file and row for what cannot be read; EMPTY_INPUT.
    """
    ids: list[Any] = []
    scores: list[float] = []
    counts: list[int] = []
    left_out, told = 0, False
    for path in scored_files(paths):
        names = (id, score, "decided_by", *([tokens] if tokens else ["token_count", "tokens"]))
        for number, row in scored_rows(path, names):
            if row.get("decided_by") is not None:
                message = f"{path}: scores of a cascade decide one cut, not several; rate by one rater, or cut once"
                raise RallyError(Status.UNSUPPORTED, message)
            where = f"{path}:{number}"
            if score in row and row[score] is None:
                left_out += 1
                continue
            found = row.get(tokens) if tokens else row.get("token_count")
            if found is None and not tokens and (found := row.get("tokens")) is not None and not told:
                told = True
                warn(_OLD_TOKENS, FutureWarning, stacklevel=2)
            if row.get(id) is None:
                raise _invalid(f"{where}: expected a column {id!r}, found none")
            if not isinstance(row.get(score), (int, float)) or isinstance(row[score], bool):
                raise _invalid(f"{where}: expected a number in column {score!r}, found {row.get(score)!r}")
            if not isinstance(found, int) or isinstance(found, bool) or found < 0:
                raise _invalid(f"{where}: expected a number of tokens in {tokens or 'token_count'!r}, found {found!r}")
            ids.append(row[id])
            scores.append(row[score])
            counts.append(found)
    if not ids:
        raise RallyError(Status.EMPTY_INPUT, "scores: expected at least one, found none")
    return Scored(ids, np.array(scores, np.float32), np.array(counts, np.int64), left_out)


def write(folder: Path, discard: str, scored: Scored, places: npt.NDArray[np.intp]) -> Path:
    """Writes ids and scores of what stays, an object a line, to ``kept-SHARE.jsonl``; replaced in one step."""
    path = folder / f"kept-{discard}.jsonl"
    with replacing(path) as file:
        for place in places.tolist():
            row = {"id": scored.ids[place], "score": _decimal(scored.scores[place])}
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return path


def read_losses(path: str, discards: Sequence[str]) -> dict[str, float]:
    """Validation losses by share, of the shares that were swept; shares are compared as numbers."""
    try:
        given = json.loads(Path(path).read_text())
        losses = {Fraction(share): float(loss) for share, loss in given.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise _invalid(f'{path}: expected an object such as {{"0.1": 3.21}} ({error})') from None
    strange = losses.keys() - {Fraction(share) for share in discards}
    if strange:
        raise _invalid(f"{path}: expected losses of {', '.join(discards)}, found one of {float(min(strange))}")
    return {share: losses[Fraction(share)] for share in discards if Fraction(share) in losses}


def _decimal(score: np.float32) -> float:
    """The double that is written with as few digits as tell the score from its neighbours."""
    return float(str(score))


def _invalid(message: str) -> RallyError:
    return RallyError(Status.INVALID_ARGUMENT, message)


# For people


def table(cuts: Sequence[Cut], best: Cut | None) -> str:
    """The sweep as aligned lines."""
    heads = ["discard", "B", "threshold", "kept", "tokens", "of all"]
    optional = {"cost": "rating/training", "net": "net compute", "loss": "loss"}
    shown = [name for name in optional if any(getattr(one, name) is not None for one in cuts)]
    lines = [[*heads, *(optional[name] for name in shown)]]
    for one in cuts:
        threshold = "" if one.threshold is None else f"{one.threshold:.4f}"
        cells = [f"{one.discard:.6g}", f"{one.drawn:,}", threshold, f"{one.kept:,}", f"{one.kept_tokens:,}"]
        cells.append(f"{one.token_share:.1%}")
        for name in shown:
            value = getattr(one, name)
            cells.append("" if value is None else f"{value:.4f}" if name == "loss" else f"{value:.1%}")
        lines.append([*cells, "best" if one is best else ""])
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    rows = (
        "  ".join([*(cell.rjust(width) for cell, width in zip(line, widths, strict=False)), *line[len(widths) :]])
        for line in lines
    )
    return "\n".join(row.rstrip() for row in rows)


def warnings(cuts: Sequence[Cut], best: Cut | None) -> Iterator[str]:
    """What a person should know before following the table."""
    costly = [f"{one.discard:.6g}" for one in cuts if one.cost is not None and select.costs_more(one.cost, one.discard)]
    if costly:
        yield (
            f"at {', '.join(costly)}: rating inside the training loop costs more than it can save, or as much as the "
            "training; rate once, store the scores, and train on these files"
        )
    if best is not None and len(cuts) > 1 and best in (cuts[0], cuts[-1]):
        yield f"the best share, {best.discard:.6g}, is at the end of the sweep; the true one may lie beyond"


def parser() -> argparse.ArgumentParser:
    """The flags."""
    found = argparse.ArgumentParser(
        prog="python -m rally.sweep",
        description="Cut stored scores at several shares, and say what each leaves and costs. Nothing is rated again.",
    )
    found.add_argument("scores", nargs="+", metavar="SCORES", help=".jsonl, .parquet, or a folder of either")
    found.add_argument("--out", metavar="DIR", type=Path, help="writes kept-SHARE.jsonl there, ids and scores")
    found.add_argument("--discard", metavar="SHARES", default=",".join(DISCARDS), help="default: %(default)s")
    found.add_argument(
        "--batch", type=int, default=128, metavar="N", help="points a training step keeps (default: 128)"
    )
    found.add_argument("--rater-parameters", type=float, metavar="P", help="such as 50e6")
    found.add_argument("--model-parameters", type=float, metavar="P", help="of the model to be trained, such as 1e9")
    found.add_argument("--losses", metavar="FILE", help='validation losses, such as {"0.1": 3.21, "0.25": 3.18}')
    found.add_argument("--id", default="id", metavar="COLUMN", help="default: id")
    found.add_argument("--score", default="score", metavar="COLUMN", help="default: score")
    found.add_argument("--tokens", metavar="COLUMN", help="number of tokens (default: token_count)")
    found.add_argument("--json", action="store_true", help="write the table as JSON")
    return found


def sweep(options: argparse.Namespace) -> tuple[list[Cut], Cut | None]:
    """Makes and writes all cuts; the second is the one with the lowest loss."""
    discards = [share.strip() for share in options.discard.split(",")]
    if (options.rater_parameters is None) != (options.model_parameters is None):
        raise _invalid("--rater-parameters and --model-parameters: expected both, found one")
    losses = read_losses(options.losses, discards) if options.losses else {}
    scored = read(options.scores, options.id, options.score, options.tokens)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    cuts = []
    for share in discards:
        try:
            float(share)
        except ValueError:
            raise _invalid(f"--discard: expected shares such as 0.1,0.25, found {share!r}") from None
        parameters = options.rater_parameters, options.model_parameters
        one, places = cut(scored, share, options.batch, *parameters, losses.get(share))
        cuts.append(one)
        if options.out:
            write(options.out, share, scored, places)
    known = [one for one in cuts if one.loss is not None]
    if scored.left_out:
        print(f"{scored.left_out:,} rows without a score are left out", file=sys.stderr)
    return cuts, min(known, key=lambda one: one.loss if one.loss is not None else math.inf, default=None)


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; returns the exit status: 0 done, 1 failed, 2 flags it cannot read."""
    options = parser().parse_args(arguments)
    try:
        cuts, best = sweep(options)
    except ModuleNotFoundError as error:
        print(f"error: {sentence(error, 'rally.sweep of these files', 'score')}", file=sys.stderr)
        return 1
    except (RallyError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        rows = [{name: value for name, value in asdict(one).items() if value is not None} for one in cuts]
        print(json.dumps({"cuts": rows, "best": None if best is None else best.discard}, indent=2))
    else:
        print(table(cuts, best))
    for warning in warnings(cuts, best):
        print(f"warning: {warning}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run(main)
