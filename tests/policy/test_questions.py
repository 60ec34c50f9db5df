from __future__ import annotations

import pytest

from eksnetpol.errors import UsageError
from eksnetpol.operations.policies import reach, suggestions, with_all
from eksnetpol.policy.answers import Say
from eksnetpol.policy.connections import EVERYTHING, Connections
from eksnetpol.policy.parties import resolve
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.questions import asked
from tests.policy import shop

ENGINE, PLAIN = shop.engine(), shop.engine(shop.KUBERNETES)
WEB, API, DB, MIXED = "shop/web", "shop/api", "shop/db", "shop/mixed"


@pytest.mark.parametrize(
    ("text", "protocol", "words", "ports"),
    [
        ("8080", None, "TCP 8080", [(8080, 8080)]),
        (8080, None, "TCP 8080", [(8080, 8080)]),
        ("53/udp", None, "UDP 53", [(53, 53)]),
        ("53", "UDP", "UDP 53", [(53, 53)]),
        ("53/udp", "udp", "UDP 53", [(53, 53)]),
        ("8000-8100", None, "TCP 8000-8100", [(8000, 8100)]),
        ("8000-8100/sctp", None, "SCTP 8000-8100", [(8000, 8100)]),
        ("http", None, "TCP http (8080)", [(8080, 8080)]),
        ("http/tcp", None, "TCP http (8080)", [(8080, 8080)]),
        ("tcp", None, "every TCP port", [(1, 65535)]),
        (None, "TCP", "every TCP port", [(1, 65535)]),
        ("icmp", None, "all of ICMP", [(0, 65535)]),
        (None, "icmpv6", "all of ICMPv6", [(0, 65535)]),
    ],
)
def test_ports_are_written_as_people_write_them(
    text: str | int | None, protocol: str | None, words: str, ports: list[tuple[int, int]]
) -> None:
    found = asked(text, protocol, resolve(API, ENGINE), ENGINE)
    assert found is not None
    assert found.text == words
    assert [p.intervals for _, p in found.parts] == [tuple(ports)]


