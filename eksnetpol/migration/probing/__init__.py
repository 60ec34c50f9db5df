"""Probes: connections that are tried for real, to see whether what policies let through is what flows."""
