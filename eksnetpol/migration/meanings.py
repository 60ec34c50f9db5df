"""What sets of policies mean under the old engine and under the new one, over one and the same classes of pods.

All that is compared during a migration is drawn on one `Terrain`: classes so fine that neither engine, under any policies that
come up, tells two pods of one class apart. So what two engines let through is compared set by set.

What a pod and its own node have is left out: both engines let it through whatever is written. Addresses and labels are those of
the pods of the beginning: a pod that is moved counts as its workload's pods did before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from eksnetpol.engines.dialects import stack_of
from eksnetpol.migration.rules import Rules
from eksnetpol.policy import cluster_policies, grants
from eksnetpol.policy import partitions as parts
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.answers import Partition, Workload
from eksnetpol.policy.atlas import UNKNOWN, Chart, draw, keys_of
from eksnetpol.policy.columns import Columns, OpenRule
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.dataplane_admin import LETS_NODE_THROUGH
from eksnetpol.policy.identity import identity_of
from eksnetpol.policy.judges import judge_of
from eksnetpol.policy.outside import Atom, cut
from eksnetpol.policy.profile import Mode, Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import atoms
from eksnetpol.policy.stacks.columns import StackColumns
from eksnetpol.policy.stacks.ends import End, end_at
from eksnetpol.policy.stacks.formulas import EndKind, Label, Named, Scope, Within
from eksnetpol.policy.stacks.resolving import resolve
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.universe import Classes, Universe, build, indexes_of, set_of
from eksnetpol.policy.world import World

BY_IDENTITY = frozenset({"cilium"})
"""Dialects whose engine knows a pod by what its agent on the pod's own node says of it: without an agent there, a pod is an
address like any outside the cluster (facts: engines.md 2.5)."""


class Meaning(Protocol):
    """What is let through. Each answer is a partition of classes; *sure* False says what may be, where nobody can know."""

    def taken(self, index: int, *, sure: bool = True) -> Partition:
        """Return what one class takes from every class."""

    def sent(self, index: int, *, sure: bool = True) -> Partition:
        """Return what every class may send to one, as far as the senders' side is concerned."""

    def outside(self, direction: Direction, address: str, *, sure: bool = True) -> Partition:
        """Return what every class has with an address that is no pod's."""


@dataclass(frozen=True)
class Asks:
    """What policies tell pods apart by: label keys, blocks, service accounts."""

    keys: frozenset[str] = frozenset()
    networks: frozenset[Network] = frozenset()
    accounts: bool = False

    def __or__(self, other: Asks) -> Asks:
        return Asks(self.keys | other.keys, self.networks | other.networks, self.accounts or other.accounts)

    def __le__(self, other: Asks) -> bool:
        return self.keys <= other.keys and self.networks <= other.networks and (other.accounts or not self.accounts)


