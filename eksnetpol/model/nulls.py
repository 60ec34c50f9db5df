"""What null means in an object that is sent to the API server."""

from __future__ import annotations

from typing import Any


def without_nulls(value: Any) -> Any:
    """Return *value* as the API server takes it: a null member is absent, a null element an empty object."""
    if isinstance(value, dict):
        return {key: without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [{} if member is None else without_nulls(member) for member in value]
    return value


def is_deeper(value: Any, levels: int) -> bool:
    """Say whether *value* has members in members, or elements in elements, over more than so many levels."""
    here = [value]
    for _ in range(levels):
        here = [m for one in here if isinstance(one, dict | list) for m in (one.values() if isinstance(one, dict) else one)]
        if not here:
            return False
    return True
