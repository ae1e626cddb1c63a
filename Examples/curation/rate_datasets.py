"""Rates JSON lines as a Hugging Face data set, in processes, and saves it; a second run finds the scores again."""

import datasets
import rally
from rally.adapters.datasets import rate

from common import arguments, show

if __name__ == "__main__":
    options = arguments(__doc__)
    documents = datasets.load_dataset("json", data_files=options.input, split="train")
    rated = rate(documents, rally.Scorer(options.rater, threads=1), num_proc=options.workers)
    rated.save_to_disk(options.out)
    show(rated)
