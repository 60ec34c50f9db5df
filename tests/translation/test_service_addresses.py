"""Blocks leave out where Services get their addresses: one there would lead to pods around what is denied."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from eksnetpol.engines.calico.read import read
from eksnetpol.model.kubernetes import Namespace, Pod, Service
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Verdict, translate
from tests.policy.oracle.strategies import decoded

Json = dict[str, Any]


def world(cidr: str = "", selector: Json | None = None) -> World:
    pods = [
        {
            "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
            "spec": {"containers": [{"name": "c"}], "nodeName": "n1"},
            "status": {"phase": "Running", "podIP": f"10.0.0.{at}", "hostIP": "10.0.9.1"},
        }
        for at, name in enumerate(("web", "db"), start=1)
    ]
    ports = [{"protocol": "TCP", "port": 5432, "targetPort": 5432}]
    service = {
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"clusterIP": "172.20.0.10", "selector": {"app": "db"} if selector is None else selector, "ports": ports},
    }
    return World(
        pods=decoded(pods, Pod),
        namespaces=decoded([{"metadata": {"name": "shop"}}], Namespace),
        services=decoded([service], Service),
        family="ipv4",
        service_cidr=cidr,
    )


def blocks(mine: World, *nets: str) -> tuple[set[str], set[Verdict]]:
    spec = {"selector": "app == 'web'", "types": ["Egress"], "egress": [{"action": "Allow", "destination": {"nets": list(nets)}}]}
    meta = {"name": "out", "namespace": "shop"}
    policy = {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
    found = translate(read([policy], (), mine), mine, Options(vpc=("10.0.0.0/16",)))
    peers = found.outputs[0].manifest["spec"]["egress"][0]["to"]
    return {peer["ipBlock"]["cidr"] for peer in peers}, {j.verdict for j in found.judged}


@pytest.mark.parametrize("cidr", ["172.20.0.0/16", ""])
def test_a_block_around_them_is_written_without_them(cidr: str) -> None:
    written, verdicts = blocks(world(cidr), "172.20.0.0/15", "203.0.113.0/24")
    assert written == {"172.21.0.0/16", "203.0.113.0/24"}
    assert Verdict.LOOSER not in verdicts


def test_where_they_are_is_a_guess_where_nobody_says_so() -> None:
    mine = world()
    own = tuple(replace(s, spec=replace(s.spec, cluster_ip="192.168.7.10")) for s in mine.services)
    written, verdicts = blocks(dataclasses.replace(mine, services=own), "192.168.0.0/15")
    assert written == {"192.169.0.0/16"}
    assert Verdict.STRICTER in verdicts


def test_who_may_reach_every_pod_may_reach_every_service() -> None:
    assert blocks(world(), "0.0.0.0/0")[0] == {"0.0.0.0/0"}


def test_a_service_whose_endpoints_are_not_pods_stays_open() -> None:
    written, _ = blocks(world("172.20.0.0/28", selector={}), "172.20.0.0/27")
    assert written == {"172.20.0.16/28", "172.20.0.10/32"}
