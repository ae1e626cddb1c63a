"""One module per section of the benchmark; each has `run(context)`."""
