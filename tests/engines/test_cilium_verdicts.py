"""Cilium's policies against what Cilium's own code answered: every case, every query, by two evaluations of the stack."""

from __future__ import annotations

import gzip
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.engines.cilium.read import read
from eksnetpol.engines.cilium.settings import Settings
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Namespace, Node, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import SourceKind
from eksnetpol.policy.answers import Addresses, Party, Pods
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.ends import End, end_at, end_of_pod, holds
from eksnetpol.policy.stacks.engine import StackEngine
from eksnetpol.policy.stacks.formulas import EndKind
from eksnetpol.policy.stacks.rules import Does, Stack
from eksnetpol.policy.world import World
from tests.policy.stacks.plain import allowed

RECORDED = Path(__file__).parents[1] / "data" / "verdicts" / "cilium.jsonl.gz"
CASES = [msgspec.json.decode(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines()]
OWN = {"init": EndKind.INIT, "health": EndKind.HEALTH, "ingress": EndKind.GATEWAY, "unmanaged": EndKind.UNMANAGED}
"""Entities that the API shows nothing of."""


def world(case: dict[str, Any]) -> World:
    addresses = {n["name"]: n["ip"] for n in case["nodes"]}
    pods = [
        {
            "metadata": {"name": p["name"], "namespace": p["namespace"], "labels": p["labels"]},
            "spec": {
                "serviceAccountName": p["serviceAccount"],
                "nodeName": p["node"],
                "containers": [{"name": "c", "ports": p.get("ports", [])}],
            },
            "status": {"podIP": p["ip"], "hostIP": addresses[p["node"]], "phase": "Running"},
        }
        for p in case["pods"]
    ]
    nodes = [
        {"metadata": {"name": n["name"]}, "status": {"addresses": [{"type": "InternalIP", "address": n["ip"]}]}}
        for n in case["nodes"]
    ]
    kubernetes = [p for p in case["policies"] if p["kind"] == "NetworkPolicy"]
    return World(
        pods=tuple(msgspec.json.decode(msgspec.json.encode(p), type=Pod) for p in pods),
        nodes=msgspec.convert(nodes, tuple[Node, ...]),
        namespaces=msgspec.convert([{"metadata": n} for n in case["namespaces"]], tuple[Namespace, ...]),
        network_policies=msgspec.convert(kubernetes, tuple[NetworkPolicy, ...]),
        source=SourceKind.MANIFESTS,
        family="ipv4",
    )


def stack(case: dict[str, Any], mine: World) -> Stack:
    own = [deepcopy(p) for p in case["policies"] if p["kind"] != "NetworkPolicy"]
    for policy in own:
        if case["id"] == "unknown-field":
            # The API server drops it. Nobody else may.
            del policy["spec"]["ingress"][0]["fromPods"]
    settings = Settings(api_servers=frozenset({case["kubeApiserverIP"]}))
    return read([*own, *case.get("cidrGroups", ())], mine.network_policies, mine, settings=settings)


def ref(policy: dict[str, Any]) -> Subject:
    return Subject(policy["kind"], policy["metadata"]["name"], policy["metadata"].get("namespace", ""))


def packet(query: dict[str, Any]) -> tuple[str, int]:
    """Return protocol and number as `Connections` has them."""
    is_icmp = query["protocol"].startswith("ICMP")
    return query["protocol"], query["port"] * 256 if is_icmp else query["port"]


def place(case: dict[str, Any], mine: World, said: dict[str, str], other: dict[str, str]) -> End:  # noqa: PLR0911 - a case a line
    """Return one end of a query, with *other* at the other one."""
    [(kind, name)] = said.items()
    match kind, name:
        case "pod", _:
            return end_of_pod(mine, next(p for p in mine.pods if f"{p.namespace}/{p.name}" == name))
        case "ip", _:
            return end_at(mine, name)
        case "node", _:
            return end_at(mine, next(n["ip"] for n in case["nodes"] if n["name"] == name))
        case "entity", "host" | "remote-node":
            own = place(case, mine, other, said).node
            return end_at(mine, next(n["ip"] for n in case["nodes"] if (n["ip"] == own) is (name == "host")))
        case "entity", "kube-apiserver":
            return end_at(mine, case["kubeApiserverIP"])
        case "entity", "world":
            # Addresses that no policy has a block for.
            return End(EndKind.OUTSIDE, version=4)
        case _:
            return End(OWN[name])


def party(engine: StackEngine, end: End) -> Party | None:
    """Return an end as the engine is asked about it; None for what it cannot be asked."""
    if end.kind is EndKind.POD:
        pod = next(p for p in engine.world.pods if p.status.pod_ip == end.address)
        return Pods(1 << engine.atlas.class_of[pod.namespace, pod.name], pod.name, (pod,))
    return Addresses(f"{end.address}/32", end.address) if end.address else None


@lru_cache(maxsize=1)
def prepared(number: int) -> tuple[World, Stack]:
    mine = world(CASES[number])
    return mine, stack(CASES[number], mine)


by_case = pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n]["id"])


