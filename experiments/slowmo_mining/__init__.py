"""How well `speedflow mine` finds slow motion, and nothing else."""
