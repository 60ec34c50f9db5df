"""All pairs of pods at once: for each destination class, what all source classes may send to it.

Ingress is gathered by destination: the rules that hold for it, their peers as sets. Egress is turned around: rules are put
together by the set of classes they lead to, and each destination gets the sets it is in. What either side lets through is a
partition of the sources; equal gatherings are partitioned once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eksnetpol.policy import partitions as parts
from eksnetpol.policy.answers import Partition
from eksnetpol.policy.atlas import UNKNOWN, Chart
from eksnetpol.policy.cluster_policies import ClusterTiers
from eksnetpol.policy.connections import EVERYTHING, Connections
from eksnetpol.policy.grants import BlockPair, Grant, Grants
from eksnetpol.policy.near import Near
from eksnetpol.policy.nodes import Nodes
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.spots import Block, Spot
from eksnetpol.policy.tiers import Beside
from eksnetpol.policy.universe import Classes, indexes_of, key_of

Judged = dict[Connections, Classes]


class OpenRule(NamedTuple):
    """What happens to pods that no rule decides about.

    *otherwise* is `EVERYTHING` where they are open and `NOTHING` where they are closed. *by_pod*: a policy for either direction
    keeps a pod from asking the baseline tier in both, as for the agent; else each direction is its own. *node_by_tiers*: where
    a policy for the whole cluster holds for a pod, its node may always reach it.
    """

    otherwise: Connections
    by_pod: bool
    node_by_tiers: bool = True


class Columns:
    """Works out the partition of the sources for each destination class.

    *judge* says what blocks let through at an address.
    """

    def __init__(self, chart: Chart, grants: Grants, tiers: ClusterTiers, judge: parts.Judge, rule: OpenRule) -> None:
        self.chart = chart
        self.grants = grants
        self.tiers = tiers
        self.judge = judge
        self.rule = rule
        self.nodes = Nodes(chart.universe)
        self.everything = chart.universe.everything
        self._all = parts.everybody(self.everything)
        self._default: Partition = ((rule.otherwise, self.everything),) if rule.otherwise else ()
        self._ingress: dict[tuple[int, ...], Partition] = {}
        self._egress: dict[tuple[int, ...], Partition] = {}
        self._met: dict[tuple[int, int], Partition] = {}
        self._spots: dict[tuple[Block, ...], dict[int, Spot]] = {}
        self._leading: dict[int, tuple[tuple[Spot, Classes], ...]] = {}
        self._into: list[list[Grant]] | None = None
        self._peers: list[Judged] = []
        self._in_peers: list[list[int]] | None = None
        self._leading_to_hosts: list[Grant] | None = None
        self._near_by: dict[Direction, Near] = {}
        self._blocks: dict[Direction, dict[BlockPair, Judged]] = {}

    # --- both ---------------------------------------------------------------------------------------------------------

    def all(self) -> list[Partition]:
        """Return the partition for every destination class, by index."""
        return [self.column(index) for index in range(len(self.chart.universe.classes))]

    def column(self, index: int) -> Partition:
        """Return what every class may send to one."""
        incoming, outgoing = self.ingress(index), self.egress(index)
        key = (id(incoming), id(outgoing))
        known = self._met.get(key)
        if known is None:
            known = self._met[key] = parts.met(incoming, outgoing)
        if self.nodes.any_alone:
            always = self._near(index, always=True)
            if always & ~parts.having(known, EVERYTHING):
                return parts.merged((*parts.only(known, ~always), (EVERYTHING, always)))
        return known

    def partly(self, index: int) -> Partition:
        """Return what only some pairs have beside `column`: pairs on one node, and pods with the address of a rule's peer."""
        near = self._near(index, always=False)
        found = {EVERYTHING: near} if near else {}
        if self.rule.by_pod:
            host = self.chart.universe.on_host_network
            if host >> index & 1:
                for grant in self._to_hosts():
                    for connections, classes in _leading(grant):
                        if self.nodes.covered_by(classes)[1] >> index & 1:
                            found[connections] = found.get(connections, 0) | grant.subjects
            else:
                for grant in self._into_class(index):
                    some = self.nodes.covered_by(grant.peers)[1] if grant.peers & host else 0
                    if some:
                        found[grant.connections] = found.get(grant.connections, 0) | some
        surely = parts.having(self.column(index), EVERYTHING)
        return tuple((c, classes & ~surely) for c, classes in found.items() if c and classes & ~surely)

    def _near(self, index: int, *, always: bool) -> Classes:
        """Return the classes that share a node with *index*, one of both on the host network: *always*, or for some pods."""
        host = self.chart.universe.on_host_network
        if host >> index & 1:
            if not self.rule.by_pod:
                return 0
            return self.nodes.shared_by(index, always=always) & ~host & self._meets_node
        return self.nodes.sharing(index, always=always) if self._meets_node >> index & 1 else 0

    @property
    def _meets_node(self) -> Classes:
        """The classes whose node always may. In strict mode a pod without any policy has no map, and so no node in it."""
        if not self.rule.by_pod or self.rule.otherwise:
            return self.everything
        return self.grants.covered | (self.tiers.subjects if self.rule.node_by_tiers else 0)

    def _to_hosts(self) -> Sequence[Grant]:
        if self._leading_to_hosts is None:
            host = self.chart.universe.on_host_network
            rules = self.grants.rules
            self._leading_to_hosts = [g for g in rules if g.direction is Direction.EGRESS and g.peers & host]
        return self._leading_to_hosts

    def outside(
        self,
        direction: Direction,
        address: int,
        version: int,
        hosts: Judged | None = None,
        beside: Beside | None = None,
    ) -> Partition:
        """Return what every class has with an address that is no pod's.

        *hosts* is what rules of namespaces open there by selectors, *beside* says it of cluster-wide ones: it is a Service's.
        """
        host = self.chart.universe.on_host_network
        if self.rule.by_pod and version != self.chart.regions.version:
            return self._all
        ruled, asking = self.ruled(direction), self.asking(direction)
        found = parts.beside_blocks(parts.disjoint(hosts or {}), self.spots_at(direction, address, version))
        then = (*parts.only(tuple(found.items()), ruled), *parts.everybody(self.everything & ~ruled & ~asking))
        if asking:
            tier = self.tiers.baseline
            states = tier.outside(direction, address, version, beside) if tier else ()
            last = parts.settled(states, self.rule.otherwise) if states else self._default
            then = (*then, *parts.only(last, asking))
        if not self.tiers.admin:
            return parts.merged(then)
        states = self.tiers.admin.outside(direction, address, version, beside)
        return parts.after_tier(states, (*parts.only(then, ~host), *parts.everybody(host)))

    # --- ingress ------------------------------------------------------------------------------------------------------

    def ingress(self, index: int) -> Partition:
        """Return what one class takes from every class."""
        if self.chart.universe.on_host_network >> index & 1:
            return self._all
        if not self.tiers and not self.ruled(Direction.INGRESS) >> index & 1:
            return self._default if self.asking(Direction.INGRESS) >> index & 1 else self._all
        mine = self._into_class(index)
        key = tuple(map(id, mine))
        if self.tiers or any(g.named for g in mine):
            key = (index, *key)
        known = self._ingress.get(key)
        if known is None:
            known = self._ingress[key] = self._taken(index, mine)
        return known

    def _into_class(self, index: int) -> Sequence[Grant]:
        if self._into is None:
            self._into = [[] for _ in self.chart.universe.classes]
            for grant in self.grants.rules:
                if grant.direction is Direction.INGRESS:
                    for at in indexes_of(grant.subjects):
                        self._into[at].append(grant)
        return self._into[index]

    def _taken(self, index: int, mine: Sequence[Grant]) -> Partition:
        if self.ruled(Direction.INGRESS) >> index & 1:
            then = self._by_rules(index, mine)
        elif self.asking(Direction.INGRESS) >> index & 1:
            baseline = self.tiers.baseline
            then = parts.settled(baseline.into(index), self.rule.otherwise) if baseline else self._default
        else:
            then = self._all
        return parts.after_tier(self.tiers.admin.into(index), then) if self.tiers.admin else then

    def _by_rules(self, index: int, mine: Sequence[Grant]) -> Partition:
        hosts: Judged = {}
        blocks: list[Block] = []
        for grant in mine:
            connections = grant.connections
            for extra, subjects in grant.named:
                if subjects >> index & 1:
                    connections = connections | extra
            if connections:
                if grant.peers:
                    hosts[connections] = hosts.get(connections, 0) | grant.peers
                blocks.extend(Block(network, excepts, connections) for network, excepts in grant.blocks)
        granted = parts.disjoint(hosts) if hosts else {}
        if not blocks:
            return tuple(granted.items())
        spots = parts.by_spot(blocks, self.everything, self.chart.within, self._at)
        return tuple(parts.beside_blocks(granted, spots).items())

    # --- egress -------------------------------------------------------------------------------------------------------

    def egress(self, index: int) -> Partition:
        """Return what every class sends to one, as far as the senders' side is concerned."""
        place = self.chart.address[index]
        key = (place, *self._peers_with(index))
        if self.tiers:
            key = (index, *key)
        known = self._egress.get(key)
        if known is None:
            known = self._egress[key] = self._sent(index, place)
        return known

    def _sent(self, index: int, place: int) -> Partition:
        hosts: Judged = {}
        for at in self._peers_with(index):
            for connections, sources in self._peers[at].items():
                hosts[connections] = hosts.get(connections, 0) | sources
        granted = parts.disjoint(hosts) if hosts else {}
        found = parts.beside_blocks(granted, self._leading_to(place))
        ruled, asking = self.ruled(Direction.EGRESS), self.asking(Direction.EGRESS)
        then = parts.only(tuple(found.items()), ruled)
        then = (*then, *parts.everybody(self.everything & ~ruled & ~asking))
        if asking:
            baseline = self.tiers.baseline
            last = parts.settled(baseline.out_to(index), self.rule.otherwise) if baseline else self._default
            then = (*then, *parts.only(last, asking))
        return parts.after_tier(self.tiers.admin.out_to(index), then) if self.tiers.admin else then

    def _peers_with(self, index: int) -> Sequence[int]:
        """Return which of the sets that egress rules lead to hold a class."""
        if self._in_peers is None:
            self._in_peers = [[] for _ in self.chart.universe.classes]
            for at, classes in enumerate(self._gather_peers()):
                for member in indexes_of(classes):
                    self._in_peers[member].append(at)
        return self._in_peers[index]

    def _gather_peers(self) -> list[Classes]:
        """Put egress rules together by the set of classes they lead to, and return these sets."""
        number: dict[bytes, int] = {}
        members: list[Classes] = []
        for grant in self.grants.rules:
            if grant.direction is Direction.EGRESS and grant.peers:
                for connections, classes in _leading(grant):
                    at = number.setdefault(key_of(classes), len(members))
                    if at == len(members):
                        members.append(classes)
                        self._peers.append({})
                    granted = self._peers[at]
                    granted[connections] = granted.get(connections, 0) | grant.subjects
        return members

    def _leading_to(self, place: int) -> tuple[tuple[Spot, Classes], ...]:
        """Return what blocks of egress rules let through to a place, for sources that have the same blocks there."""
        known = self._leading.get(place)
        if known is None:
            known = self._leading[place] = tuple(
                self.spots_at(Direction.EGRESS, self._first(place), self.chart.regions.version)
            )
        return known

    def spots_at(self, direction: Direction, address: int, version: int) -> Iterator[tuple[Spot, Classes]]:
        """Yield what blocks of one direction's rules let through at an address, for classes that have the same blocks there."""
        groups: dict[tuple[Block, ...], Classes] = {(): self.everything}
        for block, sources in self._blocks_near(direction, address, version).items():
            after: dict[tuple[Block, ...], Classes] = {}
            for blocks, classes in groups.items():
                if classes & sources:
                    after[*blocks, block] = classes & sources
                if classes & ~sources:
                    after[blocks] = classes & ~sources
            groups = after
        for blocks, classes in groups.items():
            if blocks:
                yield self.judge(blocks, address, version), classes

    def _blocks_near(self, direction: Direction, address: int, version: int) -> dict[Block, Classes]:
        near: dict[Block, Classes] = {}
        held = self._near_of(direction)
        for pair in held.everywhere(version) if address == UNKNOWN else held.around(address, version):
            for connections, sources in self._blocks_of(direction)[pair].items():
                block = Block(*pair, connections)
                near[block] = near.get(block, 0) | sources
        return near

    def _near_of(self, direction: Direction) -> Near:
        known = self._near_by.get(direction)
        if known is None:
            known = self._near_by[direction] = Near(self._blocks_of(direction))
        return known

    def _blocks_of(self, direction: Direction) -> dict[BlockPair, Judged]:
        known = self._blocks.get(direction)
        if known is None:
            known = self._blocks[direction] = {}
            for grant in self.grants.rules:
                if grant.direction is direction and grant.blocks:
                    for connections, subjects in _taking(grant):
                        for pair in grant.blocks:
                            granted = known.setdefault(pair, {})
                            granted[connections] = granted.get(connections, 0) | subjects
        return known

    # --- whom rules of namespaces decide about ------------------------------------------------------------------------

    def ruled(self, direction: Direction) -> Classes:
        """Return the classes about which rules decide: what these do not let through in *direction* is denied."""
        return self.grants.isolated(direction) & self.grants.covered

    def asking(self, direction: Direction) -> Classes:
        """Return the classes that ask the baseline tier, and that stay as `OpenRule` says where it has no answer.

        For the agent a pod that any policy holds for is open in the other direction and never asks.
        """
        grants = self.grants
        deciding = grants.covered if self.rule.by_pod else grants.isolated(direction)
        return self.everything & ~self.chart.universe.on_host_network & ~deciding

    # --- addresses ----------------------------------------------------------------------------------------------------

    def _first(self, place: int) -> int:
        return UNKNOWN if place == UNKNOWN else self.chart.regions.cuts[place]

    def _at(self, blocks: Sequence[Block], classes: Classes) -> Spot:
        """Return what *blocks* let through for classes that none of them tells apart."""
        place = self.chart.address[next(indexes_of(classes))]
        known = self._spots.setdefault(tuple(blocks), {})
        spot = known.get(place)
        if spot is None:
            spot = known[place] = self.judge(blocks, self._first(place), self.chart.regions.version)
        return spot


def _leading(grant: Grant) -> Iterator[tuple[Connections, Classes]]:
    """Yield what an egress rule opens and to which classes; names make it differ between them."""
    rest = grant.peers
    if grant.named:
        extra = parts.disjoint(dict(grant.named))
        for more, classes in extra.items():
            rest &= ~classes
            yield grant.connections | more, classes
    if grant.connections and rest:
        yield grant.connections, rest


def _taking(grant: Grant) -> Iterator[tuple[Connections, Classes]]:
    """Yield what a rule opens to blocks and for which of its subjects."""
    if grant.direction is Direction.INGRESS and grant.named:
        rest = grant.subjects
        for more, classes in parts.disjoint(dict(grant.named)).items():
            rest &= ~classes
            yield grant.connections | more, classes & grant.subjects
        if grant.connections and rest:
            yield grant.connections, rest
    elif grant.connections:
        yield grant.connections, grant.subjects
