"""A picture set in motion, at the speed that is asked for."""
