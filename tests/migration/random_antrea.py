"""Small clusters with Antrea's policies as users write them, made up at random: tiers, ties, groups in groups, all peers."""

from __future__ import annotations

from typing import Any

from tests.migration.random_calico import NAMESPACES, NETS
from tests.migration.random_ground import Ground

Json = dict[str, Any]

SOURCE_PORTS = (40000, 1024)
"""A port of each kind that policies tell apart."""
TIERS = ("emergency", "", "", "application", "mine", "baseline")


class Antrea(Ground):
    """Makes up one cluster, and policies for it."""

    def objects(self) -> list[Json]:
        """Return policies with a tier and groups, and perhaps NetworkPolicies among them."""
        found = [one("Tier", "mine", {"priority": self.one(20, 120)})]
        for name in ("g1", "g2"):
            found.append(one("ClusterGroup", name, self.group("")))
            found += [one("Group", name, self.group(space), space) for space in NAMESPACES if self.maybe(0.7)]
        nest = {"childGroups": self.one(["g1"], ["g1", "g2"])}
        found += [one("ClusterGroup", "nest", nest), *(one("Group", "nest", nest, space) for space in NAMESPACES)]
        found += [self.policy(f"p{number}") for number in range(self.one(1, 1, 2, 3))]
        if self.maybe(0.3):
            found.append(self.standard())
        return _referred_to(found)

    def group(self, space: str) -> Json:
        """Return what a group says."""
        match self.one("pods", "pods", "blocks", "service", *([] if space else ["nodes"])):
            case "pods":
                return self.selecting(far=not space)
            case "blocks":
                return {"ipBlocks": [self.block() for _ in range(self.one(1, 2))]}
            case "nodes":
                return {"nodeSelector": self.selector()}
            case _:
                return {"serviceReference": {"name": self.one("s0", "s1"), "namespace": space or self.one(*NAMESPACES)}}

    def selecting(self, *, far: bool) -> Json:
        """Return selectors of pods, of namespaces, or of both; *far*: namespaces can be selected."""
        found: Json = {}
        if far and self.maybe(0.5):
            found["namespaceSelector"] = self.spaces()
        if not found or self.maybe(0.6):
            found["podSelector"] = self.selector()
        return found

    def block(self) -> Json:
        """Return a block, perhaps with a hole."""
        block: Json = {"cidr": self.one(*NETS, "0.0.0.0/0")}
        if self.maybe(0.2):
            block["except"] = [self.one("203.0.113.0/28", "10.0.1.0/28")]
        return block

    def account(self) -> Json:
        """Return a service account."""
        return {"serviceAccount": {"name": self.one("default", "robot"), "namespace": self.one(*NAMESPACES)}}

    def policy(self, name: str) -> Json:
        """Return a policy of either kind."""
        space, tier = self.one("", "", "alpha", "beta"), self.one(*TIERS)
        spec: Json = {"priority": self.one(1, 5, 5, 5.5)} | ({"tier": tier} if tier else {})
        for direction in ("ingress", "egress"):
            if self.maybe(0.6):
                out = direction == "egress"
                spec[direction] = [self.rule(space, tier, out=out) for _ in range(self.one(1, 1, 2, 3))]
                if self.maybe(0.3):
                    # No policy isolates: without a last word nearly everything flows.
                    spec[direction].append({"action": "Drop"})
        rules = [*spec.get("ingress", ()), *spec.get("egress", ())]
        shared = any("namespaces" in peer for rule in rules for peer in (*rule.get("from", ()), *rule.get("to", ())))
        # What a group in appliedTo means beside `namespaces` is not known, and neither a Group of other namespaces' pods.
        if rules and self.maybe(0.3):
            for rule in rules:
                rule["appliedTo"] = [self.applied(space, groups=not shared)]
        elif not space and not spec.get("egress") and self.maybe(0.1):
            spec["appliedTo"] = [{"service": {"name": "s0", "namespace": self.one(*NAMESPACES)}}]
            spec["ingress"] = [{"action": self.one("Allow", "Drop"), "from": [{"ipBlock": self.block()}]}]
        else:
            spec["appliedTo"] = [self.applied(space, groups=not shared) for _ in range(self.one(1, 1, 2))]
        return one("NetworkPolicy" if space else "ClusterNetworkPolicy", name, spec, space)

    def applied(self, space: str, *, groups: bool) -> Json:
        """Return for whom something holds."""
        if groups and self.maybe(0.15):
            return {"group": self.one("g1", "g2", "nest")}
        if not space and self.maybe(0.1):
            return self.account()
        if not space and self.maybe(0.03):
            return {"nodeSelector": self.selector()}
        return self.selecting(far=not space)

    def rule(self, space: str, tier: str, *, out: bool) -> Json:
        """Return a rule of a policy of a namespace, or of a cluster-wide one."""
        actions = ["Allow", "Allow", "Allow", "Drop", "Drop", "Reject", *([] if tier == "baseline" else ["Pass"])]
        rule: Json = {"action": self.one(*actions)}
        if out and self.maybe(0.05):
            return rule | {"toServices": [{"name": self.one("s0", "s1"), "namespace": self.one(*NAMESPACES)}]}
        if self.maybe(0.75):
            rule["to" if out else "from"] = [self.peer(space, out=out) for _ in range(self.one(1, 1, 2))]
        if self.maybe(0.5):
            rule["ports"] = [self.port() for _ in range(self.one(1, 1, 2))]
        if self.maybe(0.1):
            rule["protocols"] = [{"icmp": self.one({}, {"icmpType": 8}, {"icmpType": 8, "icmpCode": 0}, {"icmpCode": 1})}]
        if len(rule) == 1 and rule["action"] in {"Allow", "Drop"} and self.maybe(0.1):
            rule["protocols"] = [{"igmp": self.one({}, {"igmpType": 17})}]
        if rule["action"] == "Allow" and {"ports", "protocols"} & set(rule) == {"ports"} and self.maybe(0.04):
            rule["ports"] = [{"protocol": "TCP", "port": 80}]
            rule["l7Protocols"] = [{"http": {"path": "/"}}]
        return rule

    def peer(self, space: str, *, out: bool) -> Json:  # noqa: PLR0911 - one line per kind
        """Return a peer."""
        match self.one(*["pods"] * 5, "block", "block", "group", "nodes", *([] if space else ["self", "labels", "account"])):
            case "block":
                return {"ipBlock": self.block()}
            case "group":
                return {"group": self.one("g1", "g2", "nest")}
            case "nodes":
                return {"fqdn": "*.example.org"} if out and self.maybe(0.3) else {"nodeSelector": self.selector()}
            case "self":
                return {"namespaces": {"match": "Self"}} | self.one({}, {"podSelector": self.selector()})
            case "labels":
                return {"namespaces": {"sameLabels": self.one(["app"], ["tier"], ["app", "tier"])}}
            case "account":
                return self.account()
            case _:
                return self.selecting(far=True)

    def port(self) -> Json:
        """Return an entry of ``ports``."""
        port: Json = {"protocol": self.one("TCP", "TCP", "TCP", "UDP", "SCTP")} if self.maybe(0.9) else {}
        match self.one("number", "number", "name", "range", "all"):
            case "number":
                port["port"] = self.one(80, 443)
            case "name":
                port["port"] = "http"
            case "range":
                port |= {"port": self.one(79, 8000), "endPort": 8100}
        return port | ({"sourcePort": 1024} if self.maybe(0.1) else {})


def one(kind: str, name: str, spec: Json, space: str = "") -> Json:
    """Return an object of Antrea's."""
    meta = {"name": name} | ({"namespace": space} if space else {})
    return {"apiVersion": "crd.antrea.io/v1beta1", "kind": kind, "metadata": meta, "spec": spec}


def _referred_to(objects: list[Json]) -> list[Json]:
    """Leave out groups that nothing names."""
    used: set[tuple[str, str]] = set()
    for policy in objects:
        space, spec = policy["metadata"].get("namespace", ""), policy["spec"]
        rules = [*spec.get("ingress", ()), *spec.get("egress", ())]
        entries = [*spec.get("appliedTo", ()), *(e for r in rules for k in ("appliedTo", "from", "to") for e in r.get(k, ()))]
        used |= {(space, e["group"]) for e in entries if "group" in e}
    used |= {(space, child) for space, name in used if name == "nest" for child in ("g1", "g2")}
    return [o for o in objects if "Group" not in o["kind"] or (o["metadata"].get("namespace", ""), o["metadata"]["name"]) in used]
