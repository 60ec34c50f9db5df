"""Who may send what to whom in two real applications, written by hand from reading their policies (see scenarios/README.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Pods, ServiceAddress, Workload
from eksnetpol.policy.connections import NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.engine import SetEngine, build_engine
from eksnetpol.policy.ports import EVERY_PORT
from eksnetpol.policy.profile import STANDARD, Profile, Semantics
from eksnetpol.policy.world import World
from tests.policy.oracle.kubernetes import Kubernetes
from tests.policy.oracle.plain import Packet, Place
from tests.policy.oracle.vpc_cni import VpcCni

HERE = Path(__file__).parent / "scenarios"
DATA = Path(__file__).parents[1] / "data"
NAMES = sorted(p.parent.name for p in HERE.glob("*/scenario.yaml"))
BOTH = pytest.mark.parametrize("semantics", list(STANDARD))
EACH = pytest.mark.parametrize("name", NAMES)
Row = dict[str, str]


@dataclass(frozen=True)
class Scenario:
    """A world and what is expected of it."""

    world: World
    matrix: dict[str, Row]
    services: dict[str, Row]
    namespaces: tuple[str, ...]

    def watched(self, workload: Workload) -> bool:
        """Say whether *workload* is looked at."""
        return not self.namespaces or workload.namespace in self.namespaces


@lru_cache
def scenario(name: str) -> Scenario:
    raw: dict[str, Any] = yaml.safe_load((HERE / name / "scenario.yaml").read_text(encoding="utf-8"))
    assert set(raw) <= {"what", "read", "namespaces", "matrix", "services"}
    worlds = [World.of(read_manifests([str(DATA / path)])) for path in raw["read"]]
    policies: dict[tuple[str, str], NetworkPolicy] = {}
    for world in worlds:
        policies |= {(p.namespace, p.name): p for p in world.network_policies}
    first = replace(worlds[0], network_policies=tuple(policies.values()))
    return Scenario(first, raw["matrix"], raw["services"], tuple(raw.get("namespaces", ())))


def expected(row: Row, source: Workload) -> str:
    return row.get(str(source), row.get("everybody", "none"))


def engine_of(name: str, semantics: Semantics) -> SetEngine:
    return build_engine(scenario(name).world, Profile(semantics))


@EACH
@BOTH
def test_the_matrix_is_the_one_that_was_written_by_hand(name: str, semantics: Semantics) -> None:
    case, engine = scenario(name), engine_of(name, semantics)
    matrix = engine.matrix()
    workloads = [w for w in engine.atlas.workloads if case.watched(w)]
    assert {str(w) for w in workloads} == set(case.matrix)
    for destination in workloads:
        for source in workloads:
            if source != destination:
                answer = matrix.cell(source, destination)
                assert answer.is_uniform
                assert str(answer.every) == expected(case.matrix[str(destination)], source), (str(source), str(destination))


@EACH
@BOTH
def test_services_lead_where_it_was_written_by_hand(name: str, semantics: Semantics) -> None:
    case, engine = scenario(name), engine_of(name, semantics)
    for title, row in case.services.items():
        service = engine.world.service_by_name[tuple(title.split("/"))]  # type: ignore[index]
        behind = {str(place) for place in Kubernetes(case.world, "ipv4").cluster.behind(service)}
        assert behind
        for source, classes in engine.atlas.workloads.items():
            own = {f"{p.namespace}/{p.name}" for c in engine.atlas.universe.members(classes) for p in c.pods}
            if case.watched(source) and own.isdisjoint(behind):
                answer = engine.connections(Pods(classes, str(source)), ServiceAddress(service, title))
                assert answer.is_uniform
                assert str(answer.every) == expected(row, source), (str(source), title)


@EACH
@BOTH
def test_the_oracles_read_the_policies_as_a_person_does(name: str, semantics: Semantics) -> None:
    case, engine = scenario(name), engine_of(name, semantics)
    oracle = Kubernetes(case.world, "ipv4") if semantics is Semantics.KUBERNETES else VpcCni(case.world, Profile(semantics))
    places: dict[Workload, Place] = {}
    for workload, classes in engine.atlas.workloads.items():
        (one,) = (p for c in engine.atlas.universe.members(classes) for p in c.pods)
        places[workload] = oracle.cluster.places[one.namespace, one.name]
    watched = {w: p for w, p in places.items() if case.watched(w)}
    named = {int(text.rpartition(" ")[2]) for row in case.matrix.values() for text in row.values() if text[-1].isdecimal()}
    packets = [Packet(protocol, n) for protocol in WITH_PORTS for n in (1, *named)] + [Packet("ICMP", 0), Packet("OTHER", 47)]
    for destination, there in watched.items():
        for source, here in watched.items():
            if source == destination:
                continue
            passed = {packet for packet in packets if oracle.flows(here, there, packet)}
            said = connections(expected(case.matrix[str(destination)], source))
            assert passed == {packet for packet in packets if said is None or said.allows(*packet)}


def connections(text: str) -> Connections | None:
    """Read ``all`` (None), ``none`` or ``TCP 80``."""
    if text in {"all", "none"}:
        return None if text == "all" else NOTHING
    protocol, _, number = text.partition(" ")
    assert int(number) in EVERY_PORT
    return Connections.only(protocol, type(EVERY_PORT).of(int(number)))
