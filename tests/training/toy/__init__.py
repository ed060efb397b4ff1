"""A tiny experiment on random numbers, for the tests of the loop."""