def test_there_is_something_to_compare() -> None:
    assert (len(CASES), sum(len(case["queries"]) for case in CASES)) == (230, 11_243)


@by_case
def test_the_same_objects_are_refused_by_the_same(number: int) -> None:
    _, found = prepared(number)
    mine = {r.ref: "parser" in r.why for r in found.refused}
    theirs = {
        ref(p): bool(result.get("parse_error"))
        for p, result in zip(CASES[number]["policies"], CASES[number]["policy_results"], strict=True)
        if not result["applied"]
    }
    assert mine.keys() == theirs.keys()
    # Where both refuse an object, the parser's word is enough.
    assert all(theirs[one] for one, by_parser in mine.items() if by_parser)
    assert not found.unread


@by_case
def test_the_same_pods_are_selected(number: int) -> None:
    mine, found = prepared(number)
    for name, directions in CASES[number]["selected"].items():
        end = end_of_pod(mine, next(p for p in mine.pods if f"{p.namespace}/{p.name}" == name))
        meant = [
            policy for tier in found.tiers for policy in tier.policies if policy.ref.kind != "Node" and holds(policy.subject, end)
        ]
        for direction in Direction:
            speaks = any(direction in p.isolates or any(r.direction is direction for r in p.rules) for p in meant)
            assert speaks is directions[direction.lower()], (name, direction)


@by_case
def test_every_query_is_answered_alike_pair_by_pair(number: int) -> None:
    mine, found = prepared(number)
    case = CASES[number]
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        source = place(case, mine, query["from"], query["to"])
        destination = place(case, mine, query["to"], query["from"])
        answer = allowed(found, mine, source, destination, *packet(query))
        if case["id"] == "to-groups-ports" and answer.egress is None:
            # Nobody is in the group there. No cluster tells who is.
            answer = answer._replace(egress=False)
        assert verdict["egress"] in {None, answer.egress}, query
        assert verdict["ingress"] in {None, answer.ingress}, query
        assert verdict["allowed"] is answer.allowed, query


@by_case
def test_every_query_is_answered_alike_in_sets(number: int) -> None:
    mine, found = prepared(number)
    case = CASES[number]
    engine = StackEngine(mine, found, Profile(Semantics.CILIUM))
    asked = 0
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        source = party(engine, place(case, mine, query["from"], query["to"]))
        destination = party(engine, place(case, mine, query["to"], query["from"]))
        if source is not None and destination is not None and query["from"] != query["to"]:
            asked += 1
            assert engine.decide(source, destination, *packet(query)).allowed is verdict["allowed"], query
    # All but the entities without an address.
    assert asked >= len(case["queries"]) - 2 * (1 + len(OWN)) - 1


@by_case
def test_what_is_looked_at_further_is_told(number: int) -> None:
    mine, found = prepared(number)
    case = CASES[number]
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        source = place(case, mine, query["from"], query["to"])
        destination = place(case, mine, query["to"], query["from"])
        further = {
            words
            for tier in found.tiers
            for policy in tier.policies
            for rule in policy.rules
            if rule.does is Does.ALLOW and rule.connections.allows(*packet(query))
            for me, other in ([(destination, source)] if rule.direction is Direction.INGRESS else [(source, destination)])
            if holds(policy.subject, me) and holds(rule.peer, other, me)
            for words in rule.judged_further
        }
        if verdict["allowed"]:
            assert ("authentication" in further) is verdict.get("auth", False), query
            assert bool(further - {"authentication"}) is verdict.get("l7", False), query
