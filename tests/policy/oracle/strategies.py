"""Small random clusters where much comes together: policies of every kind, and the packets that tell answers apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import strategies as st

from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Namespace, Node, Pod, Service
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.world import World
from tests.policy.oracle.plain import Packet

NAMESPACES = ("shop", "bank")
NAMES = ("http", "dns", "alt")


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


@dataclass(frozen=True)
class Case:
    """A world, and packets that are near the edges of what its policies say."""

    world: World
    family: Family
    packets: tuple[Packet, ...]
    addresses: tuple[str, ...]
    """Addresses to ask about that are no pod's, or a node's."""


# --- pods and the like ------------------------------------------------------------------------------------------------

labels = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["a", "b"]), max_size=2)
POD_NAMES = ("web-0", "web-1", "db-0", "db-1", "db-2", "api-x-1", "api-x-2", "solo", "web.v-0", "one-two")
KEYS = [(namespace, name) for namespace in NAMESPACES for name in POD_NAMES]


def port(name: str, number: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"name": name, "containerPort": number, "protocol": protocol}


declared_ports = st.sampled_from(
    [
        [],
        [port("http", 80)],
        [port("http", 8080)],
        [port("http", 80), port("dns", 80, "UDP")],
        [port("alt", 81), port("http", 80), port("http", 8080)],
        [port("", 80), port("http", 81)],
        [port("http", 80, "UDP"), port("alt", 80, "SCTP")],
        [port("dns", 81, "UDP"), port("dns", 81)],
    ]
)


@st.composite
def pods(draw: st.DrawFn, family: Family, *, count: int) -> list[dict[str, Any]]:
    """Pods on several nodes, some on the host network, some finished, some without a known address or node."""
    addresses = draw(st.permutations(family.pods))
    found = []
    for number, key in enumerate(draw(st.lists(st.sampled_from(KEYS), min_size=3, max_size=count, unique=True))):
        node = draw(st.sampled_from(family.nodes))
        kind = draw(st.sampled_from([*["pod"] * 8, "host", "host", "finished", "bare"]))
        spec: dict[str, Any] = {"containers": [{"name": "c", "ports": draw(declared_ports)}], "nodeName": f"node-{node}"}
        if draw(st.integers(0, 5)) == 0:
            policy = draw(st.sampled_from(["Always", ""]))
            spec["initContainers"] = [{"name": "i", "restartPolicy": policy, "ports": draw(declared_ports)}]
        status = {"phase": "Running", "podIP": addresses[number], "hostIP": node}
        if kind == "host":
            spec["hostNetwork"] = True
            status["podIP"] = node
        elif kind == "finished":
            status["phase"] = draw(st.sampled_from(["Succeeded", "Failed"]))
        elif kind == "bare":
            status["podIP"] = draw(st.sampled_from(["", addresses[number]]))
            status["hostIP"] = ""
        meta = {"namespace": key[0], "name": key[1], "labels": draw(labels)}
        found.append({"metadata": meta, "spec": spec, "status": status})
    return found


@st.composite
def services(draw: st.DrawFn, family: Family) -> list[dict[str, Any]]:
    """Services with numbers and names as targets, without a selector, headless."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        ports = draw(st.lists(service_ports, min_size=1, max_size=3, unique_by=lambda p: (p["protocol"], p["port"])))
        spec: dict[str, Any] = {
            "clusterIP": draw(st.sampled_from([family.services[number]] * 5 + ["None", ""])),
            "selector": draw(labels),
            "ports": ports,
        }
        found.append({"metadata": {"name": f"s{number}", "namespace": draw(st.sampled_from(NAMESPACES))}, "spec": spec})
    return found


service_ports = st.fixed_dictionaries(
    {"protocol": st.sampled_from(["TCP", "TCP", "UDP"]), "port": st.sampled_from([80, 81, 443])},
    optional={"targetPort": st.sampled_from([80, 81, 8080, "http", "dns"])},
)

# --- policies ---------------------------------------------------------------------------------------------------------

