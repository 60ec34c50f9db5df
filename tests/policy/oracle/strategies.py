"""Small random clusters where much comes together: policies of every kind, and the packets that tell answers apart."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st

from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Namespace, Node, Pod, Service
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.world import World
from tests.policy.oracle.plain import Packet

NAMESPACES = ("shop", "bank")


@dataclass(frozen=True)
class Family:
    """The addresses of one family that a random cluster is made of."""

    name: str
    nodes: tuple[str, ...]
    pods: tuple[str, ...]
    services: tuple[str, ...]
    blocks: tuple[str, ...]
    holes: dict[str, tuple[str, ...]]
    """For each block, blocks inside it."""
    outside: tuple[str, ...]
    other: str


V4 = Family(
    "ipv4",
    ("10.0.0.250", "10.0.1.250", "10.9.0.250"),
    ("10.0.0.1", "10.0.0.2", "10.0.0.130", "10.0.1.1", "10.0.1.2", "10.1.0.1", "10.1.2.3", "172.16.0.9"),
    ("10.100.0.10", "10.100.0.11", "10.100.1.12"),
    ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.2/32", "10.1.0.0/16", "10.100.0.0/24"),
    {
        "0.0.0.0/0": ("10.0.0.0/8", "10.0.0.0/24", "10.0.0.2/32", "10.100.0.0/24", "192.0.2.0/24"),
        "10.0.0.0/8": ("10.0.0.0/16", "10.0.1.0/24", "10.1.2.0/24"),
        "10.0.0.0/16": ("10.0.0.0/24", "10.0.0.128/25", "10.0.0.2/32"),
        "10.0.0.0/24": ("10.0.0.0/25", "10.0.0.2/32"),
        "10.1.0.0/16": ("10.1.0.0/24", "10.1.2.3/32"),
    },
    ("10.0.0.200", "10.0.0.99", "10.0.1.99", "10.1.0.77", "10.1.99.1", "10.77.0.1", "192.0.2.1", "198.51.100.7"),
    "::/0",
)
V6 = Family(
    "ipv6",
    ("fd00::a:250", "fd00::b:250", "fd00:9::250"),
    ("fd00::1", "fd00::2", "fd00::8000", "fd00::1:1", "fd00::1:2", "fd00:1::1", "fd00:1:2::3", "fd77::9"),
    ("fd00:100::a", "fd00:100::b", "fd00:100:1::c"),
    ("::/0", "fd00::/16", "fd00::/32", "fd00::/64", "fd00::/112", "fd00::1:0/112", "fd00::2/128", "fd00:1::/32", "fd00:100::/48"),
    {
        "::/0": ("fd00::/16", "fd00::/112", "fd00::2/128", "fd00:100::/48", "2001:db8::/32"),
        "fd00::/16": ("fd00::/32", "fd00::1:0/112", "fd00:1:2::/48"),
        "fd00::/32": ("fd00::/64", "fd00::2/128"),
        "fd00::/64": ("fd00::/112", "fd00::8000/113"),
        "fd00:1::/32": ("fd00:1::/48", "fd00:1:2::3/128"),
    },
    ("fd00::99", "fd00::1:99", "fd00:1::77", "fd00:1:99::1", "fd00:77::1", "2001:db8::1", "2001:db9::7"),
    "0.0.0.0/0",
)
FAMILIES = {f.name: f for f in (V4, V6)}


Objects = dict[str, list[dict[str, Any]]]
"""Objects as the API writes them, by section of a `World`."""


@dataclass(frozen=True)
class Case:
    """A world, and packets that are near the edges of what its policies say."""

    objects: Objects
    family: Family
    packets: tuple[Packet, ...]
    addresses: tuple[str, ...]
    """Addresses to ask about that are no pod's, or a node's."""
    number: int = 0
    """What it was drawn from."""

    @cached_property
    def world(self) -> World:
        """The objects, decoded."""
        sections = {section: decoded(self.objects[section], kind) for section, kind in KINDS.items()}
        return World(family=self.family.name, **sections)


KINDS: dict[str, Any] = {
    "pods": Pod,
    "namespaces": Namespace,
    "services": Service,
    "nodes": Node,
    "network_policies": NetworkPolicy,
    "application_policies": NetworkPolicy,
    "cluster_policies": ClusterNetworkPolicy,
    "admin_policies": AdminPolicy,
}


def decoded(raw: Any, kind: Any) -> Any:
    """Return objects as the tool's own types."""
    return msgspec.json.decode(msgspec.json.encode(raw), type=tuple[kind, ...])