@dataclass(frozen=True)
class Terrain:
    """The pods of a cluster as classes just fine enough for all policies that come up, and who reads these policies how."""

    world: World
    dialect: str
    profile: Profile
    """That of the VPC CNI."""
    chart: Chart
    asks: Asks
    atoms: tuple[Atom, ...]
    samples: Mapping[Atom, str]
    """For each atom that has one, an address in it that no pod, no node and no Service has."""
    workloads: tuple[Workload, ...]

    @classmethod
    def draw(cls, world: World, dialect: str, profile: Profile, coming: Iterable[Rules], base: Universe | None = None) -> Terrain:
        """Return the terrain for all of *coming*; *base* is `universe.build` of the pods, where it is at hand."""
        asks = Asks()
        for rules in coming:
            asks |= asked(world, dialect, profile, rules)
        version = 6 if profile.family == "ipv6" else 4
        selected = {key for s in world.services for key in s.spec.selector}

        def name_of(name: str, namespace: str) -> str:
            return identity_of(name, namespace, profile.agent)

        base = base or build(world.pods, world.namespaces)
        keys = frozenset({*asks.keys, *selected})
        chart = draw(world, base, keys, asks.networks, version, name_of, by_account=asks.accounts)
        found = cut(map(str, asks.networks), version)
        # Nobody is at the address of a Service: it has become a pod's before anybody judges, or the agent opens it beside pods.
        services = {s.spec.cluster_ip for s in world.services if s.spec.cluster_ip}
        avoid = frozenset({p.status.pod_ip for p in world.pods} | set(world.node_addresses) | services)
        samples = {atom: sample for atom in found if (sample := atom.sample(avoid))}
        return cls(world, dialect, profile, chart, asks, found, samples, tuple(chart.atlas.workloads))

    @property
    def everything(self) -> Classes:
        """All classes."""
        return self.chart.universe.everything

    @cached_property
    def policed(self) -> Classes:
        """Classes that policies can be about: those not on the host network."""
        return self.everything & ~self.chart.universe.on_host_network

    @cached_property
    def number(self) -> Mapping[Workload, int]:
        """The place of each workload among `workloads`."""
        return {workload: at for at, workload in enumerate(self.workloads)}

    @cached_property
    def workload_at(self) -> tuple[int, ...]:
        """The place of its workload, by class."""
        return tuple(self.number[w] for w in self.chart.atlas.workload_of)

    def within(self, namespaces: Collection[str]) -> Classes:
        """Return the classes of these namespaces."""
        found = 0
        for name in namespaces:
            found |= self.chart.universe.in_namespace.get(name, 0)
        return found

    def classes(self, workloads: int) -> Classes:
        """Return the classes of a set of workloads, given as bits by their places."""
        found = 0
        for at in indexes_of(workloads):
            found |= self.chart.atlas.workloads[self.workloads[at]]
        return found

    def workloads_of(self, classes: Classes) -> int:
        """Return the workloads of a set of classes, as bits by their places."""
        return set_of({self.workload_at[index] for index in indexes_of(classes)})

    # --- meanings -----------------------------------------------------------------------------------------------------

    def old(self, rules: Rules, namespaces: Collection[str] | None = None) -> Meaning:
        """Return what *rules* mean under the old engine, for the pods of *namespaces* where these are given."""
        world = rules.in_world(self.world, namespaces)
        return _Old(StackColumns(self.chart, resolve(stack_of(self.dialect, world), self.chart, world)), world)

    def of_stack(self, stack: Stack) -> Meaning:
        """Return what *stack* lets through, whatever policies are in force."""
        return _Old(StackColumns(self.chart, resolve(stack, self.chart, self.world)), self.world)

    def blind(self, meaning: Meaning) -> Meaning:
        """Return what *meaning*, one of the old engine, lets through where it takes the other end for an address outside."""
        if not isinstance(meaning, _Old):
            message = "only the old engine may take pods for addresses"
            raise TypeError(message)
        return _Blind(self, meaning)

    def new(self, rules: Rules, namespaces: Collection[str] | None = None) -> Meaning:
        """Return what *rules* mean under the VPC CNI, for the pods of *namespaces* where these are given."""
        world = rules.in_world(self.world, namespaces)
        written, _ = cluster_policies.read(world, self.profile)
        names = grants.index_names(self.chart.ports)
        tiers = cluster_policies.resolve(world, written, self.chart, names, is_agent=True)
        otherwise = NOTHING if self.profile.mode is Mode.STRICT else EVERYTHING
        rule = OpenRule(otherwise, by_pod=True, node_by_tiers=self.profile.agent.base >= LETS_NODE_THROUGH)
        made = grants.resolve(world, self.chart, self.profile)
        return _New(Columns(self.chart, made, tiers, judge_of(self.profile), rule))


def asked(world: World, dialect: str, profile: Profile, rules: Rules, namespaces: Collection[str] | None = None) -> Asks:
    """Return what *rules* tell pods apart by, whichever engine reads them: those of *namespaces*, where these are given."""
    whole = rules.in_world(world, namespaces)
    found = _of_stack(stack_of(dialect, whole))
    written, _ = cluster_policies.read(whole, profile)
    keys = keys_of(cluster_policies.selectors(written))
    networks = {*grants.networks_of(whole), *cluster_policies.networks(written)}
    return found | Asks(keys, frozenset(networks))


