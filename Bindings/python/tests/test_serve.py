"""`python -m rally.serve` under OpenAI's own client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import openai
import pytest

import rally

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}bot:{% endif %}"
)
#: Seconds; only a server that hangs needs as many.
PATIENCE = 600
COMMAND = [sys.executable, "-m", "rally.serve"]


def start(*arguments: Any) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([*COMMAND, *map(str, arguments), "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Listening on http://127.0.0.1:")
    return process, line.split()[-1]


@pytest.fixture(scope="module")
def path(folder: Path) -> Path:
    return models.write(folder / "chat.onnx", replace(models.MOR, chat_template=TEMPLATE))


@pytest.fixture(scope="module")
def model(path: Path) -> Iterator[rally.Model]:
    with rally.Model(path, threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(path: Path, rater_path: Path) -> Iterator[str]:
    """A server of its own process, which ends cleanly with status 0 when told to."""
    limits = ["-t", 1, "--parallel", 64, "--max-queue", 4, "--max-body", 100_000, "-n", 250]
    process, address = start(path, "--rater", rater_path, *limits)
    yield address
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=PATIENCE) as opened:
        yield opened


def post(url: str, path: str, body: Any, kind: str = "application/json") -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url + path, data, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def metrics(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE) as page:
        assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = [line for line in page.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def until(url: str, name: str, wanted: float) -> None:
    while metrics(url)[name] != wanted:
        time.sleep(0.02)


def test_completions(client: openai.OpenAI, model: rally.Model) -> None:
    answer = client.completions.create(
        model="chat", prompt=["the sea", "an inn"], max_tokens=12, temperature=0.8, top_p=0.9, seed=7, n=2, logprobs=2
    )
    how: rally.Sampling = {"temperature": 0.8, "top_p": 0.9, "logprobs": 2}
    expected = [
        model.generate(prompt, 12, seed=seed, skip_special=True, **how)
        for prompt in ("the sea", "an inn")
        for seed in (7, 8)
    ]
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    for choice, alone in zip(answer.choices, expected, strict=True):
        assert choice.text == alone.text
        assert choice.finish_reason == {"limit": "length", "stop": "stop"}[alone.finish_reason]
        assert choice.logprobs is not None and choice.logprobs.token_logprobs == pytest.approx(alone.logprobs.tolist())
        assert [len(top) for top in choice.logprobs.top_logprobs or []] == [2] * len(alone.tokens)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len(model.encode("the sea")) + len(model.encode("an inn"))
    assert answer.usage.completion_tokens == sum(len(alone.tokens) for alone in expected)


def test_stops_and_the_models_own_fields(client: openai.OpenAI, model: rally.Model) -> None:
    text = model.generate("the sea", 30, stop_at_eos=False, skip_special=True).text
    stop = next(character for character in text[1:] if character.isascii())
    extra = {"ignore_eos": True, "max_depth": 3, "top_k": 0}
    answer = client.completions.create(
        model="chat", prompt="the sea", max_tokens=30, temperature=0, stop=[stop], extra_body=extra
    )
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == (text[: text.index(stop)], "stop")
    banned = model.generate("the sea", 1).tokens[0]
    answer = client.completions.create(
        model="chat", prompt=model.encode("the sea"), max_tokens=1, temperature=0, logit_bias={str(banned): -1e6}
    )
    assert answer.choices[0].text == model.generate("the sea", 1, logit_bias={banned: -1e6}).text


def test_chat(client: openai.OpenAI, model: rally.Model) -> None:
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "the sea?"}]}]
    prompt = model.apply_chat_template([{"role": "user", "content": "the sea?"}], add_generation_prompt=True)
    alone = model.generate(prompt, 15, seed=3, temperature=1.0, skip_special=True)
    answer = client.chat.completions.create(
        model="chat", messages=messages, max_completion_tokens=15, seed=3, logprobs=True, top_logprobs=1
    )
    assert answer.choices[0].message.content == alone.text
    assert answer.choices[0].logprobs is not None and answer.choices[0].logprobs.content is not None
    assert [entry.bytes for entry in answer.choices[0].logprobs.content] == [
        list(model.decode_bytes([token])) for token in alone.tokens
    ]
    pieces = list(
        client.chat.completions.create(
            model="chat", messages=messages, max_tokens=15, seed=3, stream=True, stream_options={"include_usage": True}
        )
    )
    assert pieces[0].choices[0].delta.role == "assistant"
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces[:-1]) == alone.text
    assert pieces[-2].choices[0].finish_reason == answer.choices[0].finish_reason
    assert pieces[-1].usage == answer.usage


def test_64_streams_at_once(client: openai.OpenAI, model: rally.Model) -> None:
    prompts = [f"the {'sea and ' * (index % 5)}{index}" for index in range(64)]

    def read(index: int) -> str:
        pieces = client.completions.create(
            model="chat", prompt=prompts[index], max_tokens=8, seed=index, stream=True, extra_body={"ignore_eos": True}
        )
        return "".join(piece.choices[0].text for piece in pieces)

    with ThreadPoolExecutor(64) as threads:
        texts = list(threads.map(read, range(64)))
    alone = model.generate(prompts, 8, seed=range(64), temperature=1.0, stop_at_eos=False, skip_special=True)
    assert texts == [generation.text for generation in alone]


def test_a_client_that_leaves_and_a_full_queue(folder: Path, path: Path) -> None:
    # Long texts, one at a time, so that those that wait are seen to wait.
    slow = models.write(folder / "slow.onnx", replace(models.MOR, max_position_embeddings=100_000))
    process, address = start(slow, "-t", 1, "-np", 1, "--max-queue", 2, "-c", 20_000)
    try:
        endless = {"prompt": "a", "max_tokens": 19_000, "ignore_eos": True}
        data = json.dumps({**endless, "stream": True}).encode()
        request = urllib.request.Request(f"{address}/v1/completions", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as running:
            assert running.readline().startswith(b"data: {")
            status, answer = post(address, "/v1/completions", {**endless, "n": 3})  # one of them more than fit
            assert (status, answer["error"]["type"], answer["error"]["code"]) == (429, "rate_limit_error", "queue_full")
            until(address, "rally_requests_running", 1)
        until(address, "rally_requests_running", 0)
        until(address, "rally_http_requests_open", 0)
        leaving = http.client.HTTPConnection(address.removeprefix("http://"))
        leaving.request("POST", "/v1/completions", json.dumps(endless), {"Content-Type": "application/json"})
        until(address, "rally_requests_running", 1)
        leaving.close()  # also without a stream
        until(address, "rally_requests_running", 0)
        until(address, "rally_http_requests_open", 0)
        assert metrics(address)["rally_requests_cancelled_total"] == metrics(address)["rally_requests_submitted_total"]
        assert post(address, "/v1/completions", {"prompt": "a", "max_tokens": 2})[0] == 200

        with urllib.request.urlopen(request, timeout=PATIENCE) as running:  # told to end in the middle of a text
            assert running.readline().startswith(b"data: {")
            process.terminate()
            assert b"about to end" in running.read()
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()


BAD: list[tuple[Any, int, str]] = [
    (b"{", 400, "the body is no JSON"),
    (b"[]", 400, "expected a JSON object"),
    (b"[" * 90_000, 400, "the body is no JSON"),
    (b"x" * 100_001, 413, "more than 100000 bytes"),
    ({"prompt": "a", "echo": True}, 400, "echo: true is not supported"),
    ({"prompt": "a", "mirostat": 2}, 400, "mirostat: 2 is not supported"),
    ({"prompt": "a", "model": "gpt-4"}, 404, "model: 'gpt-4' is not here"),
    ({"prompt": "a", "max_tokens": 251}, 400, "max_tokens: expected at most 250"),
    ({"prompt": "a", "max_tokens": True}, 400, "max_tokens: expected a whole number"),
    ({"prompt": "a", "temperature": float("nan")}, 400, "temperature: expected a number"),
    ({"prompt": "a", "n": 65}, 400, "n: expected a whole number"),
    ({"prompt": ["a"] * 65}, 400, "prompt: 65 times n"),
    ({"prompt": "a " * 300}, 400, "expected 1 to 256, the context"),
    ({"prompt": ""}, 400, "prompt: has 0 tokens"),
    ({"prompt": [0, 99_999]}, 400, "99999"),
    ({"prompt": "\ud800"}, 400, "surrogate"),
    ({"prompt": "a", "stop": [""]}, 400, "stop"),
    ({"prompt": "a", "logit_bias": {"x": 1}}, 400, "logit_bias: expected an object"),
    ({}, 400, "prompt: expected a text"),
]


@pytest.mark.parametrize(("body", "status", "reason"), BAD, ids=lambda value: str(value)[:20])
def test_bad_requests(url: str, body: Any, status: int, reason: str) -> None:
    found, answer = post(url, "/v1/completions", body)
    assert found == status
    assert reason in answer["error"]["message"]
    assert answer["error"]["type"] == "invalid_request_error"


def test_bad_chats_and_routes(url: str) -> None:
    for messages, reason in [
        ([], "messages: expected a list"),
        ([{"role": "user", "content": f"a{models.END}b"}], "special token '<|endoftext|>'"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0].content: expected a text"),
        ([{"role": "user", "content": "a", "tool_calls": []}], "messages[0].tool_calls"),
        ([{"content": "a"}], "messages[0].role: is missing"),
    ]:
        status, answer = post(url, "/v1/chat/completions", {"messages": messages})
        assert (status, reason in answer["error"]["message"]) == (400, True), answer
    assert post(url, "/v1/completions", {"prompt": "a"}, "text/plain")[0] == 415
    assert post(url, "/v1/embeddings", {})[0] == 404
    assert post(url, "/health", {})[0] == 405


def test_answers_follow_a_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string", "maxLength": 8}, "count": {"enum": [1, 2]}},
        "required": ["word", "count"],
        "additionalProperties": False,
    }
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "words", "schema": schema, "strict": True}}
    messages: Any = [{"role": "user", "content": "The sea"}]
    answer = client.chat.completions.create(
        model="chat", messages=messages, max_tokens=80, n=3, seed=1, response_format=wanted
    )
    for choice in answer.choices:
        found = json.loads(choice.message.content or "")
        assert choice.finish_reason == "stop" and set(found) == {"word", "count"} and found["count"] in (1, 2)
    wanted["json_schema"]["schema"] = {"type": "triangle"}
    with pytest.raises(openai.BadRequestError, match="response_format"):
        client.chat.completions.create(model="chat", messages=messages, response_format=wanted)


def test_special_tokens_of_strangers_are_text(url: str, model: rally.Model) -> None:
    status, answer = post(url, "/v1/completions", {"prompt": models.END, "max_tokens": 1})
    assert (status, answer["usage"]["prompt_tokens"]) == (200, len(model.encode(models.END, parse_special=False)))


def test_rate_models_health_and_metrics(url: str, client: openai.OpenAI, rater_path: Path) -> None:
    texts = ["the sea", "an inn in the rain " * 100]
    status, answer = post(url, "/rate", {"input": texts})
    with rally.Model(rater_path, threads=1) as rater:
        expected = rater.rate_documents(texts).score
    assert status == 200
    np.testing.assert_array_equal(np.float32([entry["score"] for entry in answer["data"]]), expected)
    assert post(url, "/rate", {"input": []})[0] == 400
    assert [model.id for model in client.models.list()] == ["chat"]
    with urllib.request.urlopen(f"{url}/health", timeout=PATIENCE) as health:
        assert json.load(health) == {"status": "ok"}
    found = metrics(url)
    assert found['rally_http_requests_total{path="/rate",status="200"}'] >= 1
    assert found["rally_generated_tokens_total"] >= 1


def refused(*arguments: Any, **environment: str) -> str:
    result = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1), result
    return result.stderr


def test_why_it_does_not_start(url: str, path: Path, tmp_path: Path) -> None:
    port = url.rpartition(":")[2]
    assert refused(path, "--port", port) == (
        f"error: --host 127.0.0.1 --port {port}: address already in use; choose another with --port, or 0 for any free one\n"
    )
    assert "none.onnx" in refused(tmp_path / "none.onnx")
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError('gone', name='uvicorn')")
    assert 'pip install "rally-runtime[serve]"' in refused(path, PYTHONPATH=str(tmp_path))
