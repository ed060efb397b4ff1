"""Clips by Wan, from folders as they are published."""
