"""The engine: everything an engine is asked (`answers.Engine`), under Kubernetes semantics and those of the VPC CNI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy import cluster_policies, grants, partitions
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.agent_rules import AgentRules
from eksnetpol.policy.answers import (
    Answer,
    Atlas,
    Decision,
    Matrix,
    Partition,
    Party,
    Pods,
)
from eksnetpol.policy.atlas import Chart, draw, keys_of
from eksnetpol.policy.columns import Columns, OpenRule
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.dataplane_admin import LETS_NODE_THROUGH
from eksnetpol.policy.identity import identity_of
from eksnetpol.policy.judges import judge_of
from eksnetpol.policy.pairs import Pairs
from eksnetpol.policy.profile import Mode, Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.sides import Sides
from eksnetpol.policy.to_services import ServiceEntries
from eksnetpol.policy.universe import Classes, Universe, build
from eksnetpol.policy.world import World


def build_engine(world: World, profile: Profile, extra: Sequence[Pod] = (), base: Universe | None = None) -> SetEngine:
    """Return an engine for *world* under *profile*; *extra* pods are thought of as if they ran there too.

    *base* is `universe.build` of the world's pods, where it is at hand already.
    """
    if extra:
        world, base = replace(world, pods=(*world.pods, *extra)), None
    return SetEngine(world, profile, base or build(world.pods, world.namespaces))


class SetEngine:
    """Thinks in sets of classes. Everything that needs all policies is worked out when it is first asked for."""

    def __init__(self, world: World, profile: Profile, base: Universe) -> None:
        self._world = world
        self._profile = profile
        is_agent = profile.semantics is Semantics.VPC_CNI
        version = 6 if profile.family == "ipv6" else 4
        cluster, notes = cluster_policies.read(world, profile)
        networks = {*grants.networks_of(world), *cluster_policies.networks(cluster)}

        def name_of(name: str, namespace: str) -> str:
            return identity_of(name, namespace, profile.agent)

        self.chart: Chart = draw(
            world, base, _keys(world, cluster_policies.selectors(cluster)), networks, version, name_of if is_agent else None
        )
        self._networks = networks
        self.grants = grants.resolve(world, self.chart, profile)
        names = grants.index_names(self.chart.ports if is_agent else self.chart.sidecar_ports)
        self.tiers = cluster_policies.resolve(world, cluster, self.chart, names, is_agent=is_agent)
        self.notes: tuple[str, ...] = (*notes, *self.tiers.notes)
        otherwise = NOTHING if is_agent and profile.mode is Mode.STRICT else EVERYTHING
        rule = OpenRule(otherwise, is_agent, profile.agent.base >= LETS_NODE_THROUGH)
        judge = judge_of(profile)
        self.columns = Columns(self.chart, self.grants, self.tiers, judge, rule)
        agent = AgentRules(self.grants, names, profile) if is_agent else None
        self.sides = Sides(self.chart, self.grants, self.tiers, self.columns, judge, agent)
        self.pairs = Pairs(self.sides, ServiceEntries(self.sides, world, base, profile.controller), networks)

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
        return self.grants.isolated(direction)

    def matrix(self) -> Matrix:
        """Return all pairs of pods, worked out in sets."""
        columns, partly = self.columns.all(), _Partly(self)
        if self.sides.is_agent and self.tiers and not self.columns.rule.node_by_tiers:
            self._ask_about_nodes(columns, partly)
        return Matrix(self.atlas, columns, partly)

    def _ask_about_nodes(self, columns: list[Partition], partly: _Partly) -> None:
        """Ask about nodes and their pods by themselves: in older agents' maps of cluster policies these are a case apart."""
        nodes = self.sides.nodes
        for host, _ in nodes.hosts():
            for near in self.chart.universe.members(nodes.shared_by(host, always=False)):
                for source, destination in ((host, near.index), (near.index, host)):
                    found = self.connections(Pods(1 << source, "source"), Pods(1 << destination, "destination"))
                    others = partitions.only(columns[destination], ~(1 << source))
                    columns[destination] = partitions.merged((*others, (found.every, 1 << source)))
                    partly.put(source, destination, found.some)

    def outside(self, direction: Direction, address: str) -> Partition:
        """Return what every class has with one *address* that is no pod's. Raises `ValueError` where it is no address."""
        network = parse_cidr(address)
        if network is None:
            message = f"{address!r} is no address"
            raise ValueError(message)
        return self.columns.outside(direction, int(network.network_address), network.version)

    def blocks(self) -> tuple[str, ...]:
        """Return the different CIDRs that the policies name, narrowest last."""
        return tuple(str(n) for n in sorted(self._networks, key=lambda n: (n.version, n.prefixlen, int(n.network_address))))

    def to_service(self, service: Service) -> Partition:
        """Return what the egress side of every class lets through to a Service, in ports of the Service."""
        return self.pairs.all_leaving(service)

    def connections(self, source: Party, destination: Party) -> Answer:
        """Return all that may flow from *source* to *destination*; to a `ServiceAddress` in ports of the Service."""
        return self.pairs.connections(source, destination)

    def decide(self, source: Party, destination: Party, protocol: str, port: int) -> Decision:
        """Return the verdict on one protocol and port, and who had a say."""
        return self.pairs.decide(source, destination, protocol, port)


class _Partly(Mapping[int, Partition]):
    """What only some pairs of pods have: a node and its own pods, and pods that share the address of a node with a peer."""

    def __init__(self, engine: SetEngine) -> None:
        self._engine = engine
        self._known: dict[int, Partition] = {}

    def __getitem__(self, index: int) -> Partition:
        known = self._known.get(index)
        if known is None:
            known = self._known[index] = self._engine.columns.partly(index)
        return known

    def put(self, source: int, destination: int, connections: Connections) -> None:
        """Say what some pairs of two classes have, instead of what was worked out."""
        others = partitions.only(self[destination], ~(1 << source))
        self._known[destination] = (*others, *(((connections, 1 << source),) if connections else ()))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._engine.chart.universe.classes)


def _keys(world: World, more: Iterable[LabelSelector]) -> frozenset[str]:
    """Return the label keys that any selector of policies or Services asks for."""
    policies = (*world.network_policies, *world.application_policies)
    own = (p.spec.pod_selector for p in policies)
    peers = (
        peer.pod_selector
        for policy in policies
        for peers in chain((r.peers for r in policy.spec.ingress), (r.peers for r in policy.spec.egress))
        for peer in peers
    )
    services = chain.from_iterable(s.spec.selector for s in world.services)
    return keys_of(chain(own, peers, more)) | frozenset(services)
