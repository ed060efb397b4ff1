"""One `get_config(arg)` per experiment: numbers, not logic."""
