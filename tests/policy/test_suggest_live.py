"""The real API server takes what is suggested, strict about fields."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eksnetpol.policy.answers import Addresses, ServiceAddress
from eksnetpol.policy.suggest import allowing
from tests.policy.test_suggest import API, DB, SERVICE, WEB, engine_of, of, pod
from tests.testbed.cluster import ControlPlane

pytestmark = pytest.mark.testbed


def suggested() -> list[dict[str, Any]]:
    odd = pod("odd-0", "10.0.0.9", {"app.kubernetes.io/name": "Odd_One.2"}, "odd.one")
    engine = engine_of(WEB, API, DB, odd, services=[SERVICE])
    web = of(engine, "StatefulSet", "web")
    there = ServiceAddress(engine.world.services[0], "svc:shop/api")
    found = [
        *allowing(engine, web, of(engine, "StatefulSet", "db", "bank"), "SCTP", 5432),
        *allowing(engine, web, there, "TCP", 80),
        *allowing(engine, of(engine, "StatefulSet", "odd.one"), Addresses("198.51.100.0/24", "a network"), "UDP", 53),
        *allowing(engine, Addresses("198.51.100.7", "a client"), web, "ICMP", 2048),
    ]
    return [dict(s.policy) for s in found]


def test_the_api_server_takes_every_kind_of_suggestion(control_plane: ControlPlane) -> None:
    policies = suggested()
    assert len(policies) == 5
    for policy in policies:
        policy["metadata"] = {**policy["metadata"], "namespace": "default"}
        how = ("--dry-run=server", "--validate=strict", "-o", "json", "-f", "-")
        said = control_plane.did("create", *how, stdin=json.dumps(policy))
        assert json.loads(said)["spec"]["policyTypes"] == policy["spec"]["policyTypes"]
