"""How a report is wanted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """*width* in columns and *color* concern the terminal only; *verbose* unfolds whatever a format folds."""

    width: int = 80
    color: bool = False
    verbose: bool = False
