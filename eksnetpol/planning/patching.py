"""Command-line flags of a container: read, and flipped with all others left as they are.

The agent reads its flags with spf13/pflag: ``--x``, ``--x=v`` and, but for switches, ``--x v`` mean the same, the last one
counts, and words that belong to no flag are ignored. ``args`` is one field to the API server (an atomic list), so a plan always
holds the whole list.
"""

from __future__ import annotations

from collections.abc import Sequence

from eksnetpol.facts.configuration import is_false, is_true
from eksnetpol.facts.vpc_cni import flags_of
from eksnetpol.model.conditions import FlagIs
from eksnetpol.model.kinds import Json


def flag_in(workload: Json, containers: Sequence[str], flag: str) -> str | None:
    """Return the value of *flag* in the first of *containers* that *workload*, an object of the API, has; None without it.

    An object of which only a part is known has no flags; it is no error.
    """
    spec = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    named = {c.get("name"): c for c in spec.get("containers") or ()}
    found = next((named[name] for name in containers if name in named), None)
    return None if found is None else flags_of(tuple(found.get("args") or ())).get(flag)


def is_same(value: str | None, wanted: str) -> bool:
    """Say whether two values of a flag mean the same: truth values as Go's ``strconv.ParseBool`` reads them, else the text."""
    if value is None:
        return False
    if is_true(wanted):
        return is_true(value)
    if is_false(wanted):
        return is_false(value)
    return value == wanted


def tells(workload: Json | None, condition: FlagIs) -> bool:
    """Say whether *condition* holds for *workload*, the live object. A switch that is not there is off, as it is to the agent."""
    if workload is None:
        return False
    value = flag_in(workload, condition.containers, condition.flag)
    if value is None and condition.flag.startswith("enable-"):
        value = "false"
    return is_same(value, condition.value)


def flipped(args: Sequence[str], flag: str, value: str) -> list[str]:
    """Return *args* with *flag* set to *value*, in its place where it was, else at the end; every other word stays.

    The flag is written once, as ``--flag=value``: a second mention would win over the first.
    """
    changed: list[str] = []
    placed = False
    skip_word = False
    for arg in args:
        if skip_word and not arg.startswith("-"):
            skip_word = False
            # After a switch it is a word without meaning, after any other flag its value; in both cases it goes with it.
            if not flag.startswith("enable-") or is_true(arg) or is_false(arg):
                continue
        skip_word = False
        name, given, _ = arg.lstrip("-").partition("=")
        if not arg.startswith("-") or name != flag:
            changed.append(arg)
            continue
        skip_word = not given
        if not placed:
            changed.append(f"--{flag}={value}")
            placed = True
    return changed if placed else [*changed, f"--{flag}={value}"]


def spelled(args: Sequence[str], flag: str) -> str | None:
    """Return *flag* as it stands in *args*, for people: ``--x=false``, ``--x``; None without it. The last one counts."""
    found = [a for a in args if a.startswith("-") and a.lstrip("-").partition("=")[0] == flag]
    return found[-1] if found else None
