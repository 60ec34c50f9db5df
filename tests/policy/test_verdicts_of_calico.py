"""Kubernetes semantics against another implementation of it: Calico's own code, asked about the same NetworkPolicies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Addresses, Engine, Party, Pods
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.world import World

RECORDED = Path(__file__).parents[1] / "data" / "verdicts" / "networkpolicies-by-calico.jsonl"
CASES = [msgspec.json.decode(line) for line in RECORDED.read_bytes().splitlines()]


def world(case: dict[str, Any]) -> World:
    cluster = case["cluster"]
    pods = [
        {
            "metadata": {"name": p["name"], "namespace": p["namespace"], "labels": p["labels"]},
            "spec": {"containers": [{"name": "c", "ports": p["ports"]}]},
            "status": {"podIP": p["ip"], "hostIP": f"198.51.100.{p['node'].lstrip('n')}", "phase": "Running"},
        }
        for p in cluster["pods"]
    ]
    return World(
        pods=tuple(msgspec.json.decode(msgspec.json.encode(p), type=Pod) for p in pods),
        namespaces=msgspec.convert([{"metadata": n} for n in cluster["namespaces"]], tuple[Namespace, ...]),
        network_policies=msgspec.convert(case["policies"], tuple[NetworkPolicy, ...]),
    )


def party(engine: Engine, said: dict[str, str]) -> Party:
    if "ip" in said:
        return Addresses(f"{said['ip']}/32", said["ip"])
    namespace, _, name = said["pod"].partition("/")
    index = engine.atlas.class_of[namespace, name]
    return Pods(1 << index, said["pod"], tuple(p for p in engine.atlas.universe.classes[index].pods if p.name == name))


def packet(query: dict[str, Any]) -> tuple[str, int]:
    """Return protocol and number as `Connections` has them."""
    if query["protocol"] in {"TCP", "UDP", "SCTP"}:
        return query["protocol"], query["port"]
    if query["protocol"] == "ICMP":
        return "ICMP", query.get("icmpType", 0) * 256 + query.get("icmpCode", 0)
    return "OTHER", 47


def test_there_is_something_to_compare() -> None:
    assert sum(len(case["queries"]) for case in CASES) == 640


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_both_decide_alike(case: dict[str, Any]) -> None:
    engine = build_engine(world(case), Profile(Semantics.KUBERNETES))
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        # What a pod sends to itself never leaves it; Calico was asked all the same.
        if query["from"] != query["to"]:
            decision = engine.decide(party(engine, query["from"]), party(engine, query["to"]), *packet(query))
            assert decision.allowed == verdict["allowed"], query
