"""ApplicationNetworkPolicies and ClusterNetworkPolicies: what the controller makes of them, and what it does not survive."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policy.prediction.small import API, WEB, namespaces, opened, pod, policy, predicted, service, specs, tcp, world

Json = dict[str, Any]

BLOCK: Json = {"ipBlock": {"cidr": "10.0.0.0/8"}}
PODS = [pod("web", "10.0.0.1", app="web"), pod("api", "10.0.0.2", ports=["http=8080"])]


def application(**spec: Any) -> Any:
    return world(PODS, application=[policy("anp", **spec)])


# --- ApplicationNetworkPolicy -----------------------------------------------------------------------------------------


def test_its_objects_name_it_as_their_owner() -> None:
    (made,) = predicted(application()).objects()
    (owner,) = made.metadata.owner_references
    assert (owner.api_version, owner.kind, owner.name) == ("networking.k8s.aws/v1alpha1", "ApplicationNetworkPolicy", "anp")


def test_it_has_no_defaults_of_isolation() -> None:
    assert "podIsolation" not in specs(application(egress=[{"to": [BLOCK]}]))[0]
    assert specs(application(policyTypes=["Egress"]))[0]["podIsolation"] == ["Egress"]


def test_an_empty_from_means_nobody_and_an_absent_one_everybody() -> None:
    assert opened(application(ingress=[{"from": []}]), "ingress") == {}
    assert opened(application(ingress=[{}]), "ingress") == {"0.0.0.0/0": "all", "::/0": "all"}


@pytest.mark.parametrize("rule", [{}, {"to": []}, {"ports": [tcp(80)]}])
def test_an_egress_rule_without_to_is_dropped(rule: Json) -> None:
    assert opened(application(egress=[rule])) == {}


def test_a_peer_without_any_member_is_its_own_namespace() -> None:
    assert sorted(opened(application(ingress=[{"from": [{}]}]), "ingress")) == ["10.0.0.1", "10.0.0.2"]


def test_domains_stand_beside_other_peers_and_lose_names_of_ports() -> None:
    rule = {"to": [{"domainNames": ["example.com"]}, BLOCK], "ports": [tcp(80), tcp("http")]}
    assert opened(application(egress=[rule])) == {"10.0.0.0/8": "TCP 80", "example.com": "TCP *, TCP 80"}


def test_nothing_is_merged() -> None:
    rules = [{"to": [BLOCK], "ports": [tcp(80)]}, {"to": [BLOCK], "ports": [tcp(81)]}]
    assert len(specs(application(egress=rules))[0]["egress"]) == 2


def stopped(of: Any) -> str:
    """What is said of the one policy that ends the controller's process."""
    found = predicted(of)
    assert not list(found.documents())
    (note,) = found.notes
    assert note.left_out
    assert note.subject is not None
    return f"{note.subject} {note.words}"


@pytest.mark.parametrize(
    "spec",
    [
        {"egress": [{"to": [BLOCK], "ports": [{"port": 80}]}]},
        {"egress": [{"to": [{"podSelector": WEB}], "ports": [{}]}]},
        {"ingress": [{"from": [BLOCK], "ports": [{"port": 80}]}]},
        {"ingress": [{"from": [], "ports": [{"port": 80}]}]},
        {"ingress": [{"ports": [tcp("http"), {"port": 81}]}]},
    ],
)
def test_a_port_without_protocol_ends_the_controller(spec: Json) -> None:
    assert stopped(application(**spec)).startswith("applicationnetworkpolicy/shop/anp a port of an ")


def test_a_port_without_protocol_for_a_domain_is_tcp() -> None:
    rule = {"to": [{"domainNames": ["example.com"]}], "ports": [{"port": 443}]}
    assert opened(application(egress=[rule])) == {"example.com": "TCP 443"}


def test_a_name_is_only_looked_up_where_there_are_pods() -> None:
    one = {"podSelector": {"matchLabels": {"app": "none"}}, "ingress": [{"ports": [{"port": "http"}]}]}
    assert opened(application(**one), "ingress") == {}