requirements = st.one_of(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["app", "tier", "absent"]),
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2),
        }
    ),
    st.fixed_dictionaries(
        {"key": st.sampled_from(["app", "tier", "absent"]), "operator": st.sampled_from(["Exists", "DoesNotExist"])}
    ),
)
selectors = st.one_of(
    st.just({}),
    st.just({}),
    st.builds(lambda m: {"matchLabels": m}, labels),
    st.builds(lambda k, v: {"matchLabels": {k: v}}, st.sampled_from(["app", "tier"]), st.sampled_from(["a", "b"])),
    st.builds(lambda r: {"matchExpressions": r}, st.lists(requirements, min_size=1, max_size=2)),
)
namespace_selectors = st.one_of(
    selectors, st.sampled_from(NAMESPACES).map(lambda n: {"matchLabels": {"kubernetes.io/metadata.name": n}})
)
numbered_ports = st.builds(
    lambda p, n: {"protocol": p, "port": n},
    st.sampled_from(["TCP", "TCP", "TCP", "UDP", "SCTP"]),
    st.sampled_from([79, 80, 80, 81, 443, 8080]),
)
named_ports = st.builds(
    lambda p, n: {"protocol": p, "port": n},
    st.sampled_from(["TCP", "TCP", "UDP"]),
    st.sampled_from(["http", "http", "dns", "alt"]),
)
port_ranges = st.builds(
    lambda p, n, e: {"protocol": p, "port": n, "endPort": n + e},
    st.sampled_from(["TCP", "UDP"]),
    st.sampled_from([79, 80, 8000]),
    st.sampled_from([0, 2, 90]),
)
whole_protocols = st.sampled_from(["TCP", "UDP", "SCTP"]).map(lambda p: {"protocol": p})
ports = st.one_of(
    st.just([]),
    st.lists(numbered_ports, min_size=1, max_size=2),
    st.lists(named_ports, min_size=1, max_size=2),
    st.lists(port_ranges, min_size=1, max_size=2),
    st.lists(st.one_of(numbered_ports, named_ports, port_ranges, whole_protocols), min_size=1, max_size=3),
)


@st.composite
def blocks(draw: st.DrawFn, family: Family) -> dict[str, Any]:
    if draw(st.integers(0, 14)) == 0:
        return {"ipBlock": {"cidr": family.other}}
    cidr = draw(st.sampled_from(family.blocks))
    inside = family.holes.get(cidr, ())
    holes = draw(st.lists(st.sampled_from(inside), max_size=2, unique=True)) if inside else []
    return {"ipBlock": {"cidr": cidr, "except": holes}}


def peers(family: Family) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        blocks(family),
        blocks(family),
        selectors.map(lambda s: {"podSelector": s}),
        namespace_selectors.map(lambda s: {"namespaceSelector": s}),
        st.builds(lambda p, n: {"podSelector": p, "namespaceSelector": n}, selectors, namespace_selectors),
    )


@st.composite
def rules(draw: st.DrawFn, family: Family, field: str) -> dict[str, Any]:
    """A rule with missing, empty or filled lists of peers and ports."""
    rule: dict[str, Any] = {}
    filled = draw(st.sampled_from(["no", "empty", "one", "one", "two", "two", "three"]))
    if filled != "no":
        count = ["empty", "one", "two", "three"].index(filled)
        rule[field] = [draw(peers(family)) for _ in range(count)]
    chosen = draw(ports)
    if chosen or draw(st.booleans()):
        rule["ports"] = chosen
    return rule


