"""Small random clusters, and what is true of them worked out the slow, obvious way: pod by pod, address by address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, ObjectMeta, Pod
from eksnetpol.model.policies import NetworkPolicy, PolicyPeer, PolicyPort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.universe import Universe, build

NAMESPACES = ("shop", "bank")
KEYS = ("app", "tier")
VALUES = ("a", "b")
NODES = ("10.0.0.250", "10.1.0.250")

labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=2)
requirements = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        st.sampled_from(KEYS), st.sampled_from(["In", "NotIn"]), st.lists(st.sampled_from(VALUES), min_size=1, max_size=2),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator},
        st.sampled_from(KEYS), st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)  # fmt: skip
selectors = st.builds(
    lambda match, expressions: msgspec.convert({"matchLabels": match, "matchExpressions": expressions}, LabelSelector),
    labels,
    st.lists(requirements, max_size=2),
)


@dataclass(frozen=True)
class PodWords:
    """What a random pod is made of."""

    namespace: str
    name: str
    labels: dict[str, str]
    node: str
    host_network: bool
    phase: str
    http: int | None


pod_words = st.builds(
    PodWords,
    st.sampled_from(NAMESPACES),
    st.sampled_from(["web-0", "web-1", "db-0", "api-x-1", "solo", "web.v-0"]),
    labels,
    st.sampled_from(NODES),
    st.booleans(),
    st.sampled_from(["Running", "Running", "Pending", "Succeeded", "Failed"]),
    st.sampled_from([None, 80, 8080]),
)


def address_of(words: PodWords) -> str:
    """Return the node's address on the host network, else one that no other pod has."""
    if words.host_network:
        return words.node
    own = {"web-0": "10.0.0.1", "web-1": "10.0.0.2", "db-0": "10.0.1.1", "db-1": "10.1.0.1", "db-2": "10.0.0.3"}
    address = own.get(words.name, "172.16.0.1" if words.name == "solo" else f"10.0.2.{len(words.name)}")
    return address if words.namespace == "shop" else address.replace("10.0.", "10.9.").replace("172.16.", "172.17.")


def pod(words: PodWords) -> Pod:
    ports = [] if words.http is None else [{"containerPort": words.http, "name": "http"}]
    raw = {
        "metadata": {"name": words.name, "namespace": words.namespace, "labels": words.labels},
        "spec": {"hostNetwork": words.host_network, "containers": [{"name": "app", "ports": ports}]},
        "status": {"phase": words.phase, "podIP": address_of(words)},
    }
    return msgspec.json.decode(msgspec.json.encode(raw), type=Pod)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Pod], list[Namespace]]:
    words = draw(st.lists(pod_words, max_size=8, unique_by=lambda w: (w.namespace, w.name)))
    namespaces = [Namespace(ObjectMeta(name=n, labels=draw(labels))) for n in NAMESPACES]
    return [pod(w) for w in words], namespaces


cidrs = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.2/32", "172.16.0.0/12"])


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, object]:
    cidr = draw(cidrs)
    inside = [c for c in ("10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.2/32") if _within(c, cidr)]
    holes = draw(st.lists(st.sampled_from(inside), max_size=2, unique=True)) if inside else []
    return {"ipBlock": {"cidr": cidr, "except": holes}}


def _within(inner: str, outer: str) -> bool:
    a, b = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    return isinstance(a, ipaddress.IPv4Network) and isinstance(b, ipaddress.IPv4Network) and a != b and a.subnet_of(b)


peers = st.one_of(
    blocks(),
    st.builds(lambda s: {"podSelector": msgspec.to_builtins(s)}, selectors),
    st.builds(lambda s: {"namespaceSelector": msgspec.to_builtins(s)}, selectors),
    st.builds(
        lambda p, n: {"podSelector": msgspec.to_builtins(p), "namespaceSelector": msgspec.to_builtins(n)}, selectors, selectors
    ),
)
ports = st.one_of(
    st.builds(lambda n, p: {"port": n, "protocol": p}, st.integers(79, 82), st.sampled_from(["TCP", "UDP"])),
    st.builds(lambda n: {"port": n, "endPort": n + 2, "protocol": "TCP"}, st.integers(79, 81)),
    st.just({"protocol": "TCP"}),
    st.just({"port": "http", "protocol": "TCP"}),
)
ingress_rules = st.fixed_dictionaries({"from": st.lists(peers, max_size=2), "ports": st.lists(ports, max_size=3)})
egress_rules = st.fixed_dictionaries({"to": st.lists(peers, max_size=2), "ports": st.lists(ports, max_size=3)})


