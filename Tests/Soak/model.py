"""Gives the shipped model positions for 4096 tokens, which rotary positions take: ``model.py IN OUT``."""

from __future__ import annotations

import sys

import onnx

if __name__ == "__main__":
    model = onnx.load(sys.argv[1])
    for pair in model.metadata_props:
        if pair.key == "rally.max_position_embeddings":
            pair.value = "4096"
    onnx.save(model, sys.argv[2])
