"""Whether the policies that a plan was made from are still the same, and which of them are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eksnetpol.errors import UnreadableInput
from eksnetpol.execution import backups
from eksnetpol.execution.gathering import kind_named, named
from eksnetpol.execution.seeing import Observation, holds, hopeless
from eksnetpol.interfaces.acting import Hands, Journal
from eksnetpol.model.conditions import SOURCES, Unchanged
from eksnetpol.model.fingerprints import digest_of_objects, digests_of
from eksnetpol.model.kinds import Json


def unchanged(condition: Unchanged, hands: Hands, journal: Journal) -> Observation:
    """Return whether the objects of the kinds are those that the plan was made from; waiting does not bring them back."""
    found = [
        one for kind in condition.kinds for one in hands.objects(kind_named(kind)) if not has_label(one, condition.without)
    ]
    if digest_of_objects(found) == condition.digest:
        return holds(f"{_policies(len(found))} as when the plan was made")
    which = named(_differences(digests_of(found), journal))
    told = f": {which}" if which else f" (there are {len(found):,} now)"
    return hopeless(
        f"the policies are no longer those that the plan was made from{told}; what they mean now was not translated: "
        "make a new plan, or put them back as they were"
    )


def has_label(found: Json, label: str) -> bool:
    """Say whether an object has *label*, ``key`` or ``key=value``; nothing has no label at all."""
    key, given, value = label.partition("=")
    labels: Mapping[str, str] = (found.get("metadata") or {}).get("labels") or {}
    return bool(key) and key in labels and (not given or labels[key] == value)


def _differences(now: Mapping[str, str], journal: Journal) -> Iterator[str]:
    """Yield what is new, changed and gone, as far as the run has a copy of what was there."""
    data = journal.load(SOURCES)
    if data is None:
        return
    try:
        before = digests_of(kept.object for kept in backups.read(data, SOURCES).objects)
    except UnreadableInput:
        return
    yield from (f"{name} is new" for name in sorted(now.keys() - before.keys()))
    yield from (f"{name} was changed" for name in sorted(now.keys() & before.keys()) if now[name] != before[name])
    yield from (f"{name} is gone" for name in sorted(before.keys() - now.keys()))


def _policies(number: int) -> str:
    return "1 policy is" if number == 1 else f"{number:,} policies are"
