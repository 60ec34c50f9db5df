"""Small clusters with Cilium's policies as users write them, made up at random: sections, denials, peers of every sort, ports."""

from __future__ import annotations

import random
from typing import Any, TypeVar

from tests.migration.plain_cilium import ACCOUNT, SPACE, SPACE_LABELS
from tests.migration.random_calico import Calico

Json = dict[str, Any]
T = TypeVar("T")

OUTSIDE = ("192.0.2.10", "203.0.113.5", "10.0.9.9")
BLOCKS = ("192.0.2.0/24", "203.0.113.0/24", "0.0.0.0/0", "10.0.0.0/16", "203.0.113.5/32")
ENTITIES = ("all", "world", "cluster", "host", "remote-node")


class Cilium:
    """Makes up one cluster, and policies for it."""

    def __init__(self, number: int) -> None:
        self.ground = Calico(number)
        self.chance = random.Random(number + 1)  # noqa: S311 - nothing depends on nobody guessing it

    def cluster(self, nodes: dict[str, str]) -> Json:
        """Return a cluster as `tests/data/verdicts` has them for Cilium."""
        return self.ground.cluster() | {"nodes": [{"name": name, "ip": ip} for name, ip in nodes.items()]}

    def objects(self) -> list[Json]:
        """Return policies, and perhaps a NetworkPolicy and a group of blocks among them."""
        found = [self._policy(f"p{number}") for number in range(self._one(1, 1, 2, 3))]
        if self._maybe(0.3):
            found.append(self.ground.standard())
        group = {"apiVersion": "cilium.io/v2", "kind": "CiliumCIDRGroup", "metadata": {"name": "g", "labels": {"kind": "a"}}}
        return [*found, group | {"spec": {"externalCIDRs": ["203.0.113.0/24"]}}]

    def _one(self, *choices: T) -> T:
        return self.chance.choice(choices)

    def _maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def _policy(self, name: str) -> Json:
        space = self._one("", "alpha", "alpha", "beta")
        kind = "CiliumNetworkPolicy" if space else "CiliumClusterwideNetworkPolicy"
        meta = {"name": name} | ({"namespace": space} if space else {})
        one: Json = {"apiVersion": "cilium.io/v2", "kind": kind, "metadata": meta}
        if self._maybe(0.1):
            return one | {"specs": [self._spec(), self._spec()]}
        return one | {"spec": self._spec()}

    def _spec(self) -> Json:
        spec: Json = {"endpointSelector": self._selector(0.3)}
        for section, share in (("ingress", 0.6), ("egress", 0.5), ("ingressDeny", 0.2), ("egressDeny", 0.2)):
            if self._maybe(share):
                spec[section] = [self._rule(section) for _ in range(self._one(1, 1, 2))]
        if not {"ingress", "egress", "ingressDeny", "egressDeny"} & set(spec):
            spec["ingress"] = [{}]
        if self._maybe(0.15):
            spec["enableDefaultDeny"] = {self._one("ingress", "egress"): self._maybe(0.5)}
        return spec

    def _rule(self, section: str) -> Json:
        way = "from" if section.startswith("ingress") else "to"
        rule: Json = {}
        kind = self._one("none", "endpoints", "endpoints", "endpoints", "cidr", "set", "entities", "nobody")
        if kind == "endpoints":
            rule[f"{way}Endpoints"] = [self._selector(0.1, peer=True) for _ in range(self._one(1, 1, 2))]
        elif kind == "cidr":
            rule[f"{way}CIDR"] = [self._one(*BLOCKS)]
        elif kind == "set":
            entry: Json = self._one(
                {"cidr": "203.0.113.0/24"}, {"cidr": "0.0.0.0/0"}, {"cidrGroupRef": "g"}, {"cidrGroupSelector": self._of_groups()}
            )
            rule[f"{way}CIDRSet"] = [entry | ({"except": ["203.0.113.0/28"]} if self._maybe(0.3) else {})]
        elif kind == "entities":
            rule[f"{way}Entities"] = [self._one(*ENTITIES)]
        elif kind == "nobody":
            rule[f"{way}Endpoints"] = []
        if self._maybe(0.04):
            rule["toPorts"] = self._one([{}], [{"ports": []}], [])
        elif self._maybe(0.5):
            rule["toPorts"] = [{"ports": [self._port() for _ in range(self._one(1, 1, 2))]}]
        elif self._maybe(0.15):
            rule["icmps"] = [{"fields": [{"type": self._one(8, 3, 0)}]}]
        return rule

    def _of_groups(self) -> Json:
        asked = self._one(("In", ["a"]), ("NotIn", ["a"]), ("NotIn", ["b"]), ("Exists", []), ("DoesNotExist", []))
        expression = {"key": "kind", "operator": asked[0]} | ({"values": asked[1]} if asked[1] else {})
        return self._one({}, {"matchLabels": {"kind": "a"}}, {"matchExpressions": [expression]})

    def _port(self) -> Json:
        port: Json = {"port": self._one("80", "443", "http", "0", "8000")}
        if self._maybe(0.8):
            port["protocol"] = self._one("TCP", "TCP", "UDP", "SCTP", "ANY")
        if port["port"] == "8000":
            port["endPort"] = 8100
        return port

    def _selector(self, everybody: float, *, peer: bool = False) -> Json:
        if self._maybe(everybody):
            return {}
        keys = ["app", "tier", "k8s:app", "any:tier"]
        if peer:
            keys += [f"k8s:{SPACE}", f"k8s:{SPACE_LABELS}app", f"k8s:{ACCOUNT}"]
        key = self._one(*keys)
        value = "beta" if key.removeprefix("k8s:") == SPACE else "robot" if key.endswith(ACCOUNT) else self._one("a", "b")
        if peer and self._maybe(0.03):
            # Everybody but the nodes, and that of everybody of the cluster.
            return {"matchExpressions": [{"key": "reserved:host", "operator": "DoesNotExist"}]}
        if self._maybe(0.6):
            return {"matchLabels": {key: value} | ({"tier": "a"} if "tier" not in key and self._maybe(0.2) else {})}
        operator = self._one("In", "NotIn", "Exists", "DoesNotExist")
        listed = {"values": [value]} if operator in {"In", "NotIn"} else {}
        return {"matchExpressions": [{"key": key, "operator": operator, **listed}]}
