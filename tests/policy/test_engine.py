"""The engine agrees with itself: all pairs at once, and each pair asked by itself; and small worlds whose answers are known."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, Pod, Service
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.model.versions import Release
from eksnetpol.policy.answers import Addresses, Pods, Say, ServiceAddress
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.engine import SetEngine, build_engine
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import STANDARD, Mode, Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.world import World
from tests.policy.worlds import clusters, policies

BOTH = pytest.mark.parametrize("semantics", list(STANDARD))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    clusters(),
    st.lists(policies(), max_size=4, unique_by=lambda p: (p.namespace, p.name)),
    st.sampled_from(list(STANDARD)),
    st.sampled_from(list(Mode)),
)
def test_the_matrix_is_what_each_pair_answers(
    cluster: tuple[list[Pod], list[Namespace]], given_: list[NetworkPolicy], semantics: Semantics, mode: Mode
) -> None:
    pods, namespaces = cluster
    world = World(pods=tuple(pods), namespaces=tuple(namespaces), network_policies=tuple(given_))
    engine = build_engine(world, Profile(semantics, mode=mode))
    matrix, classes = engine.matrix(), engine.atlas.universe.classes
    for one in classes:
        for other in classes:
            if one is not other or len(one.pods) > 1:
                asked = engine.connections(Pods(one.bit, "one"), Pods(other.bit, "other"))
                assert matrix.between(one.bit, other.bit) == asked


# --- small worlds -----------------------------------------------------------------------------------------------------


def pod(name: str, ip: str, *, namespace: str = "shop", node: str = "", **more: Any) -> dict[str, Any]:
    labels = more.pop("labels", {"app": name.partition("-")[0]})
    ports = [{"name": n, "containerPort": p} for n, p in more.pop("ports", {}).items()]
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "c", "ports": ports}], "hostNetwork": more.pop("host", False)},
        "status": {"podIP": ip, "hostIP": node, "phase": "Running"},
    }


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"podSelector": {}, **spec}}


def engine_of(pods: list[dict[str, Any]], given_: list[dict[str, Any]], profile: Profile, **more: Any) -> SetEngine:
    names = sorted({p["metadata"]["namespace"] for p in pods})
    world = World(
        pods=tuple(msgspec.json.decode(msgspec.json.encode(p), type=Pod) for p in pods),
        namespaces=msgspec.convert([{"metadata": {"name": n}} for n in names], tuple[Namespace, ...]),
        network_policies=msgspec.convert(given_, tuple[NetworkPolicy, ...]),
        services=msgspec.convert(more.get("services", []), tuple[Service, ...]),
        cluster_policies=msgspec.convert(more.get("cluster", []), tuple[ClusterNetworkPolicy, ...]),
    )
    return build_engine(world, profile)


def party(engine: SetEngine, name: str, namespace: str = "shop") -> Pods:
    index = engine.atlas.class_of[namespace, name]
    pods = tuple(p for p in engine.atlas.universe.classes[index].pods if p.name == name)
    return Pods(1 << index, name, pods)


def opened(*ports: int) -> Connections:
    return Connections.only("TCP", PortSet.of(*ports))


FROM_B = {"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}
A, B = pod("a-1", "10.0.0.1"), pod("b-1", "10.0.0.2")


@BOTH
def test_what_nothing_isolates_is_open_and_what_no_rule_lets_in_is_closed(semantics: Semantics) -> None:
    only_a = {"podSelector": {"matchLabels": {"app": "a"}}}
    engine = engine_of([A, B, pod("c-1", "10.0.0.3")], [policy("p", ingress=[FROM_B], **only_a)], Profile(semantics))
    to = party(engine, "a-1")
    assert engine.connections(party(engine, "b-1"), to).every == EVERYTHING
    assert engine.connections(party(engine, "c-1"), to).some == NOTHING
    assert engine.connections(to, party(engine, "c-1")).every == EVERYTHING


def test_a_name_means_each_pods_own_number_and_to_the_controller_all_of_them() -> None:
    pods = [pod("a-1", "10.0.0.1", ports={"http": 80}), pod("aa-1", "10.0.0.3", ports={"http": 8080}, labels={"app": "a"}), B]
    rule = {"ports": [{"port": "http", "protocol": "TCP"}]}
    for semantics, expected in ((Semantics.KUBERNETES, opened(80)), (Semantics.VPC_CNI, opened(80, 8080))):
        engine = engine_of(pods, [policy("p", ingress=[rule])], Profile(semantics))
        assert engine.connections(party(engine, "b-1"), party(engine, "a-1")).every == expected


def test_rules_count_for_the_agent_whatever_policy_types_says() -> None:
    given_ = [policy("p", egress=[{"to": [{"podSelector": {"matchLabels": {"app": "b"}}}]}], policyTypes=["Ingress"])]
    pods = [A, B, pod("c-1", "10.0.0.3", namespace="bank")]
    for semantics, closed in ((Semantics.KUBERNETES, False), (Semantics.VPC_CNI, True)):
        engine = engine_of(pods, given_, Profile(semantics))
        answer = engine.connections(party(engine, "a-1"), party(engine, "c-1", "bank"))
        assert (answer.every == NOTHING) is closed


def test_pods_whose_names_begin_alike_share_their_rules_on_a_node_with_a_selected_one() -> None:
    chosen = {"podSelector": {"matchLabels": {"app": "db"}}}
    pods = [
        pod("db-0", "10.0.0.1", node="10.0.1.1"),
        pod("db-x", "10.0.0.2", node="10.0.1.1", labels={}),
        pod("db-y", "10.0.0.3", node="10.0.1.2", labels={}),
        pod("b-1", "10.0.0.4", node="10.0.1.3"),
    ]
    engine = engine_of(pods, [policy("p", **chosen)], Profile())
    source = party(engine, "b-1")
    assert [engine.connections(source, party(engine, n)).every == NOTHING for n in ("db-0", "db-x", "db-y")] == [
        True,
        True,
        False,
    ]
    note = engine.decide(source, party(engine, "db-x"), "TCP", 80).notes
    assert any("names begin alike" in n for n in note)
    plain = engine_of(pods, [policy("p", **chosen)], Profile(Semantics.KUBERNETES))
    assert plain.connections(party(plain, "b-1"), party(plain, "db-x")).every == EVERYTHING


def test_a_node_always_reaches_its_own_pods_and_they_it_where_the_agent_decides() -> None:
    pods = [
        pod("a-1", "10.0.0.1", node="10.0.1.1"),
        pod("host-1", "10.0.1.1", node="10.0.1.1", host=True),
        pod("host-2", "10.0.1.2", node="10.0.1.2", host=True, labels={"app": "host"}),
    ]
    given_ = [policy("p", policyTypes=["Ingress", "Egress"])]
    for semantics, back in ((Semantics.VPC_CNI, EVERYTHING), (Semantics.KUBERNETES, NOTHING)):
        engine = engine_of(pods, given_, Profile(semantics))
        a, near, far = (party(engine, n) for n in ("a-1", "host-1", "host-2"))
        assert engine.connections(near, a).every == EVERYTHING
        assert engine.connections(far, a).some == NOTHING
        assert engine.connections(a, near).every == back
        assert engine.connections(a, far).some == NOTHING


def test_in_strict_mode_a_pod_without_any_policy_is_closed_and_one_for_the_other_direction_opens_it() -> None:
    strict = Profile(mode=Mode.STRICT)
    bare = engine_of([A, B], [], strict)
    assert bare.connections(party(bare, "b-1"), party(bare, "a-1")).some == NOTHING
    said = bare.decide(party(bare, "b-1"), party(bare, "a-1"), "TCP", 80).deciders
    assert any("strict mode" in d.words for d in said)
    half = engine_of([A, B], [policy("p", policyTypes=["Egress"], egress=[{}])], strict)
    assert half.connections(party(half, "b-1"), party(half, "a-1")).every == EVERYTHING


SERVICE = {
    "metadata": {"name": "a", "namespace": "shop"},
    "spec": {"clusterIP": "172.20.0.10", "selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": 8080}]},
}


def test_a_service_is_judged_by_its_address_for_the_agent_and_by_its_pods_as_specified() -> None:
    def through(egress: dict[str, Any], semantics: Semantics) -> bool:
        given_ = [policy("p", podSelector={"matchLabels": {"app": "b"}}, egress=[egress], policyTypes=["Egress"])]
        engine = engine_of([A, B], given_, Profile(semantics), services=[SERVICE])
        service = engine.world.services[0]
        return engine.decide(party(engine, "b-1"), ServiceAddress(service, "svc:shop/a"), "TCP", 80).allowed

    by_selector = {"to": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 8080}]}
    by_pods = {"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]}
    by_services = {"to": [{"ipBlock": {"cidr": "172.20.0.0/16"}}]}
    assert [through(e, Semantics.VPC_CNI) for e in (by_selector, by_pods, by_services)] == [True, False, True]
    assert [through(e, Semantics.KUBERNETES) for e in (by_selector, by_pods, by_services)] == [True, True, False]


@BOTH
def test_a_port_that_a_service_has_not_is_no_way_to_its_pods(semantics: Semantics) -> None:
    engine = engine_of([A, B], [], Profile(semantics), services=[SERVICE])
    decision = engine.decide(party(engine, "b-1"), ServiceAddress(engine.world.services[0], "svc:shop/a"), "TCP", 81)
    assert not decision.allowed
    assert "has no port 81/TCP; it has 80/TCP" in decision.deciders[0].words


def cluster_policy(action: str, tier: str = "Admin", priority: int = 10, name: str = "c") -> dict[str, Any]:
    rule = {"action": action, "from": [{"namespaces": {}}]}
    spec = {"tier": tier, "priority": priority, "subject": {"namespaces": {}}, "ingress": [rule]}
    return {"metadata": {"name": name}, "spec": spec}


@BOTH
def test_a_cluster_policy_comes_first_and_a_baseline_one_last(semantics: Semantics) -> None:
    def reaches(given_: list[dict[str, Any]], *cluster: dict[str, Any]) -> bool:
        engine = engine_of([A, B], given_, Profile(semantics), cluster=list(cluster))
        return engine.decide(party(engine, "b-1"), party(engine, "a-1"), "TCP", 80).allowed

    closed, open_ = [policy("p")], [policy("p", ingress=[{}])]
    assert reaches(closed, cluster_policy("Accept"))
    assert not reaches(open_, cluster_policy("Deny"))
    assert not reaches(closed, cluster_policy("Pass"), cluster_policy("Accept", priority=20, name="d"))
    assert not reaches([], cluster_policy("Deny", "Baseline"))
    assert reaches(open_, cluster_policy("Deny", "Baseline"))


def test_any_policy_keeps_the_agent_from_asking_the_baseline_in_both_directions() -> None:
    outward = [policy("p", policyTypes=["Egress"], egress=[{}])]
    for semantics, open_ in ((Semantics.KUBERNETES, False), (Semantics.VPC_CNI, True)):
        engine = engine_of([A, B], outward, Profile(semantics), cluster=[cluster_policy("Deny", "Baseline")])
        assert engine.decide(party(engine, "b-1"), party(engine, "a-1"), "TCP", 80).allowed is open_


@BOTH
def test_an_address_of_no_pod_is_judged_by_blocks(semantics: Semantics) -> None:
    rule = {"to": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.7/32"]}}], "ports": [{"port": 443}]}
    engine = engine_of([A], [policy("p", policyTypes=["Egress"], egress=[rule])], Profile(semantics))
    a = party(engine, "a-1")
    assert engine.connections(a, Addresses("192.0.2.1/32", "it")).every == opened(443)
    assert engine.connections(a, Addresses("192.0.2.7/32", "it")).some == NOTHING
    whole = engine.connections(a, Addresses("192.0.2.0/24", "all of them"))
    assert (whole.every, whole.some) == (NOTHING, opened(443))
    assert engine.outside(Direction.EGRESS, "192.0.2.1") == ((opened(443), a.classes),)
    assert engine.blocks() == ("192.0.2.0/24", "192.0.2.7/32")


def test_more_ports_than_there_is_room_for_are_a_matter_of_chance() -> None:
    many = {"from": FROM_B["from"], "ports": [{"port": p} for p in range(1000, 1060, 2)]}
    engine = engine_of([A, B], [policy("p", ingress=[many])], Profile())
    decision = engine.decide(party(engine, "b-1"), party(engine, "a-1"), "TCP", 1000)
    assert (decision.allowed, decision.partial) == (False, True)
    assert any("chance" in note for note in decision.notes)
    few = engine_of([A, B], [policy("p", ingress=[many])], Profile(Semantics.KUBERNETES))
    assert few.decide(party(few, "b-1"), party(few, "a-1"), "TCP", 1000).allowed


def test_an_old_agent_does_not_heed_exceptions() -> None:
    rule = {"from": [{"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.0.2/32"]}}]}
    for agent, passes in ((Release(1, 0, 3), True), (Release(1, 4, 0), False)):
        engine = engine_of([A, B], [policy("p", ingress=[rule])], Profile(agent=agent))
        assert engine.decide(party(engine, "b-1"), party(engine, "a-1"), "TCP", 80).allowed is passes
        assert (engine.matrix().between(party(engine, "b-1").classes, party(engine, "a-1").classes).every == EVERYTHING) is passes


def test_all_that_had_a_say_are_named_in_order_and_the_settling_one_last() -> None:
    given_ = [policy("deny"), policy("allow", ingress=[{"ports": [{"port": 443}]}, {**FROM_B, "ports": [{"port": 80}]}])]
    engine = engine_of([A, B], given_, Profile())
    allowed = engine.decide(party(engine, "b-1"), party(engine, "a-1"), "TCP", 80)
    assert [(d.say, d.subject and d.subject.name, d.place) for d in allowed.sides[1].deciders] == [
        (Say.ISOLATES, "deny", ""),
        (Say.ALLOWS, "allow", "ingress[1]"),
    ]
    refused = engine.decide(party(engine, "b-1"), party(engine, "a-1"), "TCP", 81)
    assert [d.subject and d.subject.name for d in refused.sides[1].deciders] == ["deny", "allow"]
    assert refused.sides[0].isolated is False


def test_replicas_that_nobody_tells_apart_are_one_class() -> None:
    labels = [{"app": "db", "statefulset.kubernetes.io/pod-name": f"db-{i}"} for i in range(3)]
    owner = {"kind": "StatefulSet", "name": "db", "controller": True}
    pods = [pod(f"db-{i}", f"10.0.0.{i}", labels=own) for i, own in enumerate(labels)]
    for one in pods:
        one["metadata"]["ownerReferences"] = [owner]
    engine = engine_of(pods, [policy("p", podSelector={"matchLabels": {"app": "db"}})], Profile())
    assert len(engine.atlas.universe.classes) == 1
    told_apart = policy("p", podSelector={"matchLabels": {"statefulset.kubernetes.io/pod-name": "db-0"}})
    finer = engine_of(pods, [told_apart], Profile(Semantics.KUBERNETES))
    assert len(finer.atlas.universe.classes) == len(pods)
