"""Rules of NetworkPolicies and ApplicationNetworkPolicies as sets: for whom they hold, whom they mean, what they let through.

Both semantics become the same value, a `Grant`. They differ in what a name of a port means in ingress (each pod's own number, or
the numbers of all pods the policy selects), in whether pods on the host network are peers, and in whether ``policyTypes`` decides
which rules count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import NamedTuple

from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import EVERYBODY, IPBlock, NetworkPolicy, PolicyPeer, PolicyPort
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.atlas import Chart, Ports
from eksnetpol.policy.backends import with_address
from eksnetpol.policy.connections import EVERYTHING, NOTHING, UNIVERSE, Connections
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.nodes import Nodes
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.prediction.releases import Behaviour
from eksnetpol.policy.prediction.services import Services
from eksnetpol.policy.profile import Mode, Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, indexes_of, set_of
from eksnetpol.policy.world import World

NETWORK_POLICY, APPLICATION_POLICY = "NetworkPolicy", "ApplicationNetworkPolicy"

BlockPair = tuple[Network, tuple[Network, ...]]
"""A block and its exceptions."""

Named = tuple[tuple[Connections, Classes], ...]
"""What names of ports amount to, and for which classes: of the rule's own side in ingress, of its peers in egress."""

EVERYWHERE: tuple[BlockPair, ...] = tuple((n, ()) for n in map(parse_cidr, ("0.0.0.0/0", "::/0")) if n is not None)


class Grant(NamedTuple):
    """One rule. ``at`` is the place of its policy among `Grants.policies`, ``number`` its own among the rules of its direction.

    ``peers`` are the classes that its selectors mean; ``blocks`` stand beside them, those of all addresses where it has no peers.
    ``connections`` holds for all of them, ``named`` for some.
    """

    at: int
    direction: Direction
    number: int
    subjects: Classes
    peers: Classes
    blocks: tuple[BlockPair, ...]
    connections: Connections
    named: Named
    with_selectors: bool
    chosen: Classes
    """Of ``peers`` those that selectors mean, without pods that merely have the address of one of them."""

    @property
    def resolves(self) -> bool:
        """True when some pod or block gets an entry of it."""
        return bool(self.named) or (bool(self.connections) and bool(self.peers or self.blocks))


class Selecting(NamedTuple):
    """A policy: whom it selects, and whom it holds for: more or fewer where the agent cannot tell pods apart by name."""

    policy: NetworkPolicy
    kind: str
    selected: Classes
    subjects: Classes
    isolates_ingress: bool
    isolates_egress: bool

    @property
    def subject(self) -> Subject:
        """The policy, as findings name it."""
        return Subject(self.kind, self.policy.name, self.policy.namespace)


@dataclass(frozen=True)
class Grants:
    """All policies and rules, and who is isolated. ``covered`` are classes that any policy holds for."""

    policies: tuple[Selecting, ...]
    rules: tuple[Grant, ...]
    ingress: Classes
    egress: Classes
    covered: Classes
    _by_class: dict[int, tuple[list[int], list[Grant]]] = field(default_factory=dict)

    def isolated(self, direction: Direction) -> Classes:
        """Return the classes that take or send only what is allowed."""
        return self.ingress if direction is Direction.INGRESS else self.egress

    def of_class(self, index: int) -> Sequence[Grant]:
        """Return the rules that hold for a class."""
        return self._index().get(index, _NONE)[1]

    def policies_of_class(self, index: int) -> Sequence[int]:
        """Return the places of the policies that hold for a class."""
        return self._index().get(index, _NONE)[0]

    def _index(self) -> dict[int, tuple[list[int], list[Grant]]]:
        if not self._by_class:
            for at, policy in enumerate(self.policies):
                for index in indexes_of(policy.subjects):
                    self._by_class.setdefault(index, ([], []))[0].append(at)
            for grant in self.rules:
                for index in indexes_of(grant.subjects):
                    self._by_class[index][1].append(grant)
        return self._by_class


_NONE: tuple[list[int], list[Grant]] = ([], [])


def networks_of(world: World) -> set[Network]:
    """Return all blocks that NetworkPolicies and ApplicationNetworkPolicies name, exceptions included."""
    blocks = {
        peer.ip_block
        for policy in (*world.network_policies, *world.application_policies)
        for peers in chain((r.peers for r in policy.spec.ingress), (r.peers for r in policy.spec.egress))
        for peer in peers
        if peer.ip_block is not None
    }
    texts = {text for block in blocks for text in (block.cidr, *block.except_)}
    return {n for n in map(parse_cidr, texts) if n is not None}


def resolve(world: World, chart: Chart, profile: Profile) -> Grants:
    """Return the rules of *world*'s policies under *profile*."""
    return _Resolver(world, chart, profile).grants()


class _Opened(NamedTuple):
    connections: Connections
    named: Named
    names: tuple[PolicyPort, ...]
    """To be looked up on the peers."""