@st.composite
def policies(draw: st.DrawFn, family: Family, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"podSelector": draw(selectors)}
    for key, field, count in (
        ("ingress", "from", draw(st.sampled_from([-1, 0, 1, 1, 2]))),
        ("egress", "to", draw(st.sampled_from([-1, 0, 1, 1, 2, 2]))),
    ):
        if count >= 0:
            spec[key] = [draw(rules(family, field)) for _ in range(count)]
    types = draw(st.sampled_from([[], [], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress", "Egress"]]))
    if types:
        spec["policyTypes"] = types
    return {"metadata": {"name": name, "namespace": draw(st.sampled_from(["shop", "shop", "bank"]))}, "spec": spec}


pods_of_namespaces = st.builds(lambda n, p: {"pods": {"namespaceSelector": n, "podSelector": p}}, namespace_selectors, selectors)
subjects = st.one_of(namespace_selectors.map(lambda s: {"namespaces": s}), pods_of_namespaces)
numbers = st.sampled_from([80, 81, 443])
protocols = st.sampled_from(["TCP", "TCP", "UDP"])
aws_ports = st.one_of(
    st.builds(lambda p, n: {"portNumber": {"protocol": p, "port": n}}, protocols, numbers),
    st.builds(lambda p, n: {"portRange": {"protocol": p, "start": n, "end": n + 10}}, protocols, numbers),
)
upstream_ports = st.one_of(aws_ports, st.sampled_from(NAMES).map(lambda n: {"namedPort": n}))
upstream_protocols = st.one_of(
    st.builds(lambda p, n: {p: {"destinationPort": {"number": n}}}, st.sampled_from(["tcp", "udp"]), numbers),
    st.builds(lambda n: {"tcp": {"destinationPort": {"range": {"start": n, "end": n + 10}}}}, numbers),
    st.just({"udp": {}}),
    st.sampled_from(NAMES).map(lambda n: {"destinationNamedPort": n}),
)


@st.composite
def cluster_rules(draw: st.DrawFn, family: Family, field: str, *, upstream: str = "") -> dict[str, Any]:
    """A rule of a cluster-wide policy, with the peers and the ports that its kind knows."""
    actions = ["Allow" if upstream in {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy"} else "Accept", "Deny"]
    actions += [] if upstream == "BaselineAdminNetworkPolicy" else ["Pass"]
    kinds = [subjects]
    if field == "to":
        kinds.append(st.lists(st.sampled_from(family.blocks), min_size=1, max_size=2).map(lambda n: {"networks": n}))
    rule: dict[str, Any] = {"action": draw(st.sampled_from(actions))}
    rule[field] = draw(st.lists(st.one_of(kinds), min_size=1, max_size=2))
    if draw(st.booleans()):
        if upstream == "ClusterNetworkPolicy":
            rule["protocols"] = draw(st.lists(upstream_protocols, min_size=1, max_size=2))
        else:
            rule["ports"] = draw(st.lists(upstream_ports if upstream else aws_ports, min_size=1, max_size=2))
    return rule


@st.composite
def aws_cluster_policies(draw: st.DrawFn, family: Family, number: int) -> dict[str, Any]:
    # The controller loses rules of one policy whose ports look alike to it, so that each has one rule in each direction.
    spec = {
        "tier": draw(st.sampled_from(["Admin", "Admin", "Baseline"])),
        "priority": draw(st.sampled_from([5, 10 + number])),
        "subject": draw(subjects),
        "ingress": draw(st.lists(cluster_rules(family, "from"), max_size=1)),
        "egress": draw(st.lists(cluster_rules(family, "to"), max_size=1)),
    }
    return {"metadata": {"name": f"c{number}"}, "spec": spec}


@st.composite
def upstream_policies(draw: st.DrawFn, family: Family, number: int) -> dict[str, Any]:
    kinds = ["AdminNetworkPolicy", "ClusterNetworkPolicy"] + (["BaselineAdminNetworkPolicy"] if number == 0 else [])
    kind = draw(st.sampled_from(kinds))
    tiers = {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}
    spec = {
        "tier": tiers.get(kind) or draw(st.sampled_from(["Admin", "Baseline"])),
        "priority": 0 if kind == "BaselineAdminNetworkPolicy" else 50 + number,
        "subject": draw(subjects),
        "ingress": draw(st.lists(cluster_rules(family, "from", upstream=kind), max_size=2)),
        "egress": draw(st.lists(cluster_rules(family, "to", upstream=kind), max_size=2)),
    }
    return {"kind": kind, "metadata": {"name": f"u{number}"}, "spec": spec}


WITHOUT_PORTS = (Packet("ICMP", 0x0800), Packet("ICMPv6", 0x8000), Packet("OTHER", 47))
EDGES = (78, 79, 81, 82, 83, 90, 91, 92, 170, 171, 443, 444, 453, 454, 8000, 8002, 8003, 8080, 8090, 8091, 9)
PORTED_PACKETS = tuple(Packet(protocol, n) for protocol in ("TCP", "UDP", "SCTP") for n in (80, *EDGES))


@st.composite
def packets(draw: st.DrawFn) -> tuple[Packet, ...]:
    """Packets at the edges of the ports that rules name: eight of them."""
    without = draw(st.lists(st.sampled_from(WITHOUT_PORTS), min_size=1, max_size=2, unique=True))
    found = dict.fromkeys([Packet("TCP", 80), *without])
    found.update(dict.fromkeys(draw(st.lists(st.sampled_from(PORTED_PACKETS), min_size=8, max_size=8, unique=True))))
    return tuple(found)[:8]


def decoded(raw: Any, kind: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(raw), type=tuple[kind, ...])


@st.composite
def cases(
    draw: st.DrawFn, *, upstream: bool = False, families: tuple[str, ...] = ("ipv4", "ipv4", "ipv6"), size: int = 7
) -> Case:
    """Draw a cluster. *upstream*: with policies of ``policy.networking.k8s.io``."""
    family = FAMILIES[draw(st.sampled_from(families))]
    count = draw(st.sampled_from([1, 2, 2, 3, 4]))
    aws_count = draw(st.sampled_from([0, 0, 1]))
    cluster_count = draw(st.sampled_from([0, 0, 0, 1, 2]))
    upstream_count = draw(st.integers(0, 2)) if upstream else 0
    world = World(
        pods=decoded(draw(pods(family, count=size)), Pod),
        namespaces=decoded([{"metadata": {"name": n, "labels": draw(labels)}} for n in NAMESPACES], Namespace),
        services=decoded(draw(services(family)), Service),
        nodes=decoded([{"metadata": {"name": f"node-{n}"}} for n in family.nodes], Node),
        network_policies=decoded([draw(policies(family, f"p{i}")) for i in range(count)], NetworkPolicy),
        application_policies=decoded([draw(policies(family, f"a{i}")) for i in range(aws_count)], NetworkPolicy),
        cluster_policies=decoded([draw(aws_cluster_policies(family, i)) for i in range(cluster_count)], ClusterNetworkPolicy),
        admin_policies=decoded([draw(upstream_policies(family, i)) for i in range(upstream_count)], AdminPolicy),
        family=family.name,
    )
    chosen = (*draw(st.permutations(family.outside))[:2], draw(st.sampled_from(family.nodes)))
    return Case(world, family, draw(packets()), chosen)
