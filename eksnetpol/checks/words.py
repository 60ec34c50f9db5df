"""Words that several checks need."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str], most: int = 3) -> str:
    """Return *names* in a sentence: ``a, b, c and 4 more``."""
    names = tuple(names)
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def counted(count: int, one: str, many: str = "") -> str:
    """Return ``1 pod`` or ``3 pods``; *many* where the plural is not *one* with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
