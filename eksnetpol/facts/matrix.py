"""The version matrix that ships with the tool, for whoever asks by parameter."""

from __future__ import annotations

from eksnetpol.assets.releases import Matrix, matrix
from eksnetpol.facts.declare import fact


@fact
def releases() -> Matrix:
    """Releases never to run, fixes, pairs and least versions."""
    return matrix()