@pytest.mark.parametrize(
    ("text", "protocol", "there", "words"),
    [
        ("0", None, API, "0 is no port; ports are from 1 to 65535, and a range has the lower one first"),
        ("65536", None, API, "65536 is no port"),
        ("90-80", None, API, "90-80 is no port"),
        ("80/http", None, API, "there is no protocol 'http'; there are TCP, UDP, SCTP, ICMP, ICMPv6"),
        ("80/udp", "TCP", API, "port '80/udp' is of UDP, and the protocol is said to be TCP"),
        ("80", "ICMP", API, "ICMP has no ports; leave 80 out to ask for all of ICMP"),
        ("htp", None, API, "shop/Deployment/api has no port named 'htp'; did you mean http?"),
        ("http/udp", None, API, "shop/Deployment/api has no port named 'http'; did you mean http?"),
        ("metrics", None, API, "shop/Deployment/api has no port named 'metrics'; its ports are http"),
        ("http", None, DB, "shop/StatefulSet/db has no port named 'http'; none of its ports has a name"),
        ("8080,9090", None, DB, "'8080,9090' is no port; expected a number, a range such as 8000-8100 or the name of a port"),
        ("http", None, "svc:shop/api", "svc:shop/api has no port named 'http'; its ports are 80/TCP (web)"),
        ("udp", None, "svc:shop/api", "svc:shop/api has no UDP port; it has 80/TCP (web)"),
        ("http", None, "10.0.0.0/8", "'http' is no number, and an address has no names of ports"),
    ],
)  # fmt: skip
def test_what_is_no_port_is_told(text: str, protocol: str | None, there: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        asked(text, protocol, resolve(there, ENGINE), ENGINE)
    assert str(raised.value).startswith(words)


def test_one_port_is_decided() -> None:
    yes = reach(ENGINE, WEB, API, 8080)
    assert (yes.allowed, yes.partial) == (True, False)
    assert [(d.say, d.place) for d in yes.settled if d.subject and d.subject.name == "api"] == [(Say.ALLOWS, "ingress[0]")]
    no = reach(ENGINE, WEB, DB, "5432")
    assert (no.allowed, no.partial, no.connections.some) == (False, False, Connections())
    assert {d.say for d in no.settled} == {Say.ISOLATES}


def test_a_range_is_allowed_when_all_of_it_is() -> None:
    part = reach(ENGINE, WEB, API, "8080-8081")
    assert (part.allowed, part.partial) == (False, True)
    assert part.connections.every == Connections.only("TCP", PortSet.of(8080))
    assert [(d.port, d.allowed) for d in part.decisions] == [(8081, False), (8080, True)]
    assert reach(ENGINE, WEB, "shop/solo", "1-65535").allowed is False, "egress of web is restricted"
    assert reach(ENGINE, "shop/solo", MIXED, "1-65535").allowed is True


def test_without_a_port_everything_is_asked_for() -> None:
    found = reach(ENGINE, WEB, API)
    assert found.connections.every == Connections.only("TCP", PortSet.of(8080))
    assert (found.allowed, found.partial) == (True, False)
    assert [(d.port, d.allowed) for d in found.decisions] == [(80, False), (8080, True)]
    assert reach(ENGINE, "shop/solo", MIXED).connections.every == EVERYTHING
    nothing = reach(ENGINE, WEB, DB)
    assert (nothing.allowed, nothing.partial, len(nothing.decisions)) == (False, False, 1)


def test_a_name_is_each_pods_own_number() -> None:
    rule = {"name": "p", "pods": {"app": "mixed"}, "ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}]}]}
    engine = shop.engine(policies=[rule])
    found = reach(engine, "shop/solo", MIXED, "http")
    assert found.asked is not None
    assert found.asked.text == "TCP http (8080, 9090)"
    assert (found.allowed, found.partial) == (False, True)
    assert "the port http is 8080 and 9090, depending on the pod" in found.notes
    assert [(d.port, d.allowed) for d in found.decisions] == [(9090, False), (8080, True)]
    assert reach(ENGINE, "shop/solo", MIXED, "http").allowed


def test_a_service_is_asked_for_by_its_own_ports() -> None:
    assert reach(PLAIN, WEB, "svc:shop/api", "web").allowed
    assert reach(PLAIN, WEB, "svc:shop/api").connections.every == Connections.only("TCP", PortSet.of(80))
    assert not reach(PLAIN, "shop/solo", "svc:shop/api", 80).allowed
    assert not reach(PLAIN, WEB, "svc:shop/api", 8080).allowed


def test_the_internet_is_every_public_address() -> None:
    some = reach(ENGINE, "internet", DB, 5432)
    assert (some.allowed, some.partial) == (False, True)
    assert some.details == ("of internet, 203.0.113.0/25 may",)
    assert reach(ENGINE, "203.0.113.0/25", DB, 5432).allowed
    wide = reach(ENGINE, "203.0.113.0/24", DB, "5432-5433")
    assert wide.details == ("of 203.0.113.0/24, 203.0.113.0/25 may in part",)
    assert not reach(ENGINE, "203.0.113.128/25", DB, 5432).partial
    assert reach(ENGINE, "shop/solo", "internet", "udp").allowed


@pytest.mark.parametrize(
    ("source", "destination", "words"),
    [("svc:shop/api", WEB, "svc:shop/api sends nothing"), ("10.0.0.0/8", "internet", "neither 10.0.0.0/8 nor internet is a pod")],
)
def test_what_no_policy_is_about_cannot_be_asked(source: str, destination: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        reach(ENGINE, source, destination)


def test_a_pod_always_reaches_itself() -> None:
    found = reach(ENGINE, "shop/solo", "shop/solo", 80)
    assert found.allowed
    assert "a pod always reaches itself" in found.notes


def test_what_is_denied_comes_with_the_rule_that_is_missing() -> None:
    denied = reach(ENGINE, "shop/solo", API, "http")
    (missing,) = suggestions(ENGINE, denied)
    fixed = shop.engine(policies=[*shop.POLICIES, dict(missing.policy)])
    assert reach(fixed, "shop/solo", API, "http").allowed
    assert not reach(fixed, "shop/solo", API, 8081).allowed
    assert suggestions(ENGINE, reach(ENGINE, WEB, API, 8080)) == ()
    assert suggestions(ENGINE, reach(ENGINE, WEB, DB)) == (), "nobody asked for a port"


def test_a_rule_for_the_internet_leaves_private_addresses_out_where_an_except_closes_nothing() -> None:
    for engine, has_holes in ((PLAIN, True), (ENGINE, False)):
        (missing,) = suggestions(engine, reach(engine, "internet", DB, 5432))
        block = missing.rule["from"][0]["ipBlock"]
        assert block["cidr"] == "0.0.0.0/0"
        assert ("10.0.0.0/8" in block.get("except", ())) is has_holes
    then = with_all(PLAIN, reach(PLAIN, "internet", DB, 5432), suggestions(PLAIN, reach(PLAIN, "internet", DB, 5432)))
    assert then.allowed
    still = with_all(ENGINE, reach(ENGINE, "internet", DB, 5432), suggestions(ENGINE, reach(ENGINE, "internet", DB, 5432)))
    assert still.partial, "the except of the policy that is there denies, whatever is added"
