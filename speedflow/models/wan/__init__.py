"""Wan, the video generator, in Flax NNX: its networks, one module each."""
