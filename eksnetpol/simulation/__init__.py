"""A small world in memory that behaves as the real one is documented to; pure, with time as an argument."""
