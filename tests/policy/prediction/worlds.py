"""Small random clusters and policies in the API's own JSON, biased to the edges of what the controller does."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, Pod, Service
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.world import World

Json = dict[str, Any]

NAMESPACES = ("shop", "bank", "empty")
KEYS = ("app", "tier")
VALUES = ("a", "b")
NAMES = ("http", "admin")
NUMBERS = (80, 81, 8080, 8081)
NODES = ("10.0.9.1", "10.0.9.2")

labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=2)
protocols = st.sampled_from(["TCP", "TCP", "TCP", "UDP", "SCTP"])


def without(*nothing: Any, **members: Any) -> Json:
    """Members that are there."""
    return {k: v for k, v in members.items() if v not in (None, *nothing)}


requirements = st.builds(
    lambda key, operator, values: {"key": key, "operator": operator, **({"values": values} if "In" in operator else {})},
    st.sampled_from(KEYS),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=2, unique=True),
)
selectors = st.builds(
    lambda match, more: without({}, [], matchLabels=match, matchExpressions=more), labels, st.lists(requirements, max_size=1)
)
of_namespaces: st.SearchStrategy[Json] = st.one_of(
    st.just({}),
    st.sampled_from(NAMESPACES).map(lambda n: {"matchLabels": {"kubernetes.io/metadata.name": n}}),
    selectors,
)

container_ports = st.builds(
    lambda name, number, protocol: without("", name=name, containerPort=number, protocol=protocol),
    st.sampled_from(["", *NAMES]), st.sampled_from(NUMBERS), st.sampled_from(["TCP", "TCP", "UDP", None]),
)  # fmt: skip
containers = st.lists(st.lists(container_ports, max_size=3).map(lambda p: {"name": "c", "ports": p}), min_size=1, max_size=2)
sidecars = st.lists(
    st.lists(container_ports, max_size=2).map(lambda p: {"name": "i", "restartPolicy": "Always", "ports": p}), max_size=1
)


@st.composite
def pods(draw: st.DrawFn) -> list[Json]:
    made = []
    for number in range(draw(st.integers(0, 6))):
        host = draw(st.sampled_from([False, False, False, True]))
        node = draw(st.sampled_from(NODES))
        address = node if host else f"10.0.0.{number + 1}"
        how = draw(st.sampled_from(["status", "status", "status", "annotation", "none"]))
        phase = draw(st.sampled_from(["Running", "Running", "Running", "Pending", "Unknown", "Succeeded", "Failed"]))
        meta = {"name": f"p-{number}", "namespace": draw(st.sampled_from(NAMESPACES[:2])), "labels": draw(labels)}
        if how == "annotation":
            meta["annotations"] = {"vpc.amazonaws.com/pod-ips": address}
        spec = {"hostNetwork": host, "containers": draw(containers), "initContainers": draw(sidecars)}
        status = {"phase": phase, **({"podIP": address} if how == "status" else {}), "hostIP": node}
        made.append({"metadata": meta, "spec": spec, "status": status})
    return made


service_ports = st.builds(
    lambda number, target, protocol: without(port=number, targetPort=target, protocol=protocol),
    st.sampled_from(NUMBERS), st.sampled_from([None, *NAMES, *NUMBERS]), st.sampled_from(["TCP", "TCP", "UDP", None]),
)  # fmt: skip


@st.composite
def services(draw: st.DrawFn) -> list[Json]:
    made = []
    for number in range(draw(st.integers(0, 4))):
        address = draw(st.sampled_from([f"172.20.0.{number + 1}"] * 4 + ["None", ""]))
        spec = without("", {}, clusterIP=address, selector=draw(st.one_of(labels, st.none())))
        spec["ports"] = draw(st.lists(service_ports, max_size=3))
        meta = {"name": f"s-{number}", "namespace": draw(st.sampled_from(NAMESPACES))}
        made.append({"metadata": meta, "spec": spec})
    return made


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Json], list[Json], list[Json]]:
    """Pods, namespaces, Services."""
    namespaces = [{"metadata": {"name": n, "labels": draw(labels)}} for n in NAMESPACES]
    return draw(pods()), namespaces, draw(services())


@st.composite
def policy_ports(draw: st.DrawFn, *, protocol: bool = True) -> Json:
    number = draw(st.sampled_from([None, *NUMBERS, *NUMBERS, *NAMES, *NAMES]))
    end = draw(st.sampled_from([None, None, 81, 8090])) if isinstance(number, int) else None
    if isinstance(end, int) and isinstance(number, int) and end < number:
        end = None
    said = draw(protocols) if protocol or draw(st.integers(0, 3)) else None
    return without(port=number, endPort=end, protocol=said)


blocks = st.builds(
    lambda cidr, holes: {"ipBlock": without([], cidr=cidr, **{"except": holes})},
    st.sampled_from(["10.0.0.0/8", "10.0.0.0/16", "0.0.0.0/0", "2001:db8::/32"]),
    st.lists(st.sampled_from(["10.0.1.0/24", "10.0.2.0/24"]), max_size=2, unique=True),
)
by_labels = st.builds(
    lambda pod, namespace: without(podSelector=pod, namespaceSelector=namespace), selectors, st.one_of(of_namespaces, st.none())
)
by_namespace = of_namespaces.map(lambda n: {"namespaceSelector": n})
peers = st.one_of(blocks, by_labels, by_labels, by_namespace)


@st.composite
def rules(draw: st.DrawFn, key: str) -> Json:
    made: Json = {}
    if draw(st.integers(0, 5)):
        made[key] = draw(st.lists(peers, min_size=1, max_size=3))
    if draw(st.integers(0, 3)):
        made["ports"] = draw(st.lists(policy_ports(), min_size=1, max_size=3))
    return made


@st.composite
def network_policies(draw: st.DrawFn) -> Json:
    spec = without(
        [],
        podSelector=draw(selectors),
        ingress=draw(st.lists(rules("from"), max_size=3)),
        egress=draw(st.lists(rules("to"), max_size=3)),
    )
    return {"metadata": {"name": "np", "namespace": draw(st.sampled_from(NAMESPACES)), "uid": "u-1"}, "spec": spec}


@st.composite
def application_policies(draw: st.DrawFn) -> Json:
    domains = st.sampled_from(["example.com", "*.example.org"]).map(lambda d: {"domainNames": [d]})

    def rule(key: str, peer: st.SearchStrategy[Json]) -> Json:
        made: Json = {}
        if draw(st.integers(0, 4)):
            made[key] = draw(st.lists(peer, max_size=3))
        if draw(st.integers(0, 3)):
            made["ports"] = draw(st.lists(policy_ports(protocol=False), min_size=1, max_size=2))
        return made

    spec: Json = {"podSelector": draw(selectors)}
    spec["ingress"] = [rule("from", peers) for _ in range(draw(st.integers(0, 2)))]
    spec["egress"] = [rule("to", st.one_of(peers, domains)) for _ in range(draw(st.integers(0, 2)))]
    types = draw(st.lists(st.sampled_from(["Ingress", "Egress"]), max_size=2, unique=True))
    if types:
        spec["policyTypes"] = types
    return {"metadata": {"name": "anp", "namespace": draw(st.sampled_from(NAMESPACES))}, "spec": spec}


cluster_ports = st.one_of(
    st.builds(lambda p, n: {"portNumber": {"protocol": p, "port": n}}, protocols, st.sampled_from([*NUMBERS, 55296, 55297])),
    st.builds(lambda p, e: {"portRange": {"protocol": p, "start": 80, "end": e}}, protocols, st.sampled_from([81, 90])),
)
cluster_peers = st.one_of(
    of_namespaces.map(lambda n: {"namespaces": n}),
    st.builds(lambda n, p: {"pods": {"namespaceSelector": n, "podSelector": p}}, of_namespaces, selectors),
)
outward = st.one_of(
    cluster_peers,
    st.sampled_from(["10.0.0.0/8", "10.0.0.0/16", "not-a-cidr"]).map(lambda c: {"networks": [c]}),
)


@st.composite
def cluster_policies(draw: st.DrawFn) -> Json:
    def rule(key: str, peer: st.SearchStrategy[Json]) -> Json:
        made: Json = {"action": draw(st.sampled_from(["Accept", "Deny", "Pass"]))}
        made[key] = draw(st.lists(peer, min_size=1, max_size=2))
        if draw(st.integers(0, 2)):
            made["ports"] = draw(st.lists(cluster_ports, min_size=1, max_size=2))
            if not draw(st.integers(0, 7)):
                made["ports"].append({"namedPort": "http"})
        if key == "to" and made["action"] == "Accept" and not draw(st.integers(0, 2)):
            made[key].append({"domainNames": ["example.com"]})
        return made

    spec = {
        "tier": "Admin",
        "priority": 10,
        "subject": draw(cluster_peers),
        "ingress": [rule("from", cluster_peers) for _ in range(draw(st.integers(0, 2)))],
        "egress": [rule("to", outward) for _ in range(draw(st.integers(0, 2)))],
    }
    return {"metadata": {"name": "cnp"}, "spec": spec}


def read(items: list[Json], kind: Any) -> tuple[Any, ...]:
    """Objects as the product has them, decoded as from the wire."""
    return tuple(msgspec.json.decode(msgspec.json.encode(item), type=kind) for item in items)


def world(
    cluster: tuple[list[Json], list[Json], list[Json]],
    network: list[Json] | None = None,
    application: list[Json] | None = None,
    clusterwide: list[Json] | None = None,
) -> World:
    pods_, namespaces, services_ = cluster
    return World(
        pods=read(pods_, Pod),
        namespaces=read(namespaces, Namespace),
        services=read(services_, Service),
        network_policies=read(network or [], NetworkPolicy),
        application_policies=read(application or [], NetworkPolicy),
        cluster_policies=read(clusterwide or [], ClusterNetworkPolicy),
    )
