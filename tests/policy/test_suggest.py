"""A suggestion allows what was asked for, opens nothing else, closes nothing, and is a policy the API server takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Namespace, Pod, Service
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.answers import Addresses, Engine, Pods, ServiceAddress, Workload
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.engine import SetEngine, build_engine
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import STANDARD, Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.suggest import Suggestion, allowing
from eksnetpol.policy.world import World
from tests.policy import worlds

SEMANTICS = st.sampled_from(list(STANDARD))


def added(engine: Engine, suggestions: tuple[Suggestion, ...]) -> SetEngine:
    """The same world with the suggested policies."""
    more = tuple(msgspec.convert(s.policy, NetworkPolicy) for s in suggestions if s.policy)
    return build_engine(replace(engine.world, network_policies=(*engine.world.network_policies, *more)), engine.profile)


def party(engine: Engine, workload: Workload) -> Pods:
    return Pods(engine.atlas.workloads[workload], str(workload))


@settings(max_examples=150, deadline=None)
@given(worlds.clusters(), st.lists(worlds.policies(), max_size=4), SEMANTICS, st.sampled_from(["TCP", "UDP"]), st.data())
def test_with_what_is_suggested_it_is_allowed(
    cluster: tuple[list[Pod], list[Namespace]],
    policies: list[NetworkPolicy],
    semantics: Semantics,
    protocol: str,
    data: st.DataObject,
) -> None:
    world = World(pods=tuple(cluster[0]), namespaces=tuple(cluster[1]), network_policies=named_apart(policies), family="ipv4")
    engine = build_engine(world, Profile(semantics=semantics))
    assume(engine.atlas.workloads)
    there = st.sampled_from(list(engine.atlas.workloads))
    source, destination = data.draw(there), data.draw(there)
    found = allowing(engine, party(engine, source), party(engine, destination), protocol, 80)
    before = engine.decide(party(engine, source), party(engine, destination), protocol, 80)
    assert before.allowed == (not found)
    after = added(engine, found)
    assert after.decide(party(after, source), party(after, destination), protocol, 80).allowed


@settings(max_examples=150, deadline=None)
@given(worlds.clusters(), st.lists(worlds.policies(), max_size=4), st.data())
def test_nothing_else_is_opened_and_nothing_is_closed(
    cluster: tuple[list[Pod], list[Namespace]], policies: list[NetworkPolicy], data: st.DataObject
) -> None:
    world = World(pods=tuple(cluster[0]), namespaces=tuple(cluster[1]), network_policies=named_apart(policies), family="ipv4")
    engine = build_engine(world, Profile(semantics=Semantics.KUBERNETES))
    apart = [w for w in engine.atlas.workloads if not has_host(engine, w)]
    assume(apart)
    source, destination = data.draw(st.sampled_from(apart)), data.draw(st.sampled_from(apart))
    found = allowing(engine, party(engine, source), party(engine, destination), "TCP", 80)
    after = added(engine, found)
    asked = Connections.only("TCP", PortSet.of(80))
    meant = {source, destination}
    for s in found:
        if "no label tells" in s.words or "no lasting label" in s.words:
            # Said in words: pods that no label tells apart cannot be told apart by a policy.
            return
    for one in apart:
        for other in apart:
            was = engine.connections(party(engine, one), party(engine, other))
            now = after.connections(party(after, one), party(after, other))
            assert was.every <= now.every
            assert was.some <= now.some
            if {one, other} <= meant and (one, other) == (source, destination):
                assert now.some - was.some <= asked
            else:
                assert now.some == was.some


def has_host(engine: Engine, workload: Workload) -> bool:
    return bool(engine.atlas.workloads[workload] & engine.atlas.universe.on_host_network)


def named_apart(policies: list[NetworkPolicy]) -> tuple[NetworkPolicy, ...]:
    return tuple({(p.namespace, p.name): p for p in policies}.values())


# --- small worlds -----------------------------------------------------------------------------------------------------


def pod(name: str, ip: str, labels: dict[str, str], owner: str = "", **more: Any) -> dict[str, Any]:
    owners = [{"kind": "StatefulSet", "name": owner, "uid": owner, "controller": True}] if owner else []
    return {
        "metadata": {"name": name, "namespace": more.pop("namespace", "shop"), "labels": labels, "ownerReferences": owners},
        "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": more.pop("port", 8080)}]}], **more},
        "status": {"podIP": ip, "hostIP": "10.9.0.1", "phase": "Running"},
    }


DENY = {"metadata": {"name": "deny", "namespace": "shop"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}
WEB = pod("web-0", "10.0.0.1", {"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"}, "web")
API = pod("api-0", "10.0.0.2", {"app": "api", "app.kubernetes.io/version": "2"}, "api", port=9000)
DB = pod("db-0", "10.0.1.1", {"app": "db"}, "db", namespace="bank")
SERVICE = {
    "metadata": {"name": "api", "namespace": "shop"},
    "spec": {"clusterIP": "172.20.0.9", "selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": "http"}]},
}


def engine_of(*pods: dict[str, Any], policies: list[dict[str, Any]] | None = None, **more: Any) -> SetEngine:
    world = World(
        pods=tuple(msgspec.json.decode(msgspec.json.encode(p), type=Pod) for p in pods),
        namespaces=msgspec.convert([{"metadata": {"name": n}} for n in ("shop", "bank")], tuple[Namespace, ...]),
        network_policies=msgspec.convert([DENY] if policies is None else policies, tuple[NetworkPolicy, ...]),
        services=msgspec.convert(more.get("services", []), tuple[Service, ...]),
        cluster_policies=msgspec.convert(more.get("cluster", []), tuple[ClusterNetworkPolicy, ...]),
        family="ipv4",
    )
    return build_engine(world, Profile(semantics=more.get("semantics", Semantics.VPC_CNI)))


def of(engine: Engine, kind: str, name: str, namespace: str = "shop") -> Pods:
    return party(engine, Workload(namespace, kind, name))


def test_each_side_that_denies_gets_a_policy_with_lasting_labels_and_one_port() -> None:
    engine = engine_of(WEB, API)
    out, into = allowing(engine, of(engine, "StatefulSet", "web"), of(engine, "StatefulSet", "api"), "TCP", 9000)
    assert (out.direction, into.direction) == (Direction.EGRESS, Direction.INGRESS)
    assert out.policy == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web-to-api-tcp-9000", "namespace": "shop"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Egress"],
            "egress": [
                {"to": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 9000, "protocol": "TCP"}]},
            ],
        },
    }
    assert into.rule == {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 9000, "protocol": "TCP"}]}


def test_a_peer_in_another_namespace_is_meant_by_the_name_of_its_namespace() -> None:
    engine = engine_of(WEB, DB)
    (out,) = allowing(engine, of(engine, "StatefulSet", "web"), of(engine, "StatefulSet", "db", "bank"), "TCP", 5432)
    (peer,) = out.rule["to"]
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}


@pytest.mark.parametrize("semantics", list(STANDARD))
def test_through_a_service_the_rule_has_the_port_of_the_pods_and_what_the_service_selects_by(semantics: Semantics) -> None:
    engine = engine_of(WEB, API, services=[SERVICE], semantics=semantics)
    there = ServiceAddress(engine.world.services[0], "svc:shop/api")
    found = allowing(engine, of(engine, "StatefulSet", "web"), there, "TCP", 80)
    assert [s.direction for s in found] == [Direction.EGRESS, Direction.INGRESS]
    assert all(s.rule["ports"] == [{"port": 9000, "protocol": "TCP"}] for s in found)
    after = added(engine, found)
    assert after.decide(of(after, "StatefulSet", "web"), there, "TCP", 80).allowed


def test_a_service_without_a_selector_is_opened_by_its_address() -> None:
    spec = {"clusterIP": "172.20.0.1", "ports": [{"port": 443}]}
    bare = {"metadata": {"name": "kubernetes", "namespace": "bank"}, "spec": spec}
    engine = engine_of(WEB, services=[bare])
    there = ServiceAddress(engine.world.services[0], "svc:bank/kubernetes")
    (out,) = allowing(engine, of(engine, "StatefulSet", "web"), there, "TCP", 443)
    assert out.rule == {"to": [{"ipBlock": {"cidr": "172.20.0.1/32"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
    after = added(engine, (out,))
    assert after.decide(of(after, "StatefulSet", "web"), there, "TCP", 443).allowed


def test_an_address_outside_is_a_block_and_icmp_a_rule_without_ports() -> None:
    engine = engine_of(WEB)
    web = of(engine, "StatefulSet", "web")
    (into,) = allowing(engine, Addresses("198.51.100.7/32", "a client"), web, "TCP", 8080)
    assert into.rule["from"] == [{"ipBlock": {"cidr": "198.51.100.7/32"}}]
    (out,) = allowing(engine, web, Addresses("198.51.100.0/24", "a network"), "ICMP", 2048)
    assert "ports" not in out.rule
    assert "no NetworkPolicy can name ICMP" in out.words
    assert added(engine, (out,)).decide(web, Addresses("198.51.100.0/24", "a network"), "ICMP", 2048).allowed


def test_what_a_cluster_policy_denies_no_policy_gives_back() -> None:
    cluster = {
        "metadata": {"name": "no-web"},
        "spec": {"tier": "Admin", "priority": 1,
                 "subject": {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
                 "egress": [{"action": "Deny", "name": "x", "to": [{"networks": ["0.0.0.0/0"]}]}]},
    }  # fmt: skip
    engine = engine_of(WEB, policies=[], cluster=[cluster])
    (found,) = allowing(engine, of(engine, "StatefulSet", "web"), Addresses("198.51.100.7/32", "x"), "TCP", 443)
    assert found.policy == {}
    assert "no NetworkPolicy can take that back" in found.words


def test_labels_that_others_have_too_are_joined_by_one_that_tells_them_apart_or_the_words_say_so() -> None:
    canary = pod("canary-0", "10.0.0.3", {"app": "web", "track": "canary"}, "canary")
    stable = pod("web-0", "10.0.0.1", {"app": "web", "track": "stable"}, "web")
    engine = engine_of(stable, canary, DB)
    db = of(engine, "StatefulSet", "db", "bank")
    (out,) = allowing(engine, of(engine, "StatefulSet", "web"), db, "TCP", 5432)
    assert out.policy["spec"]["podSelector"] == {"matchLabels": {"track": "stable"}}
    twin = pod("twin-0", "10.0.0.4", {"app": "web"}, "twin")
    engine = engine_of(stable, twin, DB)
    (out,) = allowing(engine, of(engine, "StatefulSet", "twin"), db, "TCP", 5432)
    assert "no label tells shop/StatefulSet/twin from shop/StatefulSet/web" in out.words
    bare = pod("bare-0", "10.0.0.5", {}, "bare")
    engine = engine_of(bare, DB)
    (out,) = allowing(engine, of(engine, "StatefulSet", "bare"), of(engine, "StatefulSet", "db", "bank"), "TCP", 5432)
    assert out.policy["spec"]["podSelector"] == {}
    assert "label them first" in out.words


def test_a_policy_that_selects_the_same_pods_is_named_and_a_name_that_is_taken_is_not_used() -> None:
    own = {"metadata": {"name": "web-to-api-tcp-9000", "namespace": "shop"},
           "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]}}  # fmt: skip
    engine = engine_of(WEB, API, policies=[own])
    (out,) = allowing(engine, of(engine, "StatefulSet", "web"), of(engine, "StatefulSet", "api"), "TCP", 9000)
    assert out.into == Subject("NetworkPolicy", "web-to-api-tcp-9000", "shop")
    assert out.policy["metadata"]["name"] == "web-to-api-tcp-9000-2"
