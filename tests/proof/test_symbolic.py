"""Proofs over all pods: what is found is shown to be so, and what is proved is tried out on everything small."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from itertools import product

import msgspec
import pytest

from eksnetpol.engines.kubernetes_policies import stack_tier
from eksnetpol.model.kubernetes import ObjectMeta, Service, ServiceSpec
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.stacks.clauses import NAME_LABEL
from eksnetpol.policy.stacks.ends import End
from eksnetpol.policy.stacks.formulas import EndKind
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.proof import Counterexample, NoSolverError, Proved, prove
from tests.migration.promise import Cluster, calico
from tests.policy.stacks.plain import allowed

pytest.importorskip("z3")


def target(case: Cluster) -> tuple[NetworkPolicy, ...]:
    """Return the NetworkPolicies that there are after the translation."""
    made = [o.manifest for o in case.translated().outputs]
    names = {(m["metadata"]["name"], m["metadata"]["namespace"]) for m in made}
    kept = [p for p in case.world.network_policies if (p.name, p.namespace) not in names]
    return (*kept, *(msgspec.convert(m, NetworkPolicy) for m in made))


def small(case: Cluster) -> Iterator[End]:
    """Return pods with all small combinations of labels and accounts, in all namespaces, and some addresses outside."""
    spaces = {n.name: dict(n.metadata.labels) | {NAME_LABEL: n.name} for n in case.world.namespaces}
    values = (None, "a", "b", "c")
    for number, (space, app, tier) in enumerate(product(spaces, values, values)):
        labels = {k: v for k, v in (("app", app), ("tier", tier)) if v is not None}
        account = ("default", "robot")[number % 2]
        own = {a: case.world.account_labels.get((space, a), {}) for a in ("default", "robot")}
        address = f"10.0.{number % 2 + 1}.{number + 20}"
        yield End(EndKind.POD, space, labels, spaces[space], account, own[account], address, version=4)
    for address in case.outside:
        yield End(EndKind.OUTSIDE, address=address, version=4)


@pytest.mark.parametrize("number", range(25))
def test_what_is_found_is_so_and_what_is_proved_has_no_small_exception(number: int) -> None:
    case = calico(number)
    policies = target(case)
    later = Stack("networkpolicies", (stack_tier(policies, case.world),))
    found = prove(case.stack, policies, case.world, vpc=("10.0.0.0/16",))
    if isinstance(found, Counterexample):
        connection = (found.source, found.destination, found.protocol, found.port, found.source_port)
        assert allowed(later, case.world, *connection, names=found.ports).allowed is True, str(found)
        assert allowed(case.stack, case.world, *connection, names=found.ports).allowed is not True, str(found)
        return
    assert isinstance(found, Proved)
    ends = list(small(case))[number % 3 :: 3]
    for source, destination in product(ends, repeat=2):
        if source is destination or EndKind.POD not in {source.kind, destination.kind}:
            continue
        for protocol, port in (("TCP", 80), ("UDP", 443), ("ICMP", 0x0800)):
            connection = (source, destination, protocol, port, 40000)
            if allowed(later, case.world, *connection, names={}).allowed:
                assert allowed(case.stack, case.world, *connection, names={}).allowed, connection


def test_an_allowance_that_is_too_wide_is_found() -> None:
    case = next(c for c in map(calico, range(40)) if "Allow" in str(c.objects) and target(c))
    everything: dict[str, object] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "wide", "namespace": "alpha"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }
    closed = Stack("networkpolicies", (stack_tier([_policy(everything | {"spec": _CLOSED})], case.world),))
    found = prove(closed, [_policy(everything)], case.world)
    assert isinstance(found, Counterexample)
    assert found.destination.namespace == "alpha"
    assert "would flow, and does not flow before" in str(found)
    assert isinstance(prove(closed, [_policy(everything | {"spec": _CLOSED})], case.world, future_namespaces=True), Proved)
    narrower = prove(closed, [], dataclasses.replace(case.world), wider=False)
    assert isinstance(narrower, Proved)


_CLOSED = {"podSelector": {}, "policyTypes": ["Ingress"]}


def _policy(manifest: Mapping[str, object]) -> NetworkPolicy:
    return msgspec.json.decode(msgspec.json.encode(manifest), type=NetworkPolicy)


def test_without_the_solver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    case = calico(0)
    with pytest.raises(NoSolverError, match=r"eksnetpol\[prove\]"):
        prove(case.stack, (), case.world)


def test_the_address_of_a_service_is_no_end() -> None:
    """A ClusterIP that is written for the pods behind it opens nothing: before, such a connection was judged at the pods."""
    world = calico(0).world
    named: dict[str, object] = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "alpha"},
    }  # fmt: skip
    closed = _policy(named | {"spec": {"podSelector": {}, "policyTypes": ["Egress"]}})
    block = {"to": [{"ipBlock": {"cidr": "10.100.0.7/32"}}]}
    opened = _policy(named | {"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [block]}})
    before = Stack("networkpolicies", (stack_tier([closed], world),))
    assert isinstance(prove(before, (opened,), dataclasses.replace(world, services=())), Counterexample)
    served = Service(ObjectMeta("db", "alpha"), spec=ServiceSpec(cluster_ip="10.100.0.7"))
    assert isinstance(prove(before, (opened,), dataclasses.replace(world, services=(served,))), Proved)
