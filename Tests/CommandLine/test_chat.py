"""`rally generate --chat`: the same answers as Python's, whose templates Jinja itself fills in."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import rally
from conftest import run

TEMPLATE = """{%- if messages[0].role == 'system' %}{% set rest = messages[1:] %}{{ '# ' + messages[0].content }}
{%- else %}{% set rest = messages %}{% endif %}
{% for message in rest %}
    {{- '\\n' + message['role'] | upper + ': ' + message.content | trim }}
{% endfor %}
{% if add_generation_prompt %}{{ '\\nASSISTANT:' }}{% endif %}"""


def with_template(model: Path, out: Path, template: str) -> Path:
    """Writes a copy of a model that has a chat template."""
    message = onnx.load(model)
    keys = {pair.key: pair for pair in message.metadata_props}
    keys["rally.format"].value = "2"
    message.metadata_props.add(key="rally.chat_template", value=template)
    onnx.save(message, out)
    return out


@pytest.fixture(scope="module")
def chatty(lm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_template(lm, tmp_path_factory.mktemp("chat") / "chat.onnx", TEMPLATE)


@pytest.mark.parametrize("system", [None, "Be kind."])
def test_answers_as_python_does(chatty: Path, system: str | None) -> None:
    said = "  Tell me of 'the sea' & {{ more }}\n"
    chat = [{"role": "system", "content": system}] * (system is not None) + [{"role": "user", "content": said}]
    with rally.Model(chatty) as model:
        prompt = model.apply_chat_template(chat, add_generation_prompt=True)
        wanted = model.generate(prompt, max_tokens=12, skip_special=True)
    extra = [] if system is None else ["--system-prompt", system]
    result = run("generate", "-m", chatty, "--chat", "-p", said, "-n", 12, "--json", *extra)
    assert result.code == 0, result
    (answer,) = [json.loads(line) for line in result.lines]
    assert answer["prompt_tokens"] == prompt
    assert answer["tokens"] == list(wanted.tokens)


def test_only_the_answer_is_written(chatty: Path) -> None:
    result = run("generate", "-m", chatty, "--chat", "-p", "Hello", "-n", 6)
    (answer,) = [
        json.loads(line) for line in run("generate", "-m", chatty, "--chat", "-p", "Hello", "-n", 6, "--json").lines
    ]
    assert result.out.removesuffix("\n") == answer["text"].removesuffix("\n")


@pytest.mark.parametrize(
    ("template", "code", "reason"),
    [
        ("{% macro f() %}{% endmacro %}", 4, "{% macro %} is not supported; known: if"),
        ("{{ raise_exception('no users') }}", 4, "no users"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", 4, "more than"),
    ],
)
def test_templates_that_cannot_be_filled_in(template: str, code: int, reason: str, lm: Path, tmp_path: Path) -> None:
    result = run("generate", "-m", with_template(lm, tmp_path / "one.onnx", template), "--chat", "-p", "a")
    assert (result.code, result.out) == (code, "")
    assert reason in result.err


def test_what_a_chat_needs(lm: Path, chatty: Path) -> None:
    result = run("generate", "-m", lm, "--chat", "-p", "a")
    assert result.code == 4
    assert "no chat template" in result.err
    assert "needs --chat" in run("generate", "-m", lm, "--system-prompt", "a", "-p", "b").err
    result = run("generate", "-m", chatty, "--chat", stdin=b"\xff")
    assert result.code == 5
    assert "UTF-8" in result.err
