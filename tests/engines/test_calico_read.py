"""What is read of Calico's objects, what Calico refuses, what is not understood, and where policies stand."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from eksnetpol.engines.calico.objects import subject
from eksnetpol.engines.calico.read import read
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Namespace, Pod, Service
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import atoms
from eksnetpol.policy.stacks.ends import end_at, end_of_pod, holds
from eksnetpol.policy.stacks.formulas import NOBODY, Unknowable
from eksnetpol.policy.stacks.rules import Does, PortName, Stack, StackPolicy, StackRule
from eksnetpol.policy.world import World
from tests.engines.calico_plain import decided

Json = dict[str, Any]


def pod(name: str, namespace: str = "shop", ip: str = "10.0.0.10", ports: list[Json] | None = None, **spec: Any) -> Pod:
    body = {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "ports": ports or []}], **spec},
        "status": {"podIP": ip, "hostIP": "198.51.100.1"} if ip else {},
    }
    return msgspec.json.decode(msgspec.json.encode(body), type=Pod)


def http(number: int) -> list[Json]:
    return [{"name": "http", "containerPort": number}]


WORLD = World(
    pods=(
        pod("web", ports=http(8080)),
        pod("api", ip="10.0.0.11", ports=http(80)),
        pod("db", "bank", "10.0.1.10"),
    ),
    namespaces=msgspec.convert(
        [{"metadata": {"name": "shop", "labels": {"env": "prod"}}}, {"metadata": {"name": "bank"}}], tuple[Namespace, ...]
    ),
)


def made(kind: str = "NetworkPolicy", name: str = "p", version: str = "projectcalico.org/v3", **spec: Any) -> Json:
    meta = {"name": name} | ({"namespace": "shop"} if kind in {"NetworkPolicy", "NetworkSet"} else {})
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def ingress(**rule: Any) -> Json:
    return made(ingress=[{"action": "Allow", **rule}])


def to_service(name: Any = "api") -> Json:
    return made(egress=[{"action": "Allow", "destination": {"services": {"name": name}}}])


def policies(stack: Stack) -> list[StackPolicy]:
    return [policy for tier in stack.tiers for policy in tier.policies]


def one_policy(body: Json, world: World = WORLD, **more: Any) -> StackPolicy:
    stack = read([body], (), world, **more)
    assert not stack.refused, stack.refused
    assert not stack.unread, stack.unread
    (found,) = policies(stack)
    return found


def one_rule(body: Json, world: World = WORLD, **more: Any) -> StackRule:
    (found,) = one_policy(body, world, **more).rules
    return found


REFUSED: dict[str, tuple[Json, str]] = {
    "no action": (made(ingress=[{}]), "spec.ingress[0].action"),
    "an action in lower case": (made(ingress=[{"action": "allow"}]), "spec.ingress[0].action"),
    "a selector that is none": (made(selector="app = 'web'"), "spec.selector"),
    "a rule's selector that is none": (ingress(source={"selector": "app"}), "spec.ingress[0].source.selector"),
    "a notSelector that is none": (ingress(source={"notSelector": "a b"}), "spec.ingress[0].source.notSelector"),
    "a namespaceSelector that is none": (ingress(source={"namespaceSelector": "x"}), "spec.ingress[0].source.namespaceSelector"),
    "a selector of accounts that is none": (
        ingress(source={"serviceAccounts": {"selector": "x"}}),
        "spec.ingress[0].source.serviceAccounts.selector",
    ),
    "a selector of accounts for the subject that is none": (made(serviceAccountSelector="x"), "spec.serviceAccountSelector"),
    "global() for the subject": (made(selector="global()"), "spec.selector"),
    "global() for a subject's namespaces": (made("GlobalNetworkPolicy", namespaceSelector="global()"), "spec.namespaceSelector"),
    "global() in a selector": (ingress(source={"selector": "global()"}), "spec.ingress[0].source.selector"),
    "global() with more": (
        ingress(source={"namespaceSelector": "global() || has(a)"}),
        "spec.ingress[0].source.namespaceSelector",
    ),
    "global() in parentheses": (ingress(source={"namespaceSelector": "(global())"}), "spec.ingress[0].source.namespaceSelector"),
    "types twice": (made(types=["Ingress", "Ingress"]), "spec.types[1]"),
    "an unknown type": (made(types=["ingress"]), "spec.types[0]"),
    "an order that is a text": (made(order="10"), "spec.order"),
    "ports without a protocol": (ingress(destination={"ports": [80]}), "spec.ingress[0].destination.ports"),
    "notPorts without a protocol": (ingress(source={"notPorts": [80]}), "spec.ingress[0].source.notPorts"),
    "ports of ICMP": (ingress(protocol="ICMP", destination={"ports": ["http"]}), "spec.ingress[0].destination.ports"),
    "port 0": (ingress(protocol="TCP", destination={"ports": [0]}), "spec.ingress[0].destination.ports[0]"),
    "port 65536": (ingress(protocol="TCP", destination={"ports": ["65536"]}), "spec.ingress[0].destination.ports[0]"),
    "a range upside down": (ingress(protocol="TCP", destination={"ports": ["90:80"]}), "spec.ingress[0].destination.ports[0]"),
    "a range with a hyphen": (ingress(protocol="TCP", destination={"ports": ["80-90"]}), "spec.ingress[0].destination.ports[0]"),
    "a port with a long name": (
        ingress(protocol="TCP", destination={"ports": ["a-very-long-name-of-a-port"]}),
        "spec.ingress[0].destination.ports[0]",
    ),
    "a protocol in lower case": (ingress(protocol="tcp"), "spec.ingress[0].protocol"),
    "protocol 0": (ingress(protocol=0), "spec.ingress[0].protocol"),
    "protocol 256": (ingress(notProtocol=256), "spec.ingress[0].notProtocol"),
    "ipVersion 5": (ingress(ipVersion=5), "spec.ingress[0].ipVersion"),
    "ICMP over IPv6": (ingress(ipVersion=6, protocol="ICMP"), "spec.ingress[0].ipVersion"),
    "icmp without its protocol": (ingress(icmp={"type": 8}), "spec.ingress[0].icmp"),
    "a code without a type": (ingress(protocol="ICMP", icmp={"code": 1}), "spec.ingress[0].icmp"),
    "type 255": (ingress(protocol="ICMP", icmp={"type": 255}), "spec.ingress[0].icmp.type"),
    "host bits": (ingress(source={"nets": ["192.0.2.77/24"]}), "spec.ingress[0].source.nets[0]"),
    "an address for a block": (ingress(source={"nets": ["192.0.2.77"]}), "spec.ingress[0].source.nets[0]"),
    "no block": (ingress(source={"nets": ["here"]}), "spec.ingress[0].source.nets[0]"),
    "a mask of addresses": (ingress(source={"nets": ["10.0.0.0/255.0.0.0"]}), "spec.ingress[0].source.nets[0]"),
    "everything in notNets": (ingress(source={"notNets": ["0.0.0.0/0"]}), "spec.ingress[0]"),
    "two families": (ingress(source={"nets": ["10.0.0.0/8", "fd00::/8"]}), "spec.ingress[0]"),
    "two families on two sides": (
        ingress(source={"nets": ["10.0.0.0/8"]}, destination={"notNets": ["fd00::/8"]}),
        "spec.ingress[0]",
    ),
    "a family that ipVersion is not": (ingress(ipVersion=6, source={"nets": ["10.0.0.0/8"]}), "spec.ingress[0]"),
    "HTTP that denies": (made(ingress=[{"action": "Deny", "http": {"methods": ["GET"]}}]), "spec.ingress[0].http"),
    "HTTP in egress": (made(egress=[{"action": "Allow", "http": {"methods": ["GET"]}}]), "spec.egress[0].http"),
    "HTTP over UDP": (ingress(protocol="UDP", http={"methods": ["GET"]}), "spec.ingress[0].http"),
    "a path that is none": (ingress(http={"paths": [{"exact": "a"}]}), "spec.ingress[0].http.paths[0]"),
    "Services of an ingress destination": (
        ingress(destination={"services": {"name": "x"}}),
        "spec.ingress[0].destination.services",
    ),
    "Services with a selector": (
        ingress(source={"services": {"name": "x"}, "selector": "has(a)"}),
        "spec.ingress[0].source.selector",
    ),
    "Services with ports": (
        made(egress=[{"action": "Allow", "protocol": "TCP", "destination": {"services": {"name": "x"}, "ports": [80]}}]),
        "spec.egress[0].destination.ports",
    ),
    "a Service without a namespace": (
        made("GlobalNetworkPolicy", egress=[{"action": "Allow", "destination": {"services": {"name": "x"}}}]),
        "spec.egress[0].destination.services",
    ),
    "a Service whose name is no text": (to_service({}), "spec.egress[0].destination.services.name"),
    "preDNAT for egress": (made("GlobalNetworkPolicy", preDNAT=True, applyOnForward=True, types=["Egress"]), "spec.egress"),
    "doNotTrack not on forward": (made("GlobalNetworkPolicy", doNotTrack=True), "spec.applyOnForward"),
    "a list that is none": (made(ingress={}), "spec.ingress"),
    "a name with dots": (made(name="a.b.c"), "metadata.name"),
    "a tier with a dot": (made("Tier", name="a.b"), "metadata.name"),
    "a tier that allows": (made("Tier", name="t", defaultAction="Allow"), "spec.defaultAction"),
    "the default tier elsewhere": (made("Tier", name="default", order=10), "spec"),
    "a network set with a wrong block": (made("NetworkSet", nets=["10.0.0.0/33"]), "spec.nets[0]"),
    "a network set with Calico's label": (
        {**made("GlobalNetworkSet"), "metadata": {"name": "g", "labels": {"projectcalico.org/namespace": "x"}}},
        "metadata.labels",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_calico_refuses_is_not_in_force(what: str) -> None:
    body, place = REFUSED[what]
    stack = read([body], (), WORLD)
    (refused,) = stack.refused
    meta = body["metadata"]
    assert refused.ref == subject(body["kind"], meta["name"], meta.get("namespace", ""))
    assert refused.place == place
    assert refused.why
    assert not policies(stack)
    assert not stack.unread


UNREAD: dict[str, tuple[Json, str]] = {
    "a key of the spec": (made(twist=1), "spec.twist"),
    "a key of a rule": (ingress(twist={}), "spec.ingress[0].twist"),
    "a key of a side": (ingress(source={"domains": ["a.example"]}), "spec.ingress[0].source.domains"),
    "a key of accounts": (ingress(source={"serviceAccounts": {"uids": []}}), "spec.ingress[0].source.serviceAccounts.uids"),
    "a key of ICMP": (ingress(protocol="ICMP", icmp={"name": "echo"}), "spec.ingress[0].icmp.name"),
    "a key beside the spec": ({**made(), "data": {}}, "data"),
    "a version": (made(version="projectcalico.org/v4"), "apiVersion"),
    "a kind": (made("UISettings"), "kind"),
    "a tier that is not there": (made(tier="t1"), "spec.tier"),
    "notICMP of everything": (ingress(notICMP={"type": 8}), "spec.ingress[0].notICMP"),
    "a network set with domains": (made("GlobalNetworkSet", allowedEgressDomains=["a.example"]), "spec.allowedEgressDomains"),
    "a selector of blanks": (made(selector=" "), "spec.selector"),
    "rules of a profile": (made("Profile", name="mine", ingress=[{"action": "Allow"}]), "spec"),
    "an IPv4 block in IPv6": (ingress(source={"nets": ["::ffff:10.0.0.0/104"]}), "spec.ingress[0].source.nets[0]"),
    "what is stored and refused": (made(version="crd.projectcalico.org/v1", selector="app"), "spec.selector"),
}


@pytest.mark.parametrize("what", UNREAD)
def test_what_is_not_understood_is_left_out_by_name(what: str) -> None:
    body, place = UNREAD[what]
    stack = read([body], (), WORLD)
    (unread,) = stack.unread
    assert unread.place == place
    assert unread.why
    assert not policies(stack)
    assert not stack.refused


def test_an_unknown_key_comes_before_what_is_refused() -> None:
    stack = read([made(selector="no selector", twist=1)], (), WORLD)
    assert [u.place for u in stack.unread] == ["spec.twist"]
    assert not stack.refused


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


def broken(value: Any, chance: random.Random) -> Any:
    """Return JSON with one thing in it that is something else."""
    odd: Any = chance.choice((None, 1, -1.5, True, "", "x", "\u00e9 '", [], [{}], [None], {}, {"a": {}}, [[]], "0.0.0.0/0"))
    if not value or not isinstance(value, dict | list) or chance.random() < 0.15:
        return odd
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [broken(one, chance) if i == at else one for i, one in enumerate(value)]
    key = chance.choice(list(value))
    return {**value, key: broken(value[key], chance)}


def test_whatever_stands_in_a_field_is_read_refused_or_left_out() -> None:
    chance = random.Random(6)  # noqa: S311 - nothing depends on nobody guessing it
    whole = [body for body, _ in (*REFUSED.values(), *UNREAD.values())]
    accounts: Json = {"nets": ["10.0.0.0/8"], "serviceAccounts": {"names": ["a"]}}
    whole += [
        to_service(),
        made("HostEndpoint", node="n", expectedIPs=["192.0.2.1"], profiles=["a"]),
        made("NetworkSet", nets=["10.0.0.1"]),
        ingress(protocol="TCP", source=accounts, destination={"ports": [80]}),
    ]
    outcomes = {"read": 0, "refused": 0, "left out": 0}
    for _ in range(1_500):
        body = broken(chance.choice(whole), chance)
        if not isinstance(body, dict):
            continue
        stack = read([body], (), WORLD)
        outcomes["refused"] += len(stack.refused)
        outcomes["left out"] += len(stack.unread)
        outcomes["read"] += len(policies(stack))
    assert min(outcomes.values()) > 10, outcomes


def test_the_same_document_twice_is_one_and_another_of_its_name_is_unclear() -> None:
    body = made(ingress=RULE)
    assert policies(read([body, body], (), WORLD)) == [one_policy(body)]
    assert one_policy(body).isolates == INTO
    assert read([body, made(egress=RULE)], (), WORLD).unread
