"""Train rally-tiny (``--model mor``) or its vanilla twin (``--model vanilla``) on one core.

AdamW with a trapezoid schedule over packed windows. The state file makes an interrupted
run resume where it was; with other ``--steps`` the trapezoid only moves its decay. Every
``--save-every`` steps the reference checkpoint in ``--out`` is replaced.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

import checkpoint
from data import TokenMix, token_bytes
from model import LanguageModel, Shape, initialise, language_loss, router_loss

AUXILIARY = 0.001  # weight of the router loss


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("mor", "vanilla"), default="mor")
    parser.add_argument("--tokens", type=Path, required=True, help="folder that prepare.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--state", type=Path, required=True, help="folder for the resumable state and the log")
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--decay-share", type=float, default=0.3, help="share of the steps that decays to zero")
    parser.add_argument("--warmup", type=int, default=60)
    parser.add_argument("--batch", type=int, default=8, help="windows a step")
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--feed-forward", type=int, default=384)
    parser.add_argument("--block-layers", type=int, default=2)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after this time, state saved")
    parser.add_argument("--compile", action="store_true", help="compile the layers (a minute at start, a fifth faster)")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def build(options: argparse.Namespace) -> LanguageModel:
    """Make the model: MoR, or vanilla with as many unique layers."""
    mor = options.model == "mor"
    shape = Shape(
        width=options.width,
        heads=options.width // 64,
        kv_heads=1,
        feed_forward=options.feed_forward,
        block_layers=options.block_layers if mor else options.block_layers + 2,
        recursions=3 if mor else 0,
        context=options.context,
    )
    torch.manual_seed(options.seed)
    model = LanguageModel(shape)
    initialise(model)
    return model


def rate_at(step: int, options: argparse.Namespace) -> float:
    """Trapezoid: linear warm-up, flat, linear decay to zero over the last share of the steps."""
    left = (options.steps - step) / (options.decay_share * options.steps)
    return options.rate * min(1.0, (step + 1) / options.warmup, max(left, 0.0))


def optimiser_of(model: LanguageModel) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only, none on routers and norms."""
    decayed = [p for n, p in model.named_parameters() if p.dim() == 2 and not n.startswith("routers")]
    plain = [p for n, p in model.named_parameters() if p.dim() < 2 or n.startswith("routers")]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)


def train_step(model: LanguageModel, optimiser: torch.optim.AdamW, windows: torch.Tensor, rate: float) -> dict:
    """One update on ``windows`` [B, T + 1]; returns its losses in nats and the routers' accuracy."""
    hidden, routes, _ = model(windows[:, :-1])
    loss = language_loss(model, hidden, windows[:, 1:])
    auxiliary = router_loss(routes) if routes else torch.zeros(())
    (loss + AUXILIARY * auxiliary).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    accuracy = [((r.logits >= 0) == (r.chosen > 0.5)).float().mean().item() for r in routes]
    return {"loss": loss.item(), "auxiliary": auxiliary.item(), "norm": norm.item(), "accuracy": accuracy}


@torch.no_grad()
def bits_per_byte(
    model: LanguageModel, mix: TokenMix, sizes: torch.Tensor, limit: int, threshold: bool = False
) -> dict:
    """Bits per byte of held-out text by kind, ``limit`` windows of each."""
    out = {}
    for kind in mix.ids:
        nats = size = 0.0
        for rows in mix.evaluation(kind, model.shape.context + 1, limit).split(8):
            hidden, _, _ = model(rows[:, :-1], threshold)
            logits = model.logits(hidden).flatten(0, 1)
            nats += F.cross_entropy(logits, rows[:, 1:].flatten(), reduction="sum").item()
            size += sizes[rows[:, 1:]].sum().item()
        out[kind] = nats / size / math.log(2)
    return out


def progress(step: int, steps: int, record: dict, speed: float) -> None:
    """Draw the progress bar on standard error."""
    done = 24 * step // steps
    left = (steps - step) * record["seconds"] / 60
    bar = "#" * done + "." * (24 - done)
    print(
        f"\r[{bar}] {step}/{steps} loss {record['loss']:.3f} {speed:.0f} tok/s {left:.0f} min left ",
        end="",
        file=sys.stderr,
    )


def save_state(path: Path, step: int, model: LanguageModel, optimiser: torch.optim.AdamW, elapsed: float) -> None:
    """Replace the resumable state."""
    state = {"step": step, "model": model.state_dict(), "optimiser": optimiser.state_dict(), "elapsed": elapsed}
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def main() -> None:
    """Train, log, save."""
    options = parse_arguments()
    torch.set_num_threads(1)
    options.state.mkdir(parents=True, exist_ok=True)
    model, tokenizer = build(options), options.tokens / "tokenizer.json"
    optimiser, step, elapsed = optimiser_of(model), 0, 0.0
    state_file = options.state / "state.pt"
    if state_file.exists():
        state = torch.load(state_file)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        step, elapsed = state["step"], state["elapsed"]
        print(f"resumed at step {step}", file=sys.stderr)
    if options.compile:
        for layer in [m for m in model.modules() if type(m).__name__ == "Layer"]:
            layer.compile(dynamic=False)
    train, heldout = TokenMix(options.tokens, "train"), TokenMix(options.tokens, "heldout")
    sizes, log = token_bytes(tokenizer), (options.state / "log.jsonl").open("a")
    print(f"{sum(p.numel() for p in model.parameters())} parameters", file=sys.stderr)
    begin = time.monotonic()
    while step < options.steps and time.monotonic() - begin < options.seconds:
        start = time.monotonic()
        windows = train.windows(options.batch, options.context + 1, (options.seed, step))
        record = train_step(model, optimiser, windows, rate_at(step, options))
        step += 1
        record |= {"step": step, "tokens": step * options.batch * options.context, "rate": rate_at(step - 1, options)}
        record["seconds"] = time.monotonic() - start
        elapsed += record["seconds"]
        record["elapsed"] = elapsed
        if step % options.save_every == 0 or step == options.steps:
            record["heldout"] = bits_per_byte(model, heldout, sizes, 8)
            save_state(state_file, step, model, optimiser, elapsed)
            checkpoint.save(model, tokenizer, options.out)
        if step % 10 == 0 or "heldout" in record:
            print(json.dumps(record), file=log, flush=True)
            progress(step, options.steps, record, options.batch * options.context / record["seconds"])
    save_state(state_file, step, model, optimiser, elapsed)
    checkpoint.save(model, tokenizer, options.out)
    print(file=sys.stderr)


if __name__ == "__main__":
    main()
