"""Nodes: can the agent run and enforce there."""
