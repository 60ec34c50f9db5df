"""What an earlier migrator got wrong, most of it by letting more through: each of its inputs, and what must come of it."""

from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.engines.cilium.read import read
from eksnetpol.translation import Options, Translation, Verdict, translate
from tests.translation.test_emitted import calico, rule, spec, translated, world

Json = dict[str, Any]
WEB = {"matchLabels": {"app": "web"}}
CLOSED = {"podSelector": WEB, "policyTypes": ["Ingress"]}


def cilium(**fields: Any) -> Translation:
    policy = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"endpointSelector": WEB, **fields},
    }
    mine = world()
    return translate(read([policy], (), mine), mine, Options(vpc=("10.0.0.0/16",)))


@pytest.mark.parametrize(
    "ingress",
    [
        [{}],
        [{"fromEndpoints": []}],
        [{"fromEndpoints": [WEB], "authentication": {"mode": "required"}}],
        [{"toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": [{"method": "GET"}]}}]}],
    ],
)
def test_rules_that_say_nothing_a_networkpolicy_could_say_leave_pods_closed(ingress: list[Json]) -> None:
    assert spec(cilium(ingress=ingress)) == CLOSED


def test_a_policy_that_only_denies_closes_its_pods() -> None:
    assert spec(cilium(ingressDeny=[{"fromEndpoints": [{"matchLabels": {"app": "bad"}}]}])) == CLOSED


def test_deny_beside_allow_is_taken_out() -> None:
    found = cilium(
        ingress=[{"fromEndpoints": [{"matchLabels": {"app": "api"}}]}],
        ingressDeny=[{"fromEndpoints": [{"matchLabels": {"tier": "bad"}}]}],
    )
    [taken] = spec(found)["ingress"]
    unlike = [{"key": "tier", "operator": "NotIn", "values": ["bad"]}]
    assert taken == {"from": [{"podSelector": {"matchLabels": {"app": "api"}, "matchExpressions": unlike}}]}


def test_labels_and_expressions_are_both_kept() -> None:
    wanted = {"matchLabels": {"app": "api"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]}
    [taken] = spec(cilium(ingress=[{"fromEndpoints": [wanted]}]))["ingress"]
    assert taken == {"from": [{"podSelector": wanted}]}


def test_the_label_of_another_namespace_is_a_namespace_selector() -> None:
    peer = {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "bank", "app": "db"}}
    [taken] = spec(cilium(ingress=[{"fromEndpoints": [peer]}]))["ingress"]
    near = {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}
    assert taken == {"from": [{"namespaceSelector": near, "podSelector": {"matchLabels": {"app": "db"}}}]}


def test_every_entry_of_ports_and_every_range_is_kept() -> None:
    ports = [{"ports": [{"port": "80", "protocol": "TCP"}]}, {"ports": [{"port": "90", "endPort": 95, "protocol": "UDP"}]}]
    rules = spec(cilium(ingress=[{"toPorts": ports}]))["ingress"]
    opened = [port for one in rules for port in one["ports"]]
    assert opened == [{"port": 80, "protocol": "TCP"}, {"port": 90, "protocol": "UDP", "endPort": 95}]
    assert all("from" not in one for one in rules)


def test_an_allowance_without_isolation_isolates_nobody() -> None:
    found = cilium(ingress=[{"fromEndpoints": [{}]}], enableDefaultDeny={"ingress": False, "egress": False})
    assert found.outputs == ()
    assert found.worst is Verdict.EXACT


def test_types_are_what_isolates_and_not_the_rules() -> None:
    only = calico("p", "shop", selector="app == 'web'", types=["Egress"])
    assert spec(translated(only)) == {"podSelector": WEB, "policyTypes": ["Egress"]}


def test_a_protocol_without_ports_stays_one_protocol() -> None:
    one = calico("p", "shop", selector="app == 'web'", types=["Ingress"], ingress=[rule(protocol="UDP")])
    assert spec(translated(one))["ingress"] == [{"ports": [{"protocol": "UDP"}]}]


def test_a_destination_in_an_ingress_rule_narrows_whom_it_holds_for() -> None:
    local = rule(destination={"selector": "role == 'front'"})
    found = translated(calico("p", "shop", selector="app == 'web'", types=["Ingress"], ingress=[local]))
    assert [spec(found, n) for n in range(2)] == [
        CLOSED,
        {"podSelector": {"matchLabels": {"app": "web", "role": "front"}}, "policyTypes": ["Ingress"], "ingress": [{}]},
    ]


def test_two_policies_of_one_name_in_two_namespaces_are_two_objects() -> None:
    found = translated(*(calico("same", ns, selector="all()", types=["Ingress"]) for ns in ("shop", "bank")))
    assert [o.ref.namespace for o in found.outputs] == ["bank", "shop"]
    assert len({o.ref.name for o in found.outputs}) == 2


def test_staged_policies_stay_without_effect() -> None:
    staged = calico("p", "shop", selector="all()", types=["Ingress"]) | {"kind": "StagedNetworkPolicy"}
    assert translated(staged).outputs == ()
