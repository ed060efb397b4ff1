"""Playback speed from sound alone; NumPy only, no network."""