def test_a_network_policy_of_the_same_name_is_named() -> None:
    shared = world(PODS, policy("same"), application=[policy("same")])
    assert [str(n.subject) for n in predicted(shared).notes] == ["applicationnetworkpolicy/shop/same"]


def test_releases_before_1_1_0_know_neither_kind() -> None:
    both = world(PODS, application=[policy("anp")], clusterwide=[clusterwide()])
    found = predicted(both, "1.0.19")
    assert [(str(n.subject), n.left_out) for n in found.notes] == [
        ("applicationnetworkpolicy/shop/anp", True),
        ("clusternetworkpolicy/cnp", True),
    ]
    assert not list(found.documents())


def test_a_release_that_nobody_knows_yet_is_taken_for_the_newest_known_and_said_to_be() -> None:
    (note,) = predicted(world(PODS), "9.0.0").notes
    assert note.words == "controller v9.0.0 is newer than any that is known; this is what v1.1.7 does"


# --- ClusterNetworkPolicy ---------------------------------------------------------------------------------------------

ALL: Json = {"namespaces": {}}
NOWHERE: Json = {"namespaces": {"matchLabels": {"no": "such"}}}


def clusterwide(**spec: Any) -> Json:
    whole = {"tier": "Admin", "priority": 0, "subject": ALL, **spec}
    return {"metadata": {"name": "cnp", "uid": "uid-cnp"}, "spec": whole}


def rule(action: str, key: str, *peers: Json, ports: list[Json] | None = None) -> Json:
    return {"action": action, key: list(peers), **({"ports": ports} if ports else {})}


def number(port: int, protocol: str = "TCP") -> Json:
    return {"portNumber": {"protocol": protocol, "port": port}}


def span(start: int, end: int) -> Json:
    return {"portRange": {"protocol": "TCP", "start": start, "end": end}}


def entries(*rules: Json, key: str = "egress", **more: Any) -> list[Json]:
    of = world(PODS, clusterwide=[clusterwide(**{key: list(rules)})], **more)
    (spec,) = specs(of)
    found: list[Json] = spec.get(key, [])
    return found


def test_an_object_of_the_cluster_says_all_but_the_order_of_rules() -> None:
    made = next(predicted(world(PODS, clusterwide=[clusterwide()])).objects())
    assert (made.kind, made.metadata.namespace, made.metadata.generate_name) == ("ClusterPolicyEndpoint", "", "cnp-")
    assert (made.metadata.owner_references[0].kind, made.metadata.owner_references[0].uid) == ("ClusterNetworkPolicy", "uid-cnp")
    (spec,) = specs(world(PODS, clusterwide=[clusterwide()]))
    assert {k: spec[k] for k in ("tier", "priority", "subject", "policyRef")} == {
        "tier": "Admin", "priority": 0, "subject": ALL, "policyRef": {"name": "cnp"},
    }  # fmt: skip
    assert [p["name"] for p in spec["podSelectorEndpoints"]] == ["web", "api"]


def test_a_subject_is_pods_of_namespaces() -> None:
    subject = {"pods": {"namespaceSelector": {}, "podSelector": WEB}}
    (spec,) = specs(world(PODS, clusterwide=[clusterwide(subject=subject)]))
    assert [p["name"] for p in spec["podSelectorEndpoints"]] == ["web"]


def test_the_namespaces_of_the_first_peer_decide_whether_an_ingress_rule_is_there() -> None:
    pods = {"pods": {"namespaceSelector": {}, "podSelector": WEB}}
    assert entries(rule("Deny", "from", NOWHERE, pods), key="ingress") == []
    assert entries(rule("Deny", "from", pods, NOWHERE), key="ingress") == [{"cidr": "10.0.0.1", "action": "Deny"}]


def test_an_empty_namespace_is_found_too() -> None:
    spaces = [*namespaces(shop={}), *namespaces(empty={"no": "such"})]
    pods = {"pods": {"namespaceSelector": {}, "podSelector": WEB}}
    assert len(entries(rule("Deny", "from", NOWHERE, pods), key="ingress", spaces=spaces)) == 1


