"""From a file to an answer."""
