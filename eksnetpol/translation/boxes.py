"""Deny, order, tiers and Pass compiled away: what the rules of a stack let through, as a union of boxes.

A *box* is whom it holds for, the other end, and the connections between them; a pod may have what any box gives it. Rules are
gone through from the last to the first: ALLOW adds a box, DENY takes its own away from those that are there, PASS puts what the
later tiers say in its place. Taking (S', P', Q') from (S, P, Q) leaves (S - S', P, Q), (S, P - P', Q) and (S, P, Q - Q'). They
overlap: a union does not mind, and they keep as much as they can of what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from eksnetpol.model.findings import Subject
from eksnetpol.policy.connections import EVERYTHING, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.stacks.algebra import conjunction, implies, implies_any, is_nobody, meets, negation
from eksnetpol.policy.stacks.formulas import EVERYBODY, Formula
from eksnetpol.policy.stacks.rules import Does, PortName

Ref = tuple[Subject, str]
"""A rule: its policy and its place there."""


class TooManyBoxes(ValueError):
    """The rules of one namespace and direction come to more than ``limit`` boxes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"its rules, with those they overlap, come to more than {limit} boxes in one namespace and direction")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Box:
    """Connections that pods of *subject*, but those of *unless*, may have with *peer*.

    ``origin`` is the ALLOW rule it is of; None for what no rule settles. With a ``name`` it is a port by name, and
    ``connections`` are all that the name could mean. ``cut_by`` are the rules that took something from it.
    """

    subject: Formula
    peer: Formula
    connections: Connections
    name: PortName | None = None
    origin: Ref | None = None
    unless: tuple[Formula, ...] = ()
    cut_by: frozenset[Ref] = frozenset()


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


@dataclass
class Folding:
    """Goes through tiers from the last. ``lost`` says, by rule, what could only be taken away whole."""

    limit: int
    lost: dict[Ref, dict[str, None]] = field(default_factory=dict)

    def boxes(self, tiers: Sequence[TierOf]) -> list[Box]:
        """Return what pods may have; raise `TooManyBoxes`."""
        after = [Box(EVERYBODY, EVERYBODY, EVERYTHING)]
        for tier in reversed(tiers):
            here = _ended(tier, after)
            for region in reversed(tier.regions):
                here = self._asked(region, here, after)
                if len(here) > self.limit:
                    raise TooManyBoxes(self.limit)
            after = here
        return after

    def _asked(self, region: Region, here: list[Box], after: list[Box]) -> list[Box]:
        match region.does:
            case Does.ALLOW:
                return [*self._allowed(region), *here]
            case Does.DENY:
                return self.without(region, here)
            case Does.PASS:
                passed = [common for box in after for common in _common(box, region)]
                if not region.is_sure or region.names:
                    # What it passes on is only sure where it would have been let through here too.
                    if not region.is_sure and any(_may_pass(box, region) for box in after):
                        self._say(None, region, f"{_words(region)} does not always hold, and is taken not to pass anything on")
                    if region.names and not all(any(_is_within(one, other) for other in here) for one in passed):
                        self._say(None, region, f"{_words(region)} names ports by name, and is taken not to pass these on")
                    passed = [_met(one, other) for one in passed for other in here if _overlap(one, other)]
                    passed = [box for box in passed if not _is_empty(box)]
                return _pruned([*self.without(region, here), *passed])

    @staticmethod
    def _allowed(region: Region) -> Iterator[Box]:
        if region.connections:
            yield Box(region.subject, region.peer, region.connections, origin=region.ref)
        for name in region.names:
            yield Box(region.subject, region.peer, meant(name), name, region.ref)

    def without(self, region: Region, boxes: list[Box]) -> list[Box]:
        """Return *boxes* without what *region* matches."""
        return _pruned([left for box in boxes for left in self._taken(box, region)])

    def _taken(self, box: Box, region: Region) -> list[Box]:
        denied = region.connections
        for name in region.names:
            if name != box.name:
                denied = denied | meant(name)
        same = box.name is not None and any(_covers(name, box.name) for name in region.names)
        if (not box.connections & denied and not same) or not _touches(box, region):
            return [box]
        cut = replace(box, cut_by=box.cut_by | {region.ref})
        found = []
        if not implies(box.subject, region.subject):
            found.append(replace(cut, unless=(*box.unless, region.subject)))
        if not implies(box.peer, region.peer):
            found.append(replace(cut, peer=conjunction(box.peer, negation(region.peer))))
        rest = NOTHING if same else box.connections - denied
        if box.name is not None and rest:
            # A name may mean a port that is denied.
            self._say(box, region, f"the port named {box.name.name} may be one of those that {_words(region)} denies")
            rest = NOTHING
        if rest:
            found.append(replace(cut, connections=rest))
        if region.names and box.name is None:
            self._say(box, region, f"{_words(region)} names ports by name, so all ports of the protocol are taken away")
        if not region.is_sure:
            self._say(box, region, f"{_words(region)} does not always hold, and is taken to do so")
        return [left for left in found if not _is_empty(left)]

    def _say(self, box: Box | None, region: Region, words: str) -> None:
        for ref in (None if box is None else box.origin, region.ref):
            if ref is not None:
                self.lost.setdefault(ref, {})[words] = None


