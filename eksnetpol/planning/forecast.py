"""What EKS would meet when it writes the add-on's objects: fields that others own with another value, and what becomes of them.

EKS applies server-side as manager ``eks``. Under NONE such a field makes the update fail, under PRESERVE it stays as it is, under
OVERWRITE it is set to what the configuration, or else the release, says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eksnetpol.assets.addon_objects import MANAGER, UNTOLD
from eksnetpol.fields.conflicts import conflicts
from eksnetpol.model import kinds
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import Forecast

AS_SHIPPED = "as EKS ships it"
"""Stands for a value that only EKS knows."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """One object as it is and as EKS would write it."""

    live: Json
    told: Json


def meetings(live: Iterable[Json], told: Iterable[Json]) -> tuple[Meeting, ...]:
    """Pair objects by what they are called; what is not there, or not written, meets nobody."""
    by_ref = {ObjectRef.of(o): o for o in told}
    return tuple(Meeting(o, by_ref[ref]) for o in live if (ref := ObjectRef.of(o)) in by_ref)


def forecasts(live: Iterable[Json], told: Iterable[Json]) -> tuple[Forecast, ...]:
    """Return every field of *live* that others own with another value than the one in *told*, which EKS would write.

    Fields whose live value the look did not keep are left out: nothing can be said of them.
    """
    found: list[Forecast] = []
    for meeting in meetings(live, told):
        where = str(ObjectRef.of(meeting.live))
        for conflict in conflicts(meeting.live, meeting.told, MANAGER):
            if conflict.live is None:
                continue
            value = AS_SHIPPED if conflict.path in UNTOLD and where.startswith(kinds.DAEMONSET.name.lower()) else conflict.wanted
            owners = ", ".join(conflict.managers)
            found.append(Forecast(where, conflict.path, owners, said(conflict.live), said(value)))
    return tuple(found)


def said(value: Any) -> str | None:
    """Return a field's value as a text: words of a list apart, anything nested as JSON; None for what is not there."""
    if value is None:
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
