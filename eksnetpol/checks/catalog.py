"""All checks: the folders are the list."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from eksnetpol.checks.declare import Check


@lru_cache(maxsize=1)
def catalog() -> tuple[Check, ...]:
    """Return every check, by family and id. Raises `TypeError` when two bear the same id."""
    importlib.import_module("eksnetpol.facts.declare").catalog()
    package = importlib.import_module("eksnetpol.checks")
    found: dict[str, Check] = {}
    for family in pkgutil.iter_modules(package.__path__):
        if not family.ispkg:
            continue
        folder = importlib.import_module(f"eksnetpol.checks.{family.name}")
        for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            name = module.name.rsplit(".", 1)[-1]
            declared = getattr(importlib.import_module(module.name), name, None)
            if not isinstance(declared, Check):
                message = f"{module.name} declares no check named {name}"
                raise TypeError(message)
            if declared.id in found:
                message = f"{declared.id} is declared in {declared.family} and in {found[declared.id].family}"
                raise TypeError(message)
            found[declared.id] = declared
    return tuple(sorted(found.values(), key=lambda c: (c.family, c.id)))
