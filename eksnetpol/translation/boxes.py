"""Deny, order, tiers and Pass compiled away: what the rules of a stack let through, as a union of boxes.

A *box* is whom it holds for, the other end, and the connections between them; a pod may have what any box gives it. Rules are
gone through from the last to the first: ALLOW adds a box, DENY takes its own away from those that are there, PASS puts what the
later tiers say in its place. Taking (S', P', Q') from (S, P, Q) leaves (S - S', P, Q), (S, P - P', Q) and (S, P, Q - Q'). They
overlap: a union does not mind, and they keep as much as they can of what was written.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from eksnetpol.model.findings import Subject
from eksnetpol.policy.connections import NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.stacks.formulas import EVERYBODY, Formula
from eksnetpol.policy.stacks.rules import Does, PortName

Ref = tuple[Subject, str]
"""A rule: its policy and its place there."""


class Box(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """Connections that pods of *subject*, but those of *unless*, may have with *peer*.

    ``origin`` is the ALLOW rule it is of; None for what no rule settles. With a ``name`` it is a port by name, and
    ``connections`` are all that the name could mean. ``cut_by`` are the rules that took something from it, ``but`` the peers that
    they took.
    """

    subject: Formula
    peer: Formula
    connections: Connections
    name: PortName | None = None
    origin: Ref | None = None
    unless: tuple[Formula, ...] = ()
    cut_by: frozenset[Ref] = frozenset()
    but: frozenset[Formula] = frozenset()


@dataclass(frozen=True, slots=True)
class Region:
    """What one rule matches, as surely as the rule does with it needs; ``unsure`` says what was taken for granted."""

    ref: Ref
    does: Does
    subject: Formula
    peer: Formula
    connections: Connections
    names: tuple[PortName, ...] = ()
    sure_subject: Formula = EVERYBODY
    sure_peer: Formula = EVERYBODY
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class TierOf:
    """One tier as one namespace sees it. ``isolating``: whom its policies may isolate; ``surely``: whom they do for sure."""

    otherwise: Does | None
    isolating: tuple[Formula, ...]
    surely: tuple[Formula, ...]
    regions: tuple[Region, ...]


def meant(name: PortName) -> Connections:
    """Return all that a port's name could mean."""
    if name.protocol:
        return Connections.only(name.protocol)
    answer = NOTHING
    for protocol in WITH_PORTS:
        answer = answer | Connections.only(protocol)
    return answer


def covers(name: PortName, other: PortName) -> bool:
    """Say whether a port called *other* is surely one called *name* too."""
    return name.name == other.name and name.protocol in {"", other.protocol}


def words_of(region: Region) -> str:
    """Return how a rule is named."""
    ref, place = region.ref
    return f"{ref} {place}".strip()
