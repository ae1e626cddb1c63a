"""Documents in windows: the very scores of the windows as rows, and what is said of each document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import models
import numpy as np
import pytest
from compare import same_bits

import rally
from rally import RallyError, Scorer, Status

CONTEXT = models.RATER.max_position_embeddings
LENGTHS = [1, 5, CONTEXT - 1, CONTEXT, CONTEXT + 1, 3 * CONTEXT, 1000]
DOCUMENTS = models.rows(LENGTHS)


def cut(row: list[int], window: int, stride: int) -> list[list[int]]:
    """The windows of a document, from first principles."""
    windows = []
    for start in range(0, len(row), stride):
        windows.append(row[start : start + window])
        if start + window >= len(row):
            break
    return windows


@pytest.mark.parametrize(("window", "stride"), [(None, None), (64, None), (64, 40), (10, 15), (1, 1), (CONTEXT, 1)])
def test_windows_are_rows(rater: rally.Model, window: int | None, stride: int | None) -> None:
    documents = DOCUMENTS[:5] if stride == 1 else DOCUMENTS
    found = rater.rate_documents(documents, window, stride)
    length = window or CONTEXT
    cuts = [cut(row, length, stride or length) for row in documents]
    alone = rater.rate([piece for pieces in cuts for piece in pieces])
    assert same_bits(found.windows, alone)
    assert found.window_counts.tolist() == [len(pieces) for pieces in cuts]
    assert found.window_counts.tolist() == rater.document_windows(documents, window, stride).tolist()
    for index, (pieces, scores) in enumerate(zip(cuts, found.window_scores, strict=True)):
        weights = [len(piece) for piece in pieces]
        mean = np.float32(sum(float(s) * w for s, w in zip(scores, weights, strict=True)) / sum(weights))
        assert found.mean[index] == mean
        assert found.minimum[index] == scores.min()
        seen = min(stride or length, length) * (len(pieces) - 1) + len(pieces[-1])
        assert found.coverage[index] == np.float32(seen / len(documents[index]))
        if len(pieces) == 1:
            assert same_bits(found.mean[index : index + 1], scores)


def test_company_changes_nothing(rater: rally.Model, rater_path: Path) -> None:
    together = rater.rate_documents(DOCUMENTS)
    with rally.Model(rater_path, threads=1, batch_tokens=CONTEXT + 7) as other:
        for index, row in enumerate(DOCUMENTS):
            alone = other.rate_documents([row])
            assert same_bits(alone.mean, together.mean[index : index + 1])
            assert same_bits(alone.windows, together.window_scores[index])


def test_few_windows_are_spread(rater: rally.Model) -> None:
    row = DOCUMENTS[-1]  # 100 windows of 10 tokens
    everything = rater.rate_documents([row], 10)
    for most in (1, 2, 3, 7, 99, 100, 500):
        few = rater.rate_documents([row], 10, max_windows=most)
        places = [(2 * index + 1) * 100 // (2 * most) for index in range(most)] if most < 100 else range(100)
        assert same_bits(few.windows, everything.windows[list(places)])
        assert few.coverage[0] == np.float32(min(most, 100) / 100)


def test_what_the_tokenizer_adds_is_in_every_window(tmp_path: Path) -> None:
    ends = replace(models.TOKENIZER, add_bos=True, add_eos=True)
    path = models.write(tmp_path / "framed.onnx", replace(models.RATER, tokenizer=ends))
    with rally.Model(path, threads=1) as model:
        text = "the sea and the wind in the north " * 30
        whole, end = model.encode(text), models.TOKENIZER.eos_token_id
        assert whole[0] == whole[-1] == end
        assert model.encode_rows([text, b""]).tokens.tolist() == [*whole, end, end]
        bare = whole[1:-1]
        pieces = [[end, *bare[start : start + 30], end] for start in range(0, len(bare), 30)]
        assert same_bits(model.rate_documents([whole], 32).windows, model.rate(pieces))
        assert same_bits(model.rate_documents([text], 32).windows, model.rate(pieces))
        # A document without them is taken as it is, one that fits is one row.
        assert same_bits(model.rate_documents([bare], 32).windows, model.rate(cut(bare, 32, 32)))
        assert same_bits(model.rate_documents(["the sea"]).mean, model.rate(["the sea"]))
        assert same_bits(model.rate_documents([[end], [end, end]]).mean, model.rate([[end], [end, end]]))
        with pytest.raises(RallyError, match="window_tokens: expected 3 to"):
            model.rate_documents([whole], 2)


def test_squash(tmp_path: Path) -> None:
    path = models.write(tmp_path / "squash.onnx", replace(models.RATER, squash="sigmoid", squash_temperature=2.0))
    scorer = Scorer(path, squash=True)
    found = scorer.rate_documents(DOCUMENTS, 64)
    assert same_bits(found.windows, scorer.rate([piece for row in DOCUMENTS for piece in cut(row, 64, 64)]))
    assert (found.windows > 0).all()
    assert (found.windows < 1).all()


@pytest.mark.parametrize(
    "wrong", [{"window": 0}, {"window": CONTEXT + 1}, {"stride": 0}, {"max_windows": 0}, {"window": 1.5}]
)
def test_wrong_wishes(rater: rally.Model, wrong: dict[str, int]) -> None:
    with pytest.raises(RallyError) as caught:
        rater.rate_documents(DOCUMENTS, **wrong)
    assert caught.value.code == Status.INVALID_ARGUMENT


def test_wrong_documents(rater: rally.Model, lm: rally.Model) -> None:
    for rows, code in [
        ([], Status.EMPTY_INPUT),
        ([[1], []], Status.EMPTY_INPUT),
        ([[1, models.VOCAB]], Status.INVALID_TOKEN),
    ]:
        with pytest.raises(RallyError) as caught:
            rater.rate_documents(rows)
        assert caught.value.code == code
    with pytest.raises(RallyError) as caught:
        lm.rate_documents([[1]])
    assert caught.value.code == Status.WRONG_KIND
