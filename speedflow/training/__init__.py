"""One training loop for every experiment, on one device or thousands."""
