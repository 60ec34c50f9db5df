"""The reader of this dialect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.stacks.rules import Refused, Stack
from eksnetpol.policy.world import World
from tests.policy.stacks.reading import stack


def read(objects: Iterable[Any], kubernetes: Iterable[NetworkPolicy], world: World) -> Stack:
    """Return the standard policies of *world*; an object with a ``why`` is refused, and one with a ``twist`` not understood."""
    found = stack(replace(world, network_policies=tuple(kubernetes)))
    written = [(Subject("NetworkPolicy", o["name"], "bank"), o) for o in objects]
    return replace(
        found,
        dialect="odd",
        refused=tuple(Refused(ref, o["why"], "spec.selector") for ref, o in written if "why" in o),
        unread=tuple(Refused(ref, f"unknown field {o['twist']}") for ref, o in written if "twist" in o),
        notes=("as of today",),
    )
