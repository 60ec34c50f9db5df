"""The bundled applications' own policies, under Calico and afterwards: proved within the half minute that is promised."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.engines.calico.read import read
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.world import World
from eksnetpol.proof import Counterexample, Proved, prove
from tests.policy.oracle.strategies import decoded

pytest.importorskip("z3")

APPS = Path(__file__).parent.parent / "data" / "apps"
SECONDS = 30


def policies(app: str) -> tuple[NetworkPolicy, ...]:
    """Return all NetworkPolicies of an application, those without a namespace in `default`."""
    found: dict[tuple[str, str], Any] = {}
    for file in sorted((APPS / app).rglob("*.y*ml")):
        text = file.read_text(encoding="utf-8")
        if "kind: NetworkPolicy" not in text or "{{" in text:
            continue
        for one in yaml.safe_load_all(text):
            if one and one.get("kind") == "NetworkPolicy":
                one["metadata"].setdefault("namespace", "default")
                found[one["metadata"]["namespace"], one["metadata"]["name"]] = _written(one)
    decode: tuple[NetworkPolicy, ...] = decoded(list(found.values()), NetworkPolicy)
    return decode


def _written(value: Any) -> Any:
    """Leave out what is null, as the API server does."""
    if isinstance(value, dict):
        return {key: _written(one) for key, one in value.items() if one is not None}
    return [_written(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("app", ["online-boutique", "retail-store"])
def test_kept_policies_are_proved_and_one_too_many_is_found(app: str) -> None:
    kept = policies(app)
    world = World(
        pods=(),
        namespaces=(),
        services=(),
        nodes=(),
        network_policies=kept,
        application_policies=(),
        cluster_policies=(),
        family="ipv4",
    )
    stack = read((), kept, world)
    started = time.monotonic()
    assert isinstance(prove(stack, kept, world, future_namespaces=True), Proved)
    isolated = next(p for p in kept if p.isolates_ingress)
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    wide = {"metadata": {"name": "wide", "namespace": isolated.namespace}, "spec": spec}
    found = prove(stack, (*kept, *decoded([wide], NetworkPolicy)), world)
    assert isinstance(found, Counterexample)
    assert found.destination.namespace == isolated.namespace
    assert time.monotonic() - started < SECONDS


def test_policies_are_there() -> None:
    assert [len(policies(app)) > 5 for app in ("online-boutique", "retail-store")] == [True, True]
