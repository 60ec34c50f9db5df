"""A small shop: two namespaces, a Service, a few policies, everything with an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from eksnetpol.model.kubernetes import Namespace, Node, Pod, Service
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.engine import SetEngine, build_engine
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.world import World
from tests import builders

KUBERNETES, VPC_CNI = Profile(Semantics.KUBERNETES), Profile(Semantics.VPC_CNI)


def _pods() -> list[dict[str, Any]]:
    def of(name: str, kind: str, ip: str, number: int, **more: Any) -> dict[str, Any]:
        owner = f"ReplicaSet/{name}-5d4f" if kind == "Deployment" else f"{kind}/{name}"
        full = f"{name}-5d4f-{'abcdef'[number]}" if kind == "Deployment" else f"{name}-{number}"
        labels = {"app": name} | ({"pod-template-hash": "5d4f"} if kind == "Deployment" else {})
        node = "ab"[number % 2]
        address = {"node": f"node-{node}", "host_ip": f"10.0.0.{1 + number % 2}"}
        return {"name": full, "labels": labels, "owner": owner, "ip": ip, **address, **more}

    http = [{"containers": [{"ports": [{"name": "http", "containerPort": n}]}]} for n in (8080, 9090)]
    return [
        of("web", "Deployment", "10.0.1.1", 0, **http[0]),
        of("web", "Deployment", "10.0.1.2", 1, **http[0]),
        of("api", "Deployment", "10.0.2.1", 0, **http[0]),
        of("api", "Deployment", "10.0.2.2", 1, **http[0]),
        of("db", "StatefulSet", "10.0.3.1", 0, ports=[5432]),
        of("cache", "DaemonSet", "10.0.0.1", 0, host_network=True),
        {"name": "mixed-x", "labels": {"app": "mixed"}, "owner": "ReplicaSet/mixed", "ip": "10.0.4.1", **http[0]},
        {"name": "mixed-y", "labels": {"app": "mixed"}, "owner": "ReplicaSet/mixed", "ip": "10.0.4.2", **http[1]},
        {"name": "solo", "labels": {"app": "solo"}, "owner": None, "ip": "10.0.5.1"},
        {"name": "done", "labels": {"app": "job"}, "owner": "Job/job", "ip": "10.0.5.2", "phase": "Succeeded"},
        {"name": "twin", "labels": {"app": "twin"}, "owner": "Deployment/other", "ip": "10.0.6.1"},
        {"name": "t-1", "labels": {"app": "t"}, "owner": "StatefulSet/twin", "ip": "10.0.6.2"},
        {"name": "api-0", "namespace": "bank", "labels": {"app": "api"}, "owner": "StatefulSet/api", "ip": "10.0.7.1"},
    ]


SERVICES: list[dict[str, Any]] = [
    {"name": "api", "selector": {"app": "api"}, "ip": "10.100.0.7", "ports": [{"port": 80, "targetPort": "http", "name": "web"}]},
    {"name": "silent", "selector": {"app": "db"}, "ip": "None", "ports": [5432]},
]

POLICIES: list[dict[str, Any]] = [
    {"name": "api", "pods": {"app": "api"}, "types": ["Ingress"],
     "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 8080, "protocol": "TCP"}]}]},
    {"name": "db", "pods": {"app": "db"}, "types": ["Ingress"],
     "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 5432, "protocol": "TCP"}]},
                 {"from": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}}],
                  "ports": [{"port": 5432, "protocol": "TCP"}]}]},
    {"name": "web", "pods": {"app": "web"}, "types": ["Egress"],
     "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "api"}}}]}, {"to": [{"ipBlock": {"cidr": "198.18.0.0/15"}}]}]},
]  # fmt: skip


def world(policies: Sequence[dict[str, Any]] = POLICIES, **more: Any) -> World:
    """The shop under *policies*, as the builders take them."""
    made = World(
        pods=tuple(_as(Pod, builders.pod(p)) for p in _pods()),
        namespaces=tuple(_as(Namespace, builders.namespace(n)) for n in ("shop", "bank")),
        services=tuple(_as(Service, builders.service(dict(s))) for s in SERVICES),
        nodes=tuple(_as(Node, builders.node({"name": f"node-{n}", "ip": f"10.0.0.{i}"})) for i, n in enumerate("ab", 1)),
        network_policies=tuple(_as(NetworkPolicy, builders.policy(dict(p))) for p in policies),
        family="ipv4",
    )
    return replace(made, **more)


def engine(profile: Profile = VPC_CNI, policies: Sequence[dict[str, Any]] = POLICIES) -> SetEngine:
    """An engine for the shop."""
    return build_engine(world(policies), profile)


def _as(kind: Any, raw: dict[str, Any]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(raw), type=kind)
