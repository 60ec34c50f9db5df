"""What a step is about to touch, kept as it was: one file of the run for each step, written before the first attempt acts."""

from __future__ import annotations

import re
from typing import Any, assert_never

import msgspec

from eksnetpol.execution.addon_health import AWS_NODE
from eksnetpol.execution.gathering import found_of, meant_by
from eksnetpol.interfaces.acting import Hands, Journal
from eksnetpol.model.actions import (
    ADDON,
    Action,
    Apply,
    BackUp,
    Create,
    CreateAddon,
    Delete,
    DeleteAddon,
    Evict,
    Look,
    Probe,
    Restore,
    StripFinalizer,
    UpdateAddon,
)
from eksnetpol.model.kinds import CONFIGMAP, POD, ObjectRef

SWITCH = ObjectRef.to(CONFIGMAP, "amazon-vpc-cni", "kube-system")


def name_of(number: int, step: str) -> str:
    """Return the name of the file for a step, which is the *number*-th of its plan."""
    return f"before-{number:02}-{re.sub(r'[^A-Za-z0-9.]+', '-', step)[:80]}.json"


def keep(action: Action, name: str, hands: Hands, journal: Journal) -> None:
    """Keep what *action* will touch in file *name* of the run, unless a former process has done so: that was the state before."""
    addon, refs = touched_by(action, hands)
    if (not addon and not refs) or journal.load(name) is not None:
        return
    found: dict[str, Any] = {"objects": {str(ref): live for ref, live in found_of(hands, refs).items()}}
    found["absent"] = sorted(str(ref) for ref in refs if str(ref) not in found["objects"])
    if addon:
        found["addon"] = msgspec.to_builtins(hands.describe_addon(addon))
    journal.save(name, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def touched_by(action: Action, hands: Hands) -> tuple[str, tuple[ObjectRef, ...]]:
    """Return the add-on and the objects that *action* changes; an add-on's objects are those that hold the switches."""
    match action:
        case UpdateAddon() | CreateAddon() | DeleteAddon():
            # Of other add-ons than the VPC CNI the objects are not known.
            return action.addon, (AWS_NODE, SWITCH) if action.addon == ADDON else ()
        case Apply() | Create():
            return "", (action.ref,)
        case Delete() | StripFinalizer():
            return "", tuple(one.ref for one in meant_by(action, hands))
        case Evict():
            # Controllers make all others again; of these nothing else would be left.
            return "", tuple(ObjectRef.to(POD, name, namespace) for namespace, _, name in (p.partition("/") for p in action.bare))
        case Probe():
            return "", action.refs
        case BackUp() | Restore() | Look():
            return "", ()
        case _:
            assert_never(action)
