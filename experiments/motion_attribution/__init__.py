"""Which training clips taught a motion: proof on motions that are known."""
