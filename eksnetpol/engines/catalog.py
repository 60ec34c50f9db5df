"""All engines: the folder is the list."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from eksnetpol.engines.engine import Engine, Presence, Surroundings

_MACHINERY = {"engine", "catalog", "placement", "dialects", "kubernetes_policies", "ties", "upstream", "parts"}


@lru_cache(maxsize=1)
def catalog() -> tuple[Engine, ...]:
    """Return every engine, by name."""
    package = importlib.import_module("eksnetpol.engines")
    names = (m.name for m in pkgutil.iter_modules(package.__path__) if m.name not in _MACHINERY)
    found: list[Engine] = [importlib.import_module(f"eksnetpol.engines.{name}").ENGINE for name in names]
    return tuple(sorted(found, key=lambda e: e.name))


def detect(around: Surroundings) -> tuple[Presence, ...]:
    """Return every engine that is there in any state; there can be several."""
    found = (engine.detect(around) for engine in catalog())
    return tuple(p for p in found if p is not None)
