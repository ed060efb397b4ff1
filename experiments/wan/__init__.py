"""Wan, conditioned on speed."""
