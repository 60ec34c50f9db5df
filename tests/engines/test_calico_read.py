"""What is read of Calico's objects, what Calico refuses, what is not understood, and where policies stand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from eksnetpol.engines.calico.objects import subject
from eksnetpol.engines.calico.read import read
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import atoms
from eksnetpol.policy.stacks.ends import end_at, end_of_pod, holds
from eksnetpol.policy.stacks.formulas import NOBODY, Unknowable
from eksnetpol.policy.stacks.rules import Does, PortName
from eksnetpol.policy.world import World
from tests.engines.calico_objects import WORLD, Json, http, ingress, made, one_policy, one_rule, pod, policies, to_service
from tests.engines.calico_plain import decided


@pytest.mark.parametrize("kind", ["BGPPeer", "IPPool", "FelixConfiguration", "ClusterInformation", "IPAMBlock"])
def test_what_is_no_policy_is_passed_over(kind: str) -> None:
    stack = read([made(kind, anything=1), {"apiVersion": "operator.tigera.io/v1", "kind": "Installation"}], (), WORLD)
    assert (stack.refused, stack.unread, stack.notes) == ((), (), ())


def test_profiles_that_calico_makes_are_passed_over() -> None:
    allow = [{"action": "Allow"}]
    made_by_calico = [made("Profile", name="kns.shop", ingress=allow, egress=allow), made("Profile", name="ksa.shop.web")]
    assert read(made_by_calico, (), WORLD) == read([], (), WORLD)


def test_tiers_that_are_always_there() -> None:
    tiers = read([], (), WORLD).tiers
    assert [(t.name, t.otherwise) for t in tiers] == [
        ("kube-admin", Does.PASS),
        ("default", Does.DENY),
        ("kube-baseline", Does.PASS),
    ]


def test_tiers_by_order_then_name_and_without_order_last() -> None:
    orders: dict[str, Any] = {"b": 10, "a": 10, "z": 999_999.5, "aaa": 1_000_000, "zzz": 1_000_000, "none": None}
    objects = [made("Tier", name=name, **({} if order is None else {"order": order})) for name, order in orders.items()]
    stack = read(objects, (), WORLD)
    names = [t.name for t in stack.tiers]
    assert names == ["a", "b", "kube-admin", "z", "aaa", "default", "zzz", "kube-baseline", "none"]
    assert {t.otherwise for t in stack.tiers if t.name not in {"kube-admin", "kube-baseline"}} == {Does.DENY}


def test_policies_by_order_then_name_namespace_and_kind() -> None:
    kubernetes = msgspec.convert([{"metadata": {"name": "a", "namespace": "shop"}}], tuple[NetworkPolicy, ...])
    admin = msgspec.convert(
        [{"kind": "ClusterNetworkPolicy", "metadata": {"name": "c"}, "spec": {"tier": "Baseline", "priority": 5}}],
        tuple[AdminPolicy, ...],
    )
    objects = [
        made(name="last"),
        made(name="a", order=1000),
        made(name="ab", order=1000),
        made(name="a-b", order=1000),
        made("GlobalNetworkPolicy", name="a", order=1000),
        made("GlobalNetworkPolicy", name="z", order=999.5),
        made("GlobalNetworkPolicy", name="first", order=-1),
    ]
    stack = read(objects, kubernetes, msgspec_replace(WORLD, admin_policies=admin))
    assert [str(p.ref) for p in policies(stack)] == [
        "globalnetworkpolicy/first",
        "globalnetworkpolicy/z",
        "networkpolicy.projectcalico.org/shop/a-b",
        "globalnetworkpolicy/a",
        "networkpolicy/shop/a",
        "networkpolicy.projectcalico.org/shop/a",
        "networkpolicy.projectcalico.org/shop/ab",
        "networkpolicy.projectcalico.org/shop/last",
        "clusternetworkpolicy.policy.networking.k8s.io/c",
    ]


def msgspec_replace(world: World, **changes: Any) -> World:
    names = ("pods", "namespaces", "services", "service_accounts", "admin_policies", "family")
    return World(**{name: getattr(world, name) for name in names} | changes)


def test_kinds_that_only_some_releases_enforce_leave_answers_open() -> None:
    admin = msgspec.convert([{"kind": "AdminNetworkPolicy", "metadata": {"name": "c"}, "spec": {}}], tuple[AdminPolicy, ...])
    stack = read([], (), msgspec_replace(WORLD, admin_policies=admin))
    assert [str(u.ref) for u in stack.unread] == ["adminnetworkpolicy/c"]


def test_storage_is_the_same_under_other_names() -> None:
    seen, stored = (
        made(name="allow", types=["Ingress"]),
        made(name="default.allow", version="crd.projectcalico.org/v1", types=["Ingress"]),
    )
    assert one_policy(seen) == one_policy(stored)
    assert len(policies(read([seen, stored], (), WORLD))) == 1
    assert not read([seen, stored], (), WORLD).unread
    other = made(name="default.allow", version="crd.projectcalico.org/v1", types=["Egress"])
    assert [u.why for u in read([seen, other], (), WORLD).unread] == ["it was read twice, and says something else each time"]


RULE = [{"action": "Allow"}]
BOTH = frozenset(Direction)
INTO, OUT = frozenset({Direction.INGRESS}), frozenset({Direction.EGRESS})


@pytest.mark.parametrize(
    ("spec", "written", "stored"),
    [
        ({}, INTO, BOTH),
        ({"ingress": RULE}, INTO, BOTH),
        ({"egress": RULE}, OUT, BOTH),
        ({"ingress": RULE, "egress": RULE}, BOTH, BOTH),
        ({"ingress": [], "egress": RULE}, OUT, BOTH),
        ({"types": []}, INTO, BOTH),
        ({"types": ["Egress"], "ingress": RULE}, OUT, OUT),
    ],
)
def test_types_are_written_by_admission_and_both_where_it_was_not(
    spec: Json, written: frozenset[Direction], stored: frozenset[Direction]
) -> None:
    body = made(**spec)
    assert one_policy(body).isolates == written
    assert one_policy(body, raw=[subject("NetworkPolicy", "p", "shop")]).isolates == stored
    live = {**body, "metadata": {**body["metadata"], "uid": "1"}}
    assert one_policy(live).isolates == stored
    assert one_policy(made(version="crd.projectcalico.org/v1", **spec)).isolates == stored
    assert all(rule.direction in written for rule in one_policy(body).rules)


def test_two_admissions_that_differ_are_told() -> None:
    assert "isolates in ingress too" in " ".join(read([made(ingress=[], egress=RULE)], (), WORLD).notes)
    assert read([made(egress=RULE)], (), WORLD).notes == ()


def test_what_is_staged_or_for_hosts_is_told_and_decides_nothing() -> None:
    objects = [
        made("StagedNetworkPolicy"),
        made("StagedKubernetesNetworkPolicy", anything=1),
        made("GlobalNetworkPolicy", name="raw", doNotTrack=True, applyOnForward=True),
        made("HostEndpoint", name="n1", node="node-1", expectedIPs=["10.0.9.1"]),
    ]
    stack = read(objects, (), WORLD)
    assert not policies(stack)
    assert len(stack.notes) == 4
    assert any("node-1 itself" in note for note in stack.notes)


def test_everything_in_stored_not_nets_is_a_rule_that_never_matches() -> None:
    body = made(
        version="crd.projectcalico.org/v1", types=["Ingress"], ingress=[{"action": "Allow", "source": {"notNets": ["0.0.0.0/0"]}}]
    )
    assert one_rule(body).peer == NOBODY


@pytest.mark.parametrize(
    ("family", "version", "is_there"), [("ipv4", 4, True), ("", 4, True), ("ipv4", 6, False), ("ipv6", 6, True)]
)
def test_a_rule_of_the_other_family_never_matches(family: str, version: int, is_there: bool) -> None:
    world = msgspec_replace(WORLD, family=family)
    net = "10.0.0.0/8" if version == 4 else "fd00::/8"
    for rule in ({"ipVersion": version}, {"source": {"notNets": [net]}}, {"destination": {"nets": [net]}}):
        assert (one_rule(ingress(**rule), world).peer != NOBODY) == is_there, rule


def test_log_decides_nothing_and_keeps_the_numbers() -> None:
    (rule,) = one_policy(made(ingress=[{"action": "Log"}, {"action": "Deny"}])).rules
    assert (rule.place, rule.does) == ("spec.ingress[1]", Does.DENY)
    assert read([made(ingress=[{"action": "Log"}])], (), WORLD).notes


def test_http_is_judged_further() -> None:
    assert one_rule(ingress(http={"methods": ["GET"], "paths": [{"prefix": "/a"}]})).judged_further == ("HTTP methods and paths",)


def test_protocols() -> None:
    assert one_rule(ingress(protocol=17)).connections == Connections.only("UDP")
    assert one_rule(ingress(protocol="6", destination={"ports": ["80", "90:91"]})).connections == Connections.only(
        "TCP", PortSet([(80, 80), (90, 91)])
    )
    assert one_rule(ingress(protocol="UDPLite")).connections == Connections.only("OTHER", PortSet.of(136))
    assert one_rule(ingress(notProtocol="TCP")).connections == ~Connections.only("TCP")
    assert one_rule(ingress(protocol="ICMP", icmp={"type": 3})).connections == Connections.only("ICMP", PortSet([(768, 1023)]))
    assert one_rule(ingress(protocol=1, notICMP={"type": 3, "code": 1})).connections == Connections.only(
        "ICMP"
    ) - Connections.only("ICMP", PortSet.of(769))


def test_named_ports() -> None:
    assert one_rule(ingress(destination={"ports": ["http"]})).names == (PortName("http"),)
    rule = one_rule(ingress(protocol="TCP", destination={"ports": ["http", 90]}))
    assert (rule.names, rule.connections) == ((PortName("http", "TCP"),), Connections.only("TCP", PortSet.of(90)))


def may(
    body: Json, source: dict[str, str], destination: dict[str, str], packet: tuple[str, int, int], world: World = WORLD
) -> bool:
    return decided(read([body], (), world), world, Direction.INGRESS, source, destination, packet)[0]


WEB, API, AWAY = {"pod": "shop/web"}, {"pod": "shop/api"}, {"ip": "192.0.2.1"}


def test_names_that_are_left_out_and_names_of_source_ports() -> None:
    body = ingress(protocol="TCP", destination={"notPorts": ["http"]})
    assert not may(body, AWAY, WEB, ("TCP", 8080, 1))
    assert may(body, AWAY, WEB, ("TCP", 80, 1))
    assert not may(body, AWAY, API, ("TCP", 80, 1))
    body = ingress(protocol="TCP", source={"ports": ["http"]})
    assert may(body, WEB, API, ("TCP", 1, 8080))
    assert not may(body, WEB, API, ("TCP", 1, 80))
    assert not may(body, AWAY, API, ("TCP", 1, 80))
    body = ingress(source={"notPorts": ["http"]})
    assert not may(body, WEB, API, ("TCP", 1, 8080))
    assert may(body, WEB, API, ("UDP", 1, 8080))
    assert may(body, WEB, API, ("ICMP", 2048, 0))
    assert may(body, AWAY, API, ("TCP", 1, 8080))
    body = ingress(protocol="TCP", destination={"ports": ["http", 90], "notPorts": [8080]})
    assert not may(body, AWAY, WEB, ("TCP", 8080, 1))
    assert may(body, AWAY, API, ("TCP", 80, 1))
    assert may(body, AWAY, WEB, ("TCP", 90, 1))


def test_what_a_name_means_to_pods_without_addresses_is_not_known() -> None:
    world = msgspec_replace(WORLD, pods=(pod("web", ip="", ports=http(8080)), pod("api", ip="")))
    policy = one_policy(ingress(protocol="TCP", destination={"notPorts": ["http"]}), world)
    web, api = (end_of_pod(world, p) for p in world.pods)
    there = [holds(rule.local, web) for rule in policy.rules]
    assert None in there
    assert True not in there
    assert any(holds(rule.local, api) for rule in policy.rules)


def services(*bodies: Json) -> World:
    return msgspec_replace(WORLD, services=msgspec.convert(list(bodies), tuple[Service, ...]))


def test_services_are_their_endpoints() -> None:
    service = {
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"selector": {"app": "api"}, "ports": [{"port": 443, "targetPort": "http"}, {"port": 90}]},
    }
    world = services(service)
    rule = one_rule(to_service(), world)
    assert (rule.connections, rule.names) == (Connections.only("TCP", PortSet.of(90)), (PortName("http", "TCP"),))
    web, api, db = (end_of_pod(world, p) for p in world.pods)
    assert [holds(rule.peer, end) for end in (web, api, db)] == [False, True, False]
    source = one_rule(ingress(source={"services": {"name": "api"}}), world)
    assert source.connections.is_everything
    assert holds(source.peer, api)


def test_endpoints_that_nobody_has_read_are_not_known() -> None:
    for world in (services(), services({"metadata": {"name": "api", "namespace": "shop"}, "spec": {"ports": [{"port": 1}]}})):
        rule = one_rule(to_service(), world)
        assert any(isinstance(atom, Unknowable) for atom in atoms(rule.peer))
        assert holds(rule.peer, end_at(world, "192.0.2.1")) is None
    named = services(
        {"metadata": {"name": "api", "namespace": "shop"}, "spec": {"type": "ExternalName", "externalName": "a.example"}}
    )
    assert one_rule(to_service(), named).peer == NOBODY


def test_pods_of_a_service_on_the_host_network_are_their_nodes() -> None:
    host = pod("host", ip="198.51.100.9", ports=http(8080), hostNetwork=True)
    service = {
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"selector": {"app": "host"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    world = msgspec_replace(services(service), pods=(*WORLD.pods, host))
    rules = one_policy(to_service(), world).rules
    found = [r.connections for r in rules if holds(r.peer, end_of_pod(world, host)) and r.connections]
    assert found == [Connections.only("TCP", PortSet.of(8080))]


def test_host_endpoints_are_found_by_their_labels() -> None:
    host = {**made("HostEndpoint", node="n", expectedIPs=["192.0.2.1"]), "metadata": {"name": "h", "labels": {"role": "edge"}}}
    wanted = made("GlobalNetworkPolicy", ingress=[{"action": "Allow", "source": {"selector": "role == 'edge'"}}])
    (found,) = policies(read([host, wanted], (), WORLD))
    assert holds(found.rules[0].peer, end_at(WORLD, "192.0.2.1")) is True
    host["spec"]["profiles"] = ["mine"]
    (found,) = policies(read([host, wanted], (), WORLD))
    assert holds(found.rules[0].peer, end_at(WORLD, "192.0.2.1")) is None


def test_a_network_set_that_is_not_understood_leaves_its_addresses_open() -> None:
    wanted = made("GlobalNetworkPolicy", ingress=[{"action": "Allow", "source": {"selector": "has(ext)"}}])
    stack = read([made("GlobalNetworkSet", name="g", twist=1), wanted], (), WORLD)
    assert holds(policies(stack)[0].rules[0].peer, end_at(WORLD, "192.0.2.1")) is None


def test_labels_of_a_pod_win_over_copied_ones() -> None:
    own = msgspec.json.decode(
        msgspec.json.encode(
            {"metadata": {"name": "odd", "namespace": "shop", "labels": {"pcns.env": "mine"}}, "spec": {"containers": []}}
        ),
        type=Pod,
    )
    world = msgspec_replace(WORLD, pods=(*WORLD.pods, own))
    wanted = made("GlobalNetworkPolicy", namespaceSelector="env == 'prod'")
    subject_of = one_policy(wanted, world).subject
    assert holds(subject_of, end_of_pod(world, own)) is False
    assert holds(subject_of, end_of_pod(world, world.pods[0])) is True


def test_the_same_document_twice_is_one_and_another_of_its_name_is_unclear() -> None:
    body = made(ingress=RULE)
    assert policies(read([body, body], (), WORLD)) == [one_policy(body)]
    assert one_policy(body).isolates == INTO
    assert read([body, made(egress=RULE)], (), WORLD).unread
