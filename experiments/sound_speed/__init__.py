"""Hear speed: where playback speed changes in sound, and what it is."""
