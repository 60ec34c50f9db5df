"""What Antrea does with one connection, straight from the objects as users write them: rule by rule.

Written from the facts (policy-translation.md, 3), with nothing of the product; Antrea's own code was not run. Rules are asked by
tier, priority of their policy and place in it, in each direction by itself; the first that matches settles a connection. ``Pass``
goes on with NetworkPolicies and, where none of these isolates the pod, with the baseline tier. Who is in nobody's way may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from tests.migration.plain_ground import PORTED, Ground, Json, Match, Wire, every, selects, some, within

TIERS = {"emergency": 50, "securityops": 100, "networkops": 150, "platform": 200, "application": 250, "baseline": 253}


class Asked(NamedTuple):
    """A rule where it stands, and whether it matches."""

    place: tuple[int, float, int]
    action: str
    match: Match


class Antrea:
    """Decides connections of one cluster. *objects* are those in force, NetworkPolicies among them."""

    def __init__(self, cluster: Json, objects: Iterable[Json]) -> None:
        self.ground = Ground(cluster)
        self.tiers = dict(TIERS)
        self.groups: dict[tuple[str, str], Json] = {}
        self.policies: list[Json] = []
        self.standard: list[Json] = []
        for one in objects:
            meta = one["metadata"]
            if one["apiVersion"] == "networking.k8s.io/v1":
                self.standard.append(one)
            elif one["kind"] == "Tier":
                self.tiers[meta["name"]] = one["spec"]["priority"]
            elif one["kind"] in {"ClusterGroup", "Group"}:
                self.groups[meta.get("namespace", ""), meta["name"]] = one["spec"]
            else:
                self.policies.append(one)

    def allowed(self, wire: Wire) -> tuple[set[bool] | None, set[bool] | None]:
        """Return what may come of egress and of ingress; None where that end is no pod."""
        pods = self.ground.pods
        out = self.side("egress", wire) if wire.source in pods else None
        into = self.side("ingress", wire) if wire.destination in pods else None
        return out, into

    def side(self, direction: str, wire: Wire) -> set[bool]:
        """Antrea's own tiers first, then what stands behind them."""
        ground = self.ground
        if direction == "ingress" and ground.is_own_node(ground.pods[wire.destination], wire.source):
            return {True}
        found: set[bool] = set()
        for action in self.settled(direction, wire, last=False):
            if action in {"Pass", "none"}:
                standard = ground.standard(self.standard, direction, wire)
                if standard is None:
                    found |= {a in {"Allow", "none"} for a in self.settled(direction, wire, last=True)}
                else:
                    found.add(standard)
            else:
                found.add(action == "Allow")
        return found

    def settled(self, direction: str, wire: Wire, *, last: bool) -> set[str]:
        """Return the actions that may settle a connection in the baseline tier (*last*), or in those before."""
        rules = (r for r in self.rules(direction, wire) if (r.place[0] == TIERS["baseline"]) is last)
        found: set[str] = set()
        for _, tied in groupby(sorted(rules, key=lambda r: r.place), key=lambda r: r.place):
            alike = [rule for rule in tied if rule.match is not False]
            found |= {rule.action for rule in alike}
            if any(rule.match for rule in alike):
                return found
        return found | {"none"}

    def rules(self, direction: str, wire: Wire) -> Iterator[Asked]:
        """Yield all rules of a direction, with what they say of a connection."""
        me, far = (wire.destination, wire.source) if direction == "ingress" else (wire.source, wire.destination)
        for policy in self.policies:
            spec, own = policy["spec"], policy["metadata"].get("namespace", "")
            tier = self.tiers[spec.get("tier") or "application"]
            for number, rule in enumerate(spec.get(direction) or ()):
                entries = rule.get("appliedTo") or spec.get("appliedTo") or ()
                holds = some(self.holds_for(entry, own, me) for entry in entries)
                match = every(holds, self.speaks(rule, own, me, far, wire))
                if match and any("service" in entry for entry in entries):
                    # It polices the Service's node port; whether they come through it cannot be seen.
                    match = None
                yield Asked((tier, spec["priority"], number), rule["action"], match)

    # --- whom -----------------------------------------------------------------------------------------------------

    def holds_for(self, entry: Json, own: str, me: str) -> Match:
        """Say whether an entry of ``appliedTo`` means the pod at an address."""
        if "group" in entry:
            # A policy of a namespace holds for none but its pods.
            pod = self.ground.pods.get(me)
            is_near = not own or (pod is not None and pod["namespace"] == own)
            return is_near and self.in_group(entry["group"], own, me, as_peer=False)
        if "service" in entry:
            return self.is_behind(entry["service"], own, me)
        if "nodeSelector" in entry or "externalEntitySelector" in entry:
            return False
        return self.is_member(entry, own, me)

    def means(self, peer: Json, own: str, me: str, far: str) -> Match:  # noqa: PLR0911 - one line per kind of peer
        """Say whether a peer means who is at the far end."""
        ground, pod = self.ground, self.ground.pods.get(far)
        if "ipBlock" in peer:
            return within(peer["ipBlock"], far)
        if "fqdn" in peer:
            return None
        if "group" in peer:
            return self.in_group(peer["group"], own, far, as_peer=True)
        if "nodeSelector" in peer:
            return far in ground.nodes and selects(peer["nodeSelector"], ground.nodes[far].get("labels", {}))
        if "externalEntitySelector" in peer:
            return None if pod is None else False
        if "namespaces" in peer:
            if pod is None or not selects(peer.get("podSelector") or {}, pod.get("labels", {})):
                return False
            mine, theirs = ground.pods[me]["namespace"], pod["namespace"]
            keys = peer["namespaces"].get("sameLabels")
            if keys is None:
                return bool(mine == theirs)
            labels = ground.namespaces[mine], ground.namespaces[theirs]
            return all(key in labels[0] and labels[0][key] == labels[1].get(key) for key in keys)
        return self.is_member(peer, own, far)

    def is_member(self, who: Json, own: str, address: str) -> bool:
        """Say whether selectors, or a service account, mean the pod at an address; without namespaces those of the own one."""
        pod = self.ground.pods.get(address)
        if pod is None:
            return False
        if "serviceAccount" in who:
            account = who["serviceAccount"]
            return (pod["namespace"], pod["serviceAccount"]) == (account["namespace"], account["name"])
        near = who.get("namespaceSelector")
        if near is None and own and pod["namespace"] != own:
            return False
        return self.ground.is_selected(address, near, who.get("podSelector"))

    def in_group(self, name: str, own: str, address: str, *, as_peer: bool) -> Match:  # noqa: PLR0911 - the same of groups
        """Say whether a group, or one in it, has who is at an address. Nobody knows of one that is not there."""
        spec = self.groups.get((own, name))
        if spec is None:
            return None
        if "childGroups" in spec:
            return some(self.in_group(child, own, address, as_peer=as_peer) for child in spec["childGroups"])
        if "ipBlocks" in spec:
            return as_peer and any(within(block, address) for block in spec["ipBlocks"])
        if "serviceReference" in spec:
            return self.is_behind(spec["serviceReference"], own, address)
        if "nodeSelector" in spec:
            node = self.ground.nodes.get(address)
            return node is not None and selects(spec["nodeSelector"], node.get("labels", {}))
        if "externalEntitySelector" in spec:
            return None if address not in self.ground.pods else False
        return self.is_member(spec, own, address)

    def is_behind(self, reference: Json, own: str, address: str) -> Match:
        """Say whether a Service selects the pod at an address."""
        space = reference.get("namespace") or own
        service = self.ground.services.get((space, reference["name"]))
        pod = self.ground.pods.get(address)
        if pod is None or pod["namespace"] != space:
            return False
        if service is None:
            return None
        wanted = service.get("selector") or {}
        return bool(wanted) and selects({"matchLabels": wanted}, pod["labels"])

    # --- what -----------------------------------------------------------------------------------------------------

    def speaks(self, rule: Json, own: str, me: str, far: str, wire: Wire) -> Match:
        """Say whether a rule speaks of a connection, for whomever it holds."""
        if "toServices" in rule:
            # Those that come by the Service's address are meant, those that go straight to the pod are not.
            return None if any(self.may_lead(s, own, wire) for s in rule["toServices"]) else False
        peers = [*(rule.get("from") or ()), *(rule.get("to") or ())]
        who = some(self.means(peer, own, me, far) for peer in peers) if peers else True
        ports, protocols = rule.get("ports") or (), rule.get("protocols") or ()
        if not ports and not protocols:
            return who
        return every(who, some([*(self.is_port(p, wire) for p in ports), *(is_protocol(p, wire) for p in protocols)]))

    def is_port(self, port: Json, wire: Wire) -> bool:
        """Say whether an entry of ``ports`` means a connection."""
        low = port.get("sourcePort", wire.source_port)
        return self.ground.is_port(port, wire) and low <= wire.source_port <= port.get("sourceEndPort", low)

    def may_lead(self, reference: Json, own: str, wire: Wire) -> bool:
        """Say whether a connection to a Service may end there."""
        space = reference.get("namespace") or own
        service = self.ground.services.get((space, reference["name"]))
        if service is None:
            return wire.protocol in PORTED
        if service.get("clusterIP") == "None" or not service["ports"]:
            return False
        if service.get("selector") and not self.is_behind(reference, own, wire.destination):
            return False
        for port in service["ports"]:
            target: Any = port.get("targetPort", port["port"])
            if isinstance(target, str):
                target = self.ground.named(wire.destination, port["protocol"], target)
            if (port["protocol"], target) == (wire.protocol, wire.port):
                return True
        return False


def is_protocol(protocol: Json, wire: Wire) -> Match:
    """Say whether an entry of ``protocols`` means a connection."""
    if "igmp" in protocol:
        return (None if protocol["igmp"] else True) if (wire.protocol, wire.port) == ("OTHER", 2) else False
    kind, code = divmod(wire.port, 256)
    icmp = protocol["icmp"]
    return wire.protocol == "ICMP" and icmp.get("icmpType", kind) == kind and icmp.get("icmpCode", code) == code
