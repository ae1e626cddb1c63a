"""Chat templates: the same text as transformers makes of them, and what cannot be written."""

from __future__ import annotations

from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

import rally
from rally.chat import render

CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}<|im_start|>system
You are helpful.<|im_end|>
{% endif %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

HEADERS = """{{- bos_token }}
{%- set system = '' %}
{%- if messages[0].role == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- endif %}
{{- '<|start|>system\\n' + system + '\\nToday: ' + date_string | default('1 Jan') }}
{%- if tools is not none %}
    {%- for tool in tools %}{{ tool | tojson(indent=4) }}{{ '\\n' }}{% endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if message.role not in ['user', 'assistant'] %}
        {{- raise_exception('only users and assistants, found ' + message.role) }}
    {%- endif %}
    {%- if message.role == 'assistant' %}
        {% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}
    {%- else %}
        {{- '<|start|>' + message.role + '\\n' + message.content | upper }}
    {%- endif %}
    {%- if loop.index > 3 %}{% break %}{% endif %}
{%- endfor %}"""

CHATS: dict[str, list[dict[str, Any]]] = {
    "one": [{"role": "user", "content": "The sea?"}],
    "system": [{"role": "system", "content": "  Be brief. "}, {"role": "user", "content": "a < b & \"c\" 'd'"}],
    "turns": [{"role": role, "content": f"{n}\n"} for n, role in enumerate(["user", "assistant"] * 3)],
}
TOOLS = [{"name": "größe", "parameters": {"a": [1, 2.5, None, True]}}]


@pytest.mark.parametrize("prompt", [False, True])
@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("template", [CHATML, HEADERS], ids=["chatml", "headers"])
def test_equals_transformers(template: str, chat: str, prompt: bool) -> None:
    values = {"add_generation_prompt": prompt, "tools": TOOLS, "bos_token": "<s>", "eos_token": "</s>"}
    expected, _ = render_jinja_template([CHATS[chat]], chat_template=template, **values)
    assert render(template, {"messages": CHATS[chat], "documents": None, **values}) == expected[0]


def test_a_model_writes_and_encodes(lm: rally.Model) -> None:
    text = lm.apply_chat_template(CHATS["one"], chat_template=CHATML, tokenize=False, add_generation_prompt=True)
    assert text.endswith("<|im_start|>user\nThe sea?<|im_end|>\n<|im_start|>assistant\n")
    assert lm.decode(lm.apply_chat_template(CHATS["one"], chat_template=CHATML, add_generation_prompt=True)) == text
    (end,) = lm.apply_chat_template([], chat_template="{{ eos_token }}")
    assert lm.decode([end]) == "<|endoftext|>"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for", "unexpected .end of template."),
        ("{{ raise_exception('no\nsystem') }}", "no system"),
        ("{{ messages.missing.part }}", "has no attribute"),
        ("{{ messages[0] + 1 }}", "unsupported operand"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ 1 // 0 }}", "zero"),
    ],
)
def test_templates_that_cannot_write(template: str, reason: str, lm: rally.Model) -> None:
    with pytest.raises(rally.RallyError, match=reason) as found:
        lm.apply_chat_template(CHATS["one"], chat_template=template)
    assert found.value.code == rally.Status.INVALID_ARGUMENT
    assert "\n" not in found.value.message


def test_a_model_without_a_template(lm: rally.Model) -> None:
    with pytest.raises(rally.RallyError, match="chat_template") as found:
        lm.apply_chat_template(CHATS["one"])
    assert found.value.code == rally.Status.UNSUPPORTED
