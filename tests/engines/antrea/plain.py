"""Antrea's policies read word by word from their JSON, one connection at a time, as its documentation says it.

Rules are asked by tier, priority of the policy and place in it; the first that matches settles it. ``Pass`` goes on with
NetworkPolicies, then with the baseline tier. Where two rules stand at the same place, and where nobody can know whether a rule
matches, every outcome that may be is an outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec

from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.world import World
from tests.policy.oracle.kubernetes import Kubernetes
from tests.policy.oracle.plain import Packet, Place, has, holds, named, selects

STATIC = {"emergency": 50, "securityops": 100, "networkops": 150, "platform": 200, "application": 250, "baseline": 253}
Json = dict[str, Any]
Match = bool | None


class Antrea:
    """Decides packets of one world."""

    def __init__(self, world: World, family: str, objects: Iterable[Json]) -> None:
        self.kubernetes = Kubernetes(world, family)
        self.cluster = self.kubernetes.cluster
        self.world = world
        self.tiers = dict(STATIC)
        self.groups: dict[tuple[str, str], Json] = {}
        self.policies: list[Json] = []
        for one in objects:
            meta, spec = one["metadata"], one["spec"]
            if one["kind"] == "Tier":
                self.tiers[meta["name"]] = spec["priority"]
            elif one["kind"] in {"ClusterGroup", "Group"}:
                self.groups[meta.get("namespace", ""), meta["name"]] = spec
            else:
                self.policies.append(one)

    def flows(self, source: Place, destination: Place, packet: Packet) -> set[bool]:
        """Return how it may end for *packet* from one to the other."""
        if source.pod is not None and source.pod is destination.pod:
            return {True}
        out = self.side("egress", source, destination, packet)
        return {one and other for one in out for other in self.side("ingress", destination, source, packet)}

    def side(self, direction: str, subject: Place, peer: Place, packet: Packet) -> set[bool]:
        """Return how it may end at one of the two."""
        pod = subject.pod
        if pod is None or subject.is_host:
            return {True}
        if direction == "ingress" and pod.status.host_ip and peer.address == pod.status.host_ip:
            return {True}
        found: set[bool] = set()
        for action in self.asked(direction, subject, peer, packet, baseline=False):
            if action in {"Pass", ""}:
                found |= self.behind(direction, subject, peer, packet)
            else:
                found.add(action == "Allow")
        return found

    def behind(self, direction: str, subject: Place, peer: Place, packet: Packet) -> set[bool]:
        """Return how it may end where Antrea's own tiers leave it."""
        kubernetes, kind = self.kubernetes, direction.capitalize()
        mine = [p for p, aws in kubernetes.policies if not aws and kubernetes._applies(p, kind, subject)]  # noqa: SLF001
        if mine:
            return {any(kubernetes._allows(p, kind, subject, peer, packet, is_aws=False) for p in mine)}  # noqa: SLF001
        return {action in {"Allow", ""} for action in self.asked(direction, subject, peer, packet, baseline=True)}

    # --- rules in order -----------------------------------------------------------------------------------------------

    def asked(self, direction: str, subject: Place, peer: Place, packet: Packet, *, baseline: bool) -> set[str]:
        """Return the actions that may settle it; the empty one stands for none."""
        rules = []
        for policy in self.policies:
            spec, own = policy["spec"], policy["metadata"].get("namespace", "")
            tier = self.tiers[spec.get("tier") or "application"]
            if (tier == STATIC["baseline"]) is not baseline:
                continue
            for number, rule in enumerate(spec.get(direction, [])):
                entries = [*spec.get("appliedTo", []), *rule.get("appliedTo", [])]
                held = some(self.is_subject(entry, own, subject) for entry in entries)
                rules.append(
                    (
                        (tier, spec["priority"], number),
                        rule,
                        both(held, self.matches(rule, own, direction, subject, peer, packet)),
                    )
                )
        found: set[str] = set()
        for _, equal in groupby(sorted(rules, key=lambda r: r[0]), key=lambda r: r[0]):
            matches = [(match, rule["action"]) for _, rule, match in equal]
            found |= {action for match, action in matches if match is not False}
            if any(match for match, _ in matches):
                return found
        return {*found, ""}

    def matches(self, rule: Json, own: str, direction: str, subject: Place, peer: Place, packet: Packet) -> Match:
        """Say whether a rule matches; None where nobody can know."""
        destination = subject if direction == "ingress" else peer
        if "toServices" in rule:
            reached = any(self.is_behind(reference, own, peer, packet) for reference in rule["toServices"])
            return None if reached else False
        peers = rule.get("from", []) + rule.get("to", [])
        who = some(self.means(one, own, subject, peer) for one in peers) if peers else True
        what: Match = True
        if rule.get("ports") or rule.get("protocols"):
            of_ports = (self.is_port(port, destination, packet) for port in rule.get("ports", []))
            what = some([*of_ports, *(is_protocol(one, packet) for one in rule.get("protocols", []))])
        return both(who, what)

    # --- whom ---------------------------------------------------------------------------------------------------------

    def is_subject(self, entry: Json, own: str, subject: Place) -> Match:
        """Say whether an entry of ``appliedTo`` means a pod."""
        if "group" in entry:
            # A policy of a namespace holds for none but its pods.
            is_near = not own or (subject.pod is not None and subject.pod.namespace == own)
            return is_near and self.in_group(entry["group"], own, subject, as_subject=True)
        if "serviceAccount" in entry:
            return self.has_account(entry["serviceAccount"], subject)
        return self.is_selected(entry, own, subject)

    def means(self, who: Json, own: str, subject: Place, peer: Place) -> Match:  # noqa: PLR0911 - one line per kind
        """Say whether a peer means one end, for the pod at the other."""
        if "ipBlock" in who:
            return holds(who["ipBlock"]["cidr"], who["ipBlock"].get("except", ()), peer.address)
        if "fqdn" in who:
            return None
        if "group" in who:
            return self.in_group(who["group"], own, peer)
        if "serviceAccount" in who:
            return self.has_account(who["serviceAccount"], peer)
        if "nodeSelector" in who:
            return self.is_node(who["nodeSelector"], peer)
        if "namespaces" in who:
            if peer.pod is None or subject.pod is None or peer.is_host:
                return False
            mine, theirs = (self.cluster.namespaces[p.namespace] for p in (subject.pod, peer.pod))
            keys = who["namespaces"].get("sameLabels")
            near = subject.pod.namespace == peer.pod.namespace
            if keys:
                near = all(key in mine and mine[key] == theirs.get(key) for key in keys)
            return near and selects(selector(who.get("podSelector", {})), peer.pod.labels)
        return self.is_selected(who, own, peer)

    def is_selected(self, who: Json, own: str, place: Place) -> bool:
        """Say whether selectors of pods and namespaces mean a pod; no pod is on the host network to them."""
        pod = place.pod
        if pod is None or place.is_host:
            return False
        if "namespaceSelector" in who:
            near = selects(selector(who["namespaceSelector"]), self.cluster.namespaces[pod.namespace])
        else:
            near = not own or pod.namespace == own
        return near and selects(selector(who.get("podSelector", {})), pod.labels)

    def has_account(self, account: Json, place: Place) -> bool:
        """Say whether a pod runs as a service account."""
        pod = place.pod
        if pod is None or place.is_host:
            return False
        return (pod.namespace, pod.spec.service_account_name or "default") == (account["namespace"], account["name"])

    def is_node(self, wanted: Json, place: Place) -> bool:
        """Say whether an address is that of a node that is selected."""
        names = {n.name for n in self.world.nodes if selects(selector(wanted), n.metadata.labels)}
        return any(f"node-{place.address}" == name for name in names)

    def in_group(self, name: str, own: str, place: Place, *, as_subject: bool = False) -> Match:
        """Say whether a group has a member."""
        spec = self.groups.get((own, name))
        if spec is None:
            return None
        if "childGroups" in spec:
            return some(self.in_group(child, own, place, as_subject=as_subject) for child in spec["childGroups"])
        if "ipBlocks" in spec:
            return not as_subject and any(holds(b["cidr"], b.get("except", ()), place.address) for b in spec["ipBlocks"])
        if "serviceReference" in spec:
            return self.is_member(spec["serviceReference"], own, place)
        return self.is_selected(spec, own, place)

    def is_member(self, reference: Json, own: str, place: Place) -> Match:
        """Say whether a Service selects a pod."""
        namespace = reference.get("namespace", own)
        service = self.world.service_by_name.get((namespace, reference["name"]))
        if place.pod is None or place.is_host or place.pod.namespace != namespace:
            return False
        if service is None:
            return None
        return bool(service.spec.selector) and has(place.pod.labels, service.spec.selector)

    def is_behind(self, reference: Json, own: str, place: Place, packet: Packet) -> bool:
        """Say whether it may be that *place* is reached through a Service."""
        namespace = reference.get("namespace", own)
        service = self.world.service_by_name.get((namespace, reference["name"]))
        if service is None:
            return packet.protocol in {"TCP", "UDP", "SCTP"}
        if service.spec.cluster_ip == "None":
            return False
        pod = None if place.is_host else place.pod
        if service.spec.selector and (pod is None or pod.namespace != namespace or not has(pod.labels, service.spec.selector)):
            return False
        for port in service.spec.ports:
            target: int | None = None
            if isinstance(port.target_port, str):
                target = named(pod, port.protocol, port.target_port, with_sidecars=True) if pod is not None else None
            else:
                target = port.target_port or port.port
            if (port.protocol, target) == packet:
                return True
        return False

    # --- what ---------------------------------------------------------------------------------------------------------

    def is_port(self, port: Json, destination: Place, packet: Packet) -> Match:
        """Say whether an entry of ``ports`` means a packet."""
        if port.get("protocol", "TCP") != packet.protocol:
            return False
        wanted = port.get("port")
        if isinstance(wanted, str):
            pod = None if destination.is_host else destination.pod
            fits = pod is not None and named(pod, packet.protocol, wanted, with_sidecars=True) == packet.number
        else:
            fits = wanted is None or wanted <= packet.number <= (port.get("endPort") or wanted)
        return (None if "sourcePort" in port else True) if fits else False


def is_protocol(protocol: Json, packet: Packet) -> Match:
    if "igmp" in protocol:
        return (None if protocol["igmp"] else True) if packet == ("OTHER", 2) else False
    icmp = protocol["icmp"]
    if packet.protocol not in {"ICMP", "ICMPv6"}:
        return False
    kind, code = divmod(packet.number, 256)
    return bool(icmp.get("icmpType", kind) == kind and icmp.get("icmpCode", code) == code)


def some(matches: Iterable[Match]) -> Match:
    """Any of them: True where one is, None where one may be."""
    found = list(matches)
    return True if True in found else None if None in found else False


def both(one: Match, other: Match) -> Match:
    """Both of them."""
    return False if False in {one, other} else None if None in {one, other} else True


def selector(raw: Json) -> LabelSelector:
    return msgspec.convert(raw, LabelSelector)


def places(antrea: Antrea, addresses: Iterable[str]) -> Iterator[Place]:
    yield from antrea.cluster.pods()
    yield from map(Place, addresses)
