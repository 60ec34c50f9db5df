"""A run in a line: which plan on which cluster, how far it came, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from eksnetpol.model.plan import Verb
from eksnetpol.model.snapshot import Target

State = Literal["finished", "failed", "stopped", "running", "rolled back", "unreadable"]
"""*stopped* is resumable: somebody or time stopped it, or its process died without a word."""


class RunSummary(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A run in a line. ``done`` of ``steps`` are known to be true; ``ended_at`` is None while it may go on.

    ``undoes`` is the run that this one goes back on. ``problem`` says why an unreadable one cannot be read.
    """

    id: str
    verb: Verb | None = None
    title: str = ""
    target: Target = Target()
    state: State = "stopped"
    started_at: datetime = datetime.fromtimestamp(0, UTC)
    ended_at: datetime | None = None
    done: int = 0
    steps: int = 0
    by: str = ""
    tool: str = ""
    undoes: str = ""
    detail: str = ""
    problem: str = ""
