"""How fast does a video play? From a file to its speed over time."""
