"""What a plan needs of a look: there, or an error that names what is missing. A plan never guesses."""

from __future__ import annotations

from typing import Any

from eksnetpol.errors import Denied, EksNetpolError, UsageError
from eksnetpol.facts.declare import Lookup
from eksnetpol.model.snapshot import Seen, SourceKind, Why


def need(facts: Lookup, name: str) -> Any:
    """Return the section or fact *name*; raise `Denied`, or else `EksNetpolError`, that says what could not be read and why."""
    found = facts.get(name)
    if isinstance(found, Seen):
        return found.value
    what = name.replace("_", " ")
    message = f"a change cannot be planned without knowing the {what}: {found.reason}"
    if found.why is Why.DENIED:
        allow = f"; {found.permission} has to be allowed" if found.permission else ""
        raise Denied(message + allow, permission=found.permission)
    raise EksNetpolError(message)


def known(facts: Lookup, name: str, otherwise: Any = None) -> Any:
    """Return the section or fact *name*, *otherwise* where it is unread: for what a plan can do without."""
    found = facts.get(name)
    return found.value if isinstance(found, Seen) else otherwise


def from_a_cluster(facts: Lookup) -> None:
    """Raise `UsageError` where *facts* are of manifests: files say what somebody wants, not what is there to be changed."""
    if facts.snapshot.source is SourceKind.MANIFESTS:
        raise UsageError(
            "a change is planned from a cluster or from a snapshot of one; manifests do not say what is live. "
            "Name a cluster with --cluster or --context, or save one with: eksnetpol snapshot save"
        )
