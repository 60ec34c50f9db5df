"""The Services in sets, against asking one after the other: whom formulas mean behind them, what peers open, what is written."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Service, ServicePort
from eksnetpol.model.policies import PolicyPeer
from eksnetpol.policy.addresses import covers
from eksnetpol.policy.connections import WITH_PORTS, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.stacks.ends import End, holds
from eksnetpol.policy.stacks.formulas import And, Formula, Is, Label, Named, Not, Or, Scope, Test
from eksnetpol.policy.stacks.rules import PortName
from eksnetpol.policy.universe import indexes_of
from eksnetpol.translation.behind import Behind, Fronts
from eksnetpol.translation.boxes import Box
from eksnetpol.translation.end_sets import EndSets
from eksnetpol.translation.ground import Inventory
from eksnetpol.translation.regions import Ledger
from eksnetpol.translation.services import Services
from eksnetpol.translation.vpc import survey
from tests.migration.clusters import world
from tests.migration.random_ground import NODES, Ground
from tests.policy.stacks.formulas import ends, formulas

Json = dict[str, Any]


@st.composite
def crowds(draw: st.DrawFn) -> list[End]:
    """Return ends of which those of one namespace, and of one account, have the labels of it in common."""
    found = draw(st.lists(ends(), max_size=12))
    spaces = {e.namespace: e.namespace_labels for e in found}
    accounts = {(e.namespace, e.account): e.account_labels for e in found}
    alike = ((e, spaces[e.namespace], accounts[e.namespace, e.account]) for e in found)
    return [dataclasses.replace(e, namespace_labels=space, account_labels=account) for e, space, account in alike]


@settings(max_examples=400)
@given(crowds(), formulas)
def test_formulas_mean_in_sets_what_they_mean_one_by_one(crowd: list[End], formula: Formula) -> None:
    sets = EndSets(crowd)
    sure, perhaps = sets.of(formula)
    for end in crowd:
        bit = 1 << sets.number(end)
        assert (bool(sure & bit), bool(perhaps & bit)) == {
            True: (True, True), None: (False, True), False: (False, False)
        }[holds(formula, end)]  # fmt: skip
    assert sure | perhaps <= sets.everything


# --- against one Service after the other --------------------------------------------------------------------------------


def inventory(number: int) -> Inventory:
    ground = Ground(number)
    cluster = ground.cluster()
    for one in cluster["services"]:
        one["selector"] = {key: ground.one("a", "b") for key in ("app", "tier") if ground.maybe(0.5)}
        if ground.maybe(0.5):
            one["ports"].append({"protocol": ground.one("UDP", "TCP"), "port": 53, "targetPort": ground.one(53, "http", 80)})
    mine = world(cluster, NODES)
    return Inventory(mine, survey(mine, ("10.0.0.0/16",), 4))


def peers(chance: random.Random) -> list[Json]:
    """Return some peers of a rule, or none: everybody."""

    def selector() -> Json:
        key = chance.choice(("app", "tier"))
        operator = chance.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        values = {"values": [chance.choice("ab")]} if "In" in operator else {}
        asked = {"matchExpressions": [{"key": key, "operator": operator, **values}]}
        return chance.choice(({}, {"matchLabels": {key: "a"}}, asked))

    choices: tuple[Json, ...] = (
        {"podSelector": selector()},
        {"namespaceSelector": {}, "podSelector": selector()},
        {"namespaceSelector": {"matchLabels": {"env": chance.choice(("prod", "dev"))}}},
        {"ipBlock": {"cidr": chance.choice(("172.20.0.0/24", "172.20.0.11/32", "0.0.0.0/0"))}},
    )
    return [chance.choice(choices) for _ in range(chance.choice((0, 1, 1, 2)))]


def formula(chance: random.Random, found: Iterable[Behind]) -> Formula:
    """Return a formula that means some of what is behind Services."""
    ends_ = [one.end for one in found]
    some: list[Formula] = [And(()), Or(()), *(Is(frozenset({end.kind})) for end in ends_)]
    some += [Named(Scope.NAMESPACE, frozenset({end.namespace})) for end in ends_]
    some += [Label(Scope.POD, key, Test.IN, frozenset({value})) for end in ends_ for key, value in end.labels.items()]
    return chance.choice([*some, *map(Not, some)])


def plain_rules(services: Services, box: Box, mine: list[Json], rule: Json, namespace: str) -> set[tuple[str, tuple[Any, ...]]]:
    """Return each ClusterIP that has to be opened with the ports that have to be, one Service after the other."""
    written = rule.get("ports")
    found = set()
    for service, behind in zip(services.fronts.services, services.fronts.behind, strict=True):
        if not all(holds(box.peer, one.end) for one in behind):
            continue
        closed = tuple(
            (port.protocol, port.port)
            for at, port in enumerate(service.spec.ports)
            if _lets_through(box, at, port, behind) and not _is_open(services, service, port, written, mine, namespace)
        )
        if closed:
            found.add((service.spec.cluster_ip, closed))
    return found if mine or written is not None else set()


def _lets_through(box: Box, at: int, port: ServicePort, behind: tuple[Behind, ...]) -> bool:
    if box.name is not None:
        return box.name.protocol in {"", port.protocol} and all(box.name.name in one.names[at] for one in behind)
    return all((n := one.numbers[at]) is not None and box.connections.allows(port.protocol, n) for one in behind)


def _is_open(
    services: Services, service: Service, port: ServicePort, written: list[Json] | None, mine: list[Json], namespace: str
) -> bool:
    address = service.spec.cluster_ip
    peers_of = [msgspec.convert(one, PolicyPeer) for one in mine]
    if not mine or any(p.ip_block is not None and covers(p.ip_block.cidr, address) for p in peers_of):
        for one in written or ():
            if one["protocol"] == port.protocol and one.get("port", port.port) == port.port:
                return True
        if written is None:
            return True
    if not any(_fits(services, peer, service, namespace) for peer in peers_of):
        return False
    for one in written or ():
        if one["protocol"] != port.protocol:
            continue
        same = [p for p in service.spec.ports if p.protocol == port.protocol and (p.target_port or p.port) == one.get("port")]
        if "port" not in one or same[:1] == [port]:
            return True
    return written is None


def _fits(services: Services, peer: PolicyPeer, service: Service, namespace: str) -> bool:
    if peer.ip_block is not None:
        return False
    near = service.namespace == namespace
    if peer.namespace_selector is not None:
        near = peer.namespace_selector.matches(services.inventory.namespaces.get(service.namespace, {}))
    return near and (peer.pod_selector is None or peer.pod_selector.matches(service.spec.selector))


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_the_same_addresses_are_opened_as_one_service_after_the_other(first: int) -> None:
    opened = 0
    for number in range(first, first + 100):
        chance = random.Random(number)  # noqa: S311 - the same every time is the point
        services = Services(inventory(number), 4)
        everybody = [one for behind in services.fronts.behind for one in behind]
        namespaces = sorted(services.inventory.namespaces)
        for _ in range(6):
            protocol = chance.choice(WITH_PORTS)
            number_of = chance.choice((80, 53, 8080))
            box = chance.choice((
                Box(And(()), formula(chance, everybody), Connections.only(protocol, PortSet([(number_of, number_of)]))),
                Box(And(()), formula(chance, everybody), Connections.only("TCP")),
                Box(And(()), formula(chance, everybody), Connections.only("TCP"), PortName("http", chance.choice(("", "TCP")))),
            ))  # fmt: skip
            ports = chance.choice(({}, {"ports": [{"protocol": "TCP"}]}, {"ports": [{"protocol": protocol, "port": number_of}]}))
            mine, namespace = peers(chance), chance.choice(namespaces)
            ledger = Ledger()
            found = services.rules(box, mine, ports, namespace, ledger)
            flat = {
                (to["ipBlock"]["cidr"].removesuffix("/32"), tuple((p["protocol"], p["port"]) for p in rule["ports"]))
                for rule in found
                for to in rule["to"]
            }
            assert flat == plain_rules(services, box, mine, ports, namespace)
            assert bool(ledger.now) is bool(flat)
            opened += len(flat)
    assert opened > 20


def test_a_service_is_meant_wholly_where_all_behind_it_is() -> None:
    seen = set()
    for number in range(120):
        fronts = Fronts(inventory(number), 4)
        chance = random.Random(number)  # noqa: S311 - the same every time is the point
        everybody = [one for behind in fronts.behind for one in behind]
        if everybody:
            peer = formula(chance, everybody)
            whole = set(indexes_of(fronts.wholly(peer)))
            plain = {at for at, behind in enumerate(fronts.behind) if all(holds(peer, one.end) for one in behind)}
            assert whole == plain
            seen.add((bool(whole), len(whole) == len(fronts.behind)))
    assert len(seen) > 1