class _Resolver:
    def __init__(self, world: World, chart: Chart, profile: Profile) -> None:
        self.world = world
        self.profile = profile
        self.chart = chart
        self.universe = chart.universe
        self.is_agent = profile.semantics is Semantics.VPC_CNI
        self.is_strict = self.is_agent and profile.mode is Mode.STRICT
        self.names = index_names(chart.ports if self.is_agent else chart.sidecar_ports)
        self.policed = self.universe.everything & ~self.universe.on_host_network
        self.nodes = Nodes(self.universe)

    def grants(self) -> Grants:
        universe = self.universe
        chosen = [
            (policy, kind, universe.select_in(policy.namespace, policy.spec.pod_selector))
            for policies, kind in (
                (self.world.network_policies, NETWORK_POLICY),
                (self.world.application_policies, APPLICATION_POLICY),
            )
            for policy in policies
        ]
        any_selected = 0
        for _, _, selected in chosen:
            any_selected |= selected
        spread = Spread(self.chart, any_selected & self.policed)
        policies: list[Selecting] = []
        rules: list[Grant] = []
        ingress = egress = covered = 0
        for at, (policy, kind, selected) in enumerate(chosen):
            subjects = spread.over(selected & self.policed)
            inward, outward = self._isolates(policy, kind)
            chosen_one = Selecting(policy, kind, selected, subjects, inward, outward)
            policies.append(chosen_one)
            covered |= subjects
            for grant in self._rules(at, chosen_one) if subjects else ():
                rules.append(grant)
                if self.is_agent and (grant.resolves or self._opens_services(chosen_one, grant)):
                    # Rules that came out police their direction, whatever policyTypes says.
                    if grant.direction is Direction.INGRESS:
                        ingress |= subjects
                    else:
                        egress |= subjects
            ingress |= subjects if inward else 0
            egress |= subjects if outward else 0
        closed = self.policed & ~covered if self.is_strict else 0
        return Grants(tuple(policies), tuple(rules), ingress | closed, egress | closed, covered)

    def _opens_services(self, own: Selecting, grant: Grant) -> bool:
        """Say whether a rule that no pod and no block gets an entry of opens the address of a Service; that is an entry too."""
        if grant.direction is Direction.INGRESS or own.isolates_egress:
            return False
        rule = own.policy.spec.egress[grant.number]
        selecting = (p for p in rule.peers if p.pod_selector is not None or p.namespace_selector is not None)
        return any(self._services.opened(self._services.meant_by(p, own.policy.namespace), rule.ports) for p in selecting)

    @cached_property
    def _services(self) -> Services:
        behaviour = Behaviour.of(self.profile.controller)
        return Services(with_address(self.world.services), self.world.namespaces, self.universe, behaviour)

    def _isolates(self, policy: NetworkPolicy, kind: str) -> tuple[bool, bool]:
        if kind == APPLICATION_POLICY and self.is_agent:
            # The API server fills nothing in for this kind, and the controller copies what is there.
            types = policy.spec.policy_types or ()
            return "Ingress" in types, "Egress" in types
        return policy.isolates_ingress, policy.isolates_egress

    def _rules(self, at: int, own: Selecting) -> Iterator[Grant]:
        spec = own.policy.spec
        if self.is_agent or own.isolates_ingress:
            for number, rule in enumerate(spec.ingress):
                opened = self._opened_in(rule.ports, own)
                yield from self._grant(at, own, Direction.INGRESS, number, rule.peers, opened)
        if self.is_agent or own.isolates_egress:
            for number, outgoing in enumerate(spec.egress):
                if not outgoing.peers and own.kind == APPLICATION_POLICY and self.is_agent:
                    continue
                connections, names = connections_of(outgoing.ports)
                yield from self._grant(at, own, Direction.EGRESS, number, outgoing.peers, _Opened(connections, (), names))

    def _opened_in(self, ports: tuple[PolicyPort, ...], own: Selecting) -> _Opened:
        connections, names = connections_of(ports)
        if not names:
            return _Opened(connections, (), ())
        if not self.is_agent:
            return _Opened(connections, self._meanings(names, own.subjects), ())
        # The controller looks a name up on all pods the policy selects, and opens what it finds on each of them.
        for extra, _ in self._meanings(names, own.selected):
            connections = connections | extra
        return _Opened(connections, (), ())

    def _grant(
        self, at: int, own: Selecting, direction: Direction, number: int, peers: tuple[PolicyPeer, ...], opened: _Opened
    ) -> Iterator[Grant]:
        connections, named, names = opened
        everyone = not peers and (own.kind == NETWORK_POLICY or peers is EVERYBODY)
        meant = 0
        blocks: list[BlockPair] = []
        if everyone:
            # A name says nothing of an address that is no pod's; the controller opens addresses alone here.
            meant = 0 if self.is_agent else self.policed
            blocks.extend(EVERYWHERE)
        for peer in peers:
            if peer.ip_block is not None:
                blocks.extend(_block(peer.ip_block))
            else:
                meant |= self.peer(own.policy.namespace, peer)
        if names:
            # On pods inside a block a name is their own, as if a selector meant them; the controller drops it there.
            named = self._meanings(names, meant if self.is_agent else meant | (self.chart.held(blocks) & self.policed))
            for _, classes in () if self.is_agent else named:
                meant |= classes
        chosen = meant
        if self.is_agent and meant & self.universe.on_host_network:
            # Their addresses are those of nodes, which all pods on the host network of a node have.
            meant |= self.nodes.covered_by(meant)[0]
            named = tuple((c, classes | self.nodes.covered_by(classes)[0]) for c, classes in named)
        if not connections and not named and not names:
            return
        if not connections and direction is Direction.EGRESS:
            # An address has no names of ports; in ingress they are the subject's own.
            blocks = []
        selecting = any(p.pod_selector is not None or p.namespace_selector is not None for p in peers)
        if meant or blocks or (selecting and self.is_agent and direction is Direction.EGRESS):
            # Peers without any pod may still mean Services, whose addresses the controller opens.
            yield Grant(
                at, direction, number, own.subjects, meant, tuple(blocks), connections, named, selecting, chosen
            )

    def peer(self, namespace: str, peer: PolicyPeer) -> Classes:
        """Return the classes that a peer by selectors means."""
        if peer.pod_selector is None and peer.namespace_selector is None:
            return 0
        within = (
            self.universe.in_namespace.get(namespace, 0)
            if peer.namespace_selector is None
            else self.universe.select_namespaces(peer.namespace_selector)
        )
        if not self.is_agent:
            within &= self.policed
        return within if peer.pod_selector is None else self.universe.select(peer.pod_selector, within)

    def _meanings(self, names: tuple[PolicyPort, ...], within: Classes) -> Named:
        found: dict[Connections, Classes] = {}
        for port in names:
            for number, classes in self.names.meanings(port.protocol, str(port.port), within).items():
                one = Connections.only(port.protocol, PortSet.of(number))
                found[one] = found.get(one, 0) | classes
        return tuple(found.items())


