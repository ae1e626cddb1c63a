"""A chat with SmolLM2-135M-Instruct, and how well it predicts a text: fetched and converted the first time.

python Examples/smollm2/demo.py [--dtype f32|bf16|int8] [--text FILE] [QUESTION …]
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rally

from fetch import model_file

TEXT = Path(__file__).resolve().parents[2] / "Tests" / "Fixtures" / "texts" / "alice.txt"
QUESTIONS = ("What is the capital of France?", "Why is the sky blue? Answer in one sentence.")
WINDOW = 512


def answer(model: rally.Model, chat: list[dict[str, str]]) -> str:
    """Print the answer to a chat as it comes, and return it."""
    prompt = model.apply_chat_template(chat, add_generation_prompt=True)
    text = ""
    for event in model.stream(prompt, max_tokens=100, skip_special=True):
        print(event.text, end="", flush=True)
        text += event.text or ""
    print("\n")
    return text


def perplexity(model: rally.Model, text: str) -> tuple[float, int]:
    """Return exp of the mean loss over windows that stand alone, and the number of tokens."""
    tokens = model.encode(text)
    windows = [tokens[start : start + WINDOW] for start in range(0, len(tokens), WINDOW)]
    losses = np.concatenate(model.logprobs([window for window in windows if len(window) > 1]))
    return float(np.exp(-losses.mean())), losses.size


def main() -> None:
    parser = argparse.ArgumentParser(description="Chat with SmolLM2-135M-Instruct.")
    parser.add_argument("questions", nargs="*", default=QUESTIONS, metavar="QUESTION", help="each after the others")
    parser.add_argument("--dtype", choices=("f32", "bf16", "int8"), default="int8", help="what it computes in")
    parser.add_argument("--text", type=Path, help="file whose perplexity is measured (default: the begin of a tale)")
    options = parser.parse_args()
    with rally.Model(model_file(), dtype=options.dtype) as model:
        chat: list[dict[str, str]] = []
        for question in options.questions:
            print(f"> {question}")
            chat.append({"role": "user", "content": question})
            chat.append({"role": "assistant", "content": answer(model, chat)})
        text = options.text.read_text(encoding="utf-8") if options.text else TEXT.read_text(encoding="utf-8")[:12000]
        start = time.perf_counter()
        value, count = perplexity(model, text)
        seconds = time.perf_counter() - start
        print(f"perplexity {value:.2f} over {count} tokens in windows of {WINDOW}, {count / seconds:.0f} tokens/s")


if __name__ == "__main__":
    sys.exit(main())
