"""Random policies, tiers and groups of Antrea over random small clusters."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from eksnetpol.policy.world import World
from tests.policy.oracle.plain import Packet
from tests.policy.oracle.strategies import NAMESPACES, Case, _Maker, draw

Json = dict[str, Any]
VERSION = "crd.antrea.io/v1beta1"
TIERS = ("emergency", "application", "", "", "custom", "baseline")


@dataclass(frozen=True)
class Drawn:
    """A cluster, and objects of Antrea."""

    case: Case
    world: World
    objects: tuple[Json, ...]
    packets: tuple[Packet, ...]


def drawn(number: int) -> Drawn:
    """Return the cluster and objects that follow from *number*."""
    case = draw(number, upstream=False)
    chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it
    pods = [{**p, "spec": {**p["spec"], "serviceAccountName": chance.choice(("", "web"))}} for p in case.objects["pods"]]
    nodes = [
        {**n, "status": {"addresses": [{"address": address}]}}
        for n, address in zip(case.objects["nodes"], case.family.nodes, strict=True)
    ]
    few = case.objects["network_policies"][:2]
    case = replace(case, objects={**case.objects, "pods": pods, "nodes": nodes, "network_policies": few})
    world = replace(case.world, application_policies=(), cluster_policies=())
    return Drawn(case, world, tuple(_Antrea(chance, case).objects()), (*case.packets, Packet("OTHER", 2)))


class _Antrea(_Maker):
    def __init__(self, chance: random.Random, case: Case) -> None:
        super().__init__(chance, case.family)
        self.case_ = case

    def objects(self) -> list[Json]:
        found = [one("Tier", "custom", {"priority": 120})]
        for name in ("one", "two"):
            found.append(one("ClusterGroup", name, self.group("")))
            found += [one("Group", name, self.group(namespace), namespace) for namespace in NAMESPACES]
        nest = {"childGroups": self.chance.sample(("one", "two"), self.one(1, 2))}
        found += [one("ClusterGroup", "both", nest), *(one("Group", "both", nest, n) for n in NAMESPACES)]
        return [*found, *(self.antrea_policy(i) for i in range(self.one(1, 2, 3, 4)))]

    def group(self, namespace: str) -> Json:
        match self.one("pods", "pods", "blocks", "service"):
            case "pods":
                return self.selecting(namespaces=not namespace)
            case "blocks":
                return {"ipBlocks": [self.block()]}
            case _:
                where = {"namespace": namespace or self.one(*NAMESPACES)}
                return {"serviceReference": {"name": self.one("s0", "s1"), **where}}

    def selecting(self, *, namespaces: bool) -> Json:
        found = {}
        if namespaces and self.chance.random() < 0.6:
            found["namespaceSelector"] = self.namespace_selector()
        if not found or self.chance.random() < 0.5:
            found["podSelector"] = self.selector()
        return found

    def applied_to(self, namespace: str, *, groups: bool) -> Json:
        if groups and self.chance.random() < 0.2:
            return {"group": self.one("one", "two", "both")}
        if not namespace and self.chance.random() < 0.15:
            return {"serviceAccount": {"name": self.one("web", "default"), "namespace": self.one(*NAMESPACES)}}
        return self.selecting(namespaces=not namespace)

    def antrea_peer(self, namespace: str, *, outward: bool) -> Json:  # noqa: PLR0911 - one line per kind
        kinds = ["pods", "pods", "block", "block", "group", "node", *([] if namespace else ["self", "labels", "account"])]
        match self.one(*kinds, *(["fqdn"] if outward else [])):
            case "pods":
                return self.selecting(namespaces=True)
            case "block":
                return {"ipBlock": self.block()}
            case "group":
                return {"group": self.one("one", "two", "both", "none")}
            case "node":
                return {"nodeSelector": self.selector()}
            case "self":
                return {"namespaces": {"match": "Self"}, **self.one({}, {"podSelector": self.selector()})}
            case "labels":
                return {"namespaces": {"sameLabels": self.one(["app"], ["app", "tier"])}}
            case "account":
                return {"serviceAccount": {"name": self.one("web", "default"), "namespace": self.one(*NAMESPACES)}}
            case _:
                return {"fqdn": "*.example.org"}

    def antrea_port(self) -> Json:
        port = self.policy_port()
        if self.chance.random() < 0.15:
            port |= {"sourcePort": 1024, **self.one({}, {"sourceEndPort": 2000})}
        return port

    def antrea_rule(self, namespace: str, tier: str, *, outward: bool) -> Json:
        rule: Json = {"action": self.one("Allow", "Allow", "Drop", "Drop", "Reject", *([] if tier == "baseline" else ["Pass"]))}
        if outward and self.chance.random() < 0.1:
            return {**rule, "toServices": [{"name": self.one("s0", "s1"), "namespace": self.one(*NAMESPACES)}]}
        if self.chance.random() < 0.75:
            peers = [self.antrea_peer(namespace, outward=outward) for _ in range(self.one(1, 1, 2))]
            rule["to" if outward else "from"] = peers
        if self.chance.random() < 0.5:
            rule["ports"] = [self.antrea_port() for _ in range(self.one(1, 1, 2))]
        if self.chance.random() < 0.15:
            rule["protocols"] = [{"icmp": self.one({}, {"icmpType": 8}, {"icmpType": 8, "icmpCode": 0}, {"icmpCode": 0})}]
        if len(rule) == 1 and rule["action"] in {"Allow", "Drop"} and self.chance.random() < 0.2:
            rule["protocols"] = [{"igmp": self.one({}, {"igmpType": 18 if outward else 17})}]
        return rule

    def antrea_policy(self, number: int) -> Json:
        namespace, tier = self.one("", "", *NAMESPACES), self.one(*TIERS)
        spec: Json = {"priority": self.one(1, 1, 5, 5.5), **({"tier": tier} if tier else {})}
        for key in ("ingress", "egress"):
            spec[key] = [self.antrea_rule(namespace, tier, outward=key == "egress") for _ in range(self.one(0, 1, 1, 2, 3))]
        rules = [*spec["ingress"], *spec["egress"]]
        in_common = [p for rule in rules for p in (*rule.get("from", []), *rule.get("to", [])) if "namespaces" in p]
        # What a group in appliedTo means beside `namespaces` is not known, and neither a Group of other namespaces' pods.
        if rules and self.chance.random() < 0.3:
            for rule in rules:
                rule["appliedTo"] = [self.applied_to(namespace, groups=not in_common)]
        else:
            spec["appliedTo"] = [self.applied_to(namespace, groups=not in_common) for _ in range(self.one(1, 1, 2))]
        return one("NetworkPolicy" if namespace else "ClusterNetworkPolicy", f"p{number}", spec, namespace)


def one(kind: str, name: str, spec: Json, namespace: str = "") -> Json:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": VERSION, "kind": kind, "metadata": meta, "spec": spec}
