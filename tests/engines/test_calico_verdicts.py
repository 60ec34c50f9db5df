"""Calico's policies against what Calico's own code answered: every case, every query, by two evaluations of the stack."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.engines.calico.objects import subject
from eksnetpol.engines.calico.read import read
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import EndpointSlice, Namespace, Pod, ServiceAccount
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Addresses, Party, Pods
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import StackEngine
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from tests.engines.calico_plain import Decided, decided

RECORDED = Path(__file__).parents[1] / "data" / "verdicts" / "calico.jsonl.gz"
CASES = [msgspec.json.decode(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines()]


def world(case: dict[str, Any]) -> World:
    cluster = case["cluster"]
    pods = [
        {
            "metadata": {"name": p["name"], "namespace": p["namespace"], "labels": p["labels"]},
            "spec": {
                "serviceAccountName": p["serviceAccount"],
                "hostNetwork": p.get("hostNetwork", False),
                "containers": [{"name": "c", "ports": p["ports"]}],
            },
            # A pod on the host network is on a node of its own here: what comes from a pod's own node is never judged.
            "status": {"podIP": p["ip"], "hostIP": p["ip"] if p.get("hostNetwork") else f"198.51.100.{p['node'].lstrip('n')}"},
        }
        for p in cluster["pods"]
    ]
    of_kind: dict[tuple[str, str], list[Any]] = {(p["apiVersion"].partition("/")[0], p["kind"]): [] for p in case["policies"]}
    for policy in case["policies"]:
        of_kind[policy["apiVersion"].partition("/")[0], policy["kind"]].append(policy)
    return World(
        endpoint_slices=msgspec.convert(case["cluster"].get("endpointSlices", ()), tuple[EndpointSlice, ...]),
        pods=tuple(msgspec.json.decode(msgspec.json.encode(p), type=Pod) for p in pods),
        namespaces=msgspec.convert([{"metadata": n} for n in cluster["namespaces"]], tuple[Namespace, ...]),
        service_accounts=msgspec.convert([{"metadata": a} for a in cluster["serviceAccounts"]], tuple[ServiceAccount, ...]),
        network_policies=msgspec.convert(of_kind.get(("networking.k8s.io", "NetworkPolicy"), []), tuple[NetworkPolicy, ...]),
        admin_policies=msgspec.convert(
            of_kind.get(("policy.networking.k8s.io", "ClusterNetworkPolicy"), []), tuple[AdminPolicy, ...]
        ),
    )


def stack(case: dict[str, Any], mine: World) -> Stack:
    own = [p for p in case["policies"] if "projectcalico.org" in p["apiVersion"]]
    raw = [ref(p) for p in own] if case.get("raw") else []
    return read(own, mine.network_policies, mine, raw=raw)


def ref(policy: dict[str, Any]) -> Subject:
    meta = policy["metadata"]
    return subject(policy["kind"], meta["name"], meta.get("namespace", ""))


def packet(query: dict[str, Any]) -> tuple[str, int]:
    """Return protocol and number as `Connections` has them."""
    if query["protocol"] in {"TCP", "UDP", "SCTP"}:
        return query["protocol"], query["port"]
    assert query["protocol"] == "ICMP"
    return "ICMP", query["icmpType"] * 256 + query["icmpCode"]


def said(by: str | None) -> Decided | None:
    """Return what decided, as the data names it; None for profiles, which allow everything."""
    if by is None or by.startswith("profile|"):
        return None
    tier, kind, *rest = by.split("|")
    if not rest:
        return Decided(tier, None, None)
    name, _, number = rest[0].partition("#")
    namespace, _, name = name.partition("/")
    if kind == "KubernetesNetworkPolicy":
        # Calico counts a rule for each peer and port of it.
        return Decided(tier, Subject("NetworkPolicy", name, namespace), None)
    if kind == "KubernetesClusterNetworkPolicy":
        return Decided(tier, Subject("ClusterNetworkPolicy.policy.networking.k8s.io", name), int(number))
    return Decided(tier, subject(kind, name, namespace), int(number))


def test_there_is_something_to_compare() -> None:
    assert (len(CASES), sum(len(case["queries"]) for case in CASES)) == (175, 10_665)


@lru_cache(maxsize=1)
def prepared(number: int) -> tuple[World, Stack]:
    mine = world(CASES[number])
    return mine, stack(CASES[number], mine)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n]["name"])
def test_the_same_objects_are_refused(number: int) -> None:
    _, found = prepared(number)
    case = CASES[number]
    refused = {text.split(": ", 1)[0] for text in case["rejected"]}
    mine = {
        f"policies[{at}] {p['kind']} {p['metadata']['name']}"
        for at, p in enumerate(case["policies"])
        if ref(p) in {r.ref for r in found.refused}
    }
    assert mine == refused
    assert not found.unread


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n]["name"])
def test_every_query_is_answered_alike_one_by_one(number: int) -> None:
    mine, found = prepared(number)
    case = CASES[number]
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        for direction, key in ((Direction.EGRESS, "egress"), (Direction.INGRESS, "ingress")):
            if verdict[key] is None:
                continue
            sent = (*packet(query), query.get("sourcePort", 40000))
            allowed, by = decided(found, mine, direction, query["from"], query["to"], sent)
            assert allowed == (verdict[key] == "allow"), (direction, query, verdict, by)
            wanted = said(verdict.get(f"{key}_by"))
            if by is not None and by.policy is not None and by.policy.kind == "NetworkPolicy":
                by = by._replace(rule=None)
            assert by == wanted, (direction, query, verdict)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n]["name"])
def test_every_query_is_answered_alike_in_sets(number: int) -> None:
    mine, found = prepared(number)
    case = CASES[number]
    engine = StackEngine(mine, found, Profile(Semantics.CALICO, family="ipv4"))
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        decision = engine.decide(party(engine, query["from"]), party(engine, query["to"]), *packet(query))
        if speaks_of_source_ports(found):
            # An engine is not told the source port: it must not be sure of what Calico denies for some.
            assert verdict["allowed"] or not decision.allowed, query
        else:
            assert decision.allowed == verdict["allowed"], (query, verdict, decision)
            for side in decision.sides:
                wanted = said(verdict.get(f"{side.direction.lower()}_by"))
                if wanted is not None and wanted.policy is not None and side.deciders:
                    assert wanted.policy in {d.subject for d in side.deciders}, (query, verdict, side)


def speaks_of_source_ports(found: Stack) -> bool:
    rules = (rule for tier in found.tiers for policy in tier.policies for rule in policy.rules)
    return any(str(rule.source_ports) != "1-65535" for rule in rules)


def party(engine: StackEngine, who: dict[str, str]) -> Party:
    if "ip" in who:
        return Addresses(f"{who['ip']}/32", who["ip"])
    namespace, _, name = who["pod"].partition("/")
    index = engine.atlas.class_of[namespace, name]
    return Pods(1 << index, who["pod"], tuple(p for p in engine.atlas.universe.classes[index].pods if p.name == name))
