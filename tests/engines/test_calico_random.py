"""Random Calico policies of random clusters: the stack that is read of them against the agent's own way of asking."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import StackEngine
from tests.engines.calico_oracle import Oracle, Packet
from tests.engines.calico_plain import decided
from tests.engines.test_calico_verdicts import CASES, party, speaks_of_source_ports, stack, world

Json = dict[str, Any]
CASES_IN_TEST = 75
OUTSIDE = ("192.0.2.10", "203.0.113.5")
PACKETS = (("TCP", 80, 40_000), ("TCP", 8080, 8080), ("UDP", 53, 40_000), ("SCTP", 80, 80), ("ICMP", 2048, 0), ("ICMP", 769, 0))
KEYS = (
    "app",
    "tier",
    "ext",
    "projectcalico.org/namespace",
    "projectcalico.org/serviceaccount",
    "projectcalico.org/orchestrator",
    "pcns.env",
)
VALUES = ("web", "api", "front", "partner", "alpha", "beta", "sa-a", "k8s", "prod", "dev")
NETS = ("10.244.1.0/24", "10.244.1.10/32", "10.244.0.0/16", "192.0.2.0/24", "203.0.113.0/25", "0.0.0.0/0")


class Maker:
    """Makes up a cluster and its policies."""

    def __init__(self, number: int) -> None:
        self.chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it

    def often(self, share: float) -> bool:
        """Say yes so often."""
        return self.chance.random() < share

    def case(self) -> Json:
        """Return a cluster with policies, as ``verdicts/calico.jsonl`` has them."""
        cluster = CASES[0]["cluster"]
        pods = [{**p, "labels": {k: self.chance.choice(VALUES) for k in KEYS[:3] if self.often(0.5)}} for p in cluster["pods"]]
        objects = [self.network_set(f"s{i}") for i in range(self.chance.randint(0, 3))]
        tiers = ["t1"] if self.often(0.3) else []
        for name in tiers:
            order = self.chance.choice(({"order": 10}, {"order": 2_000_000}, {}))
            objects.append(
                {
                    "kind": "Tier",
                    "metadata": {"name": name},
                    "spec": {**order, "defaultAction": self.chance.choice(("Deny", "Pass"))},
                }
            )
        objects += [
            self.policy(f"{self.chance.choice('ab')}{self.chance.choice('-x')}{i}", tiers)
            for i in range(self.chance.randint(1, 4))
        ]
        return {
            "cluster": {**cluster, "pods": pods},
            "policies": [{"apiVersion": "projectcalico.org/v3", **one} for one in objects],
        }

    def network_set(self, name: str) -> Json:
        """Return a network set of either kind."""
        labels = {k: self.chance.choice(VALUES) for k in KEYS[:3] if self.often(0.5)}
        nets = self.chance.sample(NETS[:5], self.chance.randint(0, 2))
        if self.often(0.5):
            return {"kind": "GlobalNetworkSet", "metadata": {"name": name, "labels": labels}, "spec": {"nets": nets}}
        where = self.chance.choice(("alpha", "beta", "gamma"))
        return {"kind": "NetworkSet", "metadata": {"name": name, "namespace": where, "labels": labels}, "spec": {"nets": nets}}

    def policy(self, name: str, tiers: list[str]) -> Json:
        """Return a policy of either kind."""
        meta: Json = {"name": name}
        spec: Json = {"types": self.chance.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))}
        is_namespaced = self.often(0.5)
        if is_namespaced:
            meta["namespace"] = self.chance.choice(("alpha", "beta"))
        if self.often(0.7):
            spec["selector"] = self.selector(1)
        if not is_namespaced and self.often(0.3):
            spec["namespaceSelector"] = self.namespaces(alone=False)
        if self.often(0.2):
            spec["serviceAccountSelector"] = self.accounts()
        if self.often(0.7):
            spec["order"] = self.chance.choice((1, 5, 5, 1000, 0.5))
        if tiers and self.often(0.5):
            spec["tier"] = tiers[0]
        for direction in ("ingress", "egress"):
            spec[direction] = [self.rule() for _ in range(self.chance.randint(0, 3))]
        return {"kind": "NetworkPolicy" if is_namespaced else "GlobalNetworkPolicy", "metadata": meta, "spec": spec}

    def rule(self) -> Json:
        """Return a rule."""
        rule: Json = {"action": self.chance.choice(("Allow", "Allow", "Allow", "Deny", "Pass", "Log"))}
        kind = self.chance.choice(("all", "all", "ports", "ports", "named", "icmp", "not", "number"))
        sides: dict[str, Json] = {"source": self.side(0.7), "destination": self.side(0.4)}
        if kind == "ports":
            rule["protocol"] = self.chance.choice(("TCP", "UDP", "SCTP", 6))
            for side in sides.values():
                for key in ("ports", "notPorts"):
                    if self.often(0.25):
                        side[key] = self.chance.sample((80, "8080", "50:60", "40000:50000", "http", "dns"), 2)
        elif kind == "named":
            sides[self.chance.choice(("source", "destination"))][self.chance.choice(("ports", "notPorts"))] = ["http"]
        elif kind == "icmp":
            rule |= {
                "protocol": "ICMP",
                self.chance.choice(("icmp", "notICMP")): self.chance.choice(({"type": 8}, {"type": 3, "code": 1})),
            }
        elif kind == "not":
            rule["notProtocol"] = self.chance.choice(("TCP", "ICMP", 17))
        elif kind == "number":
            rule |= {"protocol": self.chance.choice((1, 6, 17, "SCTP"))}
        return rule | {key: side for key, side in sides.items() if side}

    def side(self, share: float) -> Json:
        """Return a source or destination, empty in as many cases as *share* leaves."""
        side: Json = {}
        if not self.often(share):
            return side
        for key, chance in (("selector", 0.5), ("notSelector", 0.25)):
            if self.often(chance):
                side[key] = self.selector(2)
        if self.often(0.35):
            side["namespaceSelector"] = self.namespaces()
        if self.often(0.15):
            side["serviceAccounts"] = self.chance.choice(
                (
                    {},
                    {"names": ["sa-a"]},
                    {"names": ["sa-b", "default"]},
                    {"selector": self.accounts()},
                    {"names": ["sa-a"], "selector": self.accounts()},
                )
            )
        if self.often(0.25):
            side["nets"] = self.chance.sample(NETS, 2)
        if self.often(0.2):
            side["notNets"] = self.chance.sample(NETS[:5], 1)
        return side

    def namespaces(self, *, alone: bool = True) -> str:
        """Return a selector of namespaces."""
        plain = ("all()", "env == 'prod'", "env != 'prod'", "!has(env)", "!all()", "all() || team == 'red'", "team in {'blue'}")
        by_name = ("projectcalico.org/name == 'beta'", "kubernetes.io/metadata.name != 'alpha'", "!(env contains 'o') && all()")
        return self.chance.choice((*plain, *by_name, "global()") if alone else (*plain, *by_name))

    def accounts(self) -> str:
        """Return a selector of service accounts."""
        return self.chance.choice(
            ("role == 'reader'", "role != 'writer'", "!has(role)", "all()", "projectcalico.org/name starts with 'sa'")
        )

    def selector(self, depth: int) -> str:
        """Return a selector."""
        if depth and self.often(0.4):
            parts = [self.selector(depth - 1) for _ in range(2)]
            return self.chance.choice(("{0} && {1}", "{0} || {1}", "!({0})", "({0}) && !({1})")).format(*parts)
        key, value = self.chance.choice(KEYS), self.chance.choice(VALUES)
        forms = ("{k} == '{v}'", "{k} != '{v}'", "has({k})", "!has({k})", "{k} in {{'{v}','web'}}", "{k} not in {{'{v}'}}")
        more = ("{k} contains 'e'", "{k} starts with 'p'", "{k} ends with 'a'", "all()", "{k} in {{}}")
        return self.chance.choice((*forms, *more)).format(k=key, v=value)


def differences(number: int) -> list[str]:
    """Return where the stack and the agent's way differ in one made-up cluster."""
    case = Maker(number).case()
    mine = world(case)
    found = stack(case, mine)
    assert not found.refused, (number, found.refused)
    assert not found.unread, (number, found.unread)
    oracle = Oracle(case["cluster"], case["policies"])
    places = {p["ip"]: {"pod": f"{p['namespace']}/{p['name']}"} for p in case["cluster"]["pods"]} | {
        ip: {"ip": ip} for ip in OUTSIDE
    }
    engine = StackEngine(mine, found, Profile(Semantics.CALICO, family="ipv4"))
    by_port = speaks_of_source_ports(found)
    wrong: list[str] = []
    for source, destination in product(places, places):
        if source == destination or {source, destination} <= set(OUTSIDE):
            continue
        ends = (places[source], places[destination])
        for sent in PACKETS:
            sides = [oracle.allows(d, Packet(source, destination, *sent)) for d in ("egress", "ingress")]
            read = [
                decided(found, mine, d, *ends, sent)[0] if "pod" in ends[at] else True
                for at, d in enumerate((Direction.EGRESS, Direction.INGRESS))
            ]
            if sides != read:
                wrong.append(f"cluster {number}: {ends} {sent}: the agent {sides}, the stack {read}")
        sent = PACKETS[number % len(PACKETS)]
        if not by_port:
            both = all(oracle.allows(d, Packet(source, destination, *sent)) for d in ("egress", "ingress"))
            here, there = (party(engine, end) for end in ends)
            if engine.decide(here, there, *sent[:2]).allowed != both:
                wrong.append(f"cluster {number}: {ends} {sent}: the engine differs from the agent, which says {both}")
    return wrong


