"""What the node agent makes of ClusterNetworkPolicies, and the whole verdict on a packet: Admin, namespaces, Baseline, default.

The entries of all ClusterPolicyEndpoints of a pod are one more map per direction, with actions and priorities. A prefix has the
rules of every block that holds it, so all rules around an address are asked: the lowest priority number first, at one priority
Deny before Accept before Pass, whatever the order in a policy. What no Admin rule settles is for the map of the namespaces'
policies. The Baseline is asked only where the pod has no such policy at all, not even one for the other direction; then what
holds without policies (aws/aws-network-policy-agent, pkg/fwruleprocessor, pkg/utils and pkg/ebpf/c; seen on a real kernel).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from eksnetpol.model.cluster_rules import Action
from eksnetpol.model.policies import PolicyEndpointSpec, PolicyPort
from eksnetpol.model.versions import Release
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.agent_map import address_of
from eksnetpol.policy.connections import ICMPV6, OTHER, UNIVERSE, WITH_PORTS, Connections
from eksnetpol.policy.dataplane import CANONICAL, SLOTS
from eksnetpol.policy.pod_state import PodState, State
from eksnetpol.policy.ports import Interval, PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.slots import EVERY_SLOT, Slot, passing
from eksnetpol.policy.tiers import ADMIN, BASELINE

READS_CLUSTER_POLICIES = Release(1, 3, 0)
"""The first agent that reads ClusterPolicyEndpoints."""

LETS_NODE_THROUGH = CANONICAL
"""From here on the maps of cluster policies let the pod's node through; before, its probes could be denied."""

_ORDER = {Action.DENY: 0, Action.ACCEPT: 1, Action.ALLOW: 1, Action.PASS: 2}


@dataclass(frozen=True, slots=True)
class ClusterEntry:
    """One resolved rule of a ClusterPolicyEndpoint: a block (or a bare address) and ports; no ports: everything.

    ``tier`` is ``Admin`` or ``Baseline``. ``origin`` is for its maker to find again, and does not count in comparisons.
    """

    tier: str
    priority: int
    action: Action
    cidr: str
    ports: tuple[Slot, ...] = ()
    origin: object = field(default=None, compare=False)


class ClusterRule(NamedTuple):
    """One slot of such a map, with the entry it comes from."""

    tier: str
    priority: int
    order: int
    action: Action
    slot: Slot
    entry: ClusterEntry | None


class Outcome(NamedTuple):
    """What a tier may say of a packet: *rule* settles it, or nothing does; *lost* is how many slots must be missing for that."""

    rule: ClusterRule | None
    lost: int


@dataclass(frozen=True)
class ClusterMap:
    """One direction of the cluster policies that select a pod. ``entries`` are as the agent keeps them, ``node`` its own."""

    version: int
    entries: tuple[ClusterEntry, ...]
    node: Network | None

    def rules(self, ip: str) -> tuple[ClusterRule, ...]:
        """Return the rules around *ip* in the order in which they are asked, Admin before Baseline."""
        host = address_of(ip)
        if self.node is not None and host == self.node:
            return (ClusterRule(ADMIN, 0, _ORDER[Action.ACCEPT], Action.ACCEPT, EVERY_SLOT, None),)
        found = [rule for entry in self.entries if _holds(entry.cidr, host) for rule in _rules_of(entry)]
        return tuple(sorted(found, key=lambda r: (r.tier != ADMIN, r.priority, r.order)))

    def excess(self, rules: Sequence[ClusterRule]) -> int:
        """Return how many of the rules around one address find no slot; which ones is random."""
        # Equal slots of two objects are two; an entry without ports is one, whoever else has it.
        plain = {rule[:5] for rule in rules if rule.slot == EVERY_SLOT}
        return max(0, len(plain) + sum(rule.slot != EVERY_SLOT for rule in rules) - SLOTS)

    def outcomes(self, tier: str, ip: str, protocol: str, port: int) -> Iterator[Outcome]:
        """Yield what *tier* may say of one packet: the first rule that matches, and what follows where slots are missing."""
        rules = self.rules(ip)
        spare = self.excess(rules)
        lost = 0
        for rule in rules:
            if rule.tier == tier and passing((rule.slot,), self.version).allows(protocol, port):
                yield Outcome(rule, lost)
                lost += 1
                if lost > spare:
                    return
        yield Outcome(None, lost)


