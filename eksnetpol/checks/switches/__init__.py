"""The two switches and how the agent is configured."""
