"""More frames a second, or slow motion, of a video."""
