"""The example that makes a rater: what its first stage asks the body, and the layers that it trains."""

from __future__ import annotations

import random
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import torch
import transformers

EXAMPLES = Path(__file__).resolve().parents[3] / "Examples"


@pytest.fixture(scope="module")
def order() -> ModuleType:
    """The module `order` of the example, which finds those next to it."""
    folders = [str(EXAMPLES / "raters"), str(EXAMPLES / "training")]
    sys.path[:0] = folders
    try:
        import order as module
    finally:
        for folder in folders:
            sys.path.remove(folder)
    return module


@pytest.mark.parametrize("seed", range(40))
def test_every_word_knows_whether_its_own_stands_before_it(order: ModuleType, seed: int) -> None:
    marks = ["", "", ",", "."]
    written = [f"w{number}{marks[number % 4]}" for number in range(30)]
    words, follows = order.moved(random.Random(seed), " ".join(written))
    numbers = [int(word.strip("w,.")) for word in words]
    assert len(set(numbers)) == len(numbers) <= 30
    assert follows == [True, *(after == before + 1 for before, after in pairwise(numbers))]


def test_most_arrangements_move_words(order: ModuleType) -> None:
    stream, text = random.Random(0), " ".join(f"w{number}" for number in range(60))
    unmoved = sum(all(order.moved(stream, text)[1]) for _ in range(200))
    assert unmoved < 10


def test_layers_are_those_of_bert(order: ModuleType) -> None:
    torch.manual_seed(3)
    sizes = {"hidden_size": 2 * order.HEAD, "num_attention_heads": 2, "intermediate_size": 96, "vocab_size": 50}
    config = transformers.BertConfig(**sizes, num_hidden_layers=order.LAYERS, max_position_embeddings=24)
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, 1.0 if name.endswith("LayerNorm.weight") else 0.0, 0.2)
    ids = torch.randint(0, 50, (3, 20))
    body = order.Body({name: tensor.detach() for name, tensor in model.named_parameters()})
    with torch.inference_mode():
        states = order.embedded(ids, body.was)
        for number in range(order.LAYERS):
            states = order.layer(states, body.was | body.learned, number)
        expected = model(input_ids=ids).last_hidden_state
    torch.testing.assert_close(states, expected, rtol=0, atol=2e-5)


def test_only_text_and_junk_as_they_stand_are_kept_in_place(order: ModuleType) -> None:
    sorts = torch.tensor([order.SORTS.index(sort) for sort in order.PATTERN * 2])
    before = torch.randn(8, 6)
    pooled = before + (sorts == order.SORTS.index("moved"))[:, None]
    scores, answers = torch.zeros(8, 5), torch.ones(8, 5)
    _, far = order.loss_of(scores, answers, sorts, pooled, before)
    assert far == 0
    _, far = order.loss_of(scores, answers, sorts, before + 1, before)
    assert far > 0
