"""Ordered tiers of allow, deny and pass: policies for the whole cluster, before and after those of namespaces.

A rule of the *admin* tier settles what it matches or passes it on; what no such rule settles is for the policies of namespaces,
and what they do not isolate is for the *baseline* tier. Rules are asked by priority and, as they are written, in their order; the
agent's map keeps no order within a policy, so there at equal priority Deny is asked before Accept and Accept before Pass
(aws/aws-network-policy-agent, seen on a real kernel). Every engine whose policies are ordered fits in here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from eksnetpol.model.findings import Subject
from eksnetpol.policy.addresses import Network, holds
from eksnetpol.policy.answers import Say
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes

ADMIN, BASELINE = "Admin", "Baseline"


class Ordered(NamedTuple):
    """One rule of a tier. ``peers`` are the classes it means, ``networks`` the blocks beside them.

    ``connections`` holds for all of them; ``named`` for some: of the subject's classes in ingress, of the peers in egress.
    """

    subject: Subject
    place: str
    direction: Direction
    subjects: Classes
    peers: Classes
    networks: tuple[Network, ...]
    say: Say
    connections: Connections
    named: tuple[tuple[Connections, Classes], ...] = ()
    written: object = None
    """The rule as it was read, for engines that find more in it than classes and blocks."""

    def at(self, subject: int, peer: int | None) -> Connections:
        """Return what it speaks of between two classes; *peer* None is an address that is no pod's."""
        answer = self.connections
        looked_up = subject if self.direction is Direction.INGRESS else peer
        if looked_up is not None:
            for extra, classes in self.named:
                if classes >> looked_up & 1:
                    answer = answer | extra
        return answer

    def means(self, peer: int | None, address: int | None, version: int) -> bool:
        """Say whether a class, or an address, is among its peers; an *address* that is not known is in blocks of all alone."""
        if peer is not None and self.peers >> peer & 1:
            return True
        if address is None:
            return any(n.version == version and not n.prefixlen for n in self.networks)
        return any(n.version == version and holds(n, address) for n in self.networks)


Beside = Callable[[Ordered], Connections]
"""What a rule speaks of besides its peers and blocks: the ports of a Service whose address the question is about."""


class State(NamedTuple):
    """What a tier has settled so far: what is allowed, and what nobody has decided."""

    allowed: Connections
    undecided: Connections

    def after(self, say: Say, spoken: Connections) -> State:
        """Return the state after a rule that says *say* of *spoken*. What passes is kept apart by `fold`."""
        hit = spoken & self.undecided
        return State(self.allowed | hit if say is Say.ALLOWS else self.allowed, self.undecided - hit)


OPEN = State(NOTHING, EVERYTHING)
"""Before the first rule."""


class _Part(NamedTuple):
    state: State
    passed: Connections
    classes: Classes


States = tuple[tuple[State, Classes], ...]
"""A state for each of some disjoint sets of classes, which together are all."""

Within = Callable[[Network], Classes]
"""The classes whose pods have their address in a block."""


