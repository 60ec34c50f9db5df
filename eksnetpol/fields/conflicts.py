"""What an apply would run into: the forecast that planning shows, without doing it."""

from __future__ import annotations

from datetime import UTC, datetime

from eksnetpol.fields.apply import Conflicting, FieldConflict, applied
from eksnetpol.fields.owners import MANAGER
from eksnetpol.fields.structure import Layout
from eksnetpol.model.kinds import Json

__all__ = ["Conflicting", "FieldConflict", "conflicts"]


def conflicts(live: Json | None, wanted: Json, manager: str = MANAGER, layout: Layout | None = None) -> tuple[Conflicting, ...]:
    """Return the fields of *wanted* that others own in *live* with another value, in order of their paths.

    A field whose owner is recorded but whose value *live* does not tell (a snapshot keeps only some) counts: nobody knows that it
    is the same. Raise `merging.DuplicateEntry` where *wanted* is none that can be applied.
    """
    try:
        applied(live, wanted, manager=manager, force=False, now=datetime.fromtimestamp(0, UTC), layout=layout)
    except FieldConflict as conflict:
        return conflict.fields
    return ()
