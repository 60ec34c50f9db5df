from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.checks.policies.policies_stay_small import policies_stay_small
from tests.checks.cases import Case, assert_case, case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policies_stay_small(case: Case) -> None:
    assert_case(policies_stay_small, case)


def test_the_largest_of_each_namespace_is_named() -> None:
    pods = [{"name": f"web-1-{i}", "ip": f"10.0.{i >> 8}.{i & 255}"} for i in range(1001)]
    everybody: list[dict[str, Any]] = [{"from": [{"podSelector": {}}]}]
    policies = [{"name": "deny"}, {"name": "mates", "ingress": [*everybody, *everybody]}, {"name": "other", "namespace": "other"}]
    short = {"pods": pods, "network_policies": policies, "finds": ["networkpolicy/shop/mates"], "severity": "warning"}
    says = ["resolves to 2002 peers in ingress, in 11 PolicyEndpoints", "1 policy beside it: deny"]
    assert_case(policies_stay_small, case("large", {**short, "says": says}))


def test_a_thousand_are_not_too_many() -> None:
    pods = [{"name": f"web-1-{i}"} for i in range(1000)]
    assert_case(policies_stay_small, case("not yet", {"pods": pods, "network_policies": [{"name": "deny"}]}))
