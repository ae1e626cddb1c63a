"""Compares SmolLM2 with transformers on the same weights: logits, and greedy texts of 20 prompts.

    python Examples/smollm2/compare.py [--prompts N] [--tokens N]

transformers reads the GGUF file itself. Ends with status 1 where logits differ by more than 1e-5 or a text by a token.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import rally
import torch
import transformers

from fetch import FOLDER, GGUF, model_file, reference_model

PROMPTS = Path(__file__).with_name("prompts.txt")
TOLERANCE = 1e-5


def greedy(reference: torch.nn.Module, prompt: list[int], count: int, ends: list[int]) -> list[int]:
    """Return what transformers continues a prompt with."""
    with torch.no_grad():
        found = reference.generate(
            torch.tensor([prompt]), max_new_tokens=count, do_sample=False, eos_token_id=ends, pad_token_id=ends[0]
        )
    return found[0, len(prompt) :].tolist()


def margin(reference: torch.nn.Module, prompt: list[int], text: list[int], other: list[int]) -> str:
    """Say where two texts part, and by how much transformers preferred its token there."""
    place = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    with torch.no_grad():
        logits = reference(torch.tensor([prompt + other[:place]])).logits[0, -1]
    best = logits.topk(2).values
    return f"parts at token {place}, where transformers' two best logits differ by {float(best[0] - best[1]):.2g}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare SmolLM2 in Rally with transformers.")
    parser.add_argument("--prompts", type=int, default=20, help="how many of prompts.txt (default: all, 20)")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of each text (default: 64)")
    options = parser.parse_args()
    reference = reference_model()
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER, gguf_file=GGUF)
    questions = PROMPTS.read_text(encoding="utf-8").splitlines()[: options.prompts]
    same = same_prompts = 0
    row: list[int] = []
    with rally.Model(model_file(), dtype="f32") as model:
        ends = [int(model.metadata["rally.eos_token_id"])]
        for number, question in enumerate(questions, 1):
            chat = [{"role": "user", "content": question}]
            prompt = model.apply_chat_template(chat, add_generation_prompt=True)
            same_prompts += prompt == tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
            row += prompt if number <= 3 else []
            text = list(model.generate(prompt, max_tokens=options.tokens).tokens)
            wanted = greedy(reference, prompt, options.tokens, ends)
            same += text == wanted
            print(
                f"{number}: {len(wanted)} tokens,",
                "equal" if text == wanted else margin(reference, prompt, text, wanted),
                flush=True,
            )
        (forward,) = model.forward([row])
        with torch.no_grad():
            expected = reference(torch.tensor([row])).logits[0].numpy()
    error = float(np.linalg.norm(forward.logits - expected) / np.linalg.norm(expected))
    print(f"chat templates: {same_prompts} of {len(questions)} give transformers' tokens")
    print(f"logits of {len(row)} tokens: relative difference {error:.2g} (at most {TOLERANCE:g})")
    print(f"greedy texts of at most {options.tokens} tokens: {same} of {len(questions)} equal transformers'")
    return 0 if same_prompts == same == len(questions) and error <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
