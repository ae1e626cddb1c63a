"""Tells a story, shows how long Rally thought about each token, and asks a rater what it is worth.

python Examples/python/story.py [MODEL.onnx [RATER.onnx [PROMPT]]]
"""

import sys
from pathlib import Path

import rally

MODELS = Path(__file__).parent.parent / "models"


def tell(model: rally.Model, prompt: str) -> str:
    """Print the story as it comes; the brighter a piece, the more recursions it took."""
    deepest = model.info.num_recursion
    depths = []
    print(prompt, end="")
    story = prompt
    for event in model.stream(prompt, max_tokens=120, temperature=0.8, top_p=0.95, seed=7, skip_special=True):
        grey = 238 + 17 * event.depth // deepest if sys.stdout.isatty() else None
        print(f"\x1b[38;5;{grey}m{event.text}\x1b[0m" if grey else event.text, end="", flush=True)
        depths.append(event.depth)
        story += event.text or ""
    shares = ", ".join(f"depth {depth}: {depths.count(depth) / len(depths):.0%}" for depth in range(1, deepest + 1))
    print(f"\n\n{len(depths)} tokens; {shares}\n")
    return story


def compare(rater: rally.Model, texts: list[str]) -> None:
    """Print texts with their scores, best first."""
    for score, text in sorted(zip(rater.rate(texts), texts, strict=True), reverse=True):
        print(f"{score:+8.3f}  {text[:60]!r}")


def main(model: Path, rater: Path, prompt: str) -> None:
    with rally.Model(model) as storyteller:
        story = tell(storyteller, prompt)
    with rally.Model(rater) as judge:
        compare(judge, [story, "".join(reversed(story)), " ".join(sorted(story.split()))])


if __name__ == "__main__":
    defaults = [str(MODELS / "rally-tiny.onnx"), str(MODELS / "rally-rater-tiny.onnx"), "The sea"]
    model, rater, prompt = sys.argv[1:4] + defaults[len(sys.argv[1:4]) :]
    main(Path(model), Path(rater), prompt)
