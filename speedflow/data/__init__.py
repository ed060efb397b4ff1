"""Real and procedural video as records, and records as training batches."""