def _of_stack(stack: Stack) -> Asks:
    formulas = {
        formula
        for tier in stack.tiers
        for policy in tier.policies
        for formula in (policy.subject, *(f for rule in policy.rules for f in (rule.peer, rule.local)))
    }
    asked = frozenset().union(*map(atoms, formulas))
    return Asks(
        frozenset(a.key for a in asked if isinstance(a, Label) and a.scope is Scope.POD),
        frozenset(n for a in asked if isinstance(a, Within) for n in a.networks),
        any(isinstance(a, Label | Named) and a.scope is Scope.ACCOUNT for a in asked),
    )


@dataclass(frozen=True)
class _Old:
    columns: StackColumns
    world: World
    _beyond: dict[tuple[Direction, str, bool], Partition] = field(default_factory=dict)

    def taken(self, index: int, *, sure: bool = True) -> Partition:
        return self.columns.ingress(index, sure=sure)

    def sent(self, index: int, *, sure: bool = True) -> Partition:
        return self.columns.egress(index, sure=sure)

    def outside(self, direction: Direction, address: str, *, sure: bool = True) -> Partition:
        key = (direction, address, sure)
        if key not in self._beyond:
            # What it means at the beginning is asked about anew for each policy that changes.
            self._beyond[key] = self.columns.outside(direction, end_at(self.world, address), sure=sure)
        return self._beyond[key]


@dataclass(frozen=True)
class _New:
    columns: Columns

    def taken(self, index: int, *, sure: bool = True) -> Partition:  # noqa: ARG002 - the agent leaves nothing open
        return self.columns.ingress(index)

    def sent(self, index: int, *, sure: bool = True) -> Partition:  # noqa: ARG002
        return self.columns.egress(index)

    def outside(self, direction: Direction, address: str, *, sure: bool = True) -> Partition:  # noqa: ARG002
        network = parse_cidr(address)
        if network is None:
            message = f"{address!r} is no address"
            raise ValueError(message)
        return self.columns.outside(direction, int(network.network_address), network.version)


@dataclass
class _Blind:
    """The old engine facing pods that it takes for addresses. They differ only in the place of their addresses."""

    terrain: Terrain
    old: _Old
    _known: dict[tuple[Direction, int, bool], Partition] = field(default_factory=dict)
    _turned: dict[tuple[int, bool], Partition] = field(default_factory=dict)

    def sent(self, index: int, *, sure: bool = True) -> Partition:
        return self._at(Direction.EGRESS, self.terrain.chart.address[index], sure=sure)

    def taken(self, index: int, *, sure: bool = True) -> Partition:
        key = (index, sure)
        if key not in self._turned:
            found: dict[Connections, Classes] = {}
            for place, sources in self._places.items():
                for connections, classes in self._at(Direction.INGRESS, place, sure=sure):
                    if classes >> index & 1:
                        found[connections] = found.get(connections, 0) | sources
            self._turned[key] = tuple(found.items())
        return self._turned[key]

    def outside(self, direction: Direction, address: str, *, sure: bool = True) -> Partition:
        return self.old.outside(direction, address, sure=sure)

    def _at(self, direction: Direction, place: int, *, sure: bool) -> Partition:
        key = (direction, place, sure)
        if key not in self._known:
            end = End(EndKind.OUTSIDE, address=self._sample(place), version=self.terrain.chart.regions.version)
            self._known[key] = self.old.columns.outside(direction, end, sure=sure)
        return self._known[key]

    @cached_property
    def _places(self) -> Mapping[int, Classes]:
        found: dict[int, list[int]] = {}
        for index, place in enumerate(self.terrain.chart.address):
            found.setdefault(place, []).append(index)
        return {place: set_of(indexes) for place, indexes in found.items()}

    def _sample(self, place: int) -> str:
        if place == UNKNOWN:
            return ""
        chart = self.terrain.chart
        return chart.universe.classes[next(indexes_of(self._places[place]))].example.status.pod_ip


class Nothing:
    """Nobody enforces: all flows."""

    def __init__(self, everything: Classes) -> None:
        self._all = parts.everybody(everything)

    def taken(self, index: int, *, sure: bool = True) -> Partition:  # noqa: ARG002 - it is all one
        """Return all, from all."""
        return self._all

    def sent(self, index: int, *, sure: bool = True) -> Partition:  # noqa: ARG002
        """Return all, from all."""
        return self._all

    def outside(self, direction: Direction, address: str, *, sure: bool = True) -> Partition:  # noqa: ARG002
        """Return all, from all."""
        return self._all
