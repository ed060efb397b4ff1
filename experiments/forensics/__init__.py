"""Was this video's time tampered with? Verdicts on known forgeries."""
