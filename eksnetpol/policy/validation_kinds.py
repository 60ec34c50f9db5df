"""The shapes of the policy kinds.

NetworkPolicy is as its Go type says (k8s.io/api, networking/v1). The others are as their CustomResourceDefinitions say:
aws/amazon-network-policy-controller-k8s, config/crd/bases, and kubernetes-sigs/network-policy-api, config/crd. Those take many a
CIDR, port name or selector that NetworkPolicy refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eksnetpol.policy.validation_shapes import Listing, Open, Record, Shape, Text, Texts, Whole, WholeOrText

AWS = "networking.k8s.aws"
UPSTREAM = "policy.networking.k8s.io"
STANDARD = "networking.k8s.io"

_DOMAIN = r"\A(\*\.)?([a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?\Z"
_PORT = Whole(1, 65535)
_TEXTS = Listing(Text())


def _texts_of(*names: str) -> Mapping[str, Shape]:
    return dict.fromkeys(names, Text())


METADATA = Record(
    {
        **_texts_of("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "creationTimestamp"),
        **_texts_of("deletionTimestamp"),
        "generation": Open(),
        "deletionGracePeriodSeconds": Open(),
        "labels": Texts(),
        "annotations": Texts(),
        "ownerReferences": Listing(Open()),
        "finalizers": _TEXTS,
        "managedFields": Open(),
    }
)


def _selector(*, custom: bool) -> Record:
    requirement = Record({**_texts_of("key", "operator"), "values": _TEXTS}, ("key", "operator") if custom else ())
    return Record({"matchLabels": Texts(), "matchExpressions": Listing(requirement)})


def _kind(spec: Shape, *, status: bool = True) -> Record:
    members = {**_texts_of("apiVersion", "kind"), "metadata": METADATA, "spec": spec}
    return Record({**members, "status": Open()} if status else members)


# --- NetworkPolicy and ApplicationNetworkPolicy -----------------------------------------------------------------------


def _namespaced_spec(*, custom: bool) -> Record:
    selector = _selector(custom=custom)
    block = Record({"cidr": Text(), "except": _TEXTS}, ("cidr",) if custom else ())
    peer = {"podSelector": selector, "namespaceSelector": selector, "ipBlock": block}
    domains = {"domainNames": Listing(Text(pattern=_DOMAIN), 1)} if custom else {}
    ports = Listing(Record({"protocol": Text(), "port": WholeOrText(), "endPort": Whole()}))
    return Record(
        {
            "podSelector": selector,
            "ingress": Listing(Record({"ports": ports, "from": Listing(Record(peer))})),
            "egress": Listing(Record({"ports": ports, "to": Listing(Record({**peer, **domains}))})),
            "policyTypes": _TEXTS,
        },
        ("podSelector",) if custom else (),
    )


# --- policies of the whole cluster ------------------------------------------------------------------------------------

_SELECTOR = _selector(custom=True)


def _one_of(**members: Shape) -> Record:
    return Record(members, fewest=1, most=1)


def _cluster_spec(
    *,
    ports: Mapping[str, Shape],
    pods: Record,
    actions: tuple[str, ...],
    outside: Mapping[str, Shape],
    head: Mapping[str, Shape],
    most: tuple[int, int, int],
) -> Record:
    peer = {"namespaces": _SELECTOR, "pods": pods}
    rules, peers, _ = most

    def rule(name: str, members: Mapping[str, Shape]) -> Listing:
        of = Record(
            {"name": Text(longest=100), "action": Text(actions), name: Listing(_one_of(**members), 1, peers), **ports},
            ("action", name),
        )
        return Listing(of, most=rules)

    return Record(
        {
            **head,
            "subject": _one_of(**peer),
            "ingress": rule("from", peer),
            "egress": rule("to", {**peer, **outside}),
        },
        (*head, "subject"),
    )


def _ports(*, fewest: int, exactly_one: bool) -> Mapping[str, Shape]:
    number = Record({"port": _PORT, "protocol": Text()}, ("port",))
    between = Record({"start": _PORT, "end": _PORT, "protocol": Text()}, ("start", "end"))
    members: Mapping[str, Shape] = {"portNumber": number, "portRange": between, "namedPort": Text()}
    return {"ports": Listing(_one_of(**members) if exactly_one else Record(members), fewest, 100)}


def _protocols() -> Mapping[str, Shape]:
    between = Record({"start": _PORT, "end": _PORT}, ("start", "end"))
    transport = Record({"destinationPort": _one_of(number=_PORT, range=between)}, fewest=1)
    one: Any = _one_of(tcp=transport, udp=transport, sctp=transport, destinationNamedPort=Text())
    return {"protocols": Listing(one, 1, 25)}


_NETWORKS = Listing(Text(longest=43), 1, 25, unique=True)
_DOMAINS = Listing(Text(pattern=_DOMAIN), 1, 25, unique=True)
_BOTH_SELECTORS = {"podSelector": _SELECTOR, "namespaceSelector": _SELECTOR}
_TIERED: Mapping[str, Shape] = {"priority": Whole(0, 1000), "tier": Text(("Admin", "Baseline"))}
_OUTSIDE: Mapping[str, Shape] = {"networks": _NETWORKS, "domainNames": _DOMAINS}
_V1ALPHA1: Mapping[str, Any] = {
    "ports": _ports(fewest=0, exactly_one=True),
    "pods": Record(_BOTH_SELECTORS, ("podSelector", "namespaceSelector")),
    # Their lists became sets only later, so that some releases of the definitions take an element twice.
    "outside": {"networks": replace(_NETWORKS, unique=False), "domainNames": replace(_DOMAINS, unique=False), "nodes": _SELECTOR},
    "most": (100, 100, 100),
}

KINDS: Mapping[tuple[str, str], Record] = {
    # Its status was taken out in Kubernetes 1.28; what older servers printed is not refused here.
    (STANDARD, "NetworkPolicy"): _kind(_namespaced_spec(custom=False)),
    (AWS, "ApplicationNetworkPolicy"): _kind(_namespaced_spec(custom=True)),
    (AWS, "ClusterNetworkPolicy"): _kind(
        _cluster_spec(
            ports=_ports(fewest=1, exactly_one=False),
            pods=Record(_BOTH_SELECTORS, ("podSelector", "namespaceSelector")),
            actions=("Accept", "Deny", "Pass"),
            outside=_OUTSIDE,
            head=_TIERED,
            most=(100, 100, 100),
        )
    ),
    (UPSTREAM, "ClusterNetworkPolicy"): _kind(
        _cluster_spec(
            ports=_protocols(),
            pods=Record(_BOTH_SELECTORS, ("podSelector",)),
            actions=("Accept", "Deny", "Pass"),
            outside={**_OUTSIDE, "nodes": _SELECTOR},
            head=_TIERED,
            most=(25, 25, 25),
        )
    ),
    (UPSTREAM, "AdminNetworkPolicy"): _kind(
        _cluster_spec(actions=("Allow", "Deny", "Pass"), head={"priority": Whole(0, 1000)}, **_V1ALPHA1)
    ),
    (UPSTREAM, "BaselineAdminNetworkPolicy"): _kind(_cluster_spec(actions=("Allow", "Deny"), head={}, **_V1ALPHA1)),
}
"""By group and kind."""
