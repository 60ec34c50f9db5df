"""What the agent's own eBPF programs decided on a real kernel, packet by packet, against what is compiled here."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.policy.agent_map import Entry
from eksnetpol.policy.connections import OTHER
from eksnetpol.policy.pod_state import PodState, Resolved, compile_pod
from eksnetpol.policy.profile import NEWEST_AGENT, Mode
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.slots import Slot

RECORDED = Path(__file__).parents[1] / "data" / "dataplane" / "verdicts-ipv4.json"
NODE = "10.0.0.1"


@lru_cache(maxsize=1)
def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(RECORDED.read_bytes())
    return found


def entry(raw: dict[str, Any]) -> Entry:
    ports = tuple(Slot(p.get("protocol"), p.get("port"), p.get("endPort")) for p in raw["ports"])
    return Entry(raw["cidr"], tuple(raw["except"]), ports)


def compiled(case: dict[str, Any]) -> PodState:
    """The pod of a case: with the rules of its direction, with PolicyEndpoints, or without any policy."""
    if case.get("noPolicy"):
        endpoints = []
    elif "policyEndpoints" in case:
        endpoints = [
            Resolved(frozenset(map(Direction, e["podIsolation"])), *(tuple(map(entry, e[way])) for way in ("ingress", "egress")))
            for e in case["policyEndpoints"]
        ]
    else:
        entries = tuple(map(entry, case.get("entries", [])))
        direction = direction_of(case)
        ingress, egress = (entries, ()) if direction is Direction.INGRESS else ((), entries)
        endpoints = [Resolved(frozenset({direction}), ingress, egress)]
    return compile_pod(endpoints, node_ip=NODE, family="ipv4", agent=NEWEST_AGENT, mode=Mode.STANDARD)


def direction_of(case: dict[str, Any]) -> Direction:
    return Direction(case["direction"].capitalize())


def protocol_and_number(packet: dict[str, Any]) -> tuple[str, int]:
    said = str(packet["protocol"])
    return (OTHER, int(said)) if said.isdecimal() else (said, packet["port"])


def test_the_recording_is_all_there() -> None:
    assert len(cases()) == 53
    assert sum(len(c["packets"]) for c in cases()) == 189
    assert {p["agent"] for c in cases() for p in c["packets"]} == {"allowed", "denied"}


@pytest.mark.parametrize("case", cases(), ids=[c["name"] for c in cases()])
def test_the_maps_decide_as_the_programs_did(case: dict[str, Any]) -> None:
    pod, direction = compiled(case), direction_of(case)
    mine = [(p, pod.verdict(direction, p["ip"], *protocol_and_number(p))) for p in case["packets"]]
    assert mine == [(p, p["agent"] == "allowed") for p in case["packets"]]
