"""A stack against one cluster: for which classes each rule holds, whom it means, what it speaks of; in the order of asking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from eksnetpol.model.findings import Subject
from eksnetpol.policy import partitions as parts
from eksnetpol.policy.atlas import Chart
from eksnetpol.policy.connections import NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.grants import index_names
from eksnetpol.policy.nodes import nodes_of
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.folding import Entry, Run
from eksnetpol.policy.stacks.formulas import NOBODY, EndKind, Formula, Is, Named, OnNode, Scope, Unknowable
from eksnetpol.policy.stacks.rules import Does, Refused, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.stacks.sets import ANYBODY, Facing, Likely, Sets, beyond, pairs_in
from eksnetpol.policy.universe import Classes, indexes_of, key_of
from eksnetpol.policy.world import World

NODE_TIER, UNREAD_TIER = "the node itself", "what could not be understood"
"""Tiers that are asked before those of a stack: what needs no rule, and what nobody can tell."""

NODE_NAME = "Node"
"""The kind by which the rule for a pod's own node is known."""


def tiers_of(stack: Stack) -> tuple[StackTier, ...]:
    """Return the tiers of *stack*, and before them what it says beside them, as rules too."""
    found: list[StackTier] = []
    if stack.host_may:
        rule = StackRule(Direction.INGRESS, Does.ALLOW, peer=OnNode())
        policy = StackPolicy(Subject(NODE_NAME, ""), Is(frozenset({EndKind.POD})), frozenset(), (rule,))
        found.append(StackTier(NODE_TIER, (policy,), otherwise=None))
    if stack.unread:
        found.append(StackTier(UNREAD_TIER, tuple(map(_unread, stack.unread)), otherwise=None))
    return (*found, *stack.tiers)


def _unread(refused: Refused) -> StackPolicy:
    """Return what an object that was not understood may do: anything, to whom it may be about."""
    words = f"what {refused.ref} says: {refused.why}"
    whom: Formula = Is(frozenset({EndKind.POD}))
    if refused.ref.namespace and refused.ref.kind.partition(".")[0].endswith("NetworkPolicy"):
        whom = Named(Scope.NAMESPACE, frozenset({refused.ref.namespace}))
    rules = tuple(
        StackRule(direction, does, peer=Unknowable(words), place=refused.place)
        for does in (Does.ALLOW, Does.DENY)
        for direction in Direction
    )
    return StackPolicy(refused.ref, whom, frozenset(), rules)


class Extent(NamedTuple):
    """A part of what a rule matches: *subjects* with *peers*, on *connections*; certain or not."""

    certain: bool
    subjects: Classes
    peers: Classes
    connections: Connections


class Beyond(NamedTuple):
    """A part of what a rule matches with addresses that are no pods': those that *whom* means."""

    run: int
    certain: bool
    subjects: Classes
    whom: Formula
    connections: Connections
    source_ports: PortSet = EVERY_PORT


@dataclass
class Side:
    """All rules of one direction. ``entries`` are those that say the same to the same classes; ``of_class`` which of them
    speak to a class: of its own rules in ingress, of rules that lead to it in egress. All are in the order of asking.
    """

    direction: Direction
    runs: list[Run] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    of_class: list[list[int]] = field(default_factory=list)
    beyond: list[Beyond] = field(default_factory=list)
    isolated: list[Likely] = field(default_factory=list)
    """By tier: whom its policies isolate in this direction."""


@dataclass(frozen=True)
class Resolved:
    """A stack, resolved. ``subjects`` are whom each policy holds for, by tier and place."""

    tiers: tuple[StackTier, ...]
    sides: dict[Direction, Side]
    subjects: Sequence[Sequence[Likely]]
    _by_class: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def policies_of(self, index: int) -> Sequence[tuple[int, int]]:
        """Return the policies that perhaps hold for a class, as tier and place, in the order of asking."""
        if not self._by_class:
            for tier, policies in enumerate(self.subjects):
                for at, subjects in enumerate(policies):
                    for i in indexes_of(subjects.perhaps):
                        self._by_class.setdefault(i, []).append((tier, at))
        return self._by_class.get(index, ())


