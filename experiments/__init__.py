"""One folder per experiment: its Experiment class, evaluation and results."""
