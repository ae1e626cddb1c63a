"""BERT with a score, made by `transformers` with random weights, and WordPiece tokenizers."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForSequenceClassification, BertModel

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCAB = 400
LENGTH = 48


@dataclass(frozen=True)
class Case:
    """One way to put a score on BERT.

    Attributes
    ----------
    pooling : str, optional
        None: the pooler. Else a linear head on this pooling, as ``config.json`` says.
    head : str
        ``classifier``, in a `BertForSequenceClassification`; else alongside a `BertModel`, whose keys have no prefix.
    pooler : bool
        Whether the checkpoint has a pooler, used or not.
    config : dict
        Fields of `BertConfig`.
    """

    name: str
    pooling: str | None = None
    head: str = "classifier"
    pooler: bool = True
    config: dict[str, Any] = field(default_factory=dict)

    def module(self) -> torch.nn.Module:
        """The model, in f32, with weights of order one, so that every part of it matters to the score."""
        torch.manual_seed(zlib.crc32(self.name.encode()))
        sizes: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 72}
        sizes |= {"num_hidden_layers": 2, "vocab_size": VOCAB, "max_position_embeddings": LENGTH}
        config = BertConfig(**(sizes | self.config), num_labels=1, problem_type="regression")
        module: torch.nn.Module
        if self.head == "classifier":
            module = BertForSequenceClassification(config)
        else:
            module = BertModel(config, add_pooling_layer=self.pooler)
            module.add_module(self.head, torch.nn.Linear(config.hidden_size, 1))
        for name, parameter in module.named_parameters():
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter, float("LayerNorm.weight" in name), 0.2)
            else:
                deviation = 0.5 if "embeddings" in name else 1.5 / parameter.shape[1] ** 0.5
                torch.nn.init.normal_(parameter, 0.0, deviation)
        return module.eval()

    def write(self, folder: Path, tokenizer: Tokenizer | None = None, dtype: torch.dtype = torch.float32) -> Path:
        """Write the checkpoint folder."""
        folder.mkdir(exist_ok=True)
        module = self.module()
        state = {key: value.to(dtype).contiguous() for key, value in module.state_dict().items()}
        save_file(state, folder / "model.safetensors")
        config = json.loads(module.config.to_json_string())
        config |= {"pooling": self.pooling} if self.pooling else {}
        (folder / "config.json").write_text(json.dumps(config))
        if tokenizer:
            tokenizer.save(str(folder / "tokenizer.json"))
        return folder

    @torch.inference_mode()
    def score(self, rows: Iterable[Sequence[int]]) -> list[float]:
        """The score of each row, alone, by `transformers` in f32."""
        module = self.module()
        return [self._score(module, torch.tensor([list(row)])) for row in rows]

    def _score(self, module: torch.nn.Module, ids: torch.Tensor) -> float:
        if self.pooling is None:
            return float(module(input_ids=ids).logits)
        body = getattr(module, "bert", module)
        hidden = body(input_ids=ids).last_hidden_state[0]
        pooled = {"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[self.pooling]
        return float(getattr(module, self.head)(pooled))


CASES = (
    Case("pooler"),
    Case("gelu_new, one type", config={"hidden_act": "gelu_new", "type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    Case("mean", "mean", config={"hidden_act": "relu", "num_attention_heads": 1, "num_hidden_layers": 3}),
    Case("cls without pooler", "cls", head="regressor", pooler=False),
    Case("mean, bare", "mean", head="head", config={"hidden_size": 24, "type_vocab_size": 3}),
)


def rows(lengths: Iterable[int], seed: int = 1) -> list[list[int]]:
    """Random rows of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, VOCAB, (length,), generator=generator).tolist() for length in lengths]


def blank(vocab: Iterable[str], settings: str = "cial", added: Iterable[str] = ()) -> Tokenizer:
    """Return a tokenizer of a vocabulary that begins with `SPECIAL`.

    The letters of ``settings`` switch steps on: clean text, ideographs apart, accents stripped, lower case.
    """
    tokenizer = Tokenizer(models.WordPiece({entry: place for place, entry in enumerate(vocab)}, unk_token="[UNK]"))
    finish(tokenizer, settings)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text) for text in added])
    return tokenizer


def finish(tokenizer: Tokenizer, settings: str) -> None:
    """Put BERT's parts around a model."""
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text="c" in settings,
        handle_chinese_chars="i" in settings,
        strip_accents="a" in settings,
        lowercase="l" in settings,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )


def trained(texts: Iterable[str], size: int = VOCAB, settings: str = "cial") -> Tokenizer:
    """Return a tokenizer of at most ``size`` entries."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    finish(tokenizer, settings)
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), limit_alphabet=size // 2, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return blank(sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__), settings)