def test_networks_are_copied_whatever_they_are() -> None:
    assert entries(rule("Deny", "to", {"networks": ["10.0.0.0/8", "not-a-cidr"]})) == [
        {"cidr": "10.0.0.0/8", "action": "Deny"},
        {"cidr": "not-a-cidr", "action": "Deny"},
    ]


def test_egress_opens_services_as_network_policies_do() -> None:
    peer = {"pods": {"namespaceSelector": {}, "podSelector": API}}
    offers = [service("s", "172.20.0.1", (80, 8080))]
    found = entries(rule("Accept", "to", peer, ports=[number(8080)]), services=offers)
    assert {e["cidr"]: e["ports"] for e in found} == {"10.0.0.2": [tcp(8080)], "172.20.0.1": [tcp(80)]}


def test_of_two_ranges_with_one_start_the_second_is_lost() -> None:
    network = {"networks": ["10.0.0.0/8"]}
    found = entries(rule("Deny", "to", network, ports=[span(80, 81)]), rule("Deny", "to", network, ports=[span(80, 90)]))
    assert found == [{"cidr": "10.0.0.0/8", "action": "Deny", "ports": [{"protocol": "TCP", "port": 80, "endPort": 81}]}]


def test_all_ports_are_lost_beside_some_of_the_same_action() -> None:
    network = {"networks": ["10.0.0.0/8"]}
    found = entries(rule("Deny", "to", network), rule("Deny", "to", network, ports=[number(80)]), rule("Accept", "to", network))
    assert found == [
        {"cidr": "10.0.0.0/8", "action": "Deny", "ports": [tcp(80)]},
        {"cidr": "10.0.0.0/8", "action": "Accept"},
    ]


def test_ports_that_are_no_characters_are_taken_for_one_and_the_last_is_kept() -> None:
    network = {"networks": ["10.0.0.0/8"]}
    found = entries(*(rule("Deny", "to", network, ports=[number(n)]) for n in (55295, 55296, 57343, 57344)))
    (entry,) = found
    assert sorted(p["port"] for p in entry["ports"]) == [55295, 57343, 57344]


def test_domains_keep_numbers_and_lose_names_and_are_only_accepted() -> None:
    domains = {"domainNames": ["example.com"]}
    found = entries(rule("Accept", "to", domains, ports=[number(443), {"namedPort": "http"}]))
    assert found == [{"domainName": "example.com", "action": "Accept", "ports": [tcp(443)]}]
    named = entries(rule("Accept", "to", domains, ports=[{"namedPort": "http"}]))
    assert named == [{"domainName": "example.com", "action": "Accept"}]
    assert entries(rule("Deny", "to", domains)) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"egress": [rule("Accept", "to", {"networks": ["10.0.0.0/8"]}, ports=[{"namedPort": "http"}])]},
        {"egress": [rule("Accept", "to", ALL, ports=[number(80), {"namedPort": "http"}])]},
        {"ingress": [rule("Accept", "from", ALL, ports=[{"namedPort": "http"}])]},
    ],
)
def test_a_named_port_ends_the_controller(spec: Json) -> None:
    assert "a named port of an " in stopped(world(PODS, clusterwide=[clusterwide(**spec)]))


def test_a_named_port_that_is_never_resolved_ends_nothing() -> None:
    named = [{"namedPort": "http"}]
    assert entries(rule("Accept", "to", NOWHERE, ports=named)) == []
    assert entries(rule("Accept", "from", NOWHERE, ports=named), key="ingress") == []
    nobody = world([], clusterwide=[clusterwide(ingress=[rule("Accept", "from", ALL, ports=named)])])
    assert "ingress" not in specs(nobody)[0]


def test_a_rule_of_no_known_shape_is_left_out_with_its_place() -> None:
    found = predicted(world(PODS, clusterwide=[clusterwide(egress=[{"action": "Maybe", "to": [ALL]}])]))
    assert not list(found.documents())
    assert "spec.egress[0].action" in found.notes[0].words