def _block(block: IPBlock) -> Iterator[BlockPair]:
    network = parse_cidr(block.cidr)
    if network is not None:
        found = (parse_cidr(e) for e in block.except_)
        yield network, tuple(e for e in found if e is not None)


@dataclass(slots=True)
class Spread:
    """Whom a policy holds for beyond those it selects: pods whose names begin like one of theirs, on a node with one."""

    chart: Chart
    selected: Classes
    entangled: Classes = 0
    enforced: Classes = 0

    def __post_init__(self) -> None:
        neighbours, nodes = self.chart.neighbours, self.chart.nodes_of_shared
        self.entangled = set_of(neighbours)
        active = {
            (neighbours[i], nodes[i]) for i in indexes_of(self.selected & self.entangled)
        }
        self.enforced = set_of(i for i, near in neighbours.items() if (near, nodes[i]) in active)

    def over(self, selected: Classes) -> Classes:
        """Return whom a policy that selects *selected* holds for."""
        hit = selected & self.entangled
        if not hit:
            return selected
        reached = selected
        for index in indexes_of(hit):
            reached |= self.chart.neighbours[index]
        return reached & (~self.entangled | self.enforced)


def index_names(rows: Sequence[Ports]) -> DeclaredPorts:
    """Return what names of ports mean to which classes; of several ports with one name the first counts."""
    alike: dict[Ports, list[int]] = {}
    for index, ports in enumerate(rows):
        alike.setdefault(ports, []).append(index)
    named: dict[tuple[str, str], dict[int, list[int]]] = {}
    for ports, indexes in alike.items():
        first: dict[tuple[str, str], int] = {}
        for protocol, name, number in ports:
            if name:
                first.setdefault((protocol, name), number)
        for key, number in first.items():
            named.setdefault(key, {}).setdefault(number, []).extend(indexes)
    return DeclaredPorts({}, {key: {n: set_of(i) for n, i in numbers.items()} for key, numbers in named.items()})


@lru_cache(maxsize=1 << 14)
def connections_of(ports: tuple[PolicyPort, ...]) -> tuple[Connections, tuple[PolicyPort, ...]]:
    """Return what the ports of a rule let through without their names, and the names. No ports let everything through."""
    if not ports:
        return EVERYTHING, ()
    answer, names = NOTHING, []
    for port in ports:
        if isinstance(port.port, str):
            names.append(port)
        else:
            answer = answer | connections_at(port, port.port)
    return answer, tuple(names)


def connections_at(port: PolicyPort, number: int | None) -> Connections:
    """Return what *port* lets through where its number is *number*; None: all ports of its protocol."""
    if port.protocol not in UNIVERSE:
        return NOTHING
    if number is None:
        return Connections.only(port.protocol)
    return Connections.only(port.protocol, PortSet([(number, max(number, port.end_port or number))]))
