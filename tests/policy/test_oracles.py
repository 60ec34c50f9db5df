"""The oracles themselves: against what was recorded, and against small clusters whose answers anybody can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from eksnetpol.model.kubernetes import Namespace, Pod, Service
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.world import World
from tests.policy.oracle.kubernetes import Kubernetes
from tests.policy.oracle.plain import Packet, Place
from tests.policy.oracle.strategies import decoded
from tests.policy.oracle.vpc_cni import VpcCni
from tests.policy.test_dataplane_golden import cases, direction_of, protocol_and_number

NODE, OTHER_NODE = "10.0.0.250", "10.0.1.250"


def pod(name: str, ip: str, node: str = NODE, **more: Any) -> dict[str, Any]:
    ports = [{"name": n, "containerPort": p} for n, p in more.get("ports", {}).items()]
    sidecar = [{"name": n, "containerPort": p} for n, p in more.get("sidecar", {}).items()]
    spec: dict[str, Any] = {"containers": [{"name": "c", "ports": ports}], "hostNetwork": more.get("host", False)}
    spec["initContainers"] = [{"name": "s", "restartPolicy": "Always", "ports": sidecar}]
    return {
        "metadata": {"name": name, "namespace": more.get("namespace", "shop"), "labels": {"app": name.partition("-")[0]}},
        "spec": spec,
        "status": {"podIP": ip, "hostIP": node, "phase": more.get("phase", "Running")},
    }


def policy(name: str = "p", app: str = "a", **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop"}
    return {"metadata": meta, "spec": {"podSelector": {"matchLabels": {"app": app}}, **spec}}


def world(pods: list[dict[str, Any]], policies: list[dict[str, Any]], **more: list[dict[str, Any]]) -> World:
    return World(
        pods=decoded(pods, Pod),
        namespaces=decoded([{"metadata": {"name": n}} for n in ("shop", "bank")], Namespace),
        services=decoded(more.get("services", []), Service),
        network_policies=decoded(policies, NetworkPolicy),
        application_policies=decoded(more.get("application", []), NetworkPolicy),
        cluster_policies=decoded(more.get("cluster", []), ClusterNetworkPolicy),
        family="ipv4",
    )


def both(found: World, source: str, destination: str, port: int = 80, protocol: str = "TCP") -> tuple[bool, bool | None]:
    """What the specification says, and what the VPC CNI does."""
    oracles = (Kubernetes(found, "ipv4"), VpcCni(found, Profile(Semantics.VPC_CNI)))
    said: list[bool | None] = []
    for oracle in oracles:
        here, there = (oracle.cluster.places.get(("shop", end), Place(end)) for end in (source, destination))
        said.append(oracle.flows(here, there, Packet(protocol, port)))
    return bool(said[0]), said[1]


# --- recorded ---------------------------------------------------------------------------------------------------------


def recorded_policy(case: dict[str, Any], entries: list[dict[str, Any]], name: str) -> NetworkPolicy:
    way, field = ("ingress", "from") if case["direction"] == "ingress" else ("egress", "to")
    rules = [{field: [{"ipBlock": {"cidr": e["cidr"], "except": e["except"]}}], "ports": e["ports"]} for e in entries]
    spec: dict[str, Any] = {"policyTypes": [way.capitalize()], way: rules}
    return msgspec.convert(policy(name, **spec), NetworkPolicy)


@pytest.mark.parametrize("case", cases(), ids=[c["name"] for c in cases()])
def test_the_specification_says_of_recorded_packets_what_was_written_beside_them(case: dict[str, Any]) -> None:
    lists = [e[case["direction"]] for e in case.get("policyEndpoints", [])] or [case.get("entries", [])]
    chosen = [] if case.get("noPolicy") else [recorded_policy(case, e, f"p{i}") for i, e in enumerate(lists)]
    bare = world([pod("a-1", "10.244.0.10", "10.0.0.1")], [])
    oracle = Kubernetes(replace(bare, network_policies=tuple(chosen)), "ipv4")
    own = oracle.cluster.places["shop", "a-1"]
    for packet in case["packets"]:
        if packet["kubernetes"] is None:
            continue
        sent = Packet(*protocol_and_number(packet))
        decide = oracle.takes if direction_of(case) == "Ingress" else oracle.sends
        assert decide(own, Place(packet["ip"]), sent) == (packet["kubernetes"] == "allowed"), packet


# --- small clusters: the specification, then the VPC CNI --------------------------------------------------------------

A, B, C = pod("a-1", "10.0.0.1"), pod("b-1", "10.0.0.2", ports={"http": 80}), pod("c-1", "10.0.1.1", OTHER_NODE)
HOST = pod("h-1", NODE, host=True, ports={"http": 80})
TO_B = {"podSelector": {"matchLabels": {"app": "b"}}}


def test_only_what_a_policy_allows_gets_to_a_pod_it_isolates() -> None:
    found = world([A, B, C], [policy(ingress=[{"from": [TO_B]}])])
    assert both(found, "b-1", "a-1") == (True, True)
    assert both(found, "c-1", "a-1") == (False, False)
    assert both(found, "a-1", "c-1") == (True, True)
    assert both(found, "a-1", "a-1") == (True, True)


def test_rules_of_a_direction_that_is_not_listed_count_for_the_agent_alone() -> None:
    found = world([A, B, C], [policy(ingress=[{}], egress=[{"to": [TO_B]}], policyTypes=["Ingress"])])
    assert both(found, "a-1", "b-1") == (True, True)
    assert both(found, "a-1", "c-1") == (True, False)


def test_the_own_node_gets_in_and_for_the_agent_is_reached_too() -> None:
    shut = policy(policyTypes=["Ingress", "Egress"])
    assert both(world([A, HOST], [shut]), "h-1", "a-1") == (True, True)
    assert both(world([A, HOST], [shut]), "a-1", "h-1") == (False, True)
    assert both(world([A], [shut]), OTHER_NODE, "a-1") == (False, False)
    assert both(world([A, pod("h-1", OTHER_NODE, OTHER_NODE, host=True)], [shut]), "h-1", "a-1") == (False, False)


def test_selectors_mean_pods_on_the_host_network_for_the_controller_alone() -> None:
    far = pod("h-1", OTHER_NODE, OTHER_NODE, host=True)
    by_label = policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "h"}}}]}])
    assert both(world([A, far], [by_label]), "h-1", "a-1") == (False, True)
    by_block = policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.1.0/24"}}]}])
    assert both(world([A, far], [by_block]), "h-1", "a-1") == (True, True)
    assert both(world([far, A], [policy(app="h", policyTypes=["Ingress", "Egress"])]), "a-1", "h-1") == (True, True)


def test_names_of_ports_are_looked_up_where_each_says() -> None:
    named = {"ports": [{"protocol": "TCP", "port": "http"}]}
    to_block = policy(egress=[{**named, "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}], policyTypes=["Egress"])
    assert both(world([A, B], [to_block]), "a-1", "b-1") == (True, False)
    assert both(world([A, B], [to_block]), "a-1", "10.9.9.9") == (False, False)
    sidecar = pod("b-1", "10.0.0.2", sidecar={"http": 80})
    to_pod = policy(egress=[{**named, "to": [TO_B]}], policyTypes=["Egress"])
    assert both(world([A, sidecar], [to_pod]), "a-1", "b-1") == (True, False)
    # The controller opens on all selected pods what the name means on any of them.
    pods = [pod("a-1", "10.0.0.1", ports={"http": 80}), pod("a-2", "10.0.0.3", ports={"http": 8080}), C]
    found = world(pods, [policy(ingress=[named])])
    assert [both(found, "c-1", "a-1", n) for n in (80, 8080)] == [(True, True), (False, True)]


def test_listed_ports_let_nothing_through_that_has_none() -> None:
    found = world([A, B], [policy(ingress=[{"ports": [{"protocol": "TCP"}]}])])
    assert both(found, "b-1", "a-1", 7, "TCP") == (True, True)
    assert both(found, "b-1", "a-1", 0x0800, "ICMP") == (False, False)
    assert both(found, "b-1", "a-1", 47, "OTHER") == (False, False)
    assert both(found, "b-1", "a-1", 0x8000, "ICMPv6") == (False, True)


def test_an_exception_closes_for_the_agent_what_another_policy_opens() -> None:
    wide = policy("wide", ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])
    holed = policy("holed", ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.1.0/24"]}}]}])
    found = world([A, C], [wide, holed])
    assert both(found, "c-1", "a-1") == (True, False)


def test_pods_whose_names_begin_alike_share_rules_on_a_node_with_a_selected_one() -> None:
    pods = [pod("db-0", "10.0.0.3"), {**pod("db-1", "10.0.0.4")}, pod("db-2", "10.0.1.4", OTHER_NODE), A]
    for other in pods[1:3]:
        other["metadata"]["labels"] = {"app": "other"}
    found = world(pods, [policy(app="db", policyTypes=["Ingress"])])
    assert [both(found, "a-1", name) for name in ("db-0", "db-1", "db-2")] == [(False, False), (True, False), (True, True)]


def test_finished_pods_are_not_there() -> None:
    found = world([A, pod("b-1", "10.0.0.2", phase="Succeeded")], [policy(ingress=[{"from": [TO_B]}])])
    assert [str(p) for p in Kubernetes(found, "ipv4").cluster.pods()] == ["shop/a-1"]
    assert both(found, "10.0.0.2", "a-1") == (False, False)


def test_pods_of_unknown_address_are_in_no_block_but_that_of_all() -> None:
    pods = [A, pod("b-1", "", "")]
    for cidr, is_in in (("0.0.0.0/0", True), ("10.0.0.0/8", False), ("128.0.0.0/2", False)):
        found = world(pods, [policy(ingress=[{"from": [{"ipBlock": {"cidr": cidr}}]}])])
        assert both(found, "b-1", "a-1") == (is_in, is_in)


def service(port: int, target: int | str | None = None, **selector: str) -> dict[str, Any]:
    ports = [{"protocol": "TCP", "port": port, **({} if target is None else {"targetPort": target})}]
    spec = {"clusterIP": "10.100.0.10", "selector": selector, "ports": ports}
    return {"metadata": {"name": "s", "namespace": "shop"}, "spec": spec}


def through(found: World, source: str, port: int) -> tuple[list[bool], list[bool | None]]:
    (one,) = found.services
    kubernetes, agent = Kubernetes(found, "ipv4"), VpcCni(found, Profile(Semantics.VPC_CNI))
    packet = Packet("TCP", port)
    return (
        kubernetes.through(kubernetes.cluster.places["shop", source], one, packet),
        agent.through(agent.cluster.places["shop", source], one, packet),
    )


def test_a_service_is_judged_by_its_pods_and_by_the_agent_at_its_own_address_first() -> None:
    by_pod = policy(egress=[{"to": [TO_B], "ports": [{"protocol": "TCP", "port": 80}]}], policyTypes=["Egress"])
    assert through(world([A, B], [by_pod], services=[service(8080, 80, app="b")]), "a-1", 8080) == ([True], [True])
    by_block = policy(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.2/32"}}]}], policyTypes=["Egress"])
    assert through(world([A, B], [by_block], services=[service(80, app="b")]), "a-1", 80) == ([True], [False])
    by_services = policy(egress=[{"to": [{"ipBlock": {"cidr": "10.100.0.0/16"}}]}], policyTypes=["Egress"])
    assert through(world([A, B], [by_services], services=[service(80, app="b")]), "a-1", 80) == ([False], [True])
    # The rule's selector is held against what the Service selects by, not against the pods behind it.
    narrower = {"podSelector": {"matchLabels": {"app": "b", "tier": "x"}}}
    pods = [A, {**B, "metadata": {**B["metadata"], "labels": {"app": "b", "tier": "x"}}}]
    found = world(pods, [policy(egress=[{"to": [narrower]}], policyTypes=["Egress"])], services=[service(80, app="b")])
    assert through(found, "a-1", 80) == ([True], [False])


def test_where_pods_behind_a_service_disagree_the_controller_tosses_a_coin() -> None:
    pods = [A, pod("b-1", "10.0.0.2", ports={"http": 80}), pod("b-2", "10.0.0.3", ports={"http": 8080})]
    spec = service(81, 80, app="b")
    spec["spec"]["ports"].append({"protocol": "TCP", "port": 82, "targetPort": 8080})
    named = policy(egress=[{"to": [TO_B], "ports": [{"protocol": "TCP", "port": "http"}]}], policyTypes=["Egress"])
    found = world(pods, [named], services=[spec])
    assert through(found, "a-1", 81)[1] == [None, None]


def cluster(tier: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": f"c-{tier}"}, "spec": {"tier": tier, "priority": 5, "subject": {"namespaces": {}}, **spec}}


ALL_PODS: list[dict[str, Any]] = [{"namespaces": {}}]


def test_admin_rules_come_first_and_the_baseline_only_where_no_policy_is() -> None:
    deny = cluster("Admin", ingress=[{"action": "Deny", "from": ALL_PODS}])
    opens = policy(ingress=[{}])
    assert both(world([A, B], [opens], cluster=[deny]), "b-1", "a-1") == (False, False)
    baseline = cluster("Baseline", ingress=[{"action": "Deny", "from": ALL_PODS}])
    assert both(world([A, B], [], cluster=[baseline]), "b-1", "a-1") == (False, False)
    # A policy for the other direction alone switches the baseline off for the agent, not for the specification.
    egress_only = policy(egress=[{}], policyTypes=["Egress"])
    assert both(world([A, B], [egress_only], cluster=[baseline]), "b-1", "a-1") == (False, True)


def test_within_one_cluster_policy_order_counts_for_the_specification_alone() -> None:
    rules = [{"action": "Accept", "from": ALL_PODS}, {"action": "Deny", "from": ALL_PODS}]
    assert both(world([A, B], [], cluster=[cluster("Admin", ingress=rules)]), "b-1", "a-1") == (True, False)


def test_an_application_policy_without_destinations_opens_nothing_for_the_controller() -> None:
    found = world([A, B], [], application=[policy(egress=[{}], policyTypes=["Egress"])])
    assert both(found, "a-1", "b-1") == (True, False)
