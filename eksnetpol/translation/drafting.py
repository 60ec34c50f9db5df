"""Boxes as NetworkPolicies: one for each policy, namespace and set of pods it says something of.

What a policy says of all its pods is one object. What denies and other policies left of it for some pods alone is an object for
these. A pod is isolated where any policy isolates it or denies it something; what nobody isolates gets no object at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from eksnetpol.model.findings import Subject
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import TooMany, conjunction, negation
from eksnetpol.policy.stacks.formulas import NOBODY, Formula
from eksnetpol.policy.stacks.rules import Does, StackRule
from eksnetpol.translation import ports
from eksnetpol.translation.boxes import Box, Ref
from eksnetpol.translation.effort import Effort
from eksnetpol.translation.guards import Guards
from eksnetpol.translation.names import Names
from eksnetpol.translation.peers import Peers, Said, subjects
from eksnetpol.translation.regions import Held, Ledger, Ledgers
from eksnetpol.translation.services import Services
from eksnetpol.translation.subjects import Subjects, looked_up

Json = dict[str, Any]

_OBJECTS, _AT_LEAST = 600, 16
"""So many selectors there may be in one namespace and direction for pods that a rule is left for, and so many for every rule."""


@dataclass
class Draft:
    """What will be objects: pods of one namespace by their labels, what they may, and in which directions they are isolated."""

    owner: Subject
    namespace: str
    subject: Formula
    directions: set[Direction] = field(default_factory=set)
    rules: dict[Direction, list[Json]] = field(default_factory=lambda: {Direction.INGRESS: [], Direction.EGRESS: []})
    origins: dict[Subject, None] = field(default_factory=dict)

    def add(self, other: Draft) -> None:
        """Say what *other* says too."""
        self.directions |= other.directions
        self.origins |= other.origins
        for direction, rules in other.rules.items():
            self.rules[direction] += [rule for rule in rules if rule not in self.rules[direction]]


@dataclass(frozen=True, slots=True)
class Isolation:
    """Pods that only get what is allowed, because of one policy. ``kept``: that policy stays as it is."""

    owner: Subject
    subject: Formula
    kept: bool


@dataclass
class Drafting:
    """Drafts the objects of one namespace."""

    namespace: str
    peers: Peers
    services: Services
    guards: Guards
    names: Names
    ledgers: Ledgers
    version: int
    kept: frozenset[int]
    """Identities of the policies that stay as they are."""
    limit: int
    """How many selectors the pods of one object may take."""
    effort: Effort
    drafts: dict[tuple[Subject, Formula], Draft] = field(default_factory=dict)
    _most: int = 0
    _taken: Counter[Ref | None] = field(default_factory=Counter)
    """By rule, how many selectors there are for some of its pods alone."""
    _boxes: list[Box] = field(default_factory=list)
    _near: Subjects | None = None
    """Whom `_boxes` are for, once somebody asks."""

    def isolations(self, held: list[list[Held]], direction: Direction, otherwise: Iterable[Does | None]) -> list[Isolation]:
        """Return whom policies isolate in *direction*, in their order, and draft that."""
        found = []
        for does, policies in zip(otherwise, held, strict=True):
            for one in policies:
                isolates = does is Does.DENY and direction in one.policy.isolates
                if isolates or any(_denies(rule, direction) for rule in one.policy.rules):
                    isolation = Isolation(one.policy.ref, one.subject, id(one.policy) in self.kept)
                    found.append(isolation)
                    if not isolation.kept:
                        self._draft(one.policy.ref, one.subject).directions.add(direction)
        return found

    def write(self, boxes: Iterable[Box], isolations: list[Isolation], direction: Direction, kept: frozenset[Subject]) -> None:
        """Draft what *boxes* let through to pods that are isolated; what is kept is there already."""
        boxes = list(boxes)
        self._boxes = [box for box in boxes if box.name is None and not box.unless]
        self._near = None
        isolated = looked_up(tuple(dict.fromkeys(i.subject for i in isolations)))
        self._most = max(_OBJECTS // (len({box.origin for box in boxes}) or 1), _AT_LEAST)
        self._taken.clear()
        for box in boxes:
            if box.origin is not None and box.origin[0] in kept:
                continue
            for owner, subject in self._parts(box, isolations, isolated):
                if box.name is None or direction is Direction.EGRESS:
                    self._write(box, owner, subject, direction)
                    continue
                ledger = self.ledgers[box.origin or (owner, "")]
                for alike in self.names.alike(subject, box.name, self.namespace, ledger):
                    self._write(box, owner, alike, direction)

    def _parts(self, box: Box, isolations: list[Isolation], isolated: Subjects) -> Iterator[tuple[Subject, Formula]]:
        """Yield the isolated pods of a box, with the policy that speaks for them. *isolated* are those of *isolations*, once."""
        # Most rules are of a policy that isolates its pods itself: there is nothing to look for then.
        if box.origin is not None and self._is_among(box.subject, isolated):
            left = self._without(box, box.subject)
            if left is not NOBODY:
                yield box.origin[0], left
            return
        seen = Subjects()
        unless = looked_up(box.unless)
        for isolation in isolations:
            if not self.effort.meets(box.subject, isolation.subject):
                continue
            both = conjunction(box.subject, isolation.subject)
            if self._is_among(both, unless) or self._is_among(both, seen):
                continue
            left = self._without(box, both)
            if left is not NOBODY:
                seen.add(both)
                yield (isolation.owner if box.origin is None else box.origin[0]), left

    def _is_among(self, subject: Formula, subjects: Subjects) -> bool:
        """Say whether one of *subjects* alone holds all pods of *subject*."""
        return any(self.effort.implies(subject, subjects.formulas[number]) for number in subjects.near(subject))

    def _without(self, box: Box, subject: Formula) -> Formula:
        """Return *subject* but those of the box's ``unless``; `NOBODY` where nobody is left, or it cannot be said who."""
        unless = looked_up(box.unless)
        taken = [one for one in (unless.formulas[number] for number in unless.near(subject)) if self.effort.meets(subject, one)]
        left = conjunction(subject, *map(negation, taken)) if taken else subject
        try:
            found = self.effort.clauses(left, self.limit)
        except TooMany as error:
            return self._too_many(box, error.limit)
        if box.unless:
            self._taken[box.origin] += len(found)
            if self._taken[box.origin] > self._most:
                return self._too_many(box, self._most)
        return left if found else NOBODY

    def _too_many(self, box: Box, limit: int) -> Formula:
        words = f"for whom it is left takes more than {limit} selectors, and for the rest it is left out"
        for ref in (box.origin, *box.cut_by):
            if ref is not None:
                self.ledgers[ref].lost[words] = None
        return NOBODY

    def _write(self, box: Box, owner: Subject, subject: Formula, direction: Direction) -> None:
        ledger = self.ledgers[box.origin or (owner, "")]
        said_ports = ports.of(box.connections, box.name, self.version)
        ledger.lost |= dict.fromkeys(said_ports.lost)
        if said_ports.ports == ():
            return
        by_name = box.name is not None and direction is Direction.EGRESS
        said = self.peers.of(box.peer, self.namespace, pods_only=by_name)
        ledger.now |= said.now
        ledger.lost |= said.lost
        if box.origin is None and said.lost:
            for ref in box.cut_by:
                self.ledgers[ref].lost |= said.lost
        if said.is_empty:
            return
        added: list[Json] = [{} if said_ports.ports is None else {"ports": list(said_ports.ports)}]
        if direction is Direction.EGRESS:
            added = self._out(box, subject, said, added[0], ledger)
        elif not said.everybody:
            added[0]["from"] = list(said.peers)
        if not added:
            return
        draft = self._draft(owner, subject)
        draft.directions.add(direction)
        for one in added:
            if one not in draft.rules[direction]:
                draft.rules[direction].append(one)
        draft.origins |= dict.fromkeys((owner, *(() if box.origin is None else (box.origin[0],))))
        ledger.written = True

    def _out(self, box: Box, subject: Formula, said: Said, rule: Json, ledger: Ledger) -> list[Json]:
        """Return *rule* with whom it leads to, and what opens addresses of Services beside it; nothing where nobody is left."""
        peers = said.peers and self.guards.guarded(box, said.peers, rule, self.namespace, ledger, partial(self._others, subject))
        if not said.everybody:
            if not peers:
                return []
            rule["to"] = list(peers)
        return [rule, *self.services.rules(box, peers, rule, self.namespace, ledger)]

    def _others(self, subject: Formula) -> Iterator[Box]:
        """Yield what all pods of *subject* may, whichever rule lets them."""
        if self._near is None:
            self._near = Subjects.of(box.subject for box in self._boxes)
        near = (self._boxes[number] for number in self._near.near(subject))
        return (box for box in near if self.effort.implies(subject, box.subject))

    def _draft(self, owner: Subject, subject: Formula) -> Draft:
        key = (owner, subject)
        if key not in self.drafts:
            self.drafts[key] = Draft(owner, self.namespace, subject, origins={owner: None})
        return self.drafts[key]

    def specs(self, limit: int) -> Iterator[tuple[Draft, Json]]:
        """Yield what the objects will say, by policy and selector; raise `TooMany` where one takes too many selectors."""
        together: dict[tuple[Subject, bytes], tuple[Json, Draft]] = {}
        for draft in self.drafts.values():
            for selector in subjects(draft.subject, limit):
                key = (draft.owner, msgspec.json.encode(selector))
                if key in together:
                    together[key][1].add(draft)
                else:
                    whole = Draft(draft.owner, draft.namespace, draft.subject)
                    whole.add(draft)
                    together[key] = (selector, whole)
        for selector, draft in together.values():
            yield draft, _spec(selector, draft)


def _spec(selector: Json, draft: Draft) -> Json:
    spec: Json = {"podSelector": selector, "policyTypes": [d.value for d in Direction if d in draft.directions]}
    for direction in Direction:
        rules = draft.rules[direction]
        if rules:
            spec[direction.lower()] = rules
    return spec


def _denies(rule: StackRule, direction: Direction) -> bool:
    return rule.does is Does.DENY and rule.direction is direction and (bool(rule.connections) or bool(rule.names))
