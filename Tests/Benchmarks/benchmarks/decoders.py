"""The vanilla language model in the forms that peers read: run by the peers' Python, `python -m benchmarks.decoders MODEL.onnx FOLDER`.

The weights of the file that Rally opens, as a checkpoint of `transformers`; from it, a stateful model for OpenVINO, as
its exporter writes it, and one whose weights NNCF made int8; and CTranslate2's form.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


def write(source: Path, folder: Path) -> None:
    """Write what is missing beneath ``folder``; weights of ``source`` are f32, embeddings tied."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    model = _checkpoint(source)
    model.save_pretrained(folder / "checkpoint")
    _words(model.config.vocab_size).save_pretrained(folder / "checkpoint")
    _openvino(folder)
    _ctranslate2(folder)
    (folder / "done").touch()


def _checkpoint(source: Path) -> LlamaForCausalLM:
    proto = onnx.load(str(source))
    settings = {pair.key.removeprefix("rally."): pair.value for pair in proto.metadata_props}
    config = LlamaConfig(
        hidden_size=int(settings["hidden_size"]),
        intermediate_size=int(settings["intermediate_size"]),
        num_hidden_layers=sum(int(settings[f"num_{part}_layers"]) for part in ("first", "block", "last")),
        num_attention_heads=int(settings["num_attention_heads"]),
        num_key_value_heads=int(settings["num_key_value_heads"]),
        head_dim=int(settings["head_dim"]),
        vocab_size=int(settings["vocab_size"]),
        max_position_embeddings=int(settings["max_position_embeddings"]),
        rms_norm_eps=float(settings["norm_eps"]),
        rope_theta=float(settings["rope_theta"]),
        tie_word_embeddings=True,
    )
    starts = {"first": 0, "block": int(settings["num_first_layers"])}
    starts["last"] = starts["block"] + int(settings["num_block_layers"])
    state = {}
    for tensor in proto.graph.initializer:
        part, _, rest = tensor.name.partition(".")
        if part == "graph":
            continue
        if part in starts:
            index, _, name = rest.partition(".")
            name = f"model.layers.{starts[part] + int(index)}.{name}"
        else:
            name = f"model.{tensor.name}"
        state[name] = torch.from_numpy(numpy_helper.to_array(tensor).copy())
    model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise ValueError(f"{source}: tensors that a Llama lacks or misses: {[*missing, *unexpected]}")
    return model.eval()


def _words(count: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of as many words: CTranslate2 speaks of tokens by their text."""
    vocabulary = {f"w{index}": index for index in range(count)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="w1", eos_token="w2", unk_token="w0")


def _openvino(folder: Path) -> None:
    import nncf
    import openvino
    from openvino import opset13
    from optimum.intel import OVModelForCausalLM

    exported = OVModelForCausalLM.from_pretrained(
        folder / "checkpoint", export=True, stateful=True, compile=False, load_in_8bit=False
    )
    model = exported.model
    # The exporter gives logits of all rows; its own pipeline cuts the head's input to the last one, too.
    head = model.output("logits").get_node().input_value(0).get_node()
    last = opset13.slice(head.input_value(0), np.array([-1]), np.array([2**31 - 1]), np.array([1]), np.array([1]))
    head.input(0).replace_source_output(last.output(0))
    model.validate_nodes_and_infer_types()
    openvino.save_model(model, folder / "openvino.xml", compress_to_fp16=False)
    openvino.save_model(nncf.compress_weights(model), folder / "openvino-int8.xml", compress_to_fp16=False)


def _ctranslate2(folder: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(folder / "checkpoint")).convert(str(folder / "ctranslate2"))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(sys.stderr):
        write(Path(sys.argv[1]), Path(sys.argv[2]))
