"""Small clusters made up at random for dialects that know nodes, Services and pods on the host network."""

from __future__ import annotations

import random
from typing import Any, TypeVar

from tests.migration.random_calico import NAMESPACES, Calico

Json = dict[str, Any]
T = TypeVar("T")

NODES = {"n1": "10.0.8.11", "n2": "10.0.8.12"}
OUTSIDE = ("192.0.2.10", "203.0.113.5", "10.0.9.9", "10.0.8.12")
"""Addresses that are no pod's; the last is a node's."""


class Ground:
    """Makes up one cluster, and parts that policies of several dialects have in common."""

    def __init__(self, number: int) -> None:
        self.chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it
        self.calico = Calico(number)

    def one(self, *choices: T) -> T:
        """Return one of some."""
        return self.chance.choice(choices)

    def maybe(self, share: float) -> bool:
        """Say yes in so many cases."""
        return self.chance.random() < share

    def labels(self) -> dict[str, str]:
        """Return labels."""
        return {key: self.one("a", "b") for key in ("app", "tier") if self.maybe(0.6)}

    def cluster(self) -> Json:
        """Return a cluster as `tests/data/verdicts` has them, with Services and labels of nodes, and perhaps host pods."""
        cluster = self.calico.cluster()
        nodes = [{"name": name, "ip": ip, "labels": self.labels()} for name, ip in NODES.items()]
        if self.maybe(0.15):
            host = cluster["pods"][-1]
            host |= {"hostNetwork": True, "ip": NODES[host["node"]]}
        return cluster | {"nodes": nodes, "services": self.services()}

    def services(self) -> list[Json]:
        """Return Services."""
        return [self.service(f"s{number}", space) for number in range(2) for space in NAMESPACES if self.maybe(0.5)]

    def service(self, name: str, space: str) -> Json:
        """Return a Service; perhaps headless, or without a selector."""
        ports = [{"protocol": "TCP", "port": self.one(80, 443), "targetPort": self.one(80, "http")}]
        address = f"172.20.{NAMESPACES.index(space)}.{10 + int(name[1:])}" if self.maybe(0.8) else "None"
        selector = {self.one("app", "tier"): self.one("a", "b")} if self.maybe(0.85) else {}
        return {"namespace": space, "name": name, "clusterIP": address, "selector": selector, "ports": ports}

    def selector(self) -> Json:
        """Return a label selector."""
        key, value = self.one("app", "tier"), self.one("a", "b")
        if self.maybe(0.15):
            return {}
        if self.maybe(0.6):
            return {"matchLabels": {key: value}}
        operator = self.one("In", "NotIn", "NotIn", "Exists", "DoesNotExist")
        values = {"values": self.one(["a"], ["b"], ["a", "b"])} if "In" in operator else {}
        asked = [{"key": key, "operator": operator, **values}]
        return {"matchExpressions": asked} | ({"matchLabels": {"tier": "a"}} if self.maybe(0.2) else {})

    def spaces(self) -> Json:
        """Return a selector of namespaces."""
        by_name = {"matchLabels": {"kubernetes.io/metadata.name": self.one(*NAMESPACES)}}
        return self.one(by_name, self.selector())

    def standard(self) -> Json:
        """Return a NetworkPolicy."""
        return self.calico.standard()
