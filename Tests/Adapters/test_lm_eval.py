"""lm-evaluation-harness: the same tasks through the harness' own transformers model and through Rally."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager
from rally import RallyError, Status
from rally.adapters.lm_eval import RallyLM
from rally.convert import convert
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from conftest import ROOT

TASKS = ["rally_endings", "rally_texts", "rally_continuations"]
CONTEXT = 48
END = "<|endoftext|>"


def write_checkpoint(folder: Path, begins: bool) -> None:
    """A random Llama whose context is shorter than most texts; `begins`: its tokenizer puts a token before them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    files = ("Examples/texts.jsonl", "Examples/curation/tasks/endings.jsonl")
    tokenizer.train_from_iterator([(ROOT / name).read_text() for name in files], trainer)
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{END} $A", pair=f"{END} $A $B", special_tokens=[(END, tokenizer.token_to_id(END))]
        )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END).save_pretrained(folder)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6)
    model.save_pretrained(folder)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "begins"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    write_checkpoint(folder, request.param)
    convert(folder, folder / "llama.onnx", quiet=True)
    return folder


@pytest.fixture
def model(checkpoint: Path) -> Iterator[RallyLM]:
    model = RallyLM(str(checkpoint / "llama.onnx"), threads=2)
    yield model
    model.close()


def evaluated(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    manager = TaskManager(include_path=str(ROOT / "Examples/curation/tasks"), include_defaults=False)
    return lm_eval.simple_evaluate(name, arguments, TASKS, task_manager=manager, batch_size=1, bootstrap_iters=0)


def answers(results: dict[str, Any], task: str) -> list[Any]:
    samples = sorted(results["samples"][task], key=lambda sample: sample["doc_id"])
    return [response for sample in samples for response in sample["filtered_resps"]]


def test_equals_the_transformers_model(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    expected = evaluated("hf", {"pretrained": str(checkpoint), "device": "cpu", "dtype": "float32"})
    found = evaluated("rally", {"pretrained": str(checkpoint / "llama.onnx"), "threads": 2})

    pairs = list(zip(answers(found, "rally_endings"), answers(expected, "rally_endings"), strict=True))
    assert len(pairs) == 16
    for (value, greedy), (wanted, wanted_greedy) in pairs:
        assert value == pytest.approx(wanted, rel=1e-5, abs=1e-4)
        assert greedy == wanted_greedy
    rolled = answers(found, "rally_texts")
    assert rolled == pytest.approx(answers(expected, "rally_texts"), rel=1e-5)
    texts = answers(found, "rally_continuations")
    assert texts == answers(expected, "rally_continuations")
    assert all(texts)
    for task in TASKS:
        for metric, value in expected["results"][task].items():
            if isinstance(value, float):
                assert found["results"][task][metric] == pytest.approx(value, rel=1e-5), metric


def ask(kind: str, *arguments: tuple[Any, ...]) -> list[Instance]:
    return [Instance(kind, {}, argument, index) for index, argument in enumerate(arguments)]


def test_likelihoods_from_first_principles(model: RallyLM) -> None:
    pairs = [("The old man", " sat by the fire"), ("", "The sea"), ("a " * 100, " b"), ("  ", "x"), ("The", "")]
    found = model.loglikelihood(ask("loglikelihood", *pairs), disable_tqdm=True)
    for (context, continuation), (value, greedy) in zip(pairs, found, strict=True):
        start = model.tok_encode(context.rstrip()) if context else []
        whole = model.tok_encode(context + continuation) if context else model.tok_encode(continuation, False)
        row = (start or [0]) + whole[len(start) :]
        row, count = row[-CONTEXT - 1 :], len(whole) - len(start)
        logits = model.model.forward([row[:-1] or [0]])[0].logits.astype(np.float64)[len(row) - 1 - count :]
        logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        aims = row[len(row) - count :]
        assert value == pytest.approx(sum(logprobs[place, aim] for place, aim in enumerate(aims)), rel=1e-6, abs=1e-6)
        assert greedy == (logits[: len(aims)].argmax(axis=1).tolist() == aims)
    with pytest.raises(RallyError) as caught:
        model.loglikelihood(ask("loglikelihood", ("a", " b" * 100)), disable_tqdm=True)
    assert caught.value.code == Status.CONTEXT_EXCEEDED


def test_little_memory_changes_nothing(model: RallyLM, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [("The old man", " sat by the fire"), ("She", " looked"), ("He took", " the book in his hand")]
    found = model.loglikelihood(ask("loglikelihood", *pairs), disable_tqdm=True)
    monkeypatch.setattr("rally.adapters.lm_eval._LOGITS_BYTES", 1)
    assert model.loglikelihood(ask("loglikelihood", *pairs), disable_tqdm=True) == found


def test_generation(model: RallyLM) -> None:
    how = {"until": [" "], "max_gen_toks": 12, "do_sample": True, "temperature": 1.0, "top_k": 50}
    greedy = {"until": ["\n"], "max_new_tokens": 5}
    requests = ask("generate_until", ("The sea", how), ("The sea", greedy), ("", greedy), ("word " * 90, greedy))
    texts = model.generate_until(requests, disable_tqdm=True)
    assert texts == model.generate_until(requests, disable_tqdm=True)
    assert " " not in texts[0]
    prompts = [model.tok_encode("The sea"), model.tok_encode("") or [0], model.tok_encode("word " * 90)[-CONTEXT + 5 :]]
    for text, prompt in zip(texts[1:], prompts, strict=True):
        alone = model.model.generate(prompt, 5).text
        assert text == alone.split("\n")[0].split(END)[0]
    assert model.generate_until([], disable_tqdm=True) == []
    assert model.loglikelihood_rolling(ask("loglikelihood_rolling", ("",)), disable_tqdm=True)[0] <= 0


def test_models_that_do_not_fit(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(RallyError, match="expected a language model") as caught:
        RallyLM(str(ROOT / "Examples/models/rally-rater-tiny.onnx"))
    assert caught.value.code == Status.WRONG_KIND
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    convert(tmp_path, tmp_path / "bare.onnx", quiet=True)
    with pytest.raises(RallyError, match="needs a tokenizer") as caught:
        RallyLM(str(tmp_path / "bare.onnx"), threads=1)
    assert caught.value.code == Status.UNSUPPORTED


def test_the_name_is_known() -> None:
    assert get_model("rally") is RallyLM
