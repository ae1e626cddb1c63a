"""Grammars on the logits: what comes out follows them, whatever the model would rather say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import rally
from rally import RallyError, Status
from rally.grammar import Grammar

ROOT = Path(__file__).parents[3]
SCHEMAS: dict[str, dict[str, Any]] = {
    "object": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 10},
            "age": {"type": "integer", "minimum": -5, "maximum": 120},
            "here": {"type": "boolean"},
        },
        "required": ["name", "age", "here"],
        "additionalProperties": False,
    },
    "nested": {
        "type": "array",
        "minItems": 2,
        "maxItems": 3,
        "items": {
            "type": "object",
            "properties": {
                "at": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "maxItems": 2}
            },
            "required": ["at"],
            "additionalProperties": False,
        },
    },
    "choice": {"anyOf": [{"enum": ["sea", "naïve ☂", None]}, {"const": {"a": [1, "\u0007"]}}]},
    "reference": {
        "$defs": {"leaf": {"type": "string", "pattern": "^[a-c]{1,4}$"}},
        "type": "object",
        "properties": {"left": {"$ref": "#/$defs/leaf"}, "right": {"$ref": "#/$defs/leaf"}},
        "required": ["left", "right"],
        "additionalProperties": False,
    },
}


@pytest.fixture
def tokens(lm: rally.Model) -> Grammar.Tokens:
    return Grammar.Tokens(lm)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 20.0])
@pytest.mark.parametrize("name", SCHEMAS)
def test_texts_follow_the_schema(lm: rally.Model, tokens: Grammar.Tokens, name: str, temperature: float) -> None:
    grammar = Grammar.of_schema(tokens, SCHEMAS[name])
    prompts = ["Once upon a time", "{", "The sea: "]
    for text in lm.generate(prompts, max_tokens=200, temperature=temperature, seed=3, on_logits=grammar):
        assert text.finish_reason == "stop"
        jsonschema.validate(json.loads(text.text or ""), SCHEMAS[name])
    assert not grammar._states


def test_each_request_of_an_engine_has_its_own(lm: rally.Model, tokens: Grammar.Tokens) -> None:
    texts = dict.fromkeys(range(8), "")
    with rally.Engine(lm) as engine:
        for index in range(8):
            name = list(SCHEMAS)[index % 4]
            how = {"on_logits": Grammar.of_schema(tokens, SCHEMAS[name])} if index != 5 else {}
            assert engine.submit("It is", 200, seed=index, temperature=1.0, **how) == index
        for event in engine:
            texts[event.request] += event.text or ""
    for index, text in texts.items():
        if index != 5:
            jsonschema.validate(json.loads(text), SCHEMAS[list(SCHEMAS)[index % 4]])
    assert texts[5] == lm.generate(["It is"], max_tokens=200, seed=5, temperature=1.0)[0].text


def test_a_text_that_is_cut_begins_one_that_follows(lm: rally.Model, tokens: Grammar.Tokens) -> None:
    grammar = Grammar.of_schema(tokens, SCHEMAS["object"])
    whole = lm.generate(["A"], max_tokens=200, on_logits=grammar)[0]
    cut = lm.generate(["A"], max_tokens=5, on_logits=grammar)[0]
    assert cut.finish_reason == "limit" and (whole.text or "").startswith(cut.text or "?")
    again = lm.generate(["A"], max_tokens=200, on_logits=grammar)[0]  # the cut one left nothing after
    assert again.tokens == whole.tokens


def test_other_grammars(lm: rally.Model) -> None:
    text = lm.generate(["A"], max_tokens=50, on_logits=Grammar(lm, 'start: "yes" | /[0-9]{4}/ "!"'))[0].text or ""
    assert text == "yes" or (len(text) == 5 and text[:4].isdigit() and text[4] == "!")


@pytest.mark.parametrize("schema", ["{", '{"type": "triangle"}', '{"type": "string", "pattern": "("}', "[]"])
def test_bad_schemas(tokens: Grammar.Tokens, schema: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RallyError) as caught:
        Grammar.of_schema(tokens, schema)
    assert caught.value.code == Status.INVALID_ARGUMENT and "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_the_example() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "Examples/python/json_schema.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("likes") == 3 and not done.stderr
