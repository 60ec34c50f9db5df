"""What the VPC CNI does with policies: the controller's entries, given to the agent of each pod's node.

The agent keeps rules by identity, the beginning of a pod's name, for each node. All policies that list any pod of the identity
count, on whatever node that pod is; they are enforced on a node as soon as one listed pod of the identity is there, and then on
all of them that are. A pod whose node is not known is on one node with all such pods.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, product

from eksnetpol.model.cluster_rules import read_cluster_policy
from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.model.versions import Release
from eksnetpol.policy.dataplane_admin import ClusterEntry, Enforced, compile_cluster
from eksnetpol.policy.pod_state import Resolved, compile_pod
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.world import World
from tests.policy.oracle.controller import Controller, Toss
from tests.policy.oracle.plain import Cluster, Packet, Place, named

Verdict = bool | None
"""None: chance decides."""


class _Policy:
    """One policy of a namespace, resolved."""

    def __init__(self, pods: list[Pod], resolved: Resolved, tosses: list[Toss]) -> None:
        self.pods = pods
        self.resolved = resolved
        self.tosses = tosses

    def ways(self, address: str) -> list[Resolved]:
        """Return what it may have been resolved to, as far as entries around *address* go."""
        near = [toss.ways for toss in self.tosses if any(e.cidr == address for way in toss.ways for e in way)]
        own = self.resolved
        return [
            Resolved(own.isolates, own.ingress, (*own.egress, *chain.from_iterable(fallen))) for fallen in product(*near)
        ]


class _ClusterPolicy:
    """One policy for the whole cluster, resolved."""

    def __init__(self, pods: list[Pod], ingress: list[ClusterEntry], egress: list[ClusterEntry]) -> None:
        self.pods = pods
        self.ingress = ingress
        self.egress = egress


class VpcCni:
    """Decides packets of one world under one profile."""

    def __init__(self, world: World, profile: Profile) -> None:
        self.profile = profile
        self.cluster = Cluster(world, profile.family)
        controller = Controller(self.cluster)
        self.policies = []
        policies = [(p, False) for p in world.network_policies] + [(p, True) for p in world.application_policies]
        for policy, is_aws in policies:
            egress, tosses = controller.egress(policy, is_aws=is_aws)
            isolates = frozenset(map(Direction, controller.isolates(policy, is_aws=is_aws)))
            resolved = Resolved(isolates, tuple(controller.ingress(policy, is_aws=is_aws)), tuple(egress))
            self.policies.append(_Policy(controller.selected(policy), resolved, tosses))
        self.cluster_policies = []
        for rules in map(read_cluster_policy, world.cluster_policies):
            ways = [controller.cluster_entries(rules, d) for d in ("Ingress", "Egress")]
            self.cluster_policies.append(_ClusterPolicy(controller.subjects(rules), *ways))
        self._known: dict[tuple[str, str, str], list[Enforced]] = {}

    # --- what is enforced on a pod ------------------------------------------------------------------------------------

    def identity(self, pod: Pod) -> tuple[str, ...]:
        """Return what the agent knows a pod by; before v1.4.0 namespace and name ran into each other."""
        head = pod.name.rpartition("-")[0] if "-" in pod.name else pod.name
        head = head.replace(".", "_")
        if self.profile.agent.base < Release(1, 4, 0):
            return (f"{head}-{pod.namespace}",)
        return (head, pod.namespace)

    def _holds_for(self, listed: Iterable[Pod], pod: Pod) -> bool:
        return any(self.identity(other) == self.identity(pod) for other in listed)

    def _is_active(self, policies: Iterable[_Policy | _ClusterPolicy], pod: Pod) -> bool:
        return any(
            self.identity(other) == self.identity(pod) and other.status.host_ip == pod.status.host_ip
            for policy in policies
            for other in policy.pods
        )

    def enforced(self, pod: Pod, address: str) -> list[Enforced]:
        """Return what may be enforced on a pod as far as *address* goes: several where the controller tossed coins."""
        key = (pod.namespace, pod.name, address)
        if key not in self._known:
            self._known[key] = list(self._compile(pod, address))
        return self._known[key]

    def _compile(self, pod: Pod, address: str) -> Iterable[Enforced]:
        node = pod.status.host_ip or None
        mine = [p for p in self.policies if self._holds_for(p.pods, pod)] if self._is_active(self.policies, pod) else []
        above: list[_ClusterPolicy] = []
        if self._is_active(self.cluster_policies, pod):
            above = [p for p in self.cluster_policies if self._holds_for(p.pods, pod)]
        for chosen in product(*(p.ways(address) for p in mine)):
            state = compile_pod(
                chosen, node_ip=node, family=self.profile.family, agent=self.profile.agent, mode=self.profile.mode
            )
            if above:
                ingress, egress = ([*chain.from_iterable(way)] for way in ((p.ingress for p in above), (p.egress for p in above)))
                yield compile_cluster(state, ingress, egress, node_ip=node, agent=self.profile.agent)
            else:
                yield Enforced(state)

    # --- packets ------------------------------------------------------------------------------------------------------

    def passes(self, direction: Direction, subject: Place, address: str, packet: Packet) -> Verdict:
        """Say whether the agent of *subject* lets *packet* pass between it and *address*."""
        if subject.pod is None or subject.is_host or packet.protocol == "ICMPv6":
            # ICMPv6 passes in IPv6 clusters, and in others nobody looks at IPv6 packets.
            return True
        said = {e.verdict(direction, address, *packet) for e in self.enforced(subject.pod, address)}
        return said.pop() if len(said) == 1 else None

    def flows(self, source: Place, destination: Place, packet: Packet) -> Verdict:
        """Say whether *packet* gets from one to the other, at their own addresses."""
        if source.pod is not None and source.pod is destination.pod:
            return True
        leaves = self.passes(Direction.EGRESS, source, destination.address, packet)
        return both(leaves, self.passes(Direction.INGRESS, destination, source.address, packet))

    def through(self, source: Place, service: Service, packet: Packet) -> list[Verdict]:
        """Say for each pod behind that port of a Service whether *packet*, with a port of the Service, gets there.

        Without an address of its own (a headless Service) the pods are asked directly.
        """
        port = next(p for p in service.spec.ports if (p.protocol, p.port) == packet)
        address = self.cluster.address_of(service)
        found: list[Verdict] = []
        for place in self.cluster.behind(service):
            target = port.port if port.target_port is None else port.target_port
            if isinstance(target, str) and place.pod is not None:
                number = named(place.pod, port.protocol, target, with_sidecars=True)
            else:
                number = int(target)
            if number is None:
                continue
            there = Packet(port.protocol, number)
            if address is None:
                found.append(self.flows(source, place, there))
                continue
            leaves = self.passes(Direction.EGRESS, source, address, packet)
            is_itself = source.pod is not None and source.pod is place.pod
            arrives = True if is_itself else self.passes(Direction.INGRESS, place, source.address, there)
            found.append(both(leaves, arrives))
        return found


def both(one: Verdict, other: Verdict) -> Verdict:
    """Return whether both pass."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
