from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.checks.policies.peers_fit_the_agents_map import CROWDED, FULL, peers_fit_the_agents_map
from tests.checks.cases import Case, assert_case, case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_peers_fit_the_agents_map(case: Case) -> None:
    assert_case(peers_fit_the_agents_map, case)


def _crowd(pods: int, *blocks: str, ingress: str = "web") -> dict[str, Any]:
    crowd = [{"name": f"job-1-{i}", "namespace": "batch"} for i in range(pods)]
    web = {"name": "web-1-a", "labels": {"app": "web"}, "owner": "StatefulSet/web"}
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "batch"}}}]
    first = {"name": "in", "pods": {"app": ingress}, "ingress": [{"from": peers}, {"from": peers}]}
    second = {"name": "office", "ingress": [{"from": [{"ipBlock": {"cidr": b}} for b in blocks]}]}
    return {"pods": [web, *crowd], "network_policies": [first, second]}


def test_half_of_the_map_is_a_warning_and_more_than_the_map_a_failure() -> None:
    half = _crowd(CROWDED, "192.0.2.0/24") | {"finds": ["statefulset/shop/web"], "severity": "warning"}
    assert_case(peers_fit_the_agents_map, case("half", half | {"says": "ingress policies name 32769 addresses"}))
    full = _crowd(FULL, "192.0.2.0/24") | {"finds": ["statefulset/shop/web"], "severity": "blocker"}
    assert_case(peers_fit_the_agents_map, case("full", full | {"says": ["65537 addresses", "in office"]}))


def test_what_several_rules_name_counts_once() -> None:
    # Twice the pods of one namespace, and as many as half of the map holds.
    assert_case(peers_fit_the_agents_map, case("not yet", _crowd(CROWDED)))


def test_pods_that_no_policy_selects_have_no_map() -> None:
    assert_case(peers_fit_the_agents_map, case("elsewhere", _crowd(FULL, "192.0.2.0/24", ingress="api")))
