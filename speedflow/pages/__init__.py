"""Pages and pictures that show answers; they need no network."""
