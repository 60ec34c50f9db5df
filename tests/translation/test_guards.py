"""Peers that say who is not meant open no Service to whom they do not mean."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from eksnetpol.engines.calico.read import read
from eksnetpol.model.kubernetes import Namespace, Pod, Service
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Translation, Verdict, translate
from eksnetpol.translation.guards import LOST, THERE, TOLD
from tests.migration.promise import MAKERS, Cluster
from tests.policy.oracle.strategies import decoded

Json = dict[str, Any]

PODS = {"web": {"app": "web", "tier": "front"}, "db": {"app": "db", "tier": "back"}, "cli": {"app": "cli"}}


def world(services: dict[str, Json], pods: dict[str, Json] | None = None, target: int | str = 5432) -> World:
    """Return a namespace with *pods* by their labels, and *services* by what they select by, at port 80."""
    own = [
        {
            "metadata": {"name": name, "namespace": "shop", "labels": labels},
            "spec": {"containers": [{"name": "c", "ports": [{"name": "sql", "containerPort": 5432}]}], "nodeName": "n1"},
            "status": {"phase": "Running", "podIP": f"10.0.0.{at}", "hostIP": "10.0.9.1"},
        }
        for at, (name, labels) in enumerate((pods or PODS).items(), start=1)
    ]
    ports = [{"protocol": "TCP", "port": 80, "targetPort": target}]
    made = [
        {
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"clusterIP": f"172.20.0.{at}", "selector": selector, "ports": ports},
        }
        for at, (name, selector) in enumerate(services.items(), start=10)
    ]
    return World(
        pods=decoded(own, Pod),
        namespaces=decoded([{"metadata": {"name": "shop"}}], Namespace),
        services=decoded(made, Service),
        family="ipv4",
    )


def egress(*rules: Json) -> Json:
    written = [{"action": "Allow", **rule} for rule in rules]
    spec = {"selector": "all()", "types": ["Egress"], "egress": written}
    meta = {"name": "out", "namespace": "shop"}
    return {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def translated(mine: World, *rules: Json) -> Translation:
    return translate(read([egress(*rules)], (), mine), mine, Options(vpc=("10.0.0.0/16",)))


def to(selector: str, **more: Any) -> Json:
    return {"destination": {"selector": selector, **({"ports": more.pop("ports")} if "ports" in more else {})}, **more}


def peers(made: Translation) -> list[Json]:
    return [peer for rule in made.outputs[0].manifest["spec"].get("egress", ()) for peer in rule["to"]]


def is_one_of(key: str, *values: str) -> Json:
    return {"key": key, "operator": "In", "values": list(values)}


BY_APP = {name: {"app": name} for name in PODS}
NOT_BACK = {"key": "tier", "operator": "NotIn", "values": ["back"]}


def test_services_of_whom_is_not_meant_stay_closed() -> None:
    made = translated(world(BY_APP), to("tier != 'back'"))
    # Services are told by what they ask for; those of pods that are meant open by it, without their addresses.
    assert peers(made) == [{"podSelector": {"matchExpressions": [is_one_of("app", "cli", "web"), NOT_BACK]}}]
    rule = next(j for j in made.judged if j.place)
    assert (rule.verdict, rule.reasons) == (Verdict.EXACT_NOW, (TOLD,))
    assert not made.refused


def test_where_pods_of_both_kinds_are_behind_a_service_it_closes_and_that_is_said() -> None:
    pods = {"a": {"app": "x", "tier": "front"}, "b": {"app": "x", "tier": "back"}}
    made = translated(world({"x": {"app": "x"}}, pods), to("tier != 'back'"))
    assert peers(made) == [{"podSelector": {"matchExpressions": [is_one_of("tier", "front")]}}]
    rule = next(j for j in made.judged if j.place)
    assert rule.verdict is Verdict.STRICTER
    assert rule.witness is not None
    assert "service/shop/x" in rule.witness.destination


def test_pods_that_no_label_tells_are_left_out_and_that_is_said() -> None:
    pods = {"a": {"app": "x"}, "b": {"app": "x", "tier": "back"}, "c": {"app": "y"}}
    made = translated(world({"x": {"app": "x"}}, pods), to("tier != 'back'"))
    assert peers(made) == [{"podSelector": {"matchExpressions": [is_one_of("app", "y"), NOT_BACK]}}]
    rule = next(j for j in made.judged if j.place)
    assert rule.verdict is Verdict.STRICTER
    assert LOST in rule.reasons
    nobody = translated(world({"x": {"app": "x"}}, {name: pods[name] for name in "ab"}), to("tier != 'back'"))
    assert not nobody.outputs[0].manifest["spec"].get("egress")
    assert next(j for j in nobody.judged if j.place).verdict is Verdict.NONE


def test_labels_of_a_roll_out_tell_nobody() -> None:
    pods = {name: labels | {"pod-template-hash": name * 2} for name, labels in PODS.items()}
    every = {"all": {"app": "db"}}
    made = translated(world(every, pods), to("!has(tier)"))
    [peer] = peers(made)
    assert {one["key"] for one in peer["podSelector"]["matchExpressions"]} == {"app", "tier"}


@pytest.mark.parametrize(
    ("services", "rules"),
    [
        # Nobody asks for other pods than those that are meant.
        ({"web": {"app": "web"}}, (to("tier != 'back'"),)),
        # The Service says itself that it is of others.
        ({"db": {"app": "db", "tier": "back"}}, (to("tier != 'back'"),)),
        # No port of it is led to.
        (BY_APP, (to("tier != 'back'", ports=[443], protocol="TCP"),)),
        # Something else lets through what it would open.
        (BY_APP, (to("tier != 'back'"), to("tier == 'back'"))),
        (BY_APP, (to("tier != 'back'"), to("app == 'db'", ports=["5000:6000"], protocol="TCP"))),
    ],
)
def test_what_opens_nothing_else_is_written_as_it_was(services: dict[str, Json], rules: tuple[Json, ...]) -> None:
    made = translated(world(services), *rules)
    assert {"podSelector": {"matchExpressions": [NOT_BACK]}} in peers(made)
    assert next(j for j in made.judged if j.place).verdict is Verdict.EXACT
    assert {j.verdict for j in made.judged} <= {Verdict.EXACT, Verdict.EXACT_NOW}


@pytest.mark.parametrize("ports", [[5432], ["sql"], ["5000:6000"], [80, 5432]])
def test_ports_by_number_name_and_range_are_seen_to_lead_there(ports: list[Any]) -> None:
    for target in (5432, "sql"):
        made = translated(world(BY_APP, target=target), to("tier not in {'back'}", ports=ports, protocol="TCP"))
        [peer] = (peer for peer in peers(made) if "podSelector" in peer)
        assert peer == {"podSelector": {"matchExpressions": [is_one_of("app", "cli", "web"), NOT_BACK]}}
        assert Verdict.LOOSER not in {j.verdict for j in made.judged}


def reaching(made: Translation) -> set[str]:
    return {peer["ipBlock"]["cidr"] for peer in peers(made) if "ipBlock" in peer}


def with_api_server(mine: World, address: str = "203.0.113.9") -> World:
    ports = [{"protocol": "TCP", "port": 443, "targetPort": 443}]
    meta = {"name": "kubernetes", "namespace": "default"}
    service = {"metadata": meta, "spec": {"clusterIP": "172.20.0.1", "ports": ports}}
    namespaces = decoded([{"metadata": {"name": name}} for name in ("shop", "default")], Namespace)
    services = (*mine.services, *decoded([service], Service))
    return dataclasses.replace(mine, services=services, namespaces=namespaces, api_servers=frozenset({address}))


def test_who_may_reach_the_api_server_may_reach_its_service() -> None:
    made = translated(with_api_server(world({})), {"destination": {"nets": ["203.0.113.0/24"]}})
    assert reaching(made) == {"203.0.113.0/24", "172.20.0.1/32"}
    assert "172.20.0.1/32" not in reaching(translated(with_api_server(world({})), {"destination": {"nets": ["203.0.113.0/29"]}}))
    by_other_port = to("all()") | {"protocol": "TCP"}
    by_other_port["destination"] = {"nets": ["203.0.113.0/24"], "ports": [80]}
    assert reaching(translated(with_api_server(world({})), by_other_port)) == {"203.0.113.0/24"}


def test_who_may_reach_every_pod_does_not_reach_the_api_server() -> None:
    everywhere = {"destination": {"namespaceSelector": "all()"}}
    made = translated(with_api_server(world(BY_APP)), everywhere)
    there = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    assert peers(made) == [{"namespaceSelector": {}, "podSelector": there}]
    rule = next(j for j in made.judged if j.place)
    assert (rule.verdict, rule.reasons) == (Verdict.EXACT_NOW, (THERE,))
    # A port that does not lead there, or leave to speak to it, changes nothing.
    for rules in (
        ({**everywhere, "protocol": "TCP", "destination": {"namespaceSelector": "all()", "ports": [5432]}},),
        (everywhere, {"destination": {"nets": ["203.0.113.0/24"]}}),
    ):
        assert {"namespaceSelector": {}} in peers(translated(with_api_server(world(BY_APP)), *rules))


NEGATIVE = (
    "tier != 'a'", "!has(tier)", "app not in {'a'}", "app == 'a' && tier != 'b'", "!(app == 'a' && tier == 'a')", "!has(app)"
)  # fmt: skip


def case(number: int) -> Cluster:
    """Return a random cluster with one policy that says who is not meant."""
    chance = random.Random(number)  # noqa: S311 - the same every time is the point
    found = MAKERS["calico"](number)
    for one in found.cluster["services"]:
        one["selector"] = {key: chance.choice("ab") for key in chance.sample(("app", "tier"), chance.choice((1, 1, 2)))}
    rule: Json = {"destination": {"selector": chance.choice(NEGATIVE)}}
    if chance.random() < 0.3:
        rule["destination"]["namespaceSelector"] = "all()"
    policy = egress(rule)
    policy["metadata"]["namespace"] = found.cluster["namespaces"][0]["name"]
    return found.with_objects([policy])


def test_nothing_flows_through_services_that_did_not() -> None:
    guarded = 0
    for number in range(150):
        one = case(number)
        made = one.translated()
        assert Verdict.LOOSER not in {j.verdict for j in made.judged}, (number, made.judged)
        assert not one.through_services(), number
        assert not one.promise(compare=False), number
        guarded += any(TOLD in j.reasons for j in made.judged)
    assert guarded > 10
