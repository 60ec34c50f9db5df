"""Those who act on a real API server for what has no container runtime here: by the very rules of ``eksnetpol.simulation``."""