@dataclass
class Tier:
    """The rules of one tier, in the order in which they are asked."""

    rules: tuple[Ordered, ...]
    everything: Classes
    within: Within
    _ingress: dict[tuple[int, ...], States] = field(default_factory=dict)
    _egress: list[tuple[Classes, States]] | None = None

    def __bool__(self) -> bool:
        return bool(self.rules)

    def of(self, direction: Direction, subject: int) -> Iterator[Ordered]:
        """Yield the rules of one direction that hold for a class."""
        return (r for r in self.rules if r.direction is direction and r.subjects >> subject & 1)

    def fold(
        self,
        direction: Direction,
        subject: int,
        peer: int | None,
        address: int | None,
        version: int,
        beside: Beside | None = None,
    ) -> State:
        """Return what the tier settles between a class and a peer, which is a class, or an *address* that is no pod's."""
        spoken: list[tuple[Ordered, Connections]] = []
        for rule in self.of(direction, subject):
            own = rule.at(subject, peer) if rule.means(peer, address, version) else NOTHING
            spoken.append((rule, own if beside is None else own | beside(rule)))
        return fold_all(spoken)

    def into(self, destination: int) -> States:
        """Return what ingress rules settle for a destination class, for all sources at once."""
        mine = tuple(i for i, r in enumerate(self.rules) if r.direction is Direction.INGRESS and r.subjects >> destination & 1)
        if any(self.rules[i].named for i in mine):
            return self._states((self.rules[i].at(destination, None), self.rules[i]) for i in mine)
        known = self._ingress.get(mine)
        if known is None:
            known = self._ingress[mine] = self._states((self.rules[i].connections, self.rules[i]) for i in mine)
        return known

    def out_to(self, destination: int) -> States:
        """Return what egress rules settle about a destination class, for all sources at once."""
        if self._egress is None:
            self._egress = [(sources, self._states(_by_peer(rules))) for sources, rules in self._signatures(Direction.EGRESS)]
        found: dict[State, Classes] = {}
        for sources, states in self._egress:
            state = next(s for s, classes in states if classes >> destination & 1)
            found[state] = found.get(state, 0) | sources
        return tuple(found.items())

    def outside(self, direction: Direction, address: int, version: int, beside: Beside | None = None) -> States:
        """Return what the tier settles between every class and an *address* that is no pod's."""
        found: dict[State, Classes] = {}
        for subjects, rules in self._signatures(direction):
            end = fold_all(_about(rules, address, version, beside))
            found[end] = found.get(end, 0) | subjects
        return tuple(found.items())

    def _signatures(self, direction: Direction) -> Iterator[tuple[Classes, tuple[Ordered, ...]]]:
        parts: list[tuple[Classes, tuple[Ordered, ...]]] = [(self.everything, ())]
        for rule in self.rules:
            if rule.direction is direction:
                parts = [
                    part
                    for classes, rules in parts
                    for part in ((classes & rule.subjects, (*rules, rule)), (classes & ~rule.subjects, rules))
                    if part[0]
                ]
        yield from parts

    def _states(self, spoken: Iterable[tuple[Connections, Ordered]]) -> States:
        parts = [_Part(OPEN, NOTHING, self.everything)]
        for connections, rule in spoken:
            meant = rule.peers
            for network in rule.networks:
                meant |= self.within(network)
            if rule.direction is Direction.EGRESS and rule.named:
                named = {c: classes & meant for c, classes in rule.named}
                parts = list(_asked(parts, rule.say, connections, meant, named))
            else:
                parts = list(_asked(parts, rule.say, connections, meant, {}))
        found: dict[State, Classes] = {}
        for state, passed, classes in parts:
            end = State(state.allowed, state.undecided | passed)
            found[end] = found.get(end, 0) | classes
        return tuple(found.items())


def fold_all(spoken: Iterable[tuple[Ordered, Connections]]) -> State:
    """Ask rules, each with what it speaks of, in their order; what passes asks no further rule, and stays undecided."""
    state, passed = OPEN, NOTHING
    for rule, connections in spoken:
        if rule.say is Say.PASSES:
            passed = passed | (connections & state.undecided)
        state = state.after(rule.say, connections)
    return State(state.allowed, state.undecided | passed)


def _about(
    rules: Iterable[Ordered], address: int, version: int, beside: Beside | None
) -> Iterator[tuple[Ordered, Connections]]:
    for rule in rules:
        own = rule.connections if rule.means(None, address, version) else NOTHING
        yield rule, own if beside is None else own | beside(rule)


def _by_peer(rules: Iterable[Ordered]) -> Iterator[tuple[Connections, Ordered]]:
    return ((rule.connections, rule) for rule in rules)


def _asked(
    parts: Iterable[_Part], say: Say, connections: Connections, meant: Classes, named: dict[Connections, Classes]
) -> Iterator[_Part]:
    for state, passed, classes in parts:
        hit = classes & meant
        if classes & ~meant:
            yield _Part(state, passed, classes & ~meant)
        for spoken, some in _split(hit, connections, named):
            held = passed | (spoken & state.undecided) if say is Say.PASSES else passed
            yield _Part(state.after(say, spoken), held, some)


def _split(
    classes: Classes, connections: Connections, named: dict[Connections, Classes]
) -> Iterator[tuple[Connections, Classes]]:
    parts = {connections: classes} if classes else {}
    for extra, some in named.items():
        after: dict[Connections, Classes] = {}
        for own, members in parts.items():
            for key, value in ((own | extra, members & some), (own, members & ~some)):
                if value:
                    after[key] = after.get(key, 0) | value
        parts = after
    yield from parts.items()


