"""Writes the vanilla model that Rally opens as a GGUF file for llama.cpp: the same weights, no tokenizer."""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import numpy as np
import onnx
from gguf.quants import quantize
from onnx import numpy_helper

_TYPE, _FILE = gguf.GGMLQuantizationType, gguf.LlamaFileType

#: Names of GGUF's formats: types of matrices and of the embedding, which is the head, too, and is in eight bits beside four, as
#: Rally's is. Norms stay in f32 in all of them, as llama.cpp's converter leaves them.
FORMATS = {
    "F32": (_TYPE.F32, _TYPE.F32, _FILE.ALL_F32),
    "BF16": (_TYPE.BF16, _TYPE.BF16, _FILE.MOSTLY_BF16),
    "Q8_0": (_TYPE.Q8_0, _TYPE.Q8_0, _FILE.MOSTLY_Q8_0),
    "Q4_0": (_TYPE.Q4_0, _TYPE.Q8_0, _FILE.MOSTLY_Q4_0),
}

_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(source: Path, out: Path, format_name: str) -> None:
    """Write ``out`` from a vanilla model file with tied embeddings, weights in f32.

    Parameters
    ----------
    source : Path
        The ``.onnx`` file.
    out : Path
        The ``.gguf`` file; appears when it is complete.
    format_name : str
        A key of :data:`FORMATS`.
    """
    matrix, embedding, file_type = FORMATS[format_name]
    proto = onnx.load(str(source))
    settings = {pair.key.removeprefix("rally."): pair.value for pair in proto.metadata_props}
    temporary = out.with_suffix(".partial")
    writer = gguf.GGUFWriter(str(temporary), "llama")
    writer.add_file_type(file_type)
    _add_settings(writer, settings)
    for tensor in proto.graph.initializer:
        if tensor.name.startswith("graph."):
            continue
        name = _gguf_name(tensor.name)
        values = numpy_helper.to_array(tensor)
        for kind, heads in (("attn_q", "num_attention_heads"), ("attn_k", "num_key_value_heads")):
            if kind in name:
                values = _interleaved(values, int(settings[heads]))
        kept = embedding if name == "token_embd.weight" else matrix
        if values.ndim != 2:
            kept = _TYPE.F32
        writer.add_tensor(name, quantize(values, kept), raw_dtype=kept)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(temporary, out)


def _add_settings(writer: gguf.GGUFWriter, settings: dict[str, str]) -> None:
    writer.add_block_count(int(settings["num_block_layers"]))
    writer.add_context_length(int(settings["max_position_embeddings"]))
    writer.add_embedding_length(int(settings["hidden_size"]))
    writer.add_feed_forward_length(int(settings["intermediate_size"]))
    writer.add_head_count(int(settings["num_attention_heads"]))
    writer.add_head_count_kv(int(settings["num_key_value_heads"]))
    writer.add_rope_dimension_count(int(settings["head_dim"]))
    writer.add_rope_freq_base(float(settings["rope_theta"]))
    writer.add_layer_norm_rms_eps(float(settings["norm_eps"]))
    writer.add_vocab_size(int(settings["vocab_size"]))
    writer.add_tokenizer_model("no_vocab")


def _gguf_name(name: str) -> str:
    whole = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    _, index, kind = name.removesuffix(".weight").split(".", 2)
    return f"blk.{index}.{_LAYER[kind]}.weight"


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Reorder the rows of q or k [heads K, D]: llama.cpp rotates neighbours, the file rotates halves."""
    rows, width = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)
