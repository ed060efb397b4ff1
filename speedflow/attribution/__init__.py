"""Which training clips taught a motion (Motive, arXiv 2601.08828)."""
