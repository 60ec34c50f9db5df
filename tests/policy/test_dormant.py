from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.dormant import Row, dormancy
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import STANDARD, Mode, Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.world import World
from tests.policy import worlds
from tests.policy.outlooks import COREDNS, DENY, cluster, names, simulated, web

IN, OUT = Direction.INGRESS, Direction.EGRESS


def rows(found: list[Row]) -> list[tuple[str, int, int, tuple[str, ...]]]:
    return [(r.workload.name, r.isolated, r.denied, tuple(s.name for s in r.policies)) for r in found]


def test_default_deny_comes_first_and_names_what_it_closes() -> None:
    policies = [
        {"name": "allow-web", "pods": {"app": "web"}, "ingress": [{}]},
        {"name": "deny-db", "pods": {"app": "db"}, "types": ["Ingress"]},
        {"name": "deny-all", "types": ["Ingress"]},
    ]
    pods = [web(owner="ReplicaSet/web"), web(name="db-1", labels={"app": "db"}, owner="ReplicaSet/db", ip="10.0.0.11")]
    done = simulated(cluster(pods=pods, network_policies=policies))
    found = done.dormancy
    assert rows(list(found.rows(IN))) == [("db", 1, 1, ("deny-db", "deny-all")), ("web", 1, 0, ("deny-all", "allow-web"))]
    assert rows(list(found.rows(OUT))) == []
    closing = [(p.subject.name, d, found.pods(c)) for p, d, c in found.closing()]
    assert closing == [("deny-all", IN, 2), ("deny-db", IN, 1)]
    assert names(done, found.open(OUT)) == {"web", "db", "coredns"}
    assert names(done, found.open(IN)) == {"coredns"}


def test_a_policy_of_another_namespace_isolates_nobody_here() -> None:
    done = simulated(cluster(network_policies=[{"name": "deny", "namespace": "bank"}]))
    assert done.dormancy.either == 0
    assert names(done, done.dormancy.uncovered) == {"owner", "coredns"}


@pytest.mark.parametrize(
    ("policy", "semantics", "isolated"),
    [
        ({"types": ["Ingress"], "egress": [{}]}, Semantics.KUBERNETES, {IN}),
        # The agent polices a direction as soon as there are rules for it.
        ({"types": ["Ingress"], "egress": [{}]}, Semantics.VPC_CNI, {IN, OUT}),
        ({"types": ["Egress"]}, Semantics.VPC_CNI, {OUT}),
    ],
)
def test_each_direction_is_isolated_on_its_own(policy: Any, semantics: Semantics, isolated: set[Direction]) -> None:
    done = simulated(cluster(network_policies=[{"name": "some", **policy}]), semantics=semantics)
    assert {d for d in Direction if done.dormancy.isolated[d]} == isolated
    assert {d for d in Direction for _ in done.dormancy.rows(d)} == isolated


def test_what_cannot_be_policed_is_named_with_the_policies_that_select_it() -> None:
    nodes = [{"name": "node-a"}, {"name": "far", "compute": "fargate"}, {"name": "win", "os": "windows"},
             {"name": "own", "compute": "hybrid"}, {"name": "auto", "compute": "auto"}]  # fmt: skip
    pods = [
        web(name=f"{owner}-1", owner=f"ReplicaSet/{owner}", node=node, ip=f"10.0.0.{i}", labels={"app": owner})
        for i, (owner, node) in enumerate([("f", "far"), ("w", "win"), ("h", "own"), ("a", "auto"), ("n", "node-a")], 20)
    ]
    pods.append(web(name="host-1", owner="DaemonSet/host", host_network=True, ip="10.0.0.1"))
    done = simulated(cluster(pods=pods, nodes=nodes, network_policies=[DENY]))
    found = {b.workload.name: (b.why, b.pods, [s.name for s in b.policies]) for b in done.dormancy.beyond}
    assert found == {
        "f": ("fargate", 1, ["deny"]),
        "w": ("windows", 1, ["deny"]),
        "h": ("hybrid", 1, ["deny"]),
        "host": ("hostNetwork", 1, ["deny"]),
    }
    # Auto Mode polices its own pods.
    assert names(done, done.dormancy.isolated[IN]) == {"a", "n"}


