"""The fold: what ordered tiers come to for many classes at once.

Rules are asked in their order, so the fold begins at the end: what happens to a connection that no rule settles, then, rule by
rule towards the first, what that rule makes of it. Rules of one kind that stand together in a tier commute, and are one *run*.

A rule of which nobody can know whom it means is *uncertain*. The fold is then made twice: once as if each such rule went the way
that allows less, once the way that allows more. A rule that asks for source ports is none of these: a connection comes from one
port, so the fold is made for a port of each kind that rules tell apart (`source_ports`), and rules that ask alike match alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from eksnetpol.policy import partitions as parts
from eksnetpol.policy.answers import Partition
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.stacks.rules import Does
from eksnetpol.policy.stacks.sets import Likely
from eksnetpol.policy.universe import Classes

Spoken = Mapping[Connections, Classes]
"""What rules speak of, and between whom; may overlap."""


class Run(NamedTuple):
    """Rules of one tier that stand together and do the same. Runs are numbered in the order in which they are asked."""

    tier: int
    does: Does


class Entry(NamedTuple):
    """What rules of one run say to one class or address of *spoken*, certain or not, where it comes from *source_ports*."""

    run: int
    certain: bool
    spoken: Spoken
    source_ports: PortSet = EVERY_PORT


class Fold:
    """Folds what rules of one direction say. *otherwise* is that of each tier."""

    def __init__(self, everything: Classes, otherwise: Sequence[Does | None], runs: Sequence[Run]) -> None:
        self.everything = everything
        self.otherwise = otherwise
        self.runs = runs

    def __call__(self, entries: Sequence[Entry], isolated: Sequence[Likely], *, sure: bool) -> Partition:
        """Return what is allowed: surely, or else perhaps. *entries* ascend by run; *isolated* is by tier."""
        after = parts.everybody(self.everything)
        at = len(entries)
        for tier in range(len(self.otherwise) - 1, -1, -1):
            so_far = self._end_of(tier, after, isolated[tier], sure=sure)
            while at and self.runs[entries[at - 1].run].tier == tier:
                run = entries[at - 1].run
                first = at - 1
                while first and entries[first - 1].run == run:
                    first -= 1
                so_far = _asked(self.runs[run].does, entries[first:at], so_far, after, sure=sure)
                at = first
            after = so_far
        return after

    def _end_of(self, tier: int, after: Partition, isolated: Likely, *, sure: bool) -> Partition:
        otherwise = self.otherwise[tier]
        if otherwise is None or otherwise is Does.PASS or not isolated.perhaps:
            return after
        allowed = otherwise is Does.ALLOW
        # Where it is not certain that a pod is isolated, the better or worse of both.
        here = isolated.sure if sure is allowed else isolated.perhaps
        rest = parts.only(after, self.everything & ~here)
        return parts.merged((*rest, (EVERYTHING, here))) if allowed and here else rest


def _asked(does: Does, entries: Sequence[Entry], so_far: Partition, after: Partition, *, sure: bool) -> Partition:
    certain, uncertain = _gathered(entries, certain=True), _gathered(entries, certain=False)
    match does:
        case Does.ALLOW:
            spoken = certain if sure else _together(certain, uncertain)
            return with_each(so_far, spoken, _union)
        case Does.DENY:
            spoken = _together(certain, uncertain) if sure else certain
            return with_each(so_far, spoken, _difference)
        case Does.PASS:
            if uncertain:
                passed = parts.met(after, tuple(uncertain.items()))
                if sure:
                    so_far = with_each(so_far, uncertain, _difference, beside=parts.met(passed, so_far))
                else:
                    so_far = with_each(so_far, dict(passed), _union)
            passed = parts.met(after, tuple(certain.items()))
            return with_each(so_far, certain, _difference, beside=passed)


def _gathered(entries: Sequence[Entry], *, certain: bool) -> dict[Connections, Classes]:
    mine = [e.spoken for e in entries if e.certain is certain]
    if not mine:
        return {}
    if len(mine) == 1:
        return parts.disjoint(mine[0])
    found: dict[Connections, Classes] = {}
    for spoken in mine:
        for connections, classes in spoken.items():
            found[connections] = found.get(connections, 0) | classes
    return parts.disjoint(found)


def _together(one: dict[Connections, Classes], other: dict[Connections, Classes]) -> dict[Connections, Classes]:
    if not one or not other:
        return one or other
    found = dict(one)
    for connections, classes in other.items():
        found[connections] = found.get(connections, 0) | classes
    return parts.disjoint(found)


def with_each(
    partition: Partition,
    spoken: Spoken,
    change: Callable[[Connections, Connections], Connections],
    beside: Partition = (),
) -> Partition:
    """Return *partition* changed for the classes of *spoken*, which are disjoint, and with all of *beside* added."""
    if spoken:
        found: dict[Connections, Classes] = {}
        covered = 0
        for connections, classes in spoken.items():
            rest = classes
            for own, members in partition:
                both = members & rest
                if both:
                    _add(found, change(own, connections), both)
                    rest ^= both
            _add(found, change(NOTHING, connections), rest)
            covered |= classes
        for own, members in partition:
            _add(found, own, members & ~covered)
        partition = tuple(found.items())
    return with_each(partition, dict(beside), _union) if beside else partition


def _add(found: dict[Connections, Classes], connections: Connections, classes: Classes) -> None:
    if classes and connections:
        found[connections] = found.get(connections, 0) | classes


def _union(one: Connections, other: Connections) -> Connections:
    return one | other


def _difference(one: Connections, other: Connections) -> Connections:
    return one - other