def cases(*, upstream: bool = False) -> st.SearchStrategy[Case]:
    """Return any cluster. *upstream*: with policies of ``policy.networking.k8s.io``.

    One number is drawn and all else follows from it: each cluster is then as unlike the last one as chance has it. What
    hypothesis varies of a cluster drawn bit by bit is mostly that cluster again, and finds far fewer faults in the same time.
    `smallest` takes the place of its shrinking.
    """
    return st.integers(0, 2**64 - 1).map(lambda number: draw(number, upstream=upstream))


# --- drawing ----------------------------------------------------------------------------------------------------------

POD_NAMES = ("web-0", "web-1", "db-0", "db-1", "db-2", "api-x-1", "api-x-2", "solo", "web.v-0", "one-two")
ALIKE = ("db-0", "db-1", "db-2", "web-0", "web-1")
WITHOUT_PORTS = (Packet("ICMP", 0x0800), Packet("ICMPv6", 0x8000), Packet("OTHER", 47))
EDGES = (78, 79, 81, 82, 83, 90, 91, 92, 170, 171, 443, 444, 453, 454, 8000, 8002, 8003, 8080, 8090, 8091, 9)
PACKETS = 8


def port(name: str, number: int, protocol: str = "TCP") -> dict[str, Any]:
    """A declared port."""
    return {"name": name, "containerPort": number, "protocol": protocol}


DECLARED: tuple[list[dict[str, Any]], ...] = (
    [],
    [port("http", 80)],
    [port("http", 80)],
    [port("http", 8080)],
    [port("http", 80), port("dns", 80, "UDP")],
    [port("alt", 81), port("http", 80), port("http", 8080)],
    [port("", 80), port("http", 81)],
    [port("http", 80, "UDP"), port("alt", 80, "SCTP")],
    [port("dns", 81, "UDP"), port("dns", 81)],
)
T = TypeVar("T")


def draw(number: int, *, upstream: bool) -> Case:
    """Return the cluster that follows from *number*."""
    chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it
    family = chance.choice((V4, V4, V6))
    return _Maker(chance, family).case(number, upstream=upstream)


