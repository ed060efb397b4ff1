"""See speed: learn from raw video how fast it plays."""
