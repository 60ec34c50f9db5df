"""Objects of Calico for tests, and the cluster that they are in."""

from __future__ import annotations

from typing import Any

import msgspec

from eksnetpol.engines.calico.read import read
from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.policy.stacks.rules import Stack, StackPolicy, StackRule
from eksnetpol.policy.world import World

Json = dict[str, Any]


def pod(name: str, namespace: str = "shop", ip: str = "10.0.0.10", ports: list[Json] | None = None, **spec: Any) -> Pod:
    body = {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "ports": ports or []}], **spec},
        "status": {"podIP": ip, "hostIP": "198.51.100.1"} if ip else {},
    }
    return msgspec.json.decode(msgspec.json.encode(body), type=Pod)


def http(number: int) -> list[Json]:
    return [{"name": "http", "containerPort": number}]


WORLD = World(
    pods=(
        pod("web", ports=http(8080)),
        pod("api", ip="10.0.0.11", ports=http(80)),
        pod("db", "bank", "10.0.1.10"),
    ),
    namespaces=msgspec.convert(
        [{"metadata": {"name": "shop", "labels": {"env": "prod"}}}, {"metadata": {"name": "bank"}}], tuple[Namespace, ...]
    ),
)


def made(kind: str = "NetworkPolicy", name: str = "p", version: str = "projectcalico.org/v3", **spec: Any) -> Json:
    meta = {"name": name} | ({"namespace": "shop"} if kind in {"NetworkPolicy", "NetworkSet"} else {})
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def ingress(**rule: Any) -> Json:
    return made(ingress=[{"action": "Allow", **rule}])


def to_service(name: Any = "api") -> Json:
    return made(egress=[{"action": "Allow", "destination": {"services": {"name": name}}}])


def policies(stack: Stack) -> list[StackPolicy]:
    return [policy for tier in stack.tiers for policy in tier.policies]


def one_policy(body: Json, world: World = WORLD, **more: Any) -> StackPolicy:
    stack = read([body], (), world, **more)
    assert not stack.refused, stack.refused
    assert not stack.unread, stack.unread
    (found,) = policies(stack)
    return found


def one_rule(body: Json, world: World = WORLD, **more: Any) -> StackRule:
    (found,) = one_policy(body, world, **more).rules
    return found
