#!/usr/bin/env bash
# transformers 5.24.0: LlamaForSequenceClassification reads the score of a row at its last token that is not the pad token,
# looked up by id, not by attention mask. Where pad and end token are one (the usual choice for models without a pad token),
# a row that ends with its end token is read one token earlier, also when it is alone, unpadded, and its mask is all ones:
# its score is that of the row without the end token. Given the same row as embeddings, the same class reads the end token.
# A rater that was trained to be read at the end token therefore gives other scores here than a runtime that takes the last
# token of the mask.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check transformers==5.24.0 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import transformers
from transformers import LlamaConfig, LlamaForSequenceClassification

transformers.logging.set_verbosity_error()
print("transformers", transformers.__version__, "torch", torch.__version__)
torch.manual_seed(0)
END = 2
config = LlamaConfig(
    vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_labels=1,
    pad_token_id=END, eos_token_id=END,
)
model = LlamaForSequenceClassification(config).eval()
row = torch.tensor([[5, 9, 11, END]])
mask = torch.ones_like(row)
with torch.no_grad():
    whole = model(input_ids=row, attention_mask=mask).logits.item()
    without_end = model(input_ids=row[:, :-1], attention_mask=mask[:, :-1]).logits.item()
    embedded = model(inputs_embeds=model.model.embed_tokens(row), attention_mask=mask).logits.item()
print(f"ids with the end token {whole:.6f}  ids without it {without_end:.6f}  embeddings with it {embedded:.6f}")
assert abs(whole - without_end) < 1e-6, "behaviour changed: the end token counts now"
assert abs(whole - embedded) > 1e-3, "behaviour changed: ids and embeddings agree now"
PYTHON
