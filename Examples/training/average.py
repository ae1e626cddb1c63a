"""The mean of a rater's states along its training, as a checkpoint: ``average.py 2100.pt=2 2360.pt=3 2800.pt=5``.

States of one run that lie near each other average well: what each learned last is noise or taste, what all know stays.
"""

import argparse
import random
from pathlib import Path

import torch

from rater import Rater, RaterShape, balanced, save
from train_rater import open_batches


def main() -> None:
    """Average, balance, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "states", nargs="+", metavar="STATE=PARTS", help="state.pt of train_rater.py, and how much it counts"
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--junk", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json of the state's folder")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder")
    options = parser.parse_args()
    parts = [(path, float(part)) for path, _, part in (state.rpartition("=") for state in options.states)]
    whole = sum(part for _, part in parts)
    states = [(torch.load(path, weights_only=False)["rater"], part / whole) for path, part in parts]
    rater = Rater(RaterShape())
    rater.load_state_dict({name: sum(state[name] * part for state, part in states) for name in states[0][0]})
    learned, _ = open_batches(options.corpus, options.junk, options.tokenizer)
    save(balanced(rater, learned.batch(random.Random("balance"), 160, 24)[1]), options.tokenizer, options.out)


if __name__ == "__main__":
    main()
