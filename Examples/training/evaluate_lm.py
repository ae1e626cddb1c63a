"""Figures of a trained language model: held-out loss, routing, samples, loss curve."""

import argparse
import json
import math
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.nn import functional as F

import checkpoint
from data import TokenMix, token_bytes
from model import LanguageModel
from prepare import MIX

PROMPTS = ("It is a truth", "The old man looked at", "In the beginning", "The file system", "She had never")


class Tally:
    """Sums of one kind of text under one selection."""

    def __init__(self) -> None:
        self.nats = self.bytes = self.tokens = 0.0
        self.deeper = [0.0, 0.0, 0.0]
        self.right, self.judged = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]

    def add(self, model: LanguageModel, rows: torch.Tensor, sizes: torch.Tensor, threshold: bool) -> None:
        """Run ``rows`` [B, T + 1] and add what they show."""
        hidden, routes, depth = model(rows[:, :-1], threshold)
        logits = model.logits(hidden).flatten(0, 1)
        self.nats += F.cross_entropy(logits, rows[:, 1:].flatten(), reduction="sum").item()
        self.bytes += sizes[rows[:, 1:]].sum().item()
        self.tokens += depth.numel()
        for r in range(model.shape.recursions):
            self.deeper[r] += (depth > r).sum().item()
            if not threshold:
                agree = (torch.sigmoid(routes[r].logits) >= 0.5) == (routes[r].chosen > 0.5)
                self.right[r] += agree.sum().item()
                self.judged[r] += agree.numel()

    def figures(self) -> dict:
        """Bits per byte, perplexity per token, shares of recursions, router sampling accuracy."""
        out = {"bits_per_byte": self.nats / self.bytes / math.log(2), "perplexity": math.exp(self.nats / self.tokens)}
        out |= {"nats_per_token": self.nats / self.tokens, "tokens": int(self.tokens)}
        if any(self.deeper):
            out["depth_share"] = [d / self.tokens for d in self.deeper]
        if any(self.judged):
            out["router_accuracy"] = [a / n for a, n in zip(self.right, self.judged, strict=True)]
            out["router_accuracy_all"] = sum(self.right) / sum(self.judged)
        return out


@torch.no_grad()
def held_out(model: LanguageModel, mix: TokenMix, sizes: torch.Tensor, limit: int, threshold: bool) -> dict:
    """Figures by kind, and ``mix``: the kinds in the proportions of training."""
    out = {}
    for kind in mix.ids:
        tally = Tally()
        for rows in mix.evaluation(kind, model.shape.context + 1, limit).split(8):
            tally.add(model, rows, sizes, threshold)
        out[kind] = tally.figures()
    share = sum(MIX[k] for k in out)
    bits = sum(MIX[k] * v["bits_per_byte"] for k, v in out.items()) / share
    nats = sum(MIX[k] * v["nats_per_token"] for k, v in out.items()) / share
    mixed = {"bits_per_byte": bits, "nats_per_token": nats, "perplexity": math.exp(nats)}
    for name in ("depth_share", "router_accuracy"):
        rows = [(MIX[k] / share, v[name]) for k, v in out.items() if name in v]
        if rows:
            mixed[name] = [sum(w * v[r] for w, v in rows) for r in range(len(rows[0][1]))]
    return out | {"mix": mixed}


@torch.no_grad()
def sample(model: LanguageModel, tokenizer: Tokenizer, prompt: str, count: int, seed: int) -> str:
    """Continue ``prompt`` by ``count`` tokens, temperature 0.8, top-k 40, threshold selection."""
    generator = torch.Generator().manual_seed(seed)
    ids = [0, *tokenizer.encode(prompt).ids]
    for _ in range(count):
        hidden, _, _ = model(torch.tensor([ids[-model.shape.context :]]), threshold=model.shape.recursions > 0)
        best = model.logits(hidden[0, -1]).topk(40)
        pick = torch.multinomial(torch.softmax(best.values / 0.8, 0), 1, generator=generator)
        ids.append(best.indices[pick].item())
        if ids[-1] == checkpoint.END_OF_TEXT:
            break
    return tokenizer.decode(ids)


def main() -> None:
    """Write the figures of one checkpoint as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=96, help="windows of each kind")
    parser.add_argument("--samples", type=int, default=100, help="tokens of each sample; 0 for none")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = checkpoint.load(options.checkpoint).eval()
    tokenizer = Tokenizer.from_file(str(options.tokens / "tokenizer.json"))
    sizes = token_bytes(options.tokens / "tokenizer.json")
    report: dict = {"parameters": sum(p.numel() for p in model.parameters()), "shape": model.shape.asdict()}
    for split in ("heldout", "unseen"):
        mix = TokenMix(options.tokens, split)
        report[split] = {"topk": held_out(model, mix, sizes, options.limit, False)}
        if model.shape.recursions:
            report[split]["threshold"] = held_out(model, mix, sizes, options.limit, True)
    if options.samples:
        report["samples"] = [sample(model, tokenizer, p, options.samples, 1) for p in PROMPTS]
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    for split in ("heldout", "unseen"):
        for selection, kinds in report[split].items():
            print(split, selection, json.dumps(kinds["mix"]))


if __name__ == "__main__":
    main()
