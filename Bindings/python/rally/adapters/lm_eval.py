"""lm-evaluation-harness: a language model of Rally under the name ``rally``.

    python -m rally.adapters.lm_eval run --model rally --model_args pretrained=model.onnx,threads=8 --tasks …

The harness knows the name once this module is imported; the command above does that and then is the harness' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .._extras import extra
from ..engine import Engine
from ..errors import RallyError, Status
from ..model import Model
from ..sampling import Sampling

with extra("lm_eval"):
    from lm_eval import utils
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import TemplateLM
    from lm_eval.api.registry import register_model
    from lm_eval.models.utils import normalize_gen_kwargs
    from tqdm import tqdm

_LOGITS_BYTES = 256 << 20
"""Of the logits that are held at a time."""

_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
"""Of a task's generation arguments those that `Sampling` has under the same name."""

TokenRequest = tuple[tuple[str, str] | None, list[int], list[int]]
"""What a result is cached under, context, continuation."""


@register_model("rally")
class RallyLM(TemplateLM):
    """A language model for the harness.

    Parameters
    ----------
    pretrained : str
        The model file; it needs a tokenizer.
    dtype, threads, batch_tokens
        As in `Model`.
    max_length : int, optional
        Tokens of context that are used; None: the model's own number.
    max_gen_toks : int
        Tokens to generate where a task does not say.
    seed : int
        For tasks that sample.
    batch_size, max_batch_size, device
        What the harness hands to every model. Rows are never padded and their results do not depend on each other,
        so there is nothing to choose; the device is the CPU.

    Raises
    ------
    RallyError
        What `Model` raises; WRONG_KIND: a rater; UNSUPPORTED: no tokenizer, or neither a first nor a last token.
    """

    def __init__(
        self,
        pretrained: str,
        dtype: str = "auto",
        threads: int = 0,
        batch_tokens: int = 0,
        max_length: int | None = None,
        max_gen_toks: int = 256,
        seed: int = 0,
        batch_size: Any = None,
        max_batch_size: Any = None,
        device: Any = None,
    ) -> None:
        super().__init__()
        self.model = Model(pretrained, dtype, threads, batch_tokens)
        info = self.model.info
        if info.kind != "lm":
            raise RallyError(Status.WRONG_KIND, f"{pretrained}: expected a language model, found kind {info.kind!r}")
        prefix = info.eos_token_id if info.bos_token_id is None else info.bos_token_id
        if not info.has_tokenizer or prefix is None:
            raise RallyError(Status.UNSUPPORTED, f"{pretrained}: the harness needs a tokenizer with bos or eos token")
        self._prefix = prefix
        self._threads = threads
        self.max_length = min(max_length or info.max_position_embeddings, info.max_position_embeddings)
        self.max_gen_toks = max_gen_toks
        self.seed = seed

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        eos = self.model.info.eos_token_id
        return self._prefix if eos is None else eos

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text that has nothing before it."""
        return self._prefix

    @property
    def tokenizer_name(self) -> str:
        """What cached requests depend on."""
        return repr(self.model)

    def close(self) -> None:
        """Frees the model."""
        self.model.close()

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        """Token ids of a text, without the token that ends it; the first one as the model file says."""
        begins = string.startswith(self.model.decode([self._prefix])) and add_special_tokens is None
        return self.model.encode(string, add_bos=False if begins else add_special_tokens, add_eos=False)

    # Likelihoods

    def _loglikelihood_tokens(
        self, requests: list[TokenRequest], disable_tqdm: bool = False, **kwargs: Any
    ) -> list[tuple[float, bool]]:
        """Log-probability of each continuation, and whether it is the greedy one."""
        results: list[tuple[float, bool]] = []
        progress = tqdm(total=len(requests), disable=disable_tqdm or None, desc="Log-likelihoods")
        for batch in self._batches(requests):
            rows = [self._row(context, continuation) for _, context, continuation in batch]
            positions = [
                np.arange(len(row) - len(continuation), len(row))
                for row, (_, _, continuation) in zip(rows, batch, strict=True)
            ]
            for (key, _, continuation), found in zip(batch, self.model.forward(rows, positions=positions), strict=True):
                assert found.logits is not None  # [P, V], P the continuation's length
                targets = np.asarray(continuation, np.int64)
                result = _likelihood(found.logits, targets)
                if key is not None:
                    self.cache_hook.add_partial("loglikelihood", key, result)
                results.append(result)
            progress.update(len(batch))
        progress.close()
        return results

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Log-probability of each text, in windows of the context's length that share one token."""
        results = []
        for (text,) in tqdm([request.args for request in requests], disable=disable_tqdm or None, desc="Texts"):
            windows = utils.get_rolling_token_windows(
                self.tok_encode(text), prefix_token=self._prefix, max_seq_len=self.max_length, context_len=1
            )
            rows, targets = [], []
            for inputs, predicted in windows:  # the last `predicted` of the inputs are asked
                rows.append(inputs)
                targets.append([-1] * (len(inputs) - len(predicted)) + predicted)
            values = self.model.logprobs(rows, targets=targets) if rows else []
            result = float(sum(np.nansum(row.astype(np.float64)) for row in values))
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), result)
            results.append(result)
        return results

    def _row(self, context: list[int], continuation: list[int]) -> list[int]:
        """The tokens after which those of the continuation are asked for: the last ones that fit."""
        if len(continuation) > self.max_length:
            raise RallyError(
                Status.CONTEXT_EXCEEDED,
                f"a continuation of {len(continuation)} tokens; the model's context has {self.max_length}",
            )
        return [*(context or [self._prefix]), *continuation][-self.max_length - 1 : -1] or [self._prefix]

    def _batches(self, requests: Iterable[TokenRequest]) -> Iterator[list[TokenRequest]]:
        """Requests whose logits fit the memory that is set aside for them, one at least."""
        room = max(_LOGITS_BYTES // (4 * self.model.info.vocab_size), 1)
        batch: list[TokenRequest] = []
        count = 0
        for request in requests:
            if batch and count + len(request[2]) > room:
                yield batch
                batch, count = [], 0
            batch.append(request)
            count += len(request[2])
        if batch:
            yield batch

    # Generation

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Continues all contexts together, each until one of its own texts or the end."""
        stops: dict[int, list[str]] = {}
        tokens: dict[int, list[int]] = {}
        with Engine(self.model, threads=self._threads) as engine:
            for request in requests:
                number, until = self._submit(engine, *request.args)
                stops[number], tokens[number] = until, []
            progress = tqdm(total=len(requests), disable=disable_tqdm or None, desc="Texts")
            for event in engine:
                if event.token >= 0:
                    tokens[event.request].append(event.token)
                progress.update(event.finish_reason is not None)
            progress.close()
        end = self.model.decode([self.eot_token_id])
        texts = [_until(self.model.decode(tokens[number]), [*stops[number], end]) for number in stops]
        for request, text in zip(requests, texts, strict=True):
            self.cache_hook.add_partial("generate_until", request.args, text)
        return texts

    def _submit(self, engine: Engine, context: str, arguments: dict[str, Any]) -> tuple[int, list[str]]:
        asked = normalize_gen_kwargs(arguments, self.max_gen_toks)
        until = [stop for stop in asked["until"] if stop]
        count = min(asked["max_gen_toks"], self.max_length - 1)
        how: Sampling = {"stop": until}
        how.update({name: asked[name] for name in _SAMPLING if asked.get(name) is not None})  # type: ignore[typeddict-item]
        prompt = self.tok_encode(context)[-(self.max_length - count) :] or [self._prefix]
        return engine.submit(prompt, count, seed=self.seed, **how), until


def _likelihood(logits: Any, targets: Any) -> tuple[float, bool]:
    """Natural logarithm of the probability of P targets, and whether each is the most probable.

    Parameters
    ----------
    logits : ndarray, shape [P, V], float32
    targets : ndarray, shape [P]
    """
    greedy = bool((logits.argmax(axis=1) == targets).all())
    best = logits.max(axis=1, keepdims=True)
    totals = np.log(np.exp(logits - best).sum(axis=1, dtype=np.float64))
    chosen = logits[np.arange(targets.size), targets].astype(np.float64) - best[:, 0]
    return float((chosen - totals).sum()), greedy


def _until(text: str, stops: list[str]) -> str:
    """The text before the first of the stops."""
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