@st.composite
def policies(draw: st.DrawFn) -> NetworkPolicy:
    raw = {
        "metadata": {"name": draw(st.sampled_from(["p", "q", "r"])), "namespace": draw(st.sampled_from(NAMESPACES))},
        "spec": {
            "podSelector": msgspec.to_builtins(draw(selectors)),
            "ingress": draw(st.lists(ingress_rules, max_size=2)),
            "egress": draw(st.lists(egress_rules, max_size=2)),
            "policyTypes": draw(st.sampled_from([[], ["Ingress"], ["Egress"], ["Ingress", "Egress"]])),
        },
    }
    return msgspec.convert(raw, NetworkPolicy)


def universe_of(cluster: tuple[list[Pod], list[Namespace]]) -> Universe:
    return build(*cluster)


def pods_in(universe: Universe, classes: int) -> set[tuple[str, str]]:
    return {(p.namespace, p.name) for c in universe.members(classes) for p in c.pods}


# --- the agent, the slow way ------------------------------------------------------------------------------------------

Slots = set[tuple[str, int, int]]


@dataclass
class Resolved:
    """One entry of a PolicyEndpoint: a block or the address of one pod, and its ports."""

    cidr: str
    excepts: list[str]
    slots: Slots


def number(port: PolicyPort, where: Pod) -> int | None:
    """Look a port up on one pod, as the controller does."""
    if isinstance(port.port, int):
        return port.port
    for container in where.containers:
        for declared in container.ports:
            if (declared.name, declared.protocol) == (port.port, port.protocol):
                return declared.container_port
    return None


def slot(port: PolicyPort, resolved: int) -> tuple[str, int, int]:
    return (port.protocol, resolved, port.end_port or resolved)


def slots_on(ports: Iterable[PolicyPort], on: Iterable[Pod]) -> Slots:
    found: Slots = set()
    for port in ports:
        if port.port is None:
            found.add((port.protocol, 0, 0))
        elif isinstance(port.port, int):
            found.add(slot(port, port.port))
        else:
            found |= {slot(port, n) for p in on if (n := number(port, p)) is not None}
    return found


def is_peer(policy: NetworkPolicy, peer: PolicyPeer, candidate: Pod, namespaces: dict[str, dict[str, str]]) -> bool:
    if peer.pod_selector is None and peer.namespace_selector is None:
        return False
    if candidate.status.phase in {"Succeeded", "Failed"}:
        return False
    if peer.namespace_selector is None:
        if candidate.namespace != policy.namespace:
            return False
    elif not peer.namespace_selector.matches(namespaces[candidate.namespace]):
        return False
    return peer.pod_selector is None or peer.pod_selector.matches(dict(candidate.labels))


def resolve(policy: NetworkPolicy, direction: str, pods: list[Pod], namespaces: dict[str, dict[str, str]]) -> list[Resolved]:
    """Resolve one policy as the controller does, for pods alone: Services are left out."""
    found = []
    mine = [p for p in pods if selects(policy, p) and p.status.phase not in {"Succeeded", "Failed"}]
    rules = policy.spec.ingress if direction == "Ingress" else policy.spec.egress
    for rule in rules:
        everything: Slots = {("", 0, 0)}
        plain = [p for p in rule.ports if not isinstance(p.port, str)]
        shared = slots_on(rule.ports, mine) if direction == "Ingress" else slots_on(plain, [])
        shared = shared if rule.ports else everything
        if not rule.peers and shared:
            found.append(Resolved("0.0.0.0/0", [], shared))
        for peer in rule.peers:
            if peer.ip_block is not None:
                if shared:
                    found.append(Resolved(peer.ip_block.cidr, list(peer.ip_block.except_), shared))
                continue
            for candidate in pods:
                if is_peer(policy, peer, candidate, namespaces):
                    own = shared if direction == "Ingress" or not rule.ports else slots_on(rule.ports, [candidate])
                    if own:
                        found.append(Resolved(f"{candidate.status.pod_ip}/32", [], own))
    return found