class _Maker:
    """Makes up the objects of one cluster."""

    def __init__(self, chance: random.Random, family: Family) -> None:
        self.chance = chance
        self.family = family

    def one(self, *choices: T) -> T:
        return self.chance.choice(choices)

    def some(self, count: int, make: Callable[[], T]) -> list[T]:
        return [make() for _ in range(count)]

    def few(self, choices: Sequence[T], most: int) -> list[T]:
        return self.chance.sample(choices, self.chance.randint(0, min(most, len(choices))))

    def case(self, number: int, *, upstream: bool) -> Case:
        family = self.family
        # Most cluster-wide policies settle everything between them, so that they would hide all others.
        wide = self.chance.random() < 0.3
        objects: Objects = {
            "pods": self.pods(),
            "namespaces": [{"metadata": {"name": n, "labels": self.labels()}} for n in NAMESPACES],
            "services": [self.service(i) for i in range(self.one(0, 0, 1, 2, 3))],
            "nodes": [{"metadata": {"name": f"node-{n}", "labels": self.labels()}} for n in family.nodes],
            "network_policies": [self.policy(f"p{i}") for i in range(self.one(1, 2, 2, 3, 4))],
            "application_policies": [self.policy(f"a{i}") for i in range(self.one(0, 0, 0, 1))],
            "cluster_policies": [self.aws_cluster_policy(i) for i in range(self.one(1, 1, 2) if wide else 0)],
            "admin_policies": [self.upstream_policy(i) for i in range(self.one(0, 1, 2) if upstream and wide else 0)],
        }
        chosen = (*self.chance.sample(family.outside, 2), self.one(*family.nodes))
        return Case(objects, family, self.packets(), chosen, number)

    def packets(self) -> tuple[Packet, ...]:
        found = dict.fromkeys([Packet("TCP", 80), Packet("UDP", 80), *self.chance.sample(WITHOUT_PORTS, self.one(1, 2))])
        while len(found) < PACKETS:
            found[Packet(self.one("TCP", "TCP", "UDP", "SCTP"), self.one(80, *EDGES))] = None
        return tuple(found)

    # --- pods and the like --------------------------------------------------------------------------------------------

    def labels(self) -> dict[str, str]:
        return {key: self.one("a", "b") for key in ("app", "tier") if self.chance.random() < 0.6}

    def pods(self) -> list[dict[str, Any]]:
        """Pods on several nodes, some on the host network, some finished, some without a known address or node."""
        names = self.one(POD_NAMES, ALIKE)
        keys = [(namespace, name) for namespace in self.one(NAMESPACES, ("shop",)) for name in names]
        chosen = self.chance.sample(keys, min(len(keys), self.chance.randint(3, 7)))
        addresses = self.chance.sample(self.family.pods, len(chosen))
        return [self.pod(*key, address) for key, address in zip(chosen, addresses, strict=True)]

    def pod(self, namespace: str, name: str, address: str) -> dict[str, Any]:
        node = self.one(*self.family.nodes)
        kind = self.one(*["pod"] * 9, "host", "host", "finished", "bare")
        spec: dict[str, Any] = {"containers": [{"name": "c", "ports": self.one(*DECLARED)}], "nodeName": f"node-{node}"}
        if self.chance.random() < 0.35:
            spec["initContainers"] = [{"name": "i", "restartPolicy": self.one("Always", ""), "ports": self.one(*DECLARED)}]
        status = {"phase": "Running", "podIP": address, "hostIP": node}
        if kind == "host":
            spec["hostNetwork"] = True
            status["podIP"] = node
        elif kind == "finished":
            status["phase"] = self.one("Succeeded", "Failed")
        elif kind == "bare":
            status |= {"podIP": self.one("", "", address), "hostIP": ""}
        return {"metadata": {"namespace": namespace, "name": name, "labels": self.labels()}, "spec": spec, "status": status}

    def service(self, number: int) -> dict[str, Any]:
        """A Service with numbers or names as targets, perhaps without a selector, or headless."""
        ports: dict[tuple[str, int], dict[str, Any]] = {}
        for _ in range(self.chance.randint(1, 3)):
            protocol, offered = self.one("TCP", "TCP", "UDP"), self.one(80, 81, 443)
            target = self.one(None, 80, 81, 8080, "http", "http", "dns")
            to = {} if target is None else {"targetPort": target}
            ports[protocol, offered] = {"protocol": protocol, "port": offered, **to}
        spec = {
            "clusterIP": self.one(*[self.family.services[number]] * 6, "None", ""),
            "selector": self.labels(),
            "ports": list(ports.values()),
        }
        return {"metadata": {"name": f"s{number}", "namespace": self.one(*NAMESPACES)}, "spec": spec}

    # --- policies of namespaces ---------------------------------------------------------------------------------------

    def selector(self) -> dict[str, Any]:
        match self.one("all", "all", "label", "label", "labels", "expressions", "expressions"):
            case "all":
                return {}
            case "label":
                return {"matchLabels": {self.one("app", "tier"): self.one("a", "b")}}
            case "labels":
                return {"matchLabels": self.labels()}
            case _:
                return {"matchExpressions": self.some(self.one(1, 1, 2), self.requirement)}

    def requirement(self) -> dict[str, Any]:
        key, operator = self.one("app", "app", "tier", "absent"), self.one("In", "NotIn", "NotIn", "Exists", "DoesNotExist")
        values = {"values": self.chance.sample(("a", "b"), self.one(1, 1, 2))} if "In" in operator else {}
        return {"key": key, "operator": operator, **values}

    def namespace_selector(self) -> dict[str, Any]:
        by_name = {"matchLabels": {"kubernetes.io/metadata.name": self.one(*NAMESPACES)}}
        return self.one(by_name, self.selector())

    def policy_port(self) -> dict[str, Any]:
        protocol = self.one("TCP", "TCP", "TCP", "UDP", "SCTP")
        match self.one("number", "number", "name", "name", "range", "range", "protocol"):
            case "number":
                return {"protocol": protocol, "port": self.one(79, 80, 80, 81, 443, 8080)}
            case "name":
                return {"protocol": protocol, "port": self.one("http", "http", "dns", "alt")}
            case "range":
                start = self.one(79, 80, 8000)
                return {"protocol": protocol, "port": start, "endPort": start + self.one(0, 2, 90)}
            case _:
                return {"protocol": protocol}

    def block(self) -> dict[str, Any]:
        if self.chance.random() < 0.05:
            return {"cidr": self.family.other}
        cidr = self.one(*self.family.blocks)
        return {"cidr": cidr, "except": self.few(self.family.holes.get(cidr, ()), 2)}

    def peer(self) -> dict[str, Any]:
        match self.one("block", "block", "pods", "namespaces", "both"):
            case "block":
                return {"ipBlock": self.block()}
            case "pods":
                return {"podSelector": self.selector()}
            case "namespaces":
                return {"namespaceSelector": self.namespace_selector()}
            case _:
                return {"podSelector": self.selector(), "namespaceSelector": self.namespace_selector()}

    def rule(self, field: str) -> dict[str, Any]:
        """A rule with missing, empty or filled lists of peers and ports."""
        rule: dict[str, Any] = {}
        count = self.one(-1, 0, 1, 1, 1, 2, 2, 3)
        if count >= 0:
            rule[field] = self.some(count, self.peer)
        count = self.one(-1, 0, 1, 1, 1, 2, 3)
        if count >= 0:
            rule["ports"] = self.some(count, self.policy_port)
        if self.chance.random() < 0.03:
            # More than the agent has room for at one address.
            rule["ports"] = [{"protocol": "TCP", "port": 80 + i} for i in range(self.one(24, 25, 26))]
        return rule

    def policy(self, name: str) -> dict[str, Any]:
        spec: dict[str, Any] = {"podSelector": self.selector()}
        for key, field in (("ingress", "from"), ("egress", "to")):
            count = self.one(-1, 0, 1, 1, 2, 2)
            if count >= 0:
                spec[key] = [self.rule(field) for _ in range(count)]
        types = self.one([], [], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress", "Egress"])
        if types:
            spec["policyTypes"] = types
        return {"metadata": {"name": name, "namespace": self.one("shop", "shop", "shop", "bank")}, "spec": spec}

    # --- policies for the whole cluster -------------------------------------------------------------------------------

    def subject(self) -> dict[str, Any]:
        if self.one(True, False):  # noqa: FBT003
            return {"namespaces": self.namespace_selector()}
        return {"pods": {"namespaceSelector": self.namespace_selector(), "podSelector": self.selector()}}

    def cluster_peer(self, field: str) -> dict[str, Any]:
        if field == "to" and self.chance.random() < 0.4:
            return {"networks": self.chance.sample(self.family.blocks, self.one(1, 2))}
        return self.subject()

    def cluster_port(self, kind: str) -> dict[str, Any]:
        number, name = self.one(80, 80, 81, 443), self.one("http", "dns", "alt")
        if kind == "ClusterNetworkPolicy":
            protocol = self.one("tcp", "tcp", "udp")
            return self.one(
                {protocol: {"destinationPort": {"number": number}}},
                {protocol: {"destinationPort": {"range": {"start": number, "end": number + 10}}}},
                {protocol: {}},
                {"destinationNamedPort": name},
            )
        protocol = self.one("TCP", "TCP", "UDP")
        plain = {"portNumber": {"protocol": protocol, "port": number}}
        wide = {"portRange": {"protocol": protocol, "start": number, "end": number + 10}}
        # AWS' controller ends on a name.
        return self.one(plain, wide, {"namedPort": name}) if kind else self.one(plain, wide)

    def cluster_rule(self, field: str, kind: str = "") -> dict[str, Any]:
        """A rule of a cluster-wide policy, with the peers and the ports that its kind (empty: AWS' own) knows."""
        older = kind in {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy"}
        actions = ["Allow" if older else "Accept", "Deny", *([] if kind == "BaselineAdminNetworkPolicy" else ["Pass"])]
        rule: dict[str, Any] = {"action": self.one(*actions), field: [self.cluster_peer(field) for _ in range(self.one(1, 1, 2))]}
        if self.chance.random() < 0.6:
            key = "protocols" if kind == "ClusterNetworkPolicy" else "ports"
            rule[key] = [self.cluster_port(kind) for _ in range(self.one(1, 1, 2))]
        return rule

    def aws_cluster_policy(self, number: int) -> dict[str, Any]:
        # The controller loses rules of one policy whose ports look alike to it, so that each has one rule in each direction.
        spec = {
            "tier": self.one("Admin", "Admin", "Baseline"),
            "priority": self.one(5, 10 + number),
            "subject": self.subject(),
            "ingress": [self.cluster_rule("from") for _ in range(self.one(0, 1))],
            "egress": [self.cluster_rule("to") for _ in range(self.one(0, 1))],
        }
        return {"metadata": {"name": f"c{number}"}, "spec": spec}

    def upstream_policy(self, number: int) -> dict[str, Any]:
        kind = self.one("AdminNetworkPolicy", "ClusterNetworkPolicy", "BaselineAdminNetworkPolicy")
        kind = kind if number == 0 else "ClusterNetworkPolicy"
        tiers = {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}
        spec = {
            "tier": tiers.get(kind) or self.one("Admin", "Baseline"),
            "priority": 0 if kind == "BaselineAdminNetworkPolicy" else 50 + number,
            "subject": self.subject(),
            "ingress": [self.cluster_rule("from", kind) for _ in range(self.one(0, 1, 2))],
            "egress": [self.cluster_rule("to", kind) for _ in range(self.one(0, 1, 2))],
        }
        return {"kind": kind, "metadata": {"name": f"u{number}"}, "spec": spec}
