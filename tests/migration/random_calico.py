"""Small clusters with Calico's policies as users write them, made up at random: tiers, orders, sets and every field of rules."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

Json = dict[str, Any]
T = TypeVar("T")

NAMESPACES = ("alpha", "beta", "gamma")
NODES = {"n1": "172.16.0.11", "n2": "172.16.0.12"}
OUTSIDE = ("192.0.2.10", "203.0.113.5", "10.0.9.9")
"""Addresses that are no pod's; the last is among those of pods."""
NETS = ("192.0.2.0/24", "203.0.113.0/24", "10.0.0.0/16", "10.0.1.0/24", "10.0.1.11/32")
PACKETS = (("TCP", 80), ("TCP", 8080), ("UDP", 80), ("SCTP", 80), ("ICMP", 0x0800), ("TCP", 443))
SOURCE_PORTS = (40000, 1500)
"""Ports that connections come from: one that policies never speak of, and one that they may."""
PORTS: tuple[list[Json], ...] = (
    [],
    [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
    [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
)


class Calico:
    """Makes up one cluster, and policies for it."""

    def __init__(self, number: int) -> None:
        self.chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it

    def _one(self, *choices: T) -> T:
        return self.chance.choice(choices)

    def _maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def _some(self, choices: Sequence[T], most: int) -> list[T]:
        return self.chance.sample(choices, self.chance.randint(1, most))

    def cluster(self) -> Json:
        """Return a cluster as `tests/data/verdicts` has them."""
        spaces = [{"name": n, "labels": self._labels() | {"kubernetes.io/metadata.name": n}} for n in NAMESPACES]
        accounts = [{"namespace": n, "name": a, "labels": self._labels()} for n in NAMESPACES for a in ("default", "robot")]
        pods = [self._pod(number) for number in range(self._one(3, 4, 5))]
        slices = [self._slice(name, [p["ip"] for p in pods]) for name in NAMESPACES[:2]]
        return {"namespaces": spaces, "serviceAccounts": accounts, "pods": pods, "endpointSlices": slices}

    def _slice(self, space: str, own: list[str]) -> Json:
        """Return what is behind the Service ``far`` of a namespace, which selects nothing."""
        addresses = self._some((*OUTSIDE, self._one(*own)), 2)
        return {
            "metadata": {"name": "far-1", "namespace": space, "labels": {"kubernetes.io/service-name": "far"}},
            "endpoints": [{"addresses": [address]} for address in addresses],
            "ports": [{"protocol": self._one("TCP", "UDP"), "port": self._one(80, 443)}],
        }

    def _pod(self, number: int) -> Json:
        return {
            "namespace": self._one(*NAMESPACES, "alpha"),
            "name": f"p{number}",
            "ip": f"10.0.{self._one(1, 2)}.{11 + number}",
            "labels": self._labels(),
            "node": self._one(*NODES),
            "ports": self._one(*PORTS),
            "serviceAccount": self._one("default", "default", "robot"),
        }

    def _labels(self) -> dict[str, str]:
        return {key: self._one("a", "b") for key in ("app", "tier") if self._maybe(0.6)}

    def objects(self) -> list[Json]:
        """Return policies with their tiers and sets, and perhaps NetworkPolicies among them."""
        tiers = ["default"]
        found: list[Json] = []
        for name in ("early", "late"):
            if self._maybe(0.3):
                tiers.append(name)
                spec: Json = {"order": self._one(10, 50, 2_000_000)} if self._maybe(0.9) else {}
                spec |= {"defaultAction": self._one("Deny", "Pass")} if self._maybe(0.7) else {}
                found.append(self._of("Tier", name, spec))
        for number in range(self._one(0, 0, 1, 2)):
            space = self._one("", *NAMESPACES)
            kind = "NetworkSet" if space else "GlobalNetworkSet"
            one = self._of(kind, f"s{number}", {"nets": self._some(NETS, 2)}, space)
            one["metadata"]["labels"] = self._labels()
            found.append(one)
        found += [self._policy(f"p{number}", self._one(*tiers)) for number in range(self._one(1, 1, 2, 3))]
        if self._maybe(0.3):
            found.append(self.standard())
        return found

    def _of(self, kind: str, name: str, spec: Json, space: str = "") -> Json:
        meta = {"name": name} | ({"namespace": space} if space else {})
        return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": meta, "spec": spec}

    def _policy(self, name: str, tier: str) -> Json:
        space = self._one("", "alpha", "alpha", "beta")
        spec: Json = {"selector": self._selector(2)} if self._maybe(0.9) else {}
        if not space and self._maybe(0.4):
            spec["namespaceSelector"] = self._selector(1, spaces=True).replace("global()", "all()")
        if self._maybe(0.1):
            spec["serviceAccountSelector"] = self._selector(1)
        if self._maybe(0.5):
            spec["order"] = self._one(-5, 1, 100, 999, 1000, 1001)
        if tier != "default":
            spec["tier"] = tier
        for direction in ("ingress", "egress"):
            if self._maybe(0.6):
                spec[direction] = [self._rule(direction) for _ in range(self._one(0, 1, 1, 2, 3))]
                if self._maybe(0.4):
                    # What is left over: without it few denials were of any matter.
                    spec[direction].append({"action": self._one("Allow", "Allow", "Pass")})
        said = [direction.capitalize() for direction in ("ingress", "egress") if direction in spec]
        if self._maybe(0.9):
            spec["types"] = said if said and self._maybe(0.7) else self._one(["Ingress"], ["Egress"], ["Ingress", "Egress"])
        return self._of("NetworkPolicy" if space else "GlobalNetworkPolicy", name, spec, space)

    def _rule(self, direction: str) -> Json:
        rule: Json = {"action": self._one("Allow", "Allow", "Allow", "Deny", "Deny", "Pass", "Log")}
        protocol = self._one(None, None, "TCP", "TCP", "UDP", "SCTP", "ICMP", 17)
        if protocol is not None:
            rule["protocol"] = protocol
        elif self._maybe(0.05):
            rule["notProtocol"] = self._one("TCP", "UDP")
        if protocol == "ICMP" and self._maybe(0.5):
            rule[self._one("icmp", "icmp", "notICMP")] = {"type": self._one(8, 3)} | ({"code": 0} if self._maybe(0.3) else {})
        far, near = ("source", "destination") if direction == "ingress" else ("destination", "source")
        far = self._one(far, far, far, far, near)
        rule[far] = self._end()
        if self._maybe(0.15):
            rule["destination" if far == "source" else "source"] = self._end()
        if protocol in {"TCP", "UDP", "SCTP", 17} and self._maybe(0.6):
            ports = self._some((80, 443, "8000:8100", "http", "79:81"), 2)
            rule.setdefault("destination", {})[self._one("ports", "ports", "notPorts")] = ports
            if self._maybe(0.05):
                rule.setdefault("source", {})[self._one("ports", "ports", "notPorts")] = ["1024:2000"]
        if self._maybe(0.05):
            # Blocks and ICMP are of IPv4 here.
            is_old = protocol == "ICMP" or any(
                key in rule.get(end, {}) for end in ("source", "destination") for key in ("nets", "notNets")
            )
            rule["ipVersion"] = 4 if is_old else self._one(4, 6)
        if self._maybe(0.05):
            rule["source" if direction == "ingress" else "destination"] = {
                "services": {"name": "far", "namespace": self._one(*NAMESPACES[:2])}
            }
        return rule

    def _end(self) -> Json:
        end: Json = {}
        if self._maybe(0.1):
            return end
        if self._maybe(0.55):
            end["selector"] = self._selector(self._one(0, 2))
        if self._maybe(0.35):
            end["namespaceSelector"] = self._selector(self._one(0, 1), spaces=True)
        if self._maybe(0.12):
            end["notSelector"] = self._selector(1)
        if self._maybe(0.15):
            end["nets"] = self._some(NETS, 2)
        if self._maybe(0.1):
            end["notNets"] = self._some(NETS, 2)
        if self._maybe(0.08):
            end["serviceAccounts"] = self._one({"names": ["robot"]}, {"selector": self._selector(1)})
        return end

    def _selector(self, depth: int, *, spaces: bool = False) -> str:
        if spaces and self._maybe(0.06):
            return "global()"
        if depth and self._maybe(0.4):
            parts = [p for p in (self._selector(depth - 1, spaces=spaces) for _ in range(2)) if p != "global()"] or ["all()"]
            parts.append(parts[0])
            return self._one(f"{parts[0]} && {parts[1]}", f"({parts[0]}) || ({parts[1]})", f"!({parts[0]})")
        key, value = self._one("app", "tier"), self._one("a", "b")
        found = [f"{key} == '{value}'"] * 4 + [
            f'{key} != "{value}"',
            f"{key} in {{'a', 'b'}}",
            f"{key} not in {{'{value}'}}",
            f"has({key})",
            f"!has({key})",
            f"{key} starts with '{value}'",
            f"{key} ends with '{value}'",
            f"{key} contains '{value}'",
            "all()",
        ]
        if spaces:
            found += ["projectcalico.org/name == 'beta'", "kubernetes.io/metadata.name in {'alpha', 'beta'}"]
        else:
            found += ["projectcalico.org/namespace == 'beta'", f"pcns.{key} == '{value}'", f"pcsa.{key} == '{value}'"]
            found += ["projectcalico.org/serviceaccount == 'robot'", "projectcalico.org/orchestrator == 'k8s'"]
        return self._one(*found)

    def standard(self) -> Json:
        """Return a NetworkPolicy."""
        peer: Json = self._one(
            {"podSelector": {"matchLabels": {"app": "a"}}},
            # Cilium does not count this label; the others do.
            {"podSelector": {"matchExpressions": [{"key": "pod-template-hash", "operator": "DoesNotExist"}]}},
            {"namespaceSelector": self._one({}, {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]})},
            {"ipBlock": {"cidr": self._one(*NETS)}},
            {"ipBlock": {"cidr": "0.0.0.0/0"} | self._one({}, {"except": ["10.0.0.0/16"]})},
        )
        direction = self._one("ingress", "ingress", "egress")
        rule: Json = {"from" if direction == "ingress" else "to": [peer]}
        if self._maybe(0.5):
            rule["ports"] = [{"protocol": "TCP", "port": self._one(80, "http")}]
        selected: Json = self._one({}, {"matchLabels": {"app": "a"}})
        spec = {"podSelector": selected, "policyTypes": [direction.capitalize()], direction: [rule]}
        meta = {"name": "np", "namespace": self._one("alpha", "beta")}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
