"""Random requests to an engine, and what each must give: alone, and as one pass over the whole row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from compare import same_bits

import rally


@dataclass(frozen=True)
class Wish:
    """One request.

    Attributes
    ----------
    how : dict
        Arguments that change its text.
    priority, arrival : int
        Arguments that must not: arrival is the step before which it is submitted.
    """

    prompt: list[int]
    max_tokens: int
    how: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    arrival: int = 0

    @property
    def depths(self) -> dict[str, Any]:
        """What the full forward needs to know."""
        names = ("max_depth", "target_depth", "min_depth", "exit_threshold", "kv_policy", "exit_from")
        return {name: self.how[name] for name in names if name in self.how}


def wishes(model: rally.Model, count: int, seed: int, longest: int | None = None) -> list[Wish]:
    """Requests of many kinds, some with common beginnings, that fit `longest` tokens (default: the context)."""
    random = np.random.default_rng(seed)
    info = model.info
    longest = min(longest or info.max_position_embeddings, info.max_position_embeddings)
    stems = [random.integers(0, info.vocab_size, longest).tolist() for _ in range(2)]
    # These share a prefix and run out of blocks for certain; the others do what they do.
    made = [Wish(stems[0][: longest - 9 - n], 4, {"stop_at_eos": False}, arrival=40 * n) for n in range(3)]
    made += [Wish(stem[-3:], longest - 4, {"stop_at_eos": False}) for stem in stems * 2]
    while len(made) < count:
        stem = stems[random.integers(len(stems))]
        shared = int(random.integers(longest // 2 + 8, 3 * longest // 4 + 1)) if random.random() < 0.6 else 0
        own = int(random.integers(0 if shared else 1, 1 + longest // 4))
        prompt = (stem[:shared] + random.integers(0, info.vocab_size, own).tolist())[: longest - 1]
        room = longest - len(prompt)
        how: dict[str, Any] = {"stop_at_eos": bool(random.random() < 0.3), "seed": int(random.integers(2**63))}
        if random.random() < 0.6:
            how |= {"temperature": float(random.uniform(0.3, 2))}
            cut = random.integers(4)
            how |= [{}, {"top_k": 7}, {"top_p": 0.8}, {"min_p": 0.05}][cut]
        if random.random() < 0.3:
            how |= {"repetition_penalty": 1.3, "presence_penalty": 0.4, "frequency_penalty": 0.2}
        if random.random() < 0.2:
            banned = random.integers(0, info.vocab_size, 5).tolist()
            how |= {"logit_bias": dict.fromkeys(banned, -np.inf)}
        if random.random() < 0.2:
            how |= {"max_depth": int(random.integers(1, info.num_recursion + 1))}
        if info.exit != "none":
            how |= exits(info, random, len(prompt), how.get("max_depth", info.num_recursion))
        if (info.routing != "none" or info.exit != "none") and random.random() < 0.25:
            how |= {"target_depth": float(random.choice([1.2, 1.7, 2.5]))}
        if random.random() < 0.2:
            how |= {"logprobs": 3}
        made.append(
            Wish(
                prompt,
                int(random.integers(1, room + 1)),
                how,
                priority=int(random.integers(-1, 2)),
                arrival=int(random.integers(0, 60)),
            )
        )
    return made


def exits(info: rally.ModelInfo, random: np.random.Generator, length: int, deepest: int) -> dict[str, Any]:
    """Some of the options that looped models have."""
    how: dict[str, Any] = {}
    if random.random() < 0.3:
        how |= {"exit_threshold": float(random.choice([0.0, 0.3, 0.7, 1.0, 1.07, 1.17]))}
    if random.random() < 0.3:
        how |= {"exit_from": int(random.integers(0, 2 * length))}
    if random.random() < 0.2:
        how |= {"min_depth": int(random.integers(1, deepest + 1))}
    if random.random() < 0.2:
        how |= {"kv_policy": "full"}
    return how


def expected(model: rally.Model, wish: Wish) -> rally.Generation:
    """What the request gives alone, checked against one pass over the whole row."""
    alone: rally.Generation = model.generate(wish.prompt, wish.max_tokens, **wish.how)
    row, start = wish.prompt + alone.tokens, len(wish.prompt) - 1
    if len(row) <= model.info.max_position_embeddings:
        start_of_exits = {"exit_from": len(wish.prompt)} if model.info.exit != "none" else {}
        depths = start_of_exits | wish.depths
        (forward,) = model.forward([row], logits=False, **depths)
        (logprobs,) = model.logprobs([row], **depths)
        assert alone.depth.tolist() == forward.depth[start:-1].tolist()
        assert alone.prompt_depth.tolist() == forward.depth[: start + 1].tolist()
        assert same_bits(alone.logprobs, logprobs[start:])
    return alone


def submit(engine: rally.Engine, wish: Wish) -> int:
    """Submits it with its priority."""
    return engine.submit(wish.prompt, wish.max_tokens, priority=wish.priority, **wish.how)


def run(engine: rally.Engine, made: list[Wish]) -> list[list[rally.Event]]:
    """Submits each request before the step of its arrival, steps until all have ended; the events of each request."""
    places: dict[int, int] = {}
    events: list[list[rally.Event]] = [[] for _ in made]
    order = sorted(range(len(made)), key=lambda place: made[place].arrival)
    step = 0
    while order or engine.busy:
        while order and made[order[0]].arrival <= step:
            place = order.pop(0)
            places[submit(engine, made[place])] = place
        for event in engine.step():
            events[places[event.request]].append(event)
        step += 1
        assert step < 100_000, "an engine that never ends"
    return events


def assert_same(found: list[rally.Event], alone: rally.Generation, first: int = 0) -> None:
    """The events are the text's tokens from `first` on, bit for bit."""
    assert [event.token for event in found] == alone.tokens[first:]
    assert [event.index for event in found] == list(range(first, len(alone.tokens)))
    assert [event.depth for event in found] == alone.depth[first:].tolist()
    assert same_bits(np.array([event.logprob for event in found], np.float32), alone.logprobs[first:])
    assert [event.finish_reason for event in found] == [None] * (len(found) - 1) + [alone.finish_reason]
    assert [event.top_logprobs for event in found] == (alone.top_logprobs[first:] or [[]] * len(found))
