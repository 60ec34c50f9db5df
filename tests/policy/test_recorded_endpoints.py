"""What the AWS network policy controller wrote for two real applications, against what the same objects amount to here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.gateways.pods import PodReducer, WirePod
from eksnetpol.model.kubernetes import Namespace, Service
from eksnetpol.model.policies import NetworkPolicy, PolicyEndpoint
from eksnetpol.policy.declared import DeclaredPorts, index_ports
from eksnetpol.policy.isolation import Isolation, Subjects, isolate
from eksnetpol.policy.rules import Direction, Entry, Rule, entries_of, entry, lay_out, names_of, peer_classes
from eksnetpol.policy.service_entries import opened_services
from eksnetpol.policy.universe import Classes, Universe, build

RECORDED = Path(__file__).parents[1] / "data" / "policyendpoints"
UNRECORDED = "kube-system"
"""The one namespace whose pods the recording leaves out."""

Opened = set[tuple[str, frozenset[Entry]]]


def items(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode((RECORDED / f"{name}.json").read_bytes())["items"]
    return found


@lru_cache(maxsize=1)
def world() -> tuple[Isolation, dict[tuple[str, str], PolicyEndpoint]]:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for item in items("cluster"):
        kinds.setdefault(item["kind"], []).append(item)
    reduce = PodReducer()
    pods = [reduce(msgspec.json.decode(msgspec.json.encode(p), type=WirePod)) for p in kinds["Pod"]]
    universe = build(pods, msgspec.convert(kinds["Namespace"], list[Namespace]))
    isolation = isolate(universe, msgspec.convert(kinds["NetworkPolicy"], list[NetworkPolicy]))
    written = msgspec.convert(items("policyendpoints"), list[PolicyEndpoint])
    return isolation, {(e.spec.policy_ref.namespace, e.spec.policy_ref.name): e for e in written}


def addresses(universe: Universe, classes: Classes) -> Iterator[str]:
    for member in universe.members(classes):
        for pod in member.pods:
            yield pod.status.pod_ip


def names(subjects: Iterable[Subjects]) -> list[str]:
    return [str(s.subject) for s in subjects]


def test_every_policy_was_recorded() -> None:
    isolation, written = world()
    assert {(s.policy.namespace, s.policy.name) for s in isolation.subjects} == set(written)
    assert len(written) == 19


@pytest.mark.parametrize("subjects", world()[0].subjects, ids=names(world()[0].subjects))
def test_a_policy_selects_the_pods_that_the_controller_selected(subjects: Subjects) -> None:
    isolation, written = world()
    policy, endpoint = subjects.policy, written[subjects.policy.namespace, subjects.policy.name]
    universe = isolation.universe
    mine = {
        (p.namespace, p.name, p.status.pod_ip)
        for member in universe.members(subjects.selected & isolation.policed)
        for p in member.pods
    }
    assert mine == {(p.namespace, p.name, p.pod_ip) for p in endpoint.spec.pod_selector_endpoints}
    directions = {d for d, isolates in zip(Direction, (policy.isolates_ingress, policy.isolates_egress), strict=True) if isolates}
    assert directions == set(endpoint.spec.pod_isolation)


@pytest.mark.parametrize("direction", Direction)
def test_the_isolated_pods_are_those_that_some_endpoint_isolates(direction: Direction) -> None:
    isolation, written = world()
    classes = isolation.ingress if direction is Direction.INGRESS else isolation.egress
    theirs = {
        (p.namespace, p.name)
        for e in written.values()
        if direction in e.spec.pod_isolation
        for p in e.spec.pod_selector_endpoints
    }
    mine = {(p.namespace, p.name) for member in isolation.universe.members(classes) for p in member.pods}
    assert mine == theirs
    assert mine


@pytest.mark.parametrize("subjects", world()[0].subjects, ids=names(world()[0].subjects))
def test_ingress_opens_what_the_controller_opened(subjects: Subjects) -> None:
    isolation, written = world()
    universe, ports = isolation.universe, index_ports(isolation.universe)
    rules = [r for r in lay_out([subjects.policy]).everything if r.direction is Direction.INGRESS]
    mine = {opened for rule in rules for opened in opens(rule, subjects.selected, universe, ports)}
    endpoint = written[subjects.policy.namespace, subjects.policy.name]
    assert mine == {(e.cidr, entries_of(e.ports)) for e in endpoint.spec.ingress}


def opens(rule: Rule, selected: Classes, universe: Universe, ports: DeclaredPorts) -> Opened:
    """Work out the addresses of one ingress rule; several rules for one peer do not occur in the recording."""
    entries = entries_of(rule.ports) | {
        entry(p, number) for p in names_of(rule.ports) for number in ports.meanings(p.protocol, str(p.port), selected)
    }
    found = {(b.cidr, entries) for b in (p.ip_block for p in rule.peers) if b is not None}
    if not rule.peers:
        found |= {("0.0.0.0/0", entries), ("::/0", entries)}
    for peer in rule.peers:
        found |= {(a, entries) for a in addresses(universe, peer_classes(universe, rule.policy.namespace, peer))}
    return found


@pytest.mark.parametrize("subjects", world()[0].subjects, ids=names(world()[0].subjects))
def test_egress_leads_to_the_pods_that_the_controller_resolved(subjects: Subjects) -> None:
    isolation, written = world()
    universe = isolation.universe
    mine: set[str] = set()
    for rule in lay_out([subjects.policy]).everything:
        if rule.direction is Direction.EGRESS:
            for peer in rule.peers:
                mine |= set(addresses(universe, peer_classes(universe, rule.policy.namespace, peer)))
    recorded = set(addresses(universe, universe.everything & ~universe.in_namespace.get(UNRECORDED, 0)))
    endpoint = written[subjects.policy.namespace, subjects.policy.name]
    # Addresses of Services stand beside those of the pods behind them.
    assert mine == {e.cidr for e in endpoint.spec.egress} & recorded


def services() -> list[Service]:
    return msgspec.convert([i for i in items("cluster") if i["kind"] == "Service"], list[Service])


@pytest.mark.parametrize("subjects", world()[0].subjects, ids=names(world()[0].subjects))
def test_egress_opens_the_services_that_the_controller_opened(subjects: Subjects) -> None:
    isolation, written = world()
    universe, ports = isolation.universe, index_ports(isolation.universe)
    rules = [r for r in lay_out([subjects.policy]).everything if r.direction is Direction.EGRESS]
    opened = [found for rule in rules for found in opened_services(rule, services(), universe, ports)]
    addresses_of_services = {s.spec.cluster_ip for s in services()}
    endpoint = written[subjects.policy.namespace, subjects.policy.name]
    theirs = {(e.cidr, entries_of(e.ports)) for e in endpoint.spec.egress if e.cidr in addresses_of_services}
    assert {(service.spec.cluster_ip, entries) for service, entries in opened} == theirs


def test_the_recording_holds_addresses_of_services() -> None:
    _, written = world()
    addresses_of_services = {s.spec.cluster_ip for s in services()} - {"None"}
    assert [e.cidr for p in written.values() for e in p.spec.egress if e.cidr in addresses_of_services]
