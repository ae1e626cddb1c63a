"""Text through Rally and through Hugging Face `tokenizers`: the same ids for every line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tokenizer_corpus
from streams import TextStream
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

import rally
from rally import RallyError, Status
from rally.convert import convert

END = "<|endoftext|>"
KINDS = ["gpt2", "smollm"]
ADDED = [AddedToken("<tool>", special=False, normalized=False), AddedToken("<|im_start|>", special=True)]


def _pre_tokenizer(kind: str) -> Any:
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Digits(individual_digits=True)
    return split if kind == "gpt2" else pre_tokenizers.Sequence([digits, split])


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    return tokenizer_corpus.lines(100_000)


@pytest.fixture
def share(request: pytest.FixtureRequest, corpus: list[bytes]) -> list[bytes]:
    """At least 100 000 lines; where there are twice as many, each kind has lines of its own."""
    parts = min(len(KINDS), len(corpus) // 100_000)
    own = KINDS.index(request.node.callspec.params["pair"]) % parts
    return [line for number, line in enumerate(corpus) if number // 50 % parts == own]  # of fifty one is broken


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, corpus: list[bytes], folder: Path) -> Iterator[tuple[rally.Model, Tokenizer]]:
    """A tokenizer trained on part of the corpus, and a model that carries it."""
    reference = Tokenizer(models.BPE())
    reference.pre_tokenizer = _pre_tokenizer(request.param)
    reference.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2_000, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    reference.train_from_iterator((line.decode(errors="ignore") for line in corpus[::20]), trainer)
    reference.add_special_tokens([ADDED[1]])
    reference.add_tokens([ADDED[0]])
    size = reference.get_vocab_size()

    checkpoint, path = folder / request.param, folder / f"{request.param}.onnx"
    end = reference.token_to_id(END)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=64,
        bos_token_id=end,
        eos_token_id=end,
    )
    LlamaForCausalLM(config).save_pretrained(checkpoint)
    reference.save(str(checkpoint / "tokenizer.json"))
    convert(checkpoint, path, quiet=True)
    with rally.Model(path, threads=1) as model:
        yield model, reference


def test_every_line(pair: tuple[rally.Model, Tokenizer], share: list[bytes]) -> None:
    model, reference = pair
    assert len(share) >= 100_000
    differences = tokenizer_corpus.differences(
        share,
        lambda text: model.encode(text, add_bos=False, add_eos=False),
        model.decode_bytes,
        lambda text: reference.encode(text, add_special_tokens=False).ids,
    )
    assert not differences, f"{len(differences)} lines differ, among them:\n" + "\n".join(differences[:5])


def test_every_line_as_a_stream(pair: tuple[rally.Model, Tokenizer], corpus: list[bytes]) -> None:
    """Pieces of text: whole characters, and together the text."""
    model, _ = pair
    stream = TextStream(model)
    for line in corpus[::50]:
        tokens = model.encode(line)
        pieces = [*map(stream.push, tokens), stream.finish()]
        text = line.decode("utf-8", "replace")
        assert "".join(pieces) == text
        assert model.decode(tokens) == text
        if "\N{REPLACEMENT CHARACTER}" not in text:
            assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)


@pytest.mark.parametrize(
    "text",
    [
        "",
        END,
        f"a{END}b",
        f"{END}{END}",
        "x<tool>y <tool> z",
        f"<|im_start|>user 1234{END}",
        "<|im_start",
        "<tool><tool>",
    ],
)
def test_added_tokens(pair: tuple[rally.Model, Tokenizer], text: str) -> None:
    model, reference = pair
    ids = reference.encode(text, add_special_tokens=False).ids
    assert model.encode(text, add_bos=False, add_eos=False) == ids
    assert model.decode(ids) == text
    assert model.decode(ids, skip_special=True) == text.replace(END, "").replace("<|im_start|>", "")
    plain = model.encode(text, add_bos=False, add_eos=False, parse_special=False)
    assert model.decode(plain) == text
    assert reference.token_to_id(END) not in plain


def test_first_and_last_token(pair: tuple[rally.Model, Tokenizer]) -> None:
    model, _ = pair
    info = model.info
    assert info.bos_token_id is not None
    assert info.eos_token_id is not None
    bare = model.encode("The sea", add_bos=False, add_eos=False)
    assert model.encode("The sea", add_bos=True, add_eos=True) == [info.bos_token_id, *bare, info.eos_token_id]
    assert model.encode("", add_bos=True, add_eos=False) == [info.bos_token_id]


def test_surrogates_carry_bytes(pair: tuple[rally.Model, Tokenizer]) -> None:
    model, _ = pair
    text = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    assert model.decode_bytes(model.encode(text)) == b"caf\xe9 \xff"
    assert model.decode_bytes(model.encode("zero\0byte")) == b"zero\0byte"


def test_ids_beyond_the_vocabulary(pair: tuple[rally.Model, Tokenizer]) -> None:
    model, _ = pair
    for wrong in (-1, model.info.vocab_size, 2**31, 2**32, -(2**40)):
        with pytest.raises(RallyError) as caught:
            model.decode([1, wrong])
        assert caught.value.code == Status.INVALID_TOKEN
