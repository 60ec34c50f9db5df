"""The specification of NetworkPolicies, read word by word, with the cluster-wide policies around them.

A pod on the host network is its node: no policy applies to it, selectors do not mean it, blocks do by its address. What comes
from a pod's own node is let in; what goes there needs a rule. A pod always reaches itself. Rules ask for a peer and for a port,
each by itself; a name of a port is looked up on the destination, if that is a pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eksnetpol.model.cluster_rules import ClusterPeer, ClusterRules, NamespacedPods, read_cluster_policy
from eksnetpol.model.cluster_rules import Rule as ClusterRule
from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.model.policies import EVERYBODY, NetworkPolicy, PolicyPeer, PolicyPort
from eksnetpol.policy.world import World
from tests.policy.oracle.plain import PORTED, Cluster, Packet, Place, holds, named, selects


class Kubernetes:
    """Decides packets of one world."""

    def __init__(self, world: World, family: str) -> None:
        self.cluster = Cluster(world, family)
        self.policies = [(p, False) for p in world.network_policies] + [(p, True) for p in world.application_policies]
        written = [(read_cluster_policy(p), "ClusterNetworkPolicy", p.metadata.name) for p in world.cluster_policies]
        written += [(p.spec, p.title, p.name) for p in world.admin_policies]
        ordered = [rules for rules, _, _ in sorted(written, key=lambda w: (w[0].priority, w[1], w[2]))]
        self.admin = [rules for rules in ordered if rules.tier != "Baseline"]
        self.baseline = [rules for rules in ordered if rules.tier == "Baseline"]

    def flows(self, source: Place, destination: Place, packet: Packet) -> bool:
        """Say whether *packet* gets from one to the other."""
        if source.pod is not None and source.pod is destination.pod:
            return True
        return self.sends(source, destination, packet) and self.takes(destination, source, packet)

    def through(self, source: Place, service: Service, packet: Packet) -> list[bool]:
        """Say for each pod behind that port of a Service whether *packet*, with a port of the Service, gets there."""
        port = next(p for p in service.spec.ports if (p.protocol, p.port) == packet)
        found = []
        for place in self.cluster.behind(service):
            target = port.port if port.target_port is None else port.target_port
            if isinstance(target, str) and place.pod is not None:
                number = named(place.pod, port.protocol, target, with_sidecars=True)
            else:
                number = int(target)
            if number is not None:
                found.append(self.flows(source, place, Packet(port.protocol, number)))
        return found

    def takes(self, subject: Place, peer: Place, packet: Packet) -> bool:
        """Say whether the ingress side of *subject* lets *packet* in."""
        pod = subject.pod
        if pod is None or subject.is_host or (pod.status.host_ip and peer.address == pod.status.host_ip):
            return True
        return self._decided("Ingress", subject, peer, packet)

    def sends(self, subject: Place, peer: Place, packet: Packet) -> bool:
        """Say whether the egress side of *subject* lets *packet* out."""
        return subject.pod is None or subject.is_host or self._decided("Egress", subject, peer, packet)

    # --- tiers --------------------------------------------------------------------------------------------------------

    def _decided(self, direction: str, subject: Place, peer: Place, packet: Packet) -> bool:
        said = self._tier(self.admin, direction, subject, peer, packet)
        if said is not None:
            return said
        mine = [(p, aws) for p, aws in self.policies if self._applies(p, direction, subject)]
        if mine:
            return any(self._allows(p, direction, subject, peer, packet, is_aws=aws) for p, aws in mine)
        said = self._tier(self.baseline, direction, subject, peer, packet)
        return True if said is None else said

    def _tier(
        self, tier: Sequence[ClusterRules], direction: str, subject: Place, peer: Place, packet: Packet
    ) -> bool | None:
        """Return what the first rule that matches says; None where it passes, or where none matches."""
        for rules in tier:
            if not self._is_subject(rules, subject):
                continue
            for rule in rules.ingress if direction == "Ingress" else rules.egress:
                destination = subject if direction == "Ingress" else peer
                if any(self._means(p, peer) for p in rule.peers) and self._is_port(rule, destination, packet):
                    return None if rule.action == "Pass" else rule.action in {"Accept", "Allow"}
        return None

    def _is_subject(self, rules: ClusterRules, subject: Place) -> bool:
        who = rules.subject
        if who.namespaces is not None:
            return subject.pod is not None and selects(who.namespaces, self.cluster.namespaces[subject.pod.namespace])
        return who.pods is not None and self._is_one_of(who.pods, subject)

    def _is_one_of(self, pods: NamespacedPods, place: Place) -> bool:
        return (
            place.pod is not None
            and selects(pods.namespace_selector, self.cluster.namespaces[place.pod.namespace])
            and selects(pods.pod_selector, place.pod.labels)
        )

    def _means(self, who: ClusterPeer, peer: Place) -> bool:
        if any(holds(cidr, (), peer.address) for cidr in who.networks):
            return True
        if who.nodes is not None and peer.is_host and peer.pod is not None:
            nodes = [n for n in self.cluster.world.nodes if n.name == peer.pod.spec.node_name]
            return selects(who.nodes, nodes[0].metadata.labels if nodes else {})
        if peer.pod is None or peer.is_host:
            return False
        if who.namespaces is not None:
            return selects(who.namespaces, self.cluster.namespaces[peer.pod.namespace])
        return who.pods is not None and self._is_one_of(who.pods, peer)

    def _is_port(self, rule: ClusterRule, destination: Place, packet: Packet) -> bool:
        matches = rule.matches
        if matches is None:
            return True
        for match in matches:
            if match.name:
                pod = None if destination.is_host else destination.pod
                if pod is not None and named(pod, packet.protocol, match.name, with_sidecars=True) == packet.number:
                    return True
            elif match.protocol == packet.protocol and match.low <= packet.number <= match.high:
                return True
        return False

    # --- policies of namespaces ---------------------------------------------------------------------------------------

    def _applies(self, policy: NetworkPolicy, direction: str, subject: Place) -> bool:
        types = policy.spec.policy_types or (("Ingress", "Egress") if policy.spec.egress else ("Ingress",))
        pod = subject.pod
        return (
            pod is not None
            and direction in types
            and pod.namespace == policy.namespace
            and selects(policy.spec.pod_selector, pod.labels)
        )

    def _allows(
        self, policy: NetworkPolicy, direction: str, subject: Place, peer: Place, packet: Packet, *, is_aws: bool
    ) -> bool:
        for rule in policy.spec.ingress if direction == "Ingress" else policy.spec.egress:
            everybody = not rule.peers and (rule.peers is EVERYBODY or not is_aws)
            if not everybody and not any(self._is_peer(policy.namespace, p, peer) for p in rule.peers):
                continue
            destination = subject if direction == "Ingress" else peer
            if not rule.ports or matches_any(rule.ports, None if destination.is_host else destination.pod, packet):
                return True
        return False

    def _is_peer(self, own: str, who: PolicyPeer, peer: Place) -> bool:
        if who.ip_block is not None:
            return holds(who.ip_block.cidr, who.ip_block.except_, peer.address)
        if peer.pod is None or peer.is_host or (who.pod_selector is None and who.namespace_selector is None):
            return False
        if who.namespace_selector is None:
            near = peer.pod.namespace == own
        else:
            near = selects(who.namespace_selector, self.cluster.namespaces[peer.pod.namespace])
        return near and (who.pod_selector is None or selects(who.pod_selector, peer.pod.labels))


def matches_any(ports: Iterable[PolicyPort], destination: Pod | None, packet: Packet) -> bool:
    """Say whether one of *ports* matches; names only where the destination is a pod."""
    for port in ports:
        if port.protocol != packet.protocol or port.protocol not in PORTED:
            continue
        if port.port is None:
            return True
        if isinstance(port.port, str):
            if destination is not None and named(destination, port.protocol, port.port, with_sidecars=True) == packet.number:
                return True
        elif port.port <= packet.number <= (port.end_port or port.port):
            return True
    return False
