"""Decoded pictures as networks look at them."""
