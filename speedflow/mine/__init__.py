"""Slow motion out of any amount of video."""
