"""The promise, query by query, against what the engines' own code answered: nothing more flows, and what does not is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from eksnetpol.model.findings import Subject
from eksnetpol.policy.answers import Addresses, Engine, Party, Pods
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.stacks.ends import End
from eksnetpol.policy.stacks.formulas import EndKind
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Translation, Verdict, translate
from eksnetpol.translation.comparing import after
from tests.engines import test_calico_verdicts as calico
from tests.engines import test_cilium_verdicts as cilium

Json = dict[str, Any]
PROFILE = Profile(family="ipv4")
WORSE = {Verdict.STRICTER, Verdict.NONE, Verdict.LOOSER}


@pytest.mark.parametrize("number", range(len(calico.CASES)), ids=lambda n: calico.CASES[n]["name"])
def test_nothing_more_flows_than_under_calico_and_what_does_not_is_named(number: int) -> None:
    case = calico.CASES[number]
    mine = calico.world(case)

    def ends(target: Engine, query: Json) -> tuple[Party | None, Party | None]:
        return said_party(target, query["from"]), said_party(target, query["to"])

    hold(case, calico.stack(case, mine), mine, ends, calico.packet, let_through)


@pytest.mark.parametrize("number", range(len(cilium.CASES)), ids=lambda n: cilium.CASES[n]["id"])
def test_nothing_more_flows_than_under_cilium_and_what_does_not_is_named(number: int) -> None:
    case = cilium.CASES[number]
    mine = cilium.world(case)

    def ends(target: Engine, query: Json) -> tuple[Party | None, Party | None]:
        source = cilium.place(case, mine, query["from"], query["to"])
        destination = cilium.place(case, mine, query["to"], query["from"])
        if query["from"] == query["to"] or is_own_node(source, destination) or is_own_node(destination, source):
            return None, None
        return party(target, source), party(target, destination)

    hold(case, cilium.stack(case, mine), mine, ends, cilium.packet, lambda _: set())


def hold(
    case: Json,
    source: Stack,
    world: World,
    ends: Callable[[Engine, Json], tuple[Party | None, Party | None]],
    packet: Callable[[Json], tuple[str, int]],
    deciding: Callable[[Json], set[Subject]],
) -> None:
    found = translate(source, world, Options(profile=PROFILE, vpc=("10.0.0.0/16",)))
    target = build_engine(after(world, found.outputs), PROFILE)
    asked = 0
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        here, there = ends(target, query)
        if here is None or there is None:
            continue
        asked += 1
        decision = target.decide(here, there, *packet(query))
        if decision.allowed and not verdict["allowed"]:
            assert widening(found), (query, verdict, decision)
        if verdict["allowed"] and not decision.allowed:
            refs = deciding(verdict)
            assert any(j.verdict in WORSE and (not refs or j.ref in refs) for j in found.judged), (query, verdict, decision)
    assert asked


def let_through(verdict: Json) -> set[Subject]:
    """Return the policies whose rules let a connection through."""
    found = (calico.said(verdict.get(f"{side}_by")) for side in ("egress", "ingress"))
    return {one.policy for one in found if one is not None and one.policy is not None}


def is_own_node(end: End, other: End) -> bool:
    return end.kind is EndKind.NODE and end.node == other.node


def said_party(engine: Engine, who: Mapping[str, str]) -> Party:
    if "ip" in who:
        return Addresses(f"{who['ip']}/32", who["ip"])
    namespace, _, name = who["pod"].partition("/")
    index = engine.atlas.class_of[namespace, name]
    return Pods(1 << index, who["pod"], tuple(p for p in engine.atlas.universe.classes[index].pods if p.name == name))


def party(engine: Engine, end: End) -> Party | None:
    """Return an end as the engine is asked about it; None for what it cannot be asked."""
    if end.kind is EndKind.POD:
        pod = next(p for p in engine.world.pods if p.status.pod_ip == end.address)
        return Pods(1 << engine.atlas.class_of[pod.namespace, pod.name], pod.name, (pod,))
    return Addresses(f"{end.address}/32", end.address) if end.address else None


def widening(found: Translation) -> Mapping[str, str]:
    return {f"{j.ref} {j.place}": j.reason for j in found.judged if j.verdict is Verdict.LOOSER}


LOOSER_UNDER_CALICO = {
    "k8s-np-named-port": {"networkpolicy/alpha/k ", "networkpolicy/alpha/k spec.ingress[0]"},
    "k8s-np-order-1000-after-gnp-999-deny": {
        "globalnetworkpolicy/d ",
        "globalnetworkpolicy/d spec.ingress[0]",
        "networkpolicy/alpha/k ",
        "networkpolicy/alpha/k spec.ingress[0]",
    },
}
"""Cases in which a NetworkPolicy that stays lets more through without Calico, with the rules that say so."""


def test_only_networkpolicies_that_stay_let_more_through_than_under_calico() -> None:
    found = {}
    for case in calico.CASES:
        mine = calico.world(case)
        looser = widening(translate(calico.stack(case, mine), mine, Options(profile=PROFILE, vpc=("10.0.0.0/16",))))
        if looser:
            found[case["name"]] = set(looser)
    assert found == LOOSER_UNDER_CALICO