def selects(policy: NetworkPolicy, candidate: Pod) -> bool:
    return policy.namespace == candidate.namespace and policy.spec.pod_selector.matches(dict(candidate.labels))


def agent_map(entries: list[Resolved]) -> tuple[dict[str, Slots], set[str]]:
    """Compile entries as the agent does: widest first, entries of equal blocks united, narrower ones taking over."""
    compiled: dict[str, Slots] = {}
    excepts: dict[str, set[str]] = {}
    for e in entries:
        excepts.setdefault(e.cidr, set()).update(e.excepts)
    for cidr in sorted(excepts, key=lambda c: int(c.split("/")[1])):
        own: Slots = set()
        for e in entries:
            if e.cidr == cidr:
                own |= e.slots
        first = ipaddress.ip_address(cidr.split("/")[0])
        for wider, slots in list(compiled.items()):
            narrower = int(wider.split("/")[1]) < int(cidr.split("/")[1])
            excepted = any(first in ipaddress.ip_network(x) for x in excepts[wider])
            if narrower and first in ipaddress.ip_network(wider) and not excepted:
                own |= slots
        compiled[cidr] = own
    denied = {x for holes in excepts.values() for x in holes if x not in compiled}
    return compiled, denied


def verdict(entries: list[Resolved], address: str, protocol: str, port: int) -> bool:
    """Say whether the agent lets a packet through: the longest prefix alone speaks."""
    compiled, denied = agent_map(entries)
    ip = ipaddress.ip_address(address)
    around = [c for c in {*compiled, *denied} if ip in ipaddress.ip_network(c)]
    if not around:
        return False
    longest = max(around, key=lambda c: int(c.split("/")[1]))
    return any(
        said in {"", protocol} and (low in {0, port} or low < port <= high)
        for said, low, high in compiled.get(longest, ())
    )


# --- clusters where much comes together -------------------------------------------------------------------------------

_busy_words = st.builds(
    PodWords,
    st.just("shop"),
    st.sampled_from(["db-0", "db-1", "db-2", "web-0", "solo"]),
    st.sampled_from([{"app": "a"}, {"app": "b"}]),
    st.sampled_from(NODES),
    st.sampled_from([False, False, False, True]),
    st.just("Running"),
    st.sampled_from([None, 80, 8080]),
)
_busy_selectors = st.sampled_from([{}, {}, {"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}])
_busy_peers = st.one_of(blocks(), blocks(), st.builds(lambda s: {"podSelector": s}, _busy_selectors))
_busy_rules = st.tuples(st.lists(_busy_peers, min_size=1, max_size=2), st.lists(ports, max_size=3))


@st.composite
def busy_clusters(draw: st.DrawFn) -> tuple[list[Pod], list[Namespace]]:
    words = draw(st.lists(_busy_words, min_size=1, max_size=5, unique_by=lambda w: w.name))
    return [pod(w) for w in words], [Namespace(ObjectMeta(name="shop"))]


@st.composite
def busy_policies(draw: st.DrawFn, key: str) -> NetworkPolicy:
    field = {"ingress": "from", "egress": "to"}[key]
    rules = draw(st.lists(_busy_rules, min_size=1, max_size=3))
    raw = {
        "metadata": {"name": draw(st.sampled_from(["p", "q", "r"])), "namespace": "shop"},
        "spec": {
            "podSelector": draw(_busy_selectors),
            key: [{field: there, "ports": opened} for there, opened in rules],
            "policyTypes": ["Ingress", "Egress"],
        },
    }
    return msgspec.convert(raw, NetworkPolicy)