@pytest.mark.parametrize("part", range(3))
def test_random_policies_mean_what_they_mean_to_the_agent(part: int) -> None:
    for number in range(part, CASES_IN_TEST, 3):
        wrong = differences(number)
        if wrong:
            pytest.fail("\n".join(wrong[:5]), pytrace=False)


def test_the_oracle_itself_answers_as_calico_does() -> None:
    count = 0
    for case in CASES:
        kinds = {p["kind"] for p in case["policies"] if "projectcalico" in p["apiVersion"]}
        of_others = any("projectcalico" not in p["apiVersion"] for p in case["policies"])
        spec = str(case["policies"])
        if of_others or case["rejected"] or "services" in spec or "hostNetwork" in str(case["cluster"]) or "Staged" in str(kinds):
            continue
        if any("types" not in p["spec"] for p in case["policies"] if "Policy" in p["kind"]):
            continue
        oracle = Oracle(case["cluster"], case["policies"])
        ips = {f"{p['namespace']}/{p['name']}": p["ip"] for p in case["cluster"]["pods"]}
        for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
            source, destination = (q["ip"] if "ip" in q else ips[q["pod"]] for q in (query["from"], query["to"]))
            number = query["port"] if "port" in query else query["icmpType"] * 256 + query["icmpCode"]
            packet = Packet(source, destination, query["protocol"], number, query.get("sourcePort", 40_000))
            for direction in ("egress", "ingress"):
                if verdict[direction] is not None:
                    assert oracle.allows(direction, packet) == (verdict[direction] == "allow"), (case["name"], query)
                    count += 1
    assert count > 5_000