@dataclass(frozen=True)
class Enforced:
    """All that is enforced on one pod: what namespaces say (*pod*), and the maps of cluster policies where any selects it."""

    pod: PodState
    ingress: ClusterMap | None = None
    egress: ClusterMap | None = None

    def map_of(self, direction: Direction) -> ClusterMap | None:
        """Return the cluster policies of one direction."""
        return self.ingress if direction is Direction.INGRESS else self.egress

    def verdict(self, direction: Direction, ip: str, protocol: str, port: int) -> bool | None:
        """Say whether a packet passes in *direction*; None where that is random. *port* is a number as `Connections` has it."""
        cluster = self.map_of(direction)
        version = self.pod.version
        if cluster is None or address_of(ip).version != version or (protocol == ICMPV6 and version == 6):  # noqa: PLR2004
            return self.pod.verdict(direction, ip, protocol, port)
        said = set(self._said(cluster, direction, ip, protocol, port))
        return said.pop() if len(said) == 1 else None

    def _said(self, cluster: ClusterMap, direction: Direction, ip: str, protocol: str, port: int) -> Iterator[bool]:
        spare = cluster.excess(cluster.rules(ip))
        for admin in cluster.outcomes(ADMIN, ip, protocol, port):
            if admin.rule is not None and admin.rule.action is not Action.PASS:
                yield admin.rule.action.allows
            elif self.pod.state is State.POLICIES_APPLIED:
                verdict = self.pod.verdict(direction, ip, protocol, port)
                yield from (True, False) if verdict is None else (verdict,)
            else:
                for last in cluster.outcomes(BASELINE, ip, protocol, port):
                    if admin.lost + last.lost > spare and last.lost:
                        continue
                    if last.rule is not None and last.rule.action is not Action.PASS:
                        yield last.rule.action.allows
                    else:
                        yield self.pod.state is State.DEFAULT_ALLOW

    def bounds(self, direction: Direction, ip: str) -> tuple[Connections, Connections]:
        """Return what surely passes in *direction* between the pod and *ip*, and what may pass."""
        cluster = self.map_of(direction)
        own = self.pod.bounds(direction, ip)
        if cluster is None or address_of(ip).version != self.pod.version:
            return own
        spoken = [passing((rule.slot,), self.pod.version) for rule in cluster.rules(ip)]
        sure: dict[str, PortSet] = {}
        possible: dict[str, PortSet] = {}
        for protocol in UNIVERSE:
            pieces = list(_pieces(protocol, [*own, *spoken]))
            verdicts = [(piece, self.verdict(direction, ip, protocol, piece[0])) for piece in pieces]
            sure[protocol] = PortSet(piece for piece, verdict in verdicts if verdict)
            possible[protocol] = PortSet(piece for piece, verdict in verdicts if verdict is not False)
        return Connections(sure), Connections(possible)


def cluster_entries_of(spec: PolicyEndpointSpec, direction: Direction, origin: object = None) -> Iterator[ClusterEntry]:
    """Yield the entries of one direction of a ClusterPolicyEndpoint. Domain names are left out, as the agent does."""
    for info in spec.ingress if direction is Direction.INGRESS else spec.egress:
        if info.cidr:
            ports = tuple(map(_slot, info.ports))
            yield ClusterEntry(spec.tier, spec.priority or 0, Action(info.action), info.cidr, ports, origin)


def _slot(port: PolicyPort) -> Slot:
    return Slot(port.protocol, port.port if isinstance(port.port, int) else None, port.end_port)


def compile_cluster(
    pod: PodState,
    ingress: Iterable[ClusterEntry],
    egress: Iterable[ClusterEntry],
    *,
    node_ip: str | None,
    agent: Release,
) -> Enforced:
    """Put the entries of the cluster policies that select a pod before and behind what its namespace's policies say.

    To be called for pods that some ClusterPolicyEndpoint lists, even without entries; agents before v1.3.0 read none.
    """
    if agent.base < READS_CLUSTER_POLICIES:
        return Enforced(pod)
    node = parse_cidr(node_ip) if node_ip else None

    def side(entries: Iterable[ClusterEntry]) -> ClusterMap:
        kept = tuple(e for e in entries if _is_kept(e.cidr, pod.version, node))
        return ClusterMap(pod.version, kept, node if agent.base >= LETS_NODE_THROUGH else None)

    return Enforced(pod, side(ingress), side(egress))


def _is_kept(cidr: str, version: int, node: Network | None) -> bool:
    network = parse_cidr(cidr)
    if network is None or network.version != version:
        return False
    return node is None or network.network_address != node.network_address


def _holds(cidr: str, host: Network) -> bool:
    network = parse_cidr(cidr)
    first = int(host.network_address)
    return network is not None and int(network.network_address) <= first <= int(network.broadcast_address)


def _rules_of(entry: ClusterEntry) -> Iterator[ClusterRule]:
    for port in entry.ports or (EVERY_SLOT,):
        # An unknown protocol is TCP here, not every one as in the other maps.
        protocol = port.protocol if port.protocol in (*WITH_PORTS, EVERY_SLOT.protocol) else "TCP"
        slot = Slot(protocol, port.port or 0, port.end_port or 0)
        yield ClusterRule(entry.tier, entry.priority, _ORDER[entry.action], entry.action, slot, entry)


def _pieces(protocol: str, sets: Iterable[Connections]) -> Iterator[Interval]:
    """Yield the numbers of *protocol* in pieces that none of *sets* tells apart within."""
    low, high = UNIVERSE[protocol].intervals[0]
    cuts = {low, high + 1}
    if protocol != OTHER:
        for one in sets:
            for first, last in one[protocol].intervals:
                cuts |= {first, last + 1}
    ordered = sorted(cuts)
    yield from ((start, end - 1) for start, end in pairwise(ordered))
