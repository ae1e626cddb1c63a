"""Train rally-tiny (``--model mor``) or its vanilla twin (``--model vanilla``) on one core.

AdamW with a trapezoid schedule, in tokens, over packed windows. The state file makes an
interrupted run resume where it was; with other ``--total`` the trapezoid only moves its
decay. Every ``--save-every`` steps the reference checkpoint in ``--out`` is replaced.

Several workers may share a run: start the same command with ``--worker 0``, ``--worker 1``,
… and ``--workers``; each draws its own windows and gradients are averaged over a file
rendezvous. All workers read the state, worker 0 alone writes.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
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
    parser.add_argument("--total", type=float, default=10.02e6, help="training tokens")
    parser.add_argument("--decay-share", type=float, default=0.25, help="share of the tokens that decays to zero")
    parser.add_argument("--warmup", type=float, default=0.25e6, help="tokens of linear warm-up")
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8, help="windows a step")
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--feed-forward", type=int, default=384)
    parser.add_argument("--block-layers", type=int, default=2)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--save-every", type=int, default=50)
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


def rate_at(tokens: int, options: argparse.Namespace) -> float:
    """Trapezoid: linear warm-up, flat, linear decay to zero over the last share of the tokens."""
    left = (options.total - tokens) / (options.decay_share * options.total)
    return options.rate * min(1.0, (tokens + 4096) / options.warmup, max(left, 0.0))


def average_gradients(model: LanguageModel, workers: int) -> None:
    """Replace every gradient by its mean over the workers."""
    flat = torch.cat([p.grad.flatten() for p in model.parameters()])
    dist.all_reduce(flat)
    flat /= workers
    for parameter, part in zip(model.parameters(), flat.split([p.numel() for p in model.parameters()]), strict=True):
        parameter.grad.copy_(part.view_as(parameter))


def optimiser_of(model: LanguageModel) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only, none on routers and norms."""
    decayed = [p for n, p in model.named_parameters() if p.dim() == 2 and not n.startswith("routers")]
    plain = [p for n, p in model.named_parameters() if p.dim() < 2 or n.startswith("routers")]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)


def train_step(
    model: LanguageModel, optimiser: torch.optim.AdamW, windows: torch.Tensor, rate: float, workers: int
) -> dict:
    """One update on ``windows`` [B, T + 1]; returns its losses in nats and the routers' accuracy."""
    hidden, routes, _ = model(windows[:, :-1])
    loss = language_loss(model, hidden, windows[:, 1:])
    auxiliary = router_loss(routes) if routes else torch.zeros(())
    (loss + AUXILIARY * auxiliary).backward()
    if workers > 1:
        average_gradients(model, workers)
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


def progress(total: float, record: dict) -> None:
    """Draw the progress bar on standard error."""
    tokens, speed = record["tokens"], record["batch_tokens"] / record["seconds"]
    done, left = int(24 * min(1, tokens / total)), (total - tokens) / speed / 60
    text = f"{tokens / 1e6:.2f}M tokens, loss {record['loss']:.3f}, {speed:.0f} tok/s, {left:.0f} min left "
    print(f"\r[{'#' * done:.<24}] {text}", end="", file=sys.stderr)


class Position:
    """How far a run has come."""

    def __init__(self) -> None:
        self.step = self.tokens = 0
        self.elapsed = 0.0  # seconds in training steps, over all resumed parts


def save_state(path: Path, position: Position, model: LanguageModel, optimiser: torch.optim.AdamW) -> None:
    """Replace the resumable state."""
    state = vars(position) | {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def load_state(path: Path, model: LanguageModel, optimiser: torch.optim.AdamW) -> Position:
    """Read the state if there is one."""
    position = Position()
    if path.exists():
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        position.step, position.tokens, position.elapsed = state["step"], state["tokens"], state["elapsed"]
        print(f"resumed at step {position.step}", file=sys.stderr)
    return position


def join(options: argparse.Namespace) -> None:
    """Meet the other workers at a file next to the state."""
    if options.workers > 1:
        meeting = (options.state / "meeting").resolve()
        dist.init_process_group(
            "gloo", init_method=f"file://{meeting}", rank=options.worker, world_size=options.workers
        )


def main() -> None:
    """Train, log, save."""
    options = parse_arguments()
    torch.set_num_threads(1)
    options.state.mkdir(parents=True, exist_ok=True)
    model, tokenizer, leads = build(options), options.tokens / "tokenizer.json", options.worker == 0
    optimiser, state_file = optimiser_of(model), options.state / "state.pt"
    position = load_state(state_file, model, optimiser)
    if options.compile:
        for layer in [m for m in model.modules() if type(m).__name__ == "Layer"]:
            layer.compile(dynamic=False)
    join(options)
    train, heldout = TokenMix(options.tokens, "train"), TokenMix(options.tokens, "heldout")
    sizes, log = token_bytes(tokenizer), (options.state / "log.jsonl").open("a")
    batch_tokens = options.batch * options.context * options.workers
    while position.tokens < options.total:
        start = time.monotonic()
        key = (options.seed, position.step, options.worker)
        windows = train.windows(options.batch, options.context + 1, key)
        rate = rate_at(position.tokens, options)
        record = train_step(model, optimiser, windows, rate, options.workers)
        seconds = time.monotonic() - start
        position.step += 1
        position.tokens += batch_tokens
        position.elapsed += seconds
        if not leads:
            continue
        record |= {"rate": rate, "seconds": seconds, "batch_tokens": batch_tokens, **vars(position)}
        last = position.tokens >= options.total
        if position.step % options.save_every == 0 or last:
            if position.step % (4 * options.save_every) == 0 or last:
                record["heldout"] = bits_per_byte(model, heldout, sizes, 8)
            save_state(state_file, position, model, optimiser)
            checkpoint.save(model, tokenizer, options.out)
        if position.step % 10 == 0 or last:
            print(json.dumps(record), file=log, flush=True)
            progress(options.total, record)
    print(file=sys.stderr)


if __name__ == "__main__":
    main()
