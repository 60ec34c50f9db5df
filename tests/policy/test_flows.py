"""Observed flows against policies: who is the server, who has an address, and what adds up, held to a slow obvious count."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.gateways.flow_formats import vpc
from eksnetpol.model.flows import End, Flow, Malformed, Observed, Settled
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Addresses, Pods
from eksnetpol.policy.engine import SetEngine, build_engine
from eksnetpol.policy.flow_groups import Groups
from eksnetpol.policy.flow_places import Kind, Places
from eksnetpol.policy.flow_report import FlowReport, report
from eksnetpol.policy.flow_verdicts import Verdict
from eksnetpol.policy.flows import Ledger, take
from eksnetpol.policy.profile import STANDARD, Profile, Semantics
from eksnetpol.policy.rules import Direction
from tests.policy.test_suggest import API, DB, SERVICE, WEB, engine_of, pod

HEAD = "srcaddr dstaddr srcport dstport protocol bytes start end action log-status pkt-srcaddr pkt-dstaddr tcp-flags"
DAY = 1780000000


def record(source: str, destination: str, ports: tuple[int, int], **more: Any) -> str:
    said = {"proto": 6, "size": 100, "start": DAY, "end": DAY + 60, "action": "ACCEPT", "status": "OK", "flags": 0} | more
    numbers = f"{ports[0]} {ports[1]} {said['proto']} {said['size']} {said['start']} {said['end']}"
    return f"{source} {destination} {numbers} {said['action']} {said['status']} {source} {destination} {said['flags']}"


def replay(engine: SetEngine, lines: list[str], head: str = HEAD) -> tuple[FlowReport, list[Malformed], Ledger]:
    ledger, bad = Ledger(engine), list[Malformed]()
    reader = vpc.Reader()
    rows, numbers = reader.records([head, *lines], 1, bad.append)
    ledger.records(rows, reader.layout.columns, numbers, bad.append)
    return report(ledger, ()), bad, ledger


def summary(found: FlowReport) -> list[tuple[str, str, str, int, Verdict, int]]:
    return [
        (r.group.source.title, r.group.destination.title, r.group.protocol, r.group.number, r.group.verdict, r.group.flows)
        for r in found.rows
    ]


WEB_TITLE, API_TITLE = "shop/StatefulSet/web", "shop/StatefulSet/api"


def test_both_directions_of_a_connection_are_one_group_whoever_is_named_first() -> None:
    there = [record("10.0.0.1", "10.0.0.2", (40000, 9000), flags=2), record("10.0.0.2", "10.0.0.1", (9000, 40000), flags=18)]
    known = [record("10.0.0.2", "10.0.0.1", (9000, 40001)), record("10.0.0.1", "10.0.0.2", (40001, 9000))]
    found, _, _ = replay(engine_of(WEB, API), [*there, *known])
    assert summary(found) == [(WEB_TITLE, API_TITLE, "TCP", 9000, Verdict.DENIED, 4)]
    (row,) = found.rows
    assert (row.group.replies, row.group.size, row.group.first, row.group.last) == (2, 400, DAY, DAY + 60)
    assert found.settled == {Settled.FLAGS: 2, Settled.KNOWN_PORT: 2}
    assert row.group.judgement.denied_at == (Direction.EGRESS, Direction.INGRESS)


@pytest.mark.parametrize(
    ("ports", "server", "how"),
    [
        ((40000, 443), 443, Settled.LOW_PORT),
        ((443, 40000), 443, Settled.LOW_PORT),
        ((50000, 7000), 7000, Settled.LOW_PORT),
        ((50000, 40000), 40000, Settled.GUESSED),
        ((8080, 8081), 8080, Settled.KNOWN_PORT),
    ],
)
def test_without_flags_ports_tell_the_server(ports: tuple[int, int], server: int, how: Settled) -> None:
    found, _, _ = replay(engine_of(WEB), [record("10.0.0.1", "198.51.100.1", ports)])
    assert found.rows[0].group.number == server
    assert found.settled == {how: 1}


def test_flags_go_before_ports_and_those_of_short_connections_are_all_in_one() -> None:
    found, _, _ = replay(engine_of(WEB), [record("10.0.0.1", "198.51.100.1", (443, 50000), flags=3)])
    assert found.rows[0].group.number == 50000
    found, _, _ = replay(engine_of(WEB), [record("10.0.0.1", "198.51.100.1", (443, 50000), flags=19)])
    assert (found.rows[0].group.number, found.rows[0].group.destination.title) == (443, WEB_TITLE)


def test_what_was_refused_is_kept_apart_and_breaks_nothing() -> None:
    found, _, _ = replay(engine_of(WEB), [record("198.51.100.1", "10.0.0.1", (40000, 22), action="REJECT", flags=2)])
    (row,) = found.rows
    assert (row.group.verdict, row.group.observed) == (Verdict.DENIED, Observed.REFUSED)
    assert (row.would_break, row.suggestions) == (False, ())


def test_what_is_older_than_the_pod_was_anothers() -> None:
    young = {**WEB, "metadata": {**WEB["metadata"], "creationTimestamp": datetime.fromtimestamp(DAY + 100, UTC).isoformat()}}
    lines = [record("10.0.0.1", "198.51.100.1", (40000, 443), end=DAY + n) for n in (60, 99, 100, 101)]
    found, _, _ = replay(engine_of(young), lines)
    assert summary(found)[0][-1] == 2
    assert found.aside == {"older than the pod that has the address now": 2}


def test_records_without_data_say_so_and_senseless_ones_are_named_by_line() -> None:
    lines = [
        record("-", "-", (0, 0), status="NODATA").replace(" 0 0 6 ", " - - - "),
        record("-", "-", (0, 0), status="SKIPDATA"),
        record("10.0.0.999", "10.0.0.1", (1, 2)),
        record("10.0.0.1", "10.0.0.2", (1, 70000)),
        record("10.0.0.1", "10.0.0.2", (1, 80), proto="tcp"),
        record("10.0.0.1", "10.0.0.2", (1, 80), size="many"),
        record("10.0.9.1", "10.0.9.2", (40000, 80)),
    ]
    found, bad, _ = replay(engine_of(WEB, API), lines)
    assert found.aside == {"without data": 1, "said to be skipped by the flow log": 1}
    assert [b.line for b in bad] == [4, 5, 6, 7]
    assert found.unasked == 1
    assert found.rows == ()


def test_a_log_without_bytes_times_or_flags_is_read_all_the_same() -> None:
    line = "10.0.0.1 198.51.100.1 40000 443 6"
    found, bad, _ = replay(engine_of(WEB), [line, line], "srcaddr dstaddr srcport dstport protocol")
    (row,) = found.rows
    assert (row.group.flows, row.group.size, row.group.first, bad) == (2, 0, None, [])


def test_icmp_of_flow_logs_tells_no_direction_so_only_what_is_open_both_ways_is_allowed() -> None:
    ping = [record("10.0.0.1", "10.0.1.1", (0, 0), proto=1), record("10.0.1.1", "10.0.0.1", (0, 0), proto=1)]
    (row,) = replay(engine_of(WEB, DB), ping)[0].rows
    assert (row.group.verdict, row.group.flows) == (Verdict.UNKNOWN, 2)
    (row,) = replay(engine_of(WEB, DB, policies=[]), ping)[0].rows
    assert row.group.verdict is Verdict.ALLOWED


def test_a_node_and_its_own_pods_are_judged_apart_from_other_nodes() -> None:
    engine = engine_of(WEB, pod("agent-0", "10.9.0.1", {"app": "agent"}, hostNetwork=True),
                       pod("far-0", "10.9.0.2", {"app": "agent"}, hostNetwork=True))  # fmt: skip
    lines = [record(node, "10.0.0.1", (40000, 8080)) for node in ("10.9.0.1", "10.9.0.2")]
    found, _, ledger = replay(engine, lines)
    assert ledger.places.at("10.9.0.1").kind is Kind.NODE
    assert {r.source: r.group.verdict for r in found.rows} == {
        "nodes (10.9.0.1)": Verdict.ALLOWED,
        "nodes (10.9.0.2)": Verdict.DENIED,
    }


# --- other logs -------------------------------------------------------------------------------------------------------


def flow(source: End, destination: End, number: int | None = 9000, **more: Any) -> Flow:
    return Flow(source, destination, more.pop("protocol", "TCP"), number, more.pop("source_port", 40000), **more)


def test_names_go_before_addresses_and_a_pod_that_is_no_more_stands_for_its_workload() -> None:
    engine = engine_of(WEB, API)
    flows = [
        flow(End("10.0.0.77", "shop", "web-0"), End("10.0.0.2")),
        flow(End("", "shop", "web-*"), End("", "shop", "api-7")),
        flow(End("10.0.0.1", "shop", "other-x"), End("10.0.0.2")),
    ]
    found = report(take(Ledger(engine), flows), ())
    assert summary(found) == [
        (WEB_TITLE, API_TITLE, "TCP", 9000, Verdict.DENIED, 2),
        ("shop/other-x", API_TITLE, "TCP", 9000, Verdict.UNKNOWN, 1),
    ]


def test_what_went_through_a_service_is_judged_by_its_address_on_the_way_out_and_by_the_pod_on_the_way_in() -> None:
    opened = {"metadata": {"name": "out", "namespace": "shop"}, "spec": {
        "podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": "172.20.0.0/16"}}], "ports": [{"port": 80, "protocol": "TCP"}]}]}}  # fmt: skip
    engine = engine_of(WEB, API, policies=[opened], services=[SERVICE])
    through = flow(End("10.0.0.1"), End("10.0.0.2"), asked=("172.20.0.9", 80))
    straight = flow(End("10.0.0.1"), End("10.0.0.2"))
    found = report(take(Ledger(engine), [through, straight, flow(End("10.0.0.1"), End("172.20.0.9"), 80)]), ())
    verdicts = {(r.group.destination.kind, r.group.asked is not None): r.group.verdict for r in found.rows}
    assert verdicts == {
        (Kind.POD, True): Verdict.ALLOWED,
        (Kind.POD, False): Verdict.DENIED,
        (Kind.SERVICE, False): Verdict.ALLOWED,
    }
    (denied,) = found.breaking
    assert "the address of Service shop/api is open to it" in denied.cautions[0]


def test_a_client_that_goes_by_a_service_may_be_denied_where_the_pods_own_address_is_open() -> None:
    opened = {"metadata": {"name": "out", "namespace": "shop"}, "spec": {
        "podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/version": "2"}}}]}]}}  # fmt: skip
    engine = engine_of(WEB, API, policies=[opened], services=[SERVICE])
    (row,) = report(take(Ledger(engine), [flow(End("10.0.0.1"), End("10.0.0.2"))]), ()).rows
    assert row.group.verdict is Verdict.ALLOWED
    assert "that of Service shop/api is not" in row.cautions[0]


def test_replies_errors_and_echoes_of_icmp_are_told_apart_where_the_log_has_types() -> None:
    engine = engine_of(WEB, DB)
    ends = (End("10.0.0.1"), End("10.0.1.1"))
    kinds = ((ends, 2048), (ends[::-1], 0), (ends, 11 * 256))
    flows = [flow(*who, number, protocol="ICMP") for who, number in kinds]
    found = report(take(Ledger(engine), flows), ())
    assert [(r.group.source.title, r.group.flows, r.group.replies) for r in found.rows] == [(WEB_TITLE, 2, 1)]
    assert found.aside == {"ICMP that is neither a request nor a reply": 1}


def test_somewhere_outside_is_judged_only_where_all_of_it_is_judged_alike() -> None:
    some = {"metadata": {"name": "out", "namespace": "shop"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"],
            "egress": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}]}}  # fmt: skip
    nowhere = flow(End("", "shop", "web-0"), End(), 443)
    for policies, verdict in (([some], Verdict.UNKNOWN), (None, Verdict.DENIED), ([], Verdict.ALLOWED)):
        engine = engine_of(WEB, policies=policies)
        (row,) = report(take(Ledger(engine), [nowhere]), ()).rows
        assert row.group.verdict is verdict


# --- what to add ------------------------------------------------------------------------------------------------------


def test_with_all_that_is_suggested_nothing_observed_is_denied() -> None:
    engine = engine_of(WEB, API, DB, services=[SERVICE])
    lines = [
        record("10.0.0.1", "10.0.0.2", (40000, 9000), flags=2),
        record("10.0.0.1", "10.0.1.1", (40000, 5432), flags=2),
        *(record("10.0.0.1", f"198.51.100.{n}", (40000, 443), flags=2) for n in range(1, 100)),
        record("203.0.113.9", "10.0.0.1", (40000, 8080), flags=2),
    ]
    found, _, _ = replay(engine, lines)
    assert len(found.breaking) == 4
    more = msgspec.convert([s.policy for s in found.policies], tuple[NetworkPolicy, ...])
    world = replace(engine.world, network_policies=(*engine.world.network_policies, *more))
    after, _, _ = replay(build_engine(world, engine.profile), lines)
    assert after.breaking == ()
    assert len({(p.namespace, p.name) for p in world.network_policies}) == len(world.network_policies)
    peers = [p for s in found.policies for r in s.policy["spec"].get("egress", []) for p in r["to"]]
    assert [p["ipBlock"]["cidr"] for p in peers if "ipBlock" in p] == ["198.51.100.0/25"]


# --- the sum, and its bounds ------------------------------------------------------------------------------------------

_ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.1.1", "198.51.100.1", "198.51.100.2", "203.0.113.7", "10.9.0.1"])
_PORTS = st.sampled_from([22, 443, 8080, 9000, 5432, 33000, 40000, 50000])
_LINES = st.builds(
    lambda s, d, p, q, flags, action, proto, size: record(s, d, (p, q), flags=flags, action=action, proto=proto, size=size),
    _ADDRESSES, _ADDRESSES, _PORTS, _PORTS, st.sampled_from([0, 1, 2, 3, 18, 19]), st.sampled_from(["ACCEPT", "REJECT"]),
    st.sampled_from([6, 17]), st.integers(0, 1 << 40),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(_LINES, max_size=40), st.sampled_from(list(STANDARD)))
def test_all_at_once_is_what_single_records_add_up_to_and_verdicts_are_the_engines(
    lines: list[str], semantics: Semantics
) -> None:
    engine = engine_of(WEB, API, DB, services=[SERVICE], semantics=semantics)
    found, bad, _ = replay(engine, lines)
    assert bad == []
    single: Counter[tuple[str, ...]] = Counter()
    sizes = 0
    for line in lines:
        one, _, _ = replay(engine, [line])
        for row in one.rows:
            single[key(row)] += 1
            sizes += row.group.size
            hold_to_engine(engine, row)
    assert {key(r): r.group.flows for r in found.rows} == dict(single)
    assert sum(r.group.size for r in found.rows) == sizes


def key(row: Any) -> tuple[str, ...]:
    group = row.group
    return (group.source.title, group.destination.title, group.protocol, str(group.number), group.verdict, group.observed,
            str(group.judgement.denied_at))  # fmt: skip


def hold_to_engine(engine: SetEngine, row: Any) -> None:
    """Ask about the very pods and addresses of a group of one record."""

    def one(place: Any) -> Pods | Addresses:
        if place.pod is None:
            return Addresses(f"{place.address}/32", place.address)
        index = engine.atlas.class_of[place.pod.namespace, place.pod.name]
        return Pods(1 << index, place.title, (place.pod,))

    group = row.group
    if group.source.pod is not None and group.source.pod is group.destination.pod:
        assert group.verdict is Verdict.ALLOWED
        return
    decision = engine.decide(one(group.source), one(group.destination), group.protocol, group.number)
    assert (group.verdict is Verdict.ALLOWED) == decision.allowed


def test_groups_are_bounded_and_say_so() -> None:
    engine = engine_of(WEB)
    ledger = Ledger(engine)
    ledger.groups = Groups(most=3)
    take(ledger, (flow(End("10.0.0.1"), End(f"198.51.100.{n % 7}"), 1000 + n) for n in range(50)))
    assert len(ledger.groups) <= 7
    assert sum(g.flows for g in ledger.groups) == 50
    assert any("put together" in note for note in report(ledger, ()).notes)


def test_addresses_outside_that_no_block_tells_apart_are_one_place() -> None:
    blocked = {"metadata": {"name": "b", "namespace": "shop"}, "spec": {"podSelector": {}, "egress": [
        {"to": [{"ipBlock": {"cidr": "198.51.0.0/16", "except": ["198.51.100.0/24"]}}]}]}}  # fmt: skip
    places = Places(engine_of(WEB, policies=[blocked]))
    titles = [places.at(a).title for a in ("198.51.1.1", "198.51.100.9", "8.8.8.8", "10.77.0.1", "2001:db8::1", "fd00::1")]
    assert titles == ["198.51.0.0/16", "198.51.100.0/24", "internet", "private addresses", "internet", "private addresses"]
    assert places.at("169.254.169.254").title == "the instance metadata service (169.254.169.254)"
    assert places.at("::ffff:10.0.0.1").title == WEB_TITLE
    with pytest.raises(ValueError, match=r"10\.0\.0"):
        places.at("10.0.0")



def test_what_was_added_before_is_not_overwritten_by_what_is_added_next() -> None:
    engine = engine_of(WEB, API, DB)
    first, _, _ = replay(engine, [record("10.0.0.1", "10.0.0.2", (40000, 9000)), record("10.0.0.1", "10.0.1.1", (40000, 5432))])
    names = [s.policy["metadata"]["name"] for s in first.policies]
    assert "web-to-observed" in names
    more = msgspec.convert([s.policy for s in first.policies], tuple[NetworkPolicy, ...])
    world = replace(engine.world, network_policies=(*engine.world.network_policies, *more))
    outside = [record("10.0.0.1", "198.51.100.1", (40000, port)) for port in (80, 443)]
    second, _, _ = replay(build_engine(world, engine.profile), outside)
    assert [s.policy["metadata"]["name"] for s in second.policies] == ["web-to-observed-2"]


def test_outside_without_an_address_is_of_the_clusters_family() -> None:
    world = engine_of(pod("web-0", "2001:db8::1", {"app": "web"})).world
    six = build_engine(replace(world, family="ipv6"), Profile(family="ipv6"))
    (row,) = report(take(Ledger(six), [flow(End("", "shop", "web-0"), End(), 443)]), ()).rows
    assert row.group.verdict is Verdict.DENIED
