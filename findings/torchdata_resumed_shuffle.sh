#!/usr/bin/env bash
# torchdata 0.11.0 with torch 2.13.0: a StatefulDataLoader with shuffle=True and a seeded generator is saved in the middle of
# an epoch and restored into a new loader, made in the same way. The rest of that epoch is what it would have been. All later
# epochs have another order than in the run that was not interrupted, so a training run that is resumed sees its data in
# another order from its next epoch on. The same happens when the state is saved between two epochs.
# What helps: save the generator's state alongside the loader's, at the beginning of the epoch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 torchdata==0.11.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import torch
from torchdata.stateful_dataloader import StatefulDataLoader

print("torchdata", importlib.metadata.version("torchdata"), "torch", torch.__version__)


def loader():
    return StatefulDataLoader(list(range(8)), batch_size=1, shuffle=True, generator=torch.Generator().manual_seed(3))


def epoch(source):
    return [int(batch) for batch in source]


source = loader()
whole = [epoch(source) for _ in range(3)]

source = loader()
batches = iter(source)
begun = [int(next(batches)) for _ in range(4)]
state = source.state_dict()
resumed = loader()
resumed.load_state_dict(state)
found = [begun + epoch(resumed), epoch(resumed), epoch(resumed)]

for number, (wanted, seen) in enumerate(zip(whole, found)):
    print(f"epoch {number}  never interrupted {wanted}  resumed {seen}  {'same' if wanted == seen else 'another order'}")
assert found[0] == whole[0], "the epoch that was interrupted goes on as it was"
assert found[1] != whole[1] and found[2] != whole[2], "behaviour changed: later epochs are as they would have been"
PYTHON
