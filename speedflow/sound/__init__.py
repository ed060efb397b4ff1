"""What sound alone tells about playback speed; NumPy only, no network."""
