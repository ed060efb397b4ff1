"""The speed of a video as a number that is set."""