def meant(name: PortName) -> Connections:
    """Return all that a port's name could mean."""
    if name.protocol:
        return Connections.only(name.protocol)
    answer = NOTHING
    for protocol in WITH_PORTS:
        answer = answer | Connections.only(protocol)
    return answer


def _covers(name: PortName, other: PortName) -> bool:
    return name.name == other.name and name.protocol in {"", other.protocol}


def _words(region: Region) -> str:
    ref, place = region.ref
    return f"{ref} {place}".strip()


def _ended(tier: TierOf, after: list[Box]) -> list[Box]:
    if tier.otherwise not in {Does.DENY, Does.ALLOW} or not tier.isolating:
        return list(after)
    found = [left for box in after if not _is_empty(left := replace(box, unless=(*box.unless, *tier.isolating)))]
    if tier.otherwise is Does.ALLOW:
        found += [Box(one, EVERYBODY, EVERYTHING) for one in tier.surely]
    return found


def _touches(box: Box, region: Region) -> bool:
    if not meets(box.subject, region.subject) or not meets(box.peer, region.peer):
        return False
    return not implies_any(conjunction(box.subject, region.subject), box.unless)


def _may_pass(box: Box, region: Region) -> bool:
    """Say whether what *region* passes on, sure or not, may be something that *box* lets through."""
    speaks = bool(box.connections & region.connections) or any(box.connections & meant(name) for name in region.names)
    return speaks and _touches(box, region)


def _common(box: Box, region: Region) -> Iterator[Box]:
    """Yield what *box* and the surely matched part of a PASS rule have in common."""
    if not meets(box.subject, region.sure_subject) or not meets(box.peer, region.sure_peer):
        return
    subject, peer = conjunction(box.subject, region.sure_subject), conjunction(box.peer, region.sure_peer)
    common = replace(box, subject=subject, peer=peer, cut_by=box.cut_by)
    if box.name is None:
        if box.connections & region.connections:
            yield replace(common, connections=box.connections & region.connections)
        for name in region.names:
            if meant(name) <= box.connections:
                yield replace(common, connections=meant(name), name=name)
    elif box.connections <= region.connections or any(_covers(name, box.name) for name in region.names):
        yield common


def _overlap(one: Box, other: Box) -> bool:
    if one.name is not None or other.name is not None:
        fits = one.name == other.name or (one.connections <= other.connections and other.name is None)
    else:
        fits = bool(one.connections & other.connections)
    return fits and meets(one.subject, other.subject) and meets(one.peer, other.peer)


def _met(one: Box, other: Box) -> Box:
    return replace(
        one,
        subject=conjunction(one.subject, other.subject),
        peer=conjunction(one.peer, other.peer),
        connections=one.connections & other.connections,
        unless=tuple(dict.fromkeys((*one.unless, *other.unless))),
        cut_by=one.cut_by | other.cut_by,
        origin=one.origin or other.origin,
    )


def _is_empty(box: Box) -> bool:
    if not box.connections or is_nobody(box.peer):
        return True
    return implies_any(box.subject, box.unless)


def _pruned(boxes: list[Box]) -> list[Box]:
    """Leave out what another box of the same rule says too."""
    kept: dict[Box, None] = dict.fromkeys(boxes)
    by_origin: dict[tuple[Ref | None, PortName | None], list[Box]] = {}
    for box in kept:
        by_origin.setdefault((box.origin, box.name), []).append(box)
    found: list[Box] = []
    for alike in by_origin.values():
        found += alike if len(alike) == 1 else _without_covered(alike)
    order = {box: at for at, box in enumerate(kept)}
    return sorted(found, key=order.__getitem__)


def _without_covered(boxes: Iterable[Box]) -> list[Box]:
    left: list[Box] = []
    for box in boxes:
        if any(_is_within(box, other) for other in left):
            continue
        left = [other for other in left if not _is_within(other, box)]
        left.append(box)
    return left


def _is_within(box: Box, other: Box) -> bool:
    return (
        box.connections <= other.connections
        and set(other.unless) <= set(box.unless)
        and implies(box.subject, other.subject)
        and implies(box.peer, other.peer)
    )
