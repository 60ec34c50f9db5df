"""The test-bed: real components, and how they start."""
