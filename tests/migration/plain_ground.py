"""What plain semantics of several engines have in common: a cluster by address, selectors, NetworkPolicies, and what is unknown.

Straight from the objects as users write them, with nothing of the product. A question has a *match*: True, False, or None where
nobody can know; a verdict is the set of all outcomes that may be.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

Json = Mapping[str, Any]
Match = bool | None
PORTED = ("TCP", "UDP", "SCTP")


class Wire(NamedTuple):
    """One connection: addresses, protocol and port; of ICMP 256 times the type and the code, of others the protocol's number."""

    source: str
    destination: str
    protocol: str
    port: int
    source_port: int = 40000


class Ground:
    """A cluster as `tests/data/verdicts` writes one. Pods on the host network are their nodes: no selector means them."""

    def __init__(self, cluster: Json) -> None:
        self.namespaces = {
            n["name"]: {"kubernetes.io/metadata.name": n["name"], **n.get("labels", {})} for n in cluster["namespaces"]
        }
        self.pods = {p["ip"]: p for p in cluster["pods"] if not p.get("hostNetwork")}
        self.nodes = {n["ip"]: n for n in cluster["nodes"]}
        self.services = {(s["namespace"], s["name"]): s for s in cluster.get("services", ())}
        self.node_of = {n["name"]: n["ip"] for n in cluster["nodes"]}

    def is_own_node(self, pod: Json, address: str) -> bool:
        """Say whether an address is that of the node a pod runs on."""
        return self.node_of.get(pod["node"]) == address

    def is_selected(self, address: str, namespaces: Json | None, pods: Json | None) -> bool:
        """Say whether selectors of namespaces and of pods mean who is at an address; None as a selector asks for nothing."""
        pod = self.pods.get(address)
        if pod is None:
            return False
        return (namespaces is None or selects(namespaces, self.namespaces[pod["namespace"]])) and (
            pods is None or selects(pods, pod.get("labels", {}))
        )

    def named(self, address: str, protocol: str, name: str) -> int | None:
        """Return the number of the port that the pod at an address has by that name; None where it has none."""
        declared = self.pods.get(address, {}).get("ports") or ()
        found = [p["containerPort"] for p in declared if (p["name"], p.get("protocol", "TCP")) == (name, protocol)]
        return found[0] if found else None

    def is_port(self, wanted: Json, wire: Wire) -> bool:
        """Say whether an entry of ``ports`` with ``protocol``, ``port`` and ``endPort`` means a connection."""
        if wanted.get("protocol", "TCP") != wire.protocol or wire.protocol not in PORTED:
            return False
        port = wanted.get("port")
        if isinstance(port, str):
            return self.named(wire.destination, wire.protocol, port) == wire.port
        return port is None or port <= wire.port <= (wanted.get("endPort") or port)

    def standard(self, policies: Iterable[Json], direction: str, wire: Wire) -> bool | None:
        """Return what NetworkPolicies say of one side; None where none of them isolates the pod."""
        me, far = (wire.destination, wire.source) if direction == "ingress" else (wire.source, wire.destination)
        isolated = False
        for one in policies:
            spec, space = one["spec"], one["metadata"]["namespace"]
            types = spec.get("policyTypes") or (("Ingress", "Egress") if spec.get("egress") else ("Ingress",))
            if self.pods[me]["namespace"] != space or direction.capitalize() not in types:
                continue
            if not selects(spec.get("podSelector") or {}, self.pods[me].get("labels", {})):
                continue
            isolated = True
            for rule in spec.get(direction) or ():
                peers = rule.get("from" if direction == "ingress" else "to")
                ports = rule.get("ports")
                if (not peers or any(self._is_peer(p, space, far) for p in peers)) and (
                    not ports or any(self.is_port(p, wire) for p in ports)
                ):
                    return True
        return False if isolated else None

    def _is_peer(self, peer: Json, space: str, address: str) -> bool:
        if peer.get("ipBlock"):
            return within(peer["ipBlock"], address)
        near = peer.get("namespaceSelector")
        if near is None and self.pods.get(address, {}).get("namespace") != space:
            return False
        return self.is_selected(address, near, peer.get("podSelector"))


def within(block: Json, address: str) -> bool:
    """Say whether an address is in a block with ``cidr`` and ``except``."""
    return is_in([block["cidr"]], address) and not is_in(block.get("except") or (), address)


def is_in(cidrs: Iterable[str], address: str) -> bool:
    """Say whether an address is in one of some blocks."""
    return any(_is_inside(cidr, address) for cidr in cidrs)


@lru_cache(maxsize=1 << 14)
def _is_inside(block: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(block, strict=False)


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Say whether a label selector of Kubernetes matches."""
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    for asked in selector.get("matchExpressions") or ():
        key, values = asked["key"], asked.get("values") or ()
        met = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not met[asked["operator"]]:
            return False
    return True


def some(matches: Iterable[Match]) -> Match:
    """Return whether any of them is: True where one is, None where one may be."""
    found = list(matches)
    return True if True in found else None if None in found else False


def every(*matches: Match) -> Match:
    """Return whether all of them are."""
    return False if False in matches else None if None in matches else True
