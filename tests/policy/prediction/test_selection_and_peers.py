"""Whom a policy selects, whom its peers mean, and at which ports: one small test for each rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policy.prediction.small import (
    API,
    WEB,
    egress,
    ingress,
    listed,
    namespaces,
    opened,
    pod,
    policy,
    predicted,
    specs,
    tcp,
    world,
)

# --- defaults of the API server ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "isolation"),
    [
        ({}, ["Ingress"]),
        ({"policyTypes": []}, ["Ingress"]),
        ({"egress": []}, ["Ingress"]),
        ({"egress": [{}]}, ["Ingress", "Egress"]),
        ({"policyTypes": ["Egress"]}, ["Egress"]),
        ({"policyTypes": ["Egress", "Ingress"]}, ["Egress", "Ingress"]),
    ],
)
def test_policy_types_are_as_the_api_server_hands_them_out(spec: dict[str, Any], isolation: list[str]) -> None:
    assert specs(world([], policy(**spec)))[0]["podIsolation"] == isolation


def test_empty_lists_in_a_network_policy_are_absent_ones() -> None:
    one = policy(ingress=[{"from": [], "ports": []}], egress=[{"to": []}])
    assert opened(world([], one), "ingress") == {"0.0.0.0/0": "all", "::/0": "all"}
    assert opened(world([], one)) == {"0.0.0.0/0": "all", "::/0": "all"}


def test_a_port_without_protocol_is_tcp() -> None:
    assert opened(world([], policy(egress=[{"ports": [{"port": 80}]}])))["::/0"] == "TCP 80"


# --- selection --------------------------------------------------------------------------------------------------------


def test_pods_of_the_policys_namespace_are_selected_by_labels() -> None:
    pods = [pod("a", "10.0.0.1"), pod("b", "10.0.0.2", app="web"), pod("c", "10.0.0.3", namespace="bank")]
    assert listed(world(pods, policy(podSelector=API))) == ["a"]
    assert sorted(listed(world(pods, policy()))) == ["a", "b"]


@pytest.mark.parametrize(("release", "found"), [("1.1.1", ["a", "h"]), ("1.1.2", ["a"]), ("1.1.7", ["a"])])
def test_pods_on_the_host_network_are_selected_by_old_releases_only(release: str, found: list[str]) -> None:
    pods = [pod("a", "10.0.0.1"), pod("h", "10.0.9.9", host=True)]
    assert sorted(listed(world(pods, policy()), release)) == found


@pytest.mark.parametrize(("phase", "is_listed"), [("Pending", True), ("Unknown", True), ("Succeeded", False), ("Failed", False)])
def test_finished_pods_are_left_out_and_no_others(phase: str, is_listed: bool) -> None:
    assert listed(world([pod("a", "10.0.0.1", phase=phase)], policy())) == (["a"] if is_listed else [])


@pytest.mark.parametrize(("release", "is_listed"), [("1.0.17", True), ("1.0.18", True), ("1.0.19", False)])
def test_finished_pods_were_left_out_since_1_0_19(release: str, is_listed: bool) -> None:
    one = world([pod("a", "10.0.0.1", phase="Succeeded")], policy(), ingress({"podSelector": {}}, name="peers"))
    assert [bool(s.get("podSelectorEndpoints")) for s in specs(one, release)] == [is_listed, is_listed]
    assert bool(specs(one, release)[1].get("ingress")) == is_listed


def test_pods_that_are_being_deleted_count() -> None:
    dying = pod("a", "10.0.0.1", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert listed(world([dying], policy())) == ["a"]


def test_the_annotation_stands_in_for_an_address_the_status_has_not_yet() -> None:
    noted = pod("a", metadata={"annotations": {"vpc.amazonaws.com/pod-ips": "10.0.0.7"}})
    (spec,) = specs(world([noted, pod("b")], policy()))
    assert spec["podSelectorEndpoints"] == [{"podIP": "10.0.0.7", "hostIP": "10.0.9.9", "name": "a", "namespace": "shop"}]


def test_a_pod_without_a_node_has_an_empty_host_address() -> None:
    (spec,) = specs(world([pod("a", "10.0.0.1", host_ip="")], policy()))
    assert spec["podSelectorEndpoints"][0]["hostIP"] == ""


# --- peers ------------------------------------------------------------------------------------------------------------

PODS = [pod("web", "10.0.0.1", app="web"), pod("api", "10.0.0.2"), pod("teller", "10.0.0.3", namespace="bank")]


def test_without_a_namespace_selector_a_peer_is_in_the_policys_namespace() -> None:
    assert list(opened(world(PODS, egress({"podSelector": {}})))) == ["10.0.0.1", "10.0.0.2"]


def test_without_a_pod_selector_a_peer_is_all_pods_of_its_namespaces() -> None:
    spaces = namespaces(shop={}, bank={"team": "money"})
    peer = {"namespaceSelector": {"matchLabels": {"team": "money"}}}
    assert list(opened(world(PODS, egress(peer), spaces=spaces))) == ["10.0.0.3"]
    assert len(opened(world(PODS, egress({"namespaceSelector": {}})))) == 3


def test_pods_on_the_host_network_are_peers_with_their_nodes_address() -> None:
    pods = [pod("h", "10.0.9.9", host=True), pod("i", "10.0.9.9", host=True, ports=["http=80"])]
    assert opened(world(pods, egress({"podSelector": {}}))) == {"10.0.9.9": "all"}


def test_blocks_are_copied_as_they_are() -> None:
    block = {"ipBlock": {"cidr": "10.0.0.7/8", "except": ["10.2.0.0/16", "10.1.0.0/16"]}}
    (spec,) = specs(world([], ingress(block)))
    assert spec["ingress"] == [{"cidr": "10.0.0.7/8", "except": ["10.2.0.0/16", "10.1.0.0/16"]}]


def test_both_families_are_written_whichever_the_cluster_has() -> None:
    assert list(opened(world([], policy(ingress=[{}])), "ingress")) == ["0.0.0.0/0", "::/0"]
    v6 = {"ipBlock": {"cidr": "2001:db8::/32"}}
    assert list(opened(world([], egress(v6)))) == ["2001:db8::/32"]


def test_rules_are_resolved_whatever_the_policy_types_say() -> None:
    (spec,) = specs(world(PODS, egress({"podSelector": WEB}, policyTypes=["Ingress"])))
    assert spec["podIsolation"] == ["Ingress"]
    assert spec["egress"] == [{"cidr": "10.0.0.1"}]


# --- ports ------------------------------------------------------------------------------------------------------------


def test_ingress_names_are_the_union_over_the_pods_of_the_policy() -> None:
    pods = [pod("a", "10.0.0.1", ports=["http=80"]), pod("b", "10.0.0.2", ports=["http=8080"]), pod("c", "10.0.0.3", app="web")]
    one = ingress({"podSelector": WEB}, ports=[tcp("http"), tcp(443)], podSelector=API)
    assert opened(world(pods, one), "ingress") == {"10.0.0.3": "TCP 443, TCP 80, TCP 8080"}


def test_ingress_names_are_looked_up_on_pods_of_the_host_network_too() -> None:
    pods = [pod("a", "10.0.9.9", host=True, ports=["http=80"]), pod("c", "10.0.0.3", app="web")]
    one = ingress({"podSelector": WEB}, ports=[tcp("http")], podSelector=API)
    assert opened(world(pods, one), "ingress") == {"10.0.0.3": "TCP 80"}


def test_an_ingress_rule_whose_names_nobody_has_is_gone_with_its_numbers() -> None:
    pods = [pod("a", "10.0.0.1"), pod("c", "10.0.0.3", app="web")]
    assert opened(world(pods, ingress({"podSelector": WEB}, ports=[tcp("http")], podSelector=API)), "ingress") == {}
    nobody = ingress({"podSelector": WEB}, ports=[tcp("http"), tcp(443)], podSelector={"matchLabels": {"app": "none"}})
    assert opened(world(pods, nobody), "ingress") == {}


def test_ingress_ports_hold_for_blocks_and_everybody_too() -> None:
    pods = [pod("a", "10.0.0.1", ports=["http=80"])]
    rules = [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [tcp("http")]}, {"ports": [tcp("http")]}]
    found = opened(world(pods, policy(ingress=rules)), "ingress")
    assert found == {"10.0.0.0/8": "TCP 80", "0.0.0.0/0": "TCP 80", "::/0": "TCP 80"}


def test_egress_names_are_each_destinations_own() -> None:
    pods = [pod("a", "10.0.0.1", ports=["http=80"]), pod("b", "10.0.0.2", ports=["http=8080"]), pod("c", "10.0.0.3")]
    assert opened(world(pods, egress({"podSelector": {}}, ports=[tcp("http")]))) == {"10.0.0.1": "TCP 80", "10.0.0.2": "TCP 8080"}
    found = opened(world(pods, egress({"podSelector": {}}, ports=[tcp("http"), tcp(53)])))
    assert found == {"10.0.0.1": "TCP 53, TCP 80", "10.0.0.2": "TCP 53, TCP 8080", "10.0.0.3": "TCP 53"}


def test_egress_names_to_blocks_are_dropped_and_with_them_the_peer() -> None:
    block = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    assert opened(world([], egress(block, ports=[tcp("http")]))) == {}
    assert opened(world([], egress(block, ports=[tcp("http"), tcp(80)]))) == {"10.0.0.0/8": "TCP 80"}
    assert opened(world([], policy(egress=[{"ports": [tcp("http")]}]))) == {}


def test_a_name_is_the_first_port_with_it_and_its_protocol_of_ordinary_containers() -> None:
    sidecar = ["http=79", "metrics=9090"]
    twice = pod("a", "10.0.0.1", ports=["http=53/UDP", "http=80"], more_containers=[["http=81"]], sidecar=sidecar)
    assert opened(world([twice], egress({"podSelector": {}}, ports=[tcp("http")]))) == {"10.0.0.1": "TCP 80"}
    assert opened(world([twice], egress({"podSelector": {}}, ports=[tcp("metrics")]))) == {}


def test_a_number_nobody_declares_is_itself_and_ranges_pass_through() -> None:
    one = egress({"podSelector": {}}, ports=[tcp(8000, 8100)])
    assert opened(world([pod("a", "10.0.0.1")], one)) == {"10.0.0.1": "TCP 8000-8100"}


def test_without_a_port_all_of_the_protocol_are_meant() -> None:
    one = egress({"podSelector": {}}, ports=[{"protocol": "UDP"}])
    assert opened(world([pod("a", "10.0.0.1")], one)) == {"10.0.0.1": "UDP *"}


# --- objects ----------------------------------------------------------------------------------------------------------


def test_an_object_says_whose_it_is_and_bears_no_labels() -> None:
    (made,) = predicted(world([], policy())).objects()
    assert (made.kind, made.api_version) == ("PolicyEndpoint", "networking.k8s.aws/v1alpha1")
    assert (made.metadata.generate_name, made.metadata.namespace) == ("np-", "shop")
    (owner,) = made.metadata.owner_references
    assert (owner.api_version, owner.kind, owner.name, owner.uid) == ("networking.k8s.io/v1", "NetworkPolicy", "np", "uid-np")
    assert owner.controller


def test_a_policy_that_selects_nobody_and_opens_nothing_has_one_empty_object() -> None:
    assert specs(world([], policy())) == [
        {"podIsolation": ["Ingress"], "podSelector": {}, "policyRef": {"name": "np", "namespace": "shop"}}
    ]
