"""How an object differs from what a run has written, and who has written it since."""

from __future__ import annotations

from eksnetpol.fields.holds import ABSENT, differences, value_at
from eksnetpol.interfaces.acting import MANAGER
from eksnetpol.model.conditions import Holds
from eksnetpol.model.kinds import Json

_NOBODY = "before-first-apply"
"""What the API server calls whoever wrote an object before anything was applied to it."""


def unlike(live: Json, condition: Holds) -> str:
    """Return the first field that is not as *condition* has it, in words; empty where all are."""
    found = differences(live, condition.object)
    if found:
        first = found[0]
        has = "is not there" if first.live is None else f"is {first.live!r}"
        more = f" (and {len(found) - 1} more fields)" if len(found) > 1 else ""
        return f"{first.path} {has}, not {first.wanted!r}{more}"
    return next((f"{path} is still there" for path in condition.without if value_at(live, path) is not ABSENT), "")


def by_whom(live: Json) -> str:
    """Return in words who else wrote an object last, as its field managers tell; empty where nothing tells."""
    entries = [
        one
        for one in live["metadata"].get("managedFields") or ()
        if one.get("manager") not in {None, "", MANAGER, _NOBODY} and not one.get("subresource")
    ]
    if not entries:
        return ""
    last = max(entries, key=lambda one: str(one.get("time", "")))
    at = f" at {last['time']}" if last.get("time") else ""
    return f" (besides this tool, {last['manager']} wrote it last{at})"
