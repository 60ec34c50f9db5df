"""What Calico refuses is not in force, and what is not understood is left out by name; nothing else ever happens."""

from __future__ import annotations

import random
from typing import Any

import pytest

from eksnetpol.engines.calico.objects import subject
from eksnetpol.engines.calico.read import read
from tests.engines.calico_objects import WORLD, Json, ingress, made, policies, to_service

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
