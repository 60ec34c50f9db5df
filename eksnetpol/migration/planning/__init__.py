"""The plan of a migration: from a snapshot and a translation to steps in phases, each with its proof and its way back."""
