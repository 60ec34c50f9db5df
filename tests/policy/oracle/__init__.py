"""What policies mean, worked out the slow and obvious way: one pair, one packet at a time, sharing nothing with the engine."""
