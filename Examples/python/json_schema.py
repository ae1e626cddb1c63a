"""Fills in JSON that follows a schema, several texts at once; each answer parses, whatever the model would rather say.

python Examples/python/json_schema.py [MODEL.onnx]
"""

import json
import sys
from pathlib import Path

import rally
from rally.grammar import Grammar

MODEL = Path(__file__).parent.parent / "models" / "rally-tiny.onnx"

# Strings and lists are bounded, so that every text ends before `max_tokens`.
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 16},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "likes": {"type": "array", "items": {"enum": ["the sea", "cats", "silence"]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "likes"],
    "additionalProperties": False,
}


def main() -> None:
    with rally.Model(sys.argv[1] if len(sys.argv) > 1 else MODEL) as model:
        prompts = [f"{who}, as JSON: " for who in ("The captain", "Alice", "The youngest of them")]
        grammar = Grammar.of_schema(model, SCHEMA)
        for prompt, text in zip(
            prompts, model.generate(prompts, max_tokens=120, temperature=1.0, on_logits=grammar), strict=True
        ):
            person = json.loads(text.text or "")
            print(f"{prompt}{person['name']!r}, {person['age']}, likes {' and '.join(person['likes'])}")


if __name__ == "__main__":
    main()
