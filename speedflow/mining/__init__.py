"""Finding training material in collections of any size."""
