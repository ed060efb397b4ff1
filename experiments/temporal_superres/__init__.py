"""Slow time down: sharp high-rate video from blurry low-rate video."""