def test_a_workload_that_is_half_on_fargate_counts_for_the_rest() -> None:
    nodes = [{"name": "node-a"}, {"name": "far", "compute": "fargate"}]
    pods = [web(), web(name="web-2", node="far", ip="10.0.0.11")]
    done = simulated(cluster(pods=pods, nodes=nodes, network_policies=[DENY]))
    assert [(b.why, b.pods) for b in done.dormancy.beyond] == [("fargate", 1)]
    assert names(done, done.dormancy.isolated[OUT]) == {"owner"}


def test_under_strict_mode_whom_no_policy_holds_for_is_cut_off() -> None:
    pods = [web(), web(name="db-1", labels={"app": "db"}, owner="ReplicaSet/db", ip="10.0.0.11")]
    policies = [{"name": "web", "pods": {"app": "web"}, "ingress": [{}]}]
    for mode in Mode:
        done = simulated(cluster(pods=pods, network_policies=policies), mode)
        assert names(done, done.dormancy.uncovered) == {"db", "coredns"}
        assert names(done, done.dormancy.one_sided) == {"owner"}
        # What policies isolate is the same in both modes.
        assert names(done, done.dormancy.either) == {"owner"}


def test_policies_of_the_whole_cluster_are_named_with_their_denials() -> None:
    spec = {"tier": "Admin", "priority": 5, "subject": {"namespaces": {}},
            "ingress": [{"action": "Deny"}, {"action": "Accept"}], "egress": [{"action": "Deny"}]}  # fmt: skip
    done = simulated(cluster(cluster_policies=[{"metadata": {"name": "guard"}, "spec": spec}]))
    assert [(str(s), n) for s, n in done.dormancy.cluster_wide] == [("clusternetworkpolicy/guard", 2)]


def test_pods_that_share_a_name_with_selected_ones_are_isolated_with_them() -> None:
    pods = [
        web(name="db-0", labels={"role": "main"}, owner="StatefulSet/db"),
        web(name="db-backup", labels={"role": "other"}, owner=None, ip="10.0.0.11"),
    ]
    done = simulated(cluster(pods=pods, network_policies=[{"name": "main", "pods": {"role": "main"}, "types": ["Ingress"]}]))
    found = sorted(done.dormancy.rows(IN), key=lambda r: r.workload.name)
    assert rows(found) == [("db", 1, 1, ("main",)), ("db-backup", 1, 0, ())]


@given(worlds.clusters(), st.lists(worlds.policies(), max_size=4), st.sampled_from(list(STANDARD)))
def test_pod_by_pod_the_same_are_isolated_and_open(
    small: tuple[list[Pod], list[Namespace]], policies: list[NetworkPolicy], semantics: Semantics
) -> None:
    pods, namespaces = small
    world = World(pods=tuple(pods), namespaces=tuple(namespaces), network_policies=tuple(policies))
    engine = build_engine(world, Profile(semantics=semantics))
    found = dormancy(engine, {})
    for direction in Direction:
        isolated = {(p.namespace, p.name) for c in engine.atlas.universe.members(found.isolated[direction]) for p in c.pods}
        running = [p for p in pods if not p.is_terminal and not p.spec.host_network]
        selected = {
            (p.namespace, p.name)
            for p in running
            for policy in policies
            if worlds.selects(policy, p) and _isolates(policy, direction)
        }
        assert selected <= isolated
        if semantics is Semantics.KUBERNETES:
            assert selected == isolated
        assert found.isolated[direction] | found.open(direction) == found.counted
        assert sum(r.isolated for r in found.rows(direction)) == len(isolated)
        assert found.denied[direction] & ~found.isolated[direction] == 0
    assert found.uncovered == found.counted & ~found.either


def _isolates(policy: NetworkPolicy, direction: Direction) -> bool:
    return policy.isolates_ingress if direction is IN else policy.isolates_egress


def test_nobody_is_isolated_without_policies() -> None:
    found = simulated(cluster(pods=[web(), {**COREDNS, "name": "coredns-2"}])).dormancy
    assert (found.either, list(found.closing()), found.beyond, found.cluster_wide) == (0, [], (), ())
