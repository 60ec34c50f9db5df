from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.plan import Isolation
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread, Why
from eksnetpol.planning.isolating import isolates, uncovered
from eksnetpol.policy.dormant import dormancy
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.world import World
from tests.planning.clusters import facts_of, managed, planned, self_managed
from tests.policy import worlds

Json = dict[str, Any]

catalog()

WEB = {"name": "web-1", "labels": {"app": "web"}, "owner": "ReplicaSet/web"}
DB = {"name": "db-1", "labels": {"app": "db"}, "owner": "StatefulSet/db", "ip": "10.0.0.11"}


def of(**sections: Any) -> tuple[Isolation, ...] | None:
    return isolates(facts_of(self_managed(namespaces=["shop", "bank"], **sections)))


def test_closed_workloads_come_first_with_the_policies_that_close_them() -> None:
    policies = [
        {"name": "allow-web", "pods": {"app": "web"}, "ingress": [{}]},
        {"name": "deny-all", "types": ["Ingress", "Egress"]},
    ]
    deny, allow = "networkpolicy/shop/deny-all", "networkpolicy/shop/allow-web"
    assert of(pods=[WEB, DB], network_policies=policies) == (
        Isolation("shop/ReplicaSet/web", "egress", 1, 1, 1, (deny,)),
        Isolation("shop/StatefulSet/db", "ingress", 1, 1, 1, (deny,)),
        Isolation("shop/StatefulSet/db", "egress", 1, 1, 1, (deny,)),
        Isolation("shop/ReplicaSet/web", "ingress", 1, 1, 0, (deny, allow)),
    )


def test_nothing_is_isolated_anew_where_all_is_on() -> None:
    assert of(pods=[WEB], network_policies=[{"name": "deny"}], aws_node={}, switch="true") == ()
    assert of(pods=[WEB], network_policies=[{"name": "deny"}], switch="true"), "one switch enforces nothing"


def test_pods_that_no_agent_polices_are_left_out() -> None:
    pods = [
        WEB,
        {**DB, "host_network": True},
        {**DB, "name": "db-2", "node": "far"},
        {**DB, "name": "db-3", "node": "auto"},
        {**DB, "name": "db-4", "phase": "Succeeded"},
    ]
    nodes = [{"name": "node-a"}, {"name": "far", "compute": "fargate"}, {"name": "auto", "compute": "auto"}]
    found = of(pods=pods, nodes=nodes, network_policies=[{"name": "deny"}])
    assert found is not None
    assert [(r.workload, r.pods, r.isolated) for r in found] == [("shop/ReplicaSet/web", 1, 1), ("shop/StatefulSet/db", 1, 1)]


def test_what_was_not_read_is_not_known() -> None:
    plan = planned(managed(network_policies={"unread": "Forbidden"}))
    assert plan.isolates is None
    assert any("which pods become isolated could not be told: Forbidden" in w for w in plan.warnings)


def test_strict_mode_closes_whom_no_policy_holds() -> None:
    facts = facts_of(self_managed(pods=[WEB, DB], network_policies=[{"name": "web", "pods": {"app": "web"}}]))
    assert uncovered(facts) == 1
    assert uncovered(facts_of(self_managed(pods={"unread": "Forbidden"}))) is None


# --- against the engine -------------------------------------------------------------------------------------------


Cluster = tuple[list[Pod], list[Namespace]]
POLICIES = st.lists(worlds.policies(), max_size=4)


def _look(cluster: Cluster, policies: list[NetworkPolicy], *, application: bool) -> ClusterSnapshot:
    named = [replace(p, metadata=replace(p.metadata, name=f"p{i}")) for i, p in enumerate(policies)]
    return ClusterSnapshot(
        pods=Seen(tuple(cluster[0])),
        namespaces=Seen(tuple(cluster[1])),
        network_policies=Seen(tuple(named[1::2] if application else named)),
        application_policies=Seen(tuple(named[::2] if application else ())),
        nodes=Unread("not asked", Why.NOT_ASKED),
    )


def _complete(policy: NetworkPolicy) -> NetworkPolicy:
    """Return *policy* with every direction listed that it has rules for."""
    types = {"Ingress": policy.spec.ingress, "Egress": policy.spec.egress}
    listed = tuple(t for t, rules in types.items() if rules or t in policy.spec.policy_types) or ("Ingress",)
    return replace(policy, spec=replace(policy.spec, policy_types=listed))


@settings(max_examples=60, deadline=None)
@given(worlds.clusters(), POLICIES, st.booleans())
def test_it_says_what_the_policy_engine_says(cluster: Cluster, policies: list[NetworkPolicy], application: bool) -> None:
    snapshot = _look(cluster, [_complete(p) for p in policies], application=application)
    found = isolates(Lookup(snapshot))
    assert found is not None
    # The engine speaks of pods without an owner that nothing tells apart as of one workload, so namespaces are compared.
    assert _summed(map(_row, found)) == _summed(_by_engine(snapshot))


@settings(max_examples=40, deadline=None)
@given(worlds.clusters(), POLICIES, st.booleans())
def test_it_never_says_less_than_the_policy_engine(cluster: Cluster, policies: list[NetworkPolicy], application: bool) -> None:
    snapshot = _look(cluster, policies, application=application)
    found = _summed(map(_row, isolates(Lookup(snapshot)) or ()))
    for key, (isolated, _, _) in _summed(_by_engine(snapshot)).items():
        assert found[key][0] >= isolated


def _summed(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], tuple[int, int, frozenset[str]]]:
    """Return for each namespace and direction how many pods are isolated and closed, and by which policies."""
    found: dict[tuple[str, str], tuple[int, int, frozenset[str]]] = {}
    for workload, direction, _, isolated, closed, policies in rows:
        key = (workload.partition("/")[0], direction)
        before = found.get(key, (0, 0, frozenset()))
        found[key] = (before[0] + isolated, before[1] + closed, before[2] | policies)
    return found


def _row(found: Isolation) -> tuple[Any, ...]:
    return (found.workload, found.direction, found.pods, found.isolated, found.closed, frozenset(found.policies))


def _by_engine(snapshot: ClusterSnapshot) -> list[tuple[Any, ...]]:
    done = dormancy(build_engine(World.of(snapshot), Profile()), {})
    return [
        (str(r.workload), str(direction.value).lower(), r.pods, r.isolated, r.denied, frozenset(map(str, r.policies)))
        for direction in Direction
        for r in done.rows(direction)
    ]