def resolve(stack: Stack, chart: Chart, world: World) -> Resolved:
    """Return *stack* over the classes of *chart*."""
    return _Resolver(stack, chart, world).resolved()


class _Resolver:
    def __init__(self, stack: Stack, chart: Chart, world: World) -> None:
        self.tiers = tiers_of(stack)
        self.sets = Sets(chart, world)
        self.nodes = nodes_of(chart.universe)
        self.names = index_names(chart.sidecar_ports)
        self.size = len(chart.universe.classes)
        self._numbers: dict[Direction, dict[tuple[int, bool, PortSet, bytes], int]] = {d: {} for d in Direction}
        self._nears: dict[Direction, list[Classes]] = {d: [] for d in Direction}
        self._spoken: dict[Direction, list[dict[Connections, Classes]]] = {d: [] for d in Direction}

    def resolved(self) -> Resolved:
        sides = {d: Side(d) for d in Direction}
        subjects: list[list[Likely]] = []
        for number, tier in enumerate(self.tiers):
            for side in sides.values():
                side.isolated.append(Likely(0, 0))
            mine: list[Likely] = []
            for policy in tier.policies:
                whom = self.sets.of(policy.subject).among(self.sets.policed)
                mine.append(whom)
                for direction in policy.isolates:
                    sides[direction].isolated[number] |= whom
                if whom.perhaps:
                    for rule in policy.rules:
                        self._rule(sides[rule.direction], number, rule, whom)
            subjects.append(mine)
        for side in sides.values():
            self._index(side)
        return Resolved(self.tiers, sides, subjects)

    def _rule(self, side: Side, tier: int, rule: StackRule, whom: Likely) -> None:
        whom &= self.sets.of(rule.local)
        if not whom.perhaps or not rule.source_ports or (not rule.connections and not rule.names):
            return
        rule = replace(rule, connections=spoken(rule)) if rule.source_ports != EVERY_PORT else rule
        if not side.runs or side.runs[-1] != (tier, rule.does):
            side.runs.append(Run(tier, rule.does))
        run = len(side.runs) - 1
        ingress = side.direction is Direction.INGRESS
        for extent in self._extents(rule, whom):
            near, far = (extent.subjects, extent.peers) if ingress else (extent.peers, extent.subjects)
            self._put(side.direction, (run, extent.certain, rule.source_ports), near, far, extent.connections)
        rest = beyond(rule.peer)
        if rest != NOBODY:
            side.beyond += self._beyond(run, rule, whom, rest)

    def _put(
        self,
        direction: Direction,
        how: tuple[int, bool, PortSet],
        near: Classes,
        far: Classes,
        connections: Connections,
    ) -> None:
        numbers, spoken = self._numbers[direction], self._spoken[direction]
        at = numbers.setdefault((*how, key_of(near)), len(spoken))
        if at == len(spoken):
            spoken.append({})
            self._nears[direction].append(near)
        here = spoken[at]
        here[connections] = here.get(connections, 0) | far

    def _index(self, side: Side) -> None:
        side.of_class = [[] for _ in range(self.size)]
        nears, spoken = self._nears[side.direction], self._spoken[side.direction]
        for at, (run, certain, ports, _) in enumerate(self._numbers[side.direction]):
            side.entries.append(Entry(run, certain, spoken[at], ports))
            for index in indexes_of(nears[at]):
                side.of_class[index].append(at)

    # --- whom a rule means --------------------------------------------------------------------------------------------

    def _extents(self, rule: StackRule, whom: Likely) -> Iterator[Extent]:
        certain = is_certain(rule)
        for subjects, peers in self._peers(rule.peer, whom):
            if subjects.sure and peers.sure:
                yield from self._by_port(rule, certain, subjects.sure, peers.sure)
            if (subjects.perhaps, peers.perhaps) != (subjects.sure, peers.sure) and subjects.perhaps and peers.perhaps:
                yield from self._by_port(rule, False, subjects.perhaps, peers.perhaps)  # noqa: FBT003 - not certain

    def _by_port(self, rule: StackRule, certain: bool, subjects: Classes, peers: Classes) -> Iterator[Extent]:
        if not rule.names:
            yield Extent(certain, subjects, peers, rule.connections)
            return
        ingress = rule.direction is Direction.INGRESS
        rest = subjects if ingress else peers
        # A name is a pod's own; a pod on the host network has none that an engine would know.
        for more, classes in self._meanings(rule, rest & self.sets.policed).items():
            rest &= ~classes
            both = rule.connections | more
            yield Extent(certain, classes, peers, both) if ingress else Extent(certain, subjects, classes, both)
        if rest and rule.connections:
            one = Extent(certain, rest, peers, rule.connections)
            yield one if ingress else Extent(certain, subjects, rest, rule.connections)

    def _meanings(self, rule: StackRule, within: Classes) -> dict[Connections, Classes]:
        found: dict[Connections, Classes] = {}
        for name in rule.names:
            for protocol in (name.protocol,) if name.protocol else WITH_PORTS:
                for number, classes in self.names.meanings(protocol, name.name, within).items():
                    one = Connections.only(protocol, PortSet.of(number))
                    found[one] = found.get(one, 0) | classes
        return parts.disjoint(found) if found else {}

    def _peers(self, formula: Formula, whom: Likely) -> Iterator[tuple[Likely, Likely]]:
        """Yield subjects with the peers that *formula* means for them: others for others, where it asks for both ends."""
        pairing = pairs_in(formula)
        if not pairing.by_namespace:
            yield from self._by_node(formula, "", whom) if pairing.by_node else ((whom, self.sets.of(formula)),)
            return
        for namespace, classes in self.sets.universe.in_namespace.items():
            if whom.perhaps & classes:
                some = whom.among(classes)
                if pairing.by_node:
                    yield from self._by_node(formula, namespace, some)
                else:
                    yield some, self.sets.of(formula, Facing(namespace))

    def _by_node(self, formula: Formula, namespace: str, whom: Likely) -> Iterator[tuple[Likely, Likely]]:
        away = self.sets.of(formula, Facing(namespace) if namespace else ANYBODY)
        near = self.sets.of(formula, Facing(namespace, self.sets.hosts))
        differing = (away.sure ^ near.sure) | (away.perhaps ^ near.perhaps)
        yield whom, away.among(~differing)
        for host in indexes_of(differing):
            always = self.nodes.shared_by(host, always=True)
            perhaps = self.nodes.shared_by(host, always=False)
            there, elsewhere = near.among(1 << host), away.among(1 << host)
            yield whom.among(always), there
            yield whom.among(perhaps & ~always), Likely(there.sure & elsewhere.sure, there.perhaps | elsewhere.perhaps)
            yield whom.among(~perhaps), elsewhere

    def _beyond(self, run: int, rule: StackRule, whom: Likely, meant: Formula) -> Iterator[Beyond]:
        certain = is_certain(rule)
        for sure, subjects in ((True, whom.sure), (False, whom.perhaps)):
            if not subjects or (not sure and whom.sure == whom.perhaps):
                continue
            found: dict[Connections, Classes] = {}
            rest = subjects
            if rule.names and rule.direction is Direction.INGRESS:
                for more, classes in self._meanings(rule, subjects).items():
                    rest &= ~classes
                    both = rule.connections | more
                    found[both] = found.get(both, 0) | classes
            if rule.connections and rest:
                found[rule.connections] = found.get(rule.connections, 0) | rest
            for connections, classes in found.items():
                yield Beyond(run, certain and sure, classes, meant, connections, rule.source_ports)


def spoken(rule: StackRule) -> Connections:
    """Return what a rule speaks of by numbers: what asks for source ports speaks of protocols that have ports alone."""
    if rule.source_ports == EVERY_PORT:
        return rule.connections
    return rule.connections & _PORTED if rule.source_ports else NOTHING


_PORTED = Connections(dict.fromkeys(WITH_PORTS, EVERY_PORT))


def is_certain(rule: StackRule) -> bool:
    """Say whether a rule does what it says to all that it matches here, from the source ports that it asks for.

    What looks further allows no more than it says.
    """
    return rule.does is Does.ALLOW or not rule.judged_further
