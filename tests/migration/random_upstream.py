"""Small clusters with policies of ``policy.networking.k8s.io``, made up at random: all three kinds, ties among them."""

from __future__ import annotations

from typing import Any

from tests.migration.random_calico import NETS
from tests.migration.random_ground import Ground

Json = dict[str, Any]


class Upstream(Ground):
    """Makes up one cluster, and policies for it."""

    def objects(self) -> list[Json]:
        """Return policies, and perhaps NetworkPolicies among them."""
        kinds = [self.one("AdminNetworkPolicy", "ClusterNetworkPolicy") for _ in range(self.one(1, 1, 2, 3))]
        found = [self.policy(kind, f"p{number}") for number, kind in enumerate(kinds)]
        if self.maybe(0.3):
            found.append(self.policy("BaselineAdminNetworkPolicy", "default"))
        if self.maybe(0.4):
            found.append(self.standard())
        return found

    def policy(self, kind: str, name: str) -> Json:
        """Return a policy of a kind."""
        older = kind != "ClusterNetworkPolicy"
        spec: Json = {"subject": self.subject()}
        if kind != "BaselineAdminNetworkPolicy":
            spec["priority"] = self.one(0, 5, 5, 50, 1000)
        if not older:
            spec["tier"] = self.one("Admin", "Admin", "Baseline")
        for direction in ("ingress", "egress"):
            if self.maybe(0.65):
                out = direction == "egress"
                spec[direction] = [self.rule(kind, out=out) for _ in range(self.one(1, 1, 2, 3))]
                if self.maybe(0.3):
                    # No policy isolates: without a last word nearly everything flows.
                    spec[direction].append({"action": "Deny", "to" if out else "from": [{"namespaces": {}}]})
                    spec[direction][-1]["to" if out else "from"] += [{"networks": ["0.0.0.0/0"]}] if out else []
        version = "v1alpha1" if older else "v1alpha2"
        return {
            "apiVersion": f"policy.networking.k8s.io/{version}",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }

    def subject(self) -> Json:
        """Return pods by their namespaces, and perhaps by their labels."""
        if self.maybe(0.4):
            return {"namespaces": self.spaces()}
        return {"pods": {"namespaceSelector": self.one({}, self.spaces()), "podSelector": self.selector()}}

    def rule(self, kind: str, *, out: bool) -> Json:
        """Return a rule."""
        older = kind != "ClusterNetworkPolicy"
        allow = "Allow" if older else "Accept"
        actions = [allow, allow, "Deny", "Deny", *([] if kind == "BaselineAdminNetworkPolicy" else ["Pass"])]
        peers = [self.peer(out=out) for _ in range(self.one(1, 1, 2))]
        rule: Json = {"action": self.one(*actions), "to" if out else "from": peers}
        if self.maybe(0.5):
            ports = [self.port(older=older) for _ in range(self.one(1, 1, 2))]
            rule["ports" if older else "protocols"] = ports
        return rule

    def peer(self, *, out: bool) -> Json:
        """Return a peer."""
        if out and self.maybe(0.35):
            nets = self.chance.sample((*NETS, "0.0.0.0/0"), self.one(1, 2))
            names = {"domainNames": ["*.example.org"]}
            return self.one({"networks": nets}, {"networks": nets}, {"nodes": self.selector()}, names)
        return self.subject()

    def port(self, *, older: bool) -> Json:
        """Return an entry of ``ports``, or of ``protocols``."""
        protocol, number = self.one("TCP", "TCP", "UDP"), self.one(80, 80, 443)
        if not older:
            key = protocol.lower()
            return self.one(
                {key: {"destinationPort": {"number": number}}},
                {key: {"destinationPort": {"range": {"start": number - 1, "end": number + 20}}}},
                {key: {}},
                {"destinationNamedPort": "http"},
            )
        return self.one(
            {"portNumber": {"protocol": protocol, "port": number}},
            {"portRange": {"protocol": protocol, "start": number - 1, "end": number + 20}},
            {"namedPort": "http"},
        )
