"""Other engines and others who hook into the same packets."""
