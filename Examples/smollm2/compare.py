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

from fetch import FOLDER, GGUF, fetch, model_file

PROMPTS = Path(__file__).with_name("prompts.txt")
TOLERANCE = 1e-5


def greedy(reference: torch.nn.Module, prompt: list[int], count: int, ends: list[int]) -> list[int]:
    """Return what transformers continues a prompt with."""
    with torch.no_grad():
        found = reference.generate(
            torch.tensor([prompt]), max_new_tokens=count, do_sample=False, eos_token_id=ends, pad_token_id=ends[0]
        )
    return found[0, len(prompt) :].tolist()


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare SmolLM2 in Rally with transformers.")
    parser.add_argument("--prompts", type=int, default=20, help="how many of prompts.txt (default: all, 20)")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of each text (default: 64)")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    fetch()
    reference = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=GGUF, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER, gguf_file=GGUF)
    questions = PROMPTS.read_text(encoding="utf-8").splitlines()[: options.prompts]
    chats = [[{"role": "user", "content": question}] for question in questions]
    with rally.Model(model_file(), dtype="f32") as model:
        prompts = [model.apply_chat_template(chat, add_generation_prompt=True) for chat in chats]
        theirs = [tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"] for chat in chats]
        same_prompts = sum(a == b for a, b in zip(prompts, theirs, strict=True))
        row = [token for prompt in prompts[:3] for token in prompt]
        (forward,) = model.forward([row])
        with torch.no_grad():
            expected = reference(torch.tensor([row])).logits[0].numpy()
        error = float(np.linalg.norm(forward.logits - expected) / np.linalg.norm(expected))
        ends = [int(model.metadata["rally.eos_token_id"])]
        texts = [model.generate(prompt, max_tokens=options.tokens).tokens for prompt in prompts]
        wanted = [greedy(reference, prompt, options.tokens, ends) for prompt in prompts]
    same = sum(list(a) == b for a, b in zip(texts, wanted, strict=True))
    print(f"chat templates: {same_prompts} of {len(prompts)} give transformers' tokens")
    print(f"logits of {len(row)} tokens: relative difference {error:.2g} (at most {TOLERANCE:g})")
    print(f"greedy texts of {options.tokens} tokens: {same} of {len(prompts)} equal transformers'")
    return 0 if same_prompts == same == len(prompts) and error <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
