"""The engine over a stack: everything an engine is asked (`answers.Engine`), under the semantics of any dialect."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from eksnetpol.model.kubernetes import Service
from eksnetpol.policy import backends, partitions
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.answers import Answer, Atlas, Decision, Matrix, Partition, Party
from eksnetpol.policy.atlas import draw
from eksnetpol.policy.connections import EVERYTHING, WITH_PORTS, Connections
from eksnetpol.policy.pairs import Pairs
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import atoms
from eksnetpol.policy.stacks.columns import Partly, StackColumns
from eksnetpol.policy.stacks.ends import end_at
from eksnetpol.policy.stacks.formulas import Atom, Is, Label, Named, OnNode, Scope, Within
from eksnetpol.policy.stacks.resolving import resolve
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.stacks.sides import StackSides
from eksnetpol.policy.universe import Classes, Universe, build
from eksnetpol.policy.world import World


def engine_for(world: World, profile: Profile, stack: Stack, base: Universe | None = None) -> StackEngine:
    """Return an engine for *world* under *stack*. *base* is `universe.build` of the world's pods, where it is at hand."""
    return StackEngine(world, stack, profile, base)


class StackEngine:
    """Thinks in sets of classes about a stack of any dialect. Egress is judged after Services have become pods."""

    def __init__(self, world: World, stack: Stack, profile: Profile, base: Universe | None = None) -> None:
        self._world = world
        self._profile = profile
        self.stack = stack
        asked = _atoms(stack)
        networks = {network for atom in asked if isinstance(atom, Within) for network in atom.networks}
        keys = {atom.key for atom in asked if isinstance(atom, Label) and atom.scope is Scope.POD}
        services = chain.from_iterable(s.spec.selector for s in world.services)
        by_account = any(isinstance(atom, Label | Named) and atom.scope is Scope.ACCOUNT for atom in asked)
        version = 6 if profile.family == "ipv6" else 4
        base = base or build(world.pods, world.namespaces)
        self.chart = draw(world, base, frozenset({*keys, *services}), networks, version, None, by_account=by_account)
        self._networks = networks
        self.resolved = resolve(stack, self.chart, world)
        self.columns = StackColumns(self.chart, self.resolved)
        self.sides = StackSides(self.chart, self.resolved, world)
        self.pairs = Pairs(self.sides, None, (*networks, *_nodes(world, asked)))
        self.notes: tuple[str, ...] = (*stack.notes, *_left_out(stack))

    @property
    def world(self) -> World:
        """What it thinks about."""
        return self._world

    @property
    def profile(self) -> Profile:
        """Under which meaning."""
        return self._profile

    @property
    def atlas(self) -> Atlas:
        """Its pods."""
        return self.chart.atlas

    def isolated(self, direction: Direction) -> Classes:
        """Return the classes that take or send only what is allowed."""
        return self.columns.isolated(direction)

    def matrix(self) -> Matrix:
        """Return all pairs of pods, worked out in sets."""
        columns = [self.columns.column(index) for index in range(len(self.chart.universe.classes))]
        return Matrix(self.atlas, columns, Partly(self.columns))

    def outside(self, direction: Direction, address: str) -> Partition:
        """Return what every class surely has with one *address* that is no pod's. Raises `ValueError` where it is no address."""
        if parse_cidr(address) is None:
            message = f"{address!r} is no address"
            raise ValueError(message)
        return self.columns.outside(direction, end_at(self._world, address))

    def blocks(self) -> tuple[str, ...]:
        """Return the different CIDRs that the policies name, narrowest last."""
        return tuple(str(n) for n in sorted(self._networks, key=lambda n: (n.version, n.prefixlen, int(n.network_address))))

    def to_service(self, service: Service) -> Partition:
        """Return what the egress side of every class surely lets through to all pods behind a Service, in its own ports."""
        found = partitions.everybody(self.chart.universe.everything)
        for index in self.chart.universe.members(backends.behind(service, self.chart)):
            leading = [
                (port, number)
                for port in service.spec.ports
                if (number := backends.target(port, index.index, self.chart)) is not None and port.protocol in WITH_PORTS
            ]
            unheard = EVERYTHING
            for port, _ in leading:
                unheard = unheard - Connections.only(port.protocol, PortSet.of(port.port))
            through: dict[Connections, Classes] = {}
            left = self.chart.universe.everything
            for connections, classes in self.columns.egress(index.index):
                passes = unheard
                for port, number in leading:
                    if connections.allows(port.protocol, number):
                        passes = passes | Connections.only(port.protocol, PortSet.of(port.port))
                through[passes] = through.get(passes, 0) | classes
                left &= ~classes
            if left:
                through[unheard] = through.get(unheard, 0) | left
            found = partitions.met(found, tuple(through.items()))
        return found

    def connections(self, source: Party, destination: Party) -> Answer:
        """Return all that may flow from *source* to *destination*; to a `ServiceAddress` in ports of the Service."""
        return self.pairs.connections(source, destination)

    def decide(self, source: Party, destination: Party, protocol: str, port: int) -> Decision:
        """Return the verdict on one protocol and port, and who had a say."""
        return self.pairs.decide(source, destination, protocol, port)


def _atoms(stack: Stack) -> frozenset[Atom]:
    formulas = {
        formula
        for tier in stack.tiers
        for policy in tier.policies
        for formula in (policy.subject, *(f for rule in policy.rules for f in (rule.peer, rule.local)))
    }
    return frozenset[Atom]().union(*map(atoms, formulas))


def _nodes(world: World, asked: frozenset[Atom]) -> Iterator[Network]:
    """Yield the addresses of nodes, where answers for them may be others than for those around them."""
    if any(isinstance(atom, Is | OnNode) for atom in asked):
        for address in world.node_addresses:
            network = parse_cidr(address)
            if network is not None:
                yield network


def _left_out(stack: Stack) -> Iterator[str]:
    for refused in stack.refused:
        place = f" ({refused.place})" if refused.place else ""
        yield f"{refused.ref} is not in force: {refused.why}{place}"
    for unread in stack.unread:
        place = f" ({unread.place})" if unread.place else ""
        yield f"{unread.ref} is not understood, so that no answer it could change is certain: {unread.why}{place}"
