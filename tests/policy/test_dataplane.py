"""The compiled maps against a packet that walks through the rules one by one, and what the releases of the agent differ in."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.model.cluster_rules import Action
from eksnetpol.model.policies import EndpointInfo, PolicyEndpointSpec, PolicyPort
from eksnetpol.model.versions import Release
from eksnetpol.policy.agent_map import Entry
from eksnetpol.policy.connections import EVERYTHING, ICMP, ICMPV6, NOTHING, OTHER, SCTP, TCP, UDP, Connections
from eksnetpol.policy.dataplane import bounds_at, compile_direction, concerns, connections_at, entries_of
from eksnetpol.policy.dataplane_admin import ClusterEntry, Enforced, cluster_entries_of, compile_cluster
from eksnetpol.policy.pod_state import Resolved, State, compile_pod
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import NEWEST_AGENT, Mode
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.slots import EVERY_SLOT, Slot, at_least

NODE = "10.0.0.1"
OLD, MIDDLE, BEFORE_CANONICAL = Release(1, 0, 3), Release(1, 2, 3), Release(1, 4, 1)

V4 = ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.1/32", "10.1.0.0/16", "10.1.0.0/24", "10.1.0.129"]
V6 = ["::/0", "fd00::/16", "fd00::/32", "fd00::/33", "fd00:0:1::/48", "fd00:0:1::/64", "fd00:0:1::5", "fd00::1/128"]
PEERS = {
    "ipv4": ["10.0.0.1", "10.0.0.2", "10.0.9.9", "10.1.0.5", "10.1.0.129", "10.1.9.9", "192.0.2.1"],
    "ipv6": ["fd00::1", "fd00::2", "fd00:0:1::5", "fd00:0:1::6", "fd00:0:2::1", "2001:db8::1"],
}
NODES = {"ipv4": NODE, "ipv6": "fd00::1"}

slots = st.builds(
    Slot,
    st.sampled_from([TCP, UDP, SCTP, None, "tcp"]),
    st.sampled_from([None, 80, 81, 443]),
    st.sampled_from([None, None, 79, 81, 90]),
)


@st.composite
def entries(draw: st.DrawFn, family: str) -> list[Entry]:
    blocks = V4 if family == "ipv4" else V6
    found = []
    for _ in range(draw(st.integers(0, 6))):
        cidr = draw(st.sampled_from(blocks if draw(st.integers(0, 9)) else [*V4, *V6]))
        inside = [b for b in blocks if "/" in b and within(b, cidr)]
        holes = draw(st.lists(st.sampled_from(inside), max_size=2)) if inside else []
        found.append(Entry(cidr, tuple(holes), tuple(draw(st.lists(slots, max_size=3)))))
    return found


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)


def within(inner: str, outer: str) -> bool:
    a, b = network(inner), network(outer)
    return a.version == b.version and a != b and a.subnet_of(b)  # type: ignore[arg-type]


# --- the slow, obvious way --------------------------------------------------------------------------------------------


def matches(slot: Slot, protocol: str, port: int) -> bool:
    number = port if protocol in {TCP, UDP, SCTP} else 0
    if slot.protocol in {TCP, UDP, SCTP} and slot.protocol != protocol:
        return False
    start, end = slot.port or 0, slot.end_port or 0
    return start in {0, number} or start < number <= end


def walk(rules: list[Entry], family: str, node: str, peer: str, protocol: str, port: int) -> bool:
    """One packet through the rules of the agent of today, ports of a prefix written out in full."""
    version = 4 if family == "ipv4" else 6
    if protocol == ICMPV6 and version == 6:
        return True
    own: dict[str, list[Slot]] = {}
    holes: dict[str, list[str]] = {}
    denied = {str(network(x)) for rule in rules for x in rule.excepts if network(x).version == version}
    for rule in rules:
        block = network(rule.cidr)
        if block.version == version and str(block.network_address) != node:
            own.setdefault(str(block), []).extend(rule.ports or (Slot(),))
            holes.setdefault(str(block), []).extend(rule.excepts)
    whole: dict[str, list[Slot]] = {}
    for text in sorted(own, key=lambda b: network(b).prefixlen):
        whole[text] = list(own[text])
        first = network(text).network_address
        for wider in [w for w in whole if w != text and first in network(w) and network(w).prefixlen not in {32, 128}]:
            if not any(first in network(x) for x in holes[wider]):
                whole[text] += whole[wider]
    table: dict[str, list[Slot]] = {str(network(node)): [Slot()], **whole}
    for text in denied - set(whole):
        table[text] = []
    around = [t for t in table if ipaddress.ip_address(peer) in network(t)]
    if not around:
        return False
    return any(matches(s, protocol, port) for s in table[max(around, key=lambda t: network(t).prefixlen)])


packets = [(TCP, 79), (TCP, 80), (TCP, 85), (UDP, 80), (SCTP, 443), (ICMP, 0), (ICMPV6, 0x8000), (OTHER, 47)]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_packet_that_walks_through_the_rules_meets_the_same_verdict(family: str) -> None:
    @settings(max_examples=250, deadline=None)
    @given(entries(family))
    def check(rules: list[Entry]) -> None:
        compiled = compile_direction(rules, node_ip=NODES[family], family=family, agent=NEWEST_AGENT, isolated=True)
        for peer in PEERS[family]:
            for protocol, port in packets:
                assert compiled.verdict(peer, protocol, port) is walk(rules, family, NODES[family], peer, protocol, port)

    check()


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(["ipv4", "ipv6"]), st.sampled_from([OLD, MIDDLE, BEFORE_CANONICAL, NEWEST_AGENT]))
def test_only_entries_around_an_address_have_a_part_in_its_verdict(data: st.DataObject, family: str, agent: Release) -> None:
    rules = data.draw(entries(family))
    version = 4 if family == "ipv4" else 6
    compiled = compile_direction(rules, node_ip=NODES[family], family=family, agent=agent, isolated=True)
    for peer in PEERS[family]:
        near = [rule for rule in rules if concerns(rule, peer, version)]
        assert bounds_at(near, peer, node_ip=NODES[family], family=family, agent=agent) == compiled.bounds(peer)
        assert connections_at(near, peer, node_ip=NODES[family], family=family, agent=agent) == compiled.connections(peer)


@settings(max_examples=200, deadline=None)
@given(entries("ipv4"))
def test_what_decides_about_an_address_is_what_lets_through_there(rules: list[Entry]) -> None:
    compiled = compile_direction(rules, node_ip=None, family="ipv4", agent=NEWEST_AGENT, isolated=True)
    for peer in PEERS["ipv4"]:
        reading = compiled.deciding(peer)
        alone = [Entry(peer, (), e.ports) for e in reading.entries]
        assert connections_at(alone, peer, node_ip=None, family="ipv4", agent=NEWEST_AGENT) == compiled.connections(peer)
        assert not (reading.entries and reading.excepting)
        assert all(reading.network is not None and within(str(reading.network), e.cidr) for e in reading.inherited)


@settings(max_examples=200, deadline=None)
@given(st.lists(slots, max_size=7, unique=True), st.integers(1, 4), st.integers(0, 3))
def test_what_survives_any_loss_of_slots_is_what_so_many_slots_let_through(found: list[Slot], times: int, lost: int) -> None:
    mine = at_least(times, found, 4)
    for protocol, port in packets:
        count = sum(matches(s, protocol, port) for s in found)
        assert mine.allows(protocol, port) == (count >= times)
        if lost < len(found):
            survives = all(any(matches(s, protocol, port) for s in kept) for kept in combinations(found, len(found) - lost))
            assert at_least(lost + 1, found, 4).allows(protocol, port) == survives


# --- what chance decides ----------------------------------------------------------------------------------------------


def isolated(rules: Sequence[Entry], agent: Release = NEWEST_AGENT, family: str = "ipv4") -> list[Connections]:
    """What surely passes, and may pass, with 10.1.0.5 or fd00:0:1::5."""
    peer = "10.1.0.5" if family == "ipv4" else "fd00:0:1::5"
    return list(bounds_at(rules, peer, node_ip=NODES[family], family=family, agent=agent))


def tcp(*ports: int) -> Connections:
    return Connections.only(TCP, PortSet.of(*ports))


def ports(first: int, count: int) -> tuple[Slot, ...]:
    return tuple(Slot(TCP, n) for n in range(first, first + count))


def test_which_of_more_than_24_ports_survive_is_random() -> None:
    assert isolated([Entry("10.1.0.0/16", (), ports(1, 24))]) == [tcp(*range(1, 25))] * 2
    assert isolated([Entry("10.1.0.0/16", (), ports(1, 25))]) == [NOTHING, tcp(*range(1, 26))]
    compiled = compile_direction(
        [Entry("10.1.0.0/16", (), ports(1, 25))], node_ip=NODE, family="ipv4", agent=NEWEST_AGENT, isolated=True
    )
    assert [compiled.verdict("10.1.0.5", TCP, n) for n in (0, 1, 25, 26)] == [False, None, None, False]


def test_inherited_ports_count_and_equal_ones_count_once() -> None:
    wide = Entry("10.0.0.0/8", (), ports(1, 20))
    assert isolated([wide, Entry("10.1.0.0/16", (), ports(11, 14))]) == [tcp(*range(1, 25))] * 2
    assert isolated([wide, Entry("10.1.0.0/16", (), ports(21, 5))]) == [NOTHING, tcp(*range(1, 26))]


def test_a_port_that_two_slots_let_through_survives_the_loss_of_one() -> None:
    rules = [Entry("10.1.0.0/16", (), (*ports(1, 24), Slot(TCP, 1, 5)))]
    assert isolated(rules)[0] == tcp(2, 3, 4, 5, 1)


def test_everything_beside_too_many_ports_is_not_sure_either() -> None:
    rules = [Entry("10.1.0.0/16", (), ports(1, 24)), Entry("10.1.0.0/16")]
    assert isolated(rules) == [tcp(*range(1, 25)), EVERYTHING]


def test_agents_before_v1_0_5_had_room_for_fewer_ports() -> None:
    assert isolated([Entry("10.1.0.0/16", (), ports(1, 9))], Release(1, 0, 4))[0] == NOTHING
    assert isolated([Entry("10.1.0.0/16", (), ports(1, 8))], Release(1, 0, 4))[0] == tcp(*range(1, 9))
    six = isolated([Entry("fd00:0:1::/48", (), ports(1, 5))], Release(1, 0, 4), "ipv6")
    assert [c[TCP] for c in six] == [PortSet(), PortSet([(1, 5)])]


def test_one_block_in_two_spellings_was_two_before_they_were_made_canonical() -> None:
    rules = [Entry("10.9.0.0/8", (), (Slot(TCP, 80),)), Entry("10.0.0.0/8", (), (Slot(TCP, 443),))]
    assert isolated(rules) == [tcp(80, 443)] * 2
    assert isolated(rules, BEFORE_CANONICAL) == [NOTHING, tcp(80, 443)]
    assert isolated(rules, MIDDLE) == [tcp(80, 443)] * 2
    narrower = [*rules, Entry("10.1.0.0/16", (), (Slot(TCP, 22),))]
    assert isolated(narrower, BEFORE_CANONICAL) == [tcp(22, 80, 443)] * 2


def test_an_exception_in_another_spelling_than_a_rule_denies_at_random() -> None:
    rules = [Entry("10.0.0.0/8", ("10.1.7.0/16",), (Slot(TCP, 80),)), Entry("10.1.0.0/16", (), (Slot(TCP, 22),))]
    assert isolated(rules) == [tcp(22)] * 2
    assert isolated(rules, BEFORE_CANONICAL) == [NOTHING, tcp(22)]


def test_a_pod_is_a_block_of_its_own_in_one_spelling() -> None:
    rules = [Entry("10.1.0.0/16", ("10.1.0.5/32",), (Slot(TCP, 80),)), Entry("10.1.0.5", (), (Slot(TCP, 22),))]
    for agent in (MIDDLE, BEFORE_CANONICAL, NEWEST_AGENT):
        assert isolated(rules, agent) == [tcp(22, 80) if agent is MIDDLE else tcp(22)] * 2


# --- what releases differ in ------------------------------------------------------------------------------------------

EXCEPTED = [Entry("10.0.0.0/8", ("10.1.0.0/16",), (Slot(TCP, 80),))]
INSIDE = [*EXCEPTED, Entry("10.1.0.0/24", (), (Slot(TCP, 443),))]


def test_exceptions_counted_for_nothing_before_v1_0_4() -> None:
    assert isolated(EXCEPTED, OLD)[0] == tcp(80)
    assert isolated(EXCEPTED, Release(1, 0, 4))[0] == NOTHING


def test_rules_inside_an_exception_took_over_its_ports_before_v1_2_4() -> None:
    assert isolated(INSIDE, MIDDLE)[0] == tcp(80, 443)
    assert isolated(INSIDE, Release(1, 2, 4))[0] == tcp(443)


def test_a_rule_for_the_node_closed_its_other_ports_before_v1_0_4() -> None:
    rules = [Entry(NODE, (), (Slot(TCP, 80),))]
    assert connections_at(rules, NODE, node_ip=NODE, family="ipv4", agent=OLD) == tcp(80)
    assert connections_at(rules, NODE, node_ip=NODE, family="ipv4", agent=Release(1, 0, 4)) == EVERYTHING


def test_a_block_that_begins_with_the_node_is_left_out_on_that_node() -> None:
    rules = [Entry("10.1.0.0/16", (), (Slot(TCP, 80),))]
    assert connections_at(rules, "10.1.0.5", node_ip="10.1.0.0", family="ipv4", agent=NEWEST_AGENT) == NOTHING
    assert connections_at(rules, "10.1.0.5", node_ip="10.1.0.1", family="ipv4", agent=NEWEST_AGENT) == tcp(80)
    written = [Entry("10.1.0.1/16", (), (Slot(TCP, 80),))]
    assert connections_at(written, "10.1.0.5", node_ip="10.1.0.1", family="ipv4", agent=BEFORE_CANONICAL) == NOTHING


def test_exceptions_of_a_rule_that_is_left_out_count_since_v1_2_4() -> None:
    rules = [Entry("10.1.0.0/16", ("10.1.0.0/24",)), Entry("10.0.0.0/8")]
    at = "10.1.0.0"
    assert connections_at(rules, "10.1.0.5", node_ip=at, family="ipv4", agent=MIDDLE) == EVERYTHING
    assert connections_at(rules, "10.1.0.5", node_ip=at, family="ipv4", agent=NEWEST_AGENT) == NOTHING


def test_an_ipv6_exception_denies_some_ipv4_block() -> None:
    rules = [Entry("0.0.0.0/0"), Entry("::/0", ("2001:db8::/32",))]
    assert connections_at(rules, "32.1.13.184", node_ip=NODE, family="ipv4", agent=NEWEST_AGENT) == NOTHING
    assert connections_at(rules, "32.1.13.185", node_ip=NODE, family="ipv4", agent=NEWEST_AGENT) == EVERYTHING
    long = compile_direction(
        [Entry("::/0", ("2001:db8::/48",))], node_ip=NODE, family="ipv4", agent=NEWEST_AGENT, isolated=True
    )
    assert long.doubts == ("the agent cannot write a key for except 2001:db8::/48",)


def test_nothing_inherits_from_a_32_even_in_ipv6() -> None:
    inner = Entry("fd00:0:1::/48", (), (Slot(TCP, 443),))
    for wide, passed in (("fd00::/32", [443]), ("fd00::/33", [80, 443])):
        found = isolated([Entry(wide, (), (Slot(TCP, 80),)), inner], family="ipv6")[0]
        assert found[TCP] == PortSet.of(*passed)
        assert found[ICMPV6]
        assert not found[ICMP]


def test_packets_of_the_other_family_always_pass() -> None:
    compiled = compile_direction([], node_ip=NODE, family="ipv4", agent=NEWEST_AGENT, isolated=True)
    assert compiled.connections("fd00::1") == EVERYTHING
    assert compiled.connections("10.1.0.5") == NOTHING


def test_what_is_no_address_is_refused() -> None:
    compiled = compile_direction([], node_ip=NODE, family="ipv4", agent=NEWEST_AGENT, isolated=True)
    for text in ("nowhere", "10.0.0.0/8"):
        with pytest.raises(ValueError, match="is no address"):
            compiled.verdict(text, TCP, 80)


# --- the state of a pod -----------------------------------------------------------------------------------------------

RULE = (Entry("10.1.0.0/16", (), (Slot(TCP, 80),)),)


def enforced(endpoints: list[Resolved], mode: Mode = Mode.STANDARD) -> list[Connections]:
    """What passes with 10.1.0.5, in and out."""
    pod = compile_pod(endpoints, node_ip=NODE, family="ipv4", agent=NEWEST_AGENT, mode=mode)
    return [pod.bounds(d, "10.1.0.5")[0] for d in (Direction.INGRESS, Direction.EGRESS)]


def test_a_pod_without_policies_is_open_or_in_strict_mode_shut_even_to_its_node() -> None:
    assert enforced([]) == [EVERYTHING, EVERYTHING]
    assert enforced([], Mode.STRICT) == [NOTHING, NOTHING]
    strict = compile_pod([], node_ip=NODE, family="ipv4", agent=NEWEST_AGENT, mode=Mode.STRICT)
    assert strict.verdict(Direction.INGRESS, NODE, TCP, 80) is False
    assert strict.deciding(Direction.INGRESS, NODE).network is None


@pytest.mark.parametrize("mode", Mode)
def test_isolation_is_asked_for_only_where_a_direction_has_no_rules(mode: Mode) -> None:
    both = frozenset(Direction)
    assert enforced([Resolved(frozenset({Direction.INGRESS}), RULE, ())], mode) == [tcp(80), EVERYTHING]
    assert enforced([Resolved(frozenset({Direction.EGRESS}), RULE, ())], mode) == [tcp(80), NOTHING]
    assert enforced([Resolved(both, (), ()), Resolved(frozenset(), RULE, RULE)], mode) == [tcp(80), tcp(80)]


def test_a_policy_endpoint_is_read_without_its_domain_names() -> None:
    spec = PolicyEndpointSpec(
        pod_isolation=("Egress",),
        egress=(
            EndpointInfo("10.1.0.0/16", ("10.1.9.0/24",), (PolicyPort("UDP", 53),)),
            EndpointInfo(domain_name="example.com"),
        ),
    )
    assert Resolved.of(spec) == Resolved(
        frozenset({Direction.EGRESS}), (), (Entry("10.1.0.0/16", ("10.1.9.0/24",), (Slot(UDP, 53),)),)
    )
    (entry,) = entries_of(spec.egress, "here")
    assert entry.origin == "here"


# --- policies for the whole cluster -----------------------------------------------------------------------------------


def with_cluster(
    cluster: list[ClusterEntry],
    endpoints: list[Resolved] | None = None,
    mode: Mode = Mode.STANDARD,
    agent: Release = NEWEST_AGENT,
) -> Enforced:
    pod = compile_pod(endpoints or [], node_ip=NODE, family="ipv4", agent=agent, mode=mode)
    return compile_cluster(pod, cluster, [], node_ip=NODE, agent=agent)


def rule(tier: str, priority: int, action: Action, cidr: str = "10.1.0.0/16", *slots: Slot) -> ClusterEntry:
    return ClusterEntry(tier, priority, action, cidr, slots)


def passes(pod: Enforced, peer: str = "10.1.0.5", port: int = 80) -> bool | None:
    return pod.verdict(Direction.INGRESS, peer, TCP, port)


def test_at_one_priority_deny_is_asked_before_accept_and_accept_before_pass() -> None:
    order = [Action.PASS, Action.ACCEPT, Action.DENY]
    shut = Resolved(frozenset(Direction), (), ())
    found = [passes(with_cluster([rule("Admin", 5, a) for a in order[:n]], [shut])) for n in (1, 2, 3)]
    assert found == [False, True, False]


def test_the_lower_priority_is_asked_first_however_wide_its_block() -> None:
    rules = [rule("Admin", 1, Action.ACCEPT, "0.0.0.0/0"), rule("Admin", 2, Action.DENY, "10.1.0.5")]
    assert passes(with_cluster(rules)) is True
    assert passes(with_cluster([*rules, rule("Admin", 0, Action.DENY, "10.0.0.0/8", Slot(TCP, 80))])) is False


def test_any_policy_of_a_namespace_switches_the_baseline_off_for_both_directions() -> None:
    baseline = [rule("Baseline", 1, Action.DENY)]
    egress_only = Resolved(frozenset({Direction.EGRESS}), (), RULE)
    assert passes(with_cluster(baseline)) is False
    assert passes(with_cluster(baseline, [egress_only])) is True
    assert passes(with_cluster([rule("Baseline", 1, Action.ACCEPT)], [Resolved(frozenset(Direction), (), ())])) is False
    assert passes(with_cluster([rule("Baseline", 1, Action.ACCEPT)], mode=Mode.STRICT)) is True
    assert passes(with_cluster([rule("Baseline", 1, Action.PASS)], mode=Mode.STRICT)) is False


def test_the_node_passes_whatever_cluster_policies_deny_since_their_maps_hold_it() -> None:
    deny = [rule("Admin", 0, Action.DENY, "0.0.0.0/0")]
    hole = Resolved(frozenset(), (Entry("0.0.0.0/0", (f"{NODE}/32",)),), ())
    assert passes(with_cluster(deny), NODE) is True
    assert passes(with_cluster(deny, [hole]), NODE) is True
    assert compile_pod([hole], node_ip=NODE, family="ipv4", agent=NEWEST_AGENT, mode=Mode.STANDARD).verdict(
        Direction.INGRESS, NODE, TCP, 80
    ) is False  # fmt: skip
    assert passes(with_cluster(deny, agent=Release(1, 3, 5)), NODE) is False
    assert passes(with_cluster([], mode=Mode.STRICT, agent=Release(1, 3, 5)), NODE) is False
    assert passes(with_cluster([], mode=Mode.STRICT), NODE) is True


def test_agents_before_v1_3_read_no_cluster_policies() -> None:
    assert passes(with_cluster([rule("Admin", 0, Action.DENY, "0.0.0.0/0")], agent=MIDDLE)) is True


def test_of_30_denied_ports_six_random_ones_stay_open() -> None:
    deny = [rule("Admin", 0, Action.DENY, "10.1.0.0/16", *ports(1, 30))]
    pod = with_cluster(deny)
    assert [passes(pod, port=n) for n in (1, 30, 31)] == [None, None, True]
    sure, possible = pod.bounds(Direction.INGRESS, "10.1.0.5")
    assert possible == EVERYTHING
    assert possible - sure == tcp(*range(1, 31))
    closed = with_cluster(deny, [Resolved(frozenset(Direction), (), ())])
    assert passes(closed, port=1) is False


def test_what_more_than_24_slots_lose_may_come_to_what_is_asked_next() -> None:
    rules = [rule("Admin", 0, Action.DENY, "10.1.0.0/16", *ports(1, 24)), rule("Admin", 9, Action.DENY)]
    assert passes(with_cluster(rules), port=1) is False
    rules[1] = rule("Admin", 9, Action.ACCEPT)
    assert [passes(with_cluster(rules), port=n) for n in (1, 99)] == [None, True]
    rules[1] = rule("Baseline", 9, Action.DENY)
    # With one slot missing it cannot be both the Admin rule and the Baseline's that is not there.
    assert [passes(with_cluster(rules), port=n) for n in (1, 99)] == [False, None]


cluster_slots = st.builds(Slot, st.sampled_from([TCP, UDP]), st.sampled_from([None, 80, 85]), st.sampled_from([None, 90]))
actions = st.sampled_from([Action.ACCEPT, Action.DENY, Action.PASS])
cluster_entries = st.builds(
    ClusterEntry,
    st.sampled_from(["Admin", "Baseline"]),
    st.integers(0, 2),
    actions,
    st.sampled_from(V4),
    st.lists(cluster_slots, max_size=2).map(tuple),
)
endpoints = st.builds(Resolved, st.just(frozenset()), entries("ipv4").map(tuple), st.just(()))


@settings(max_examples=200, deadline=None)
@given(st.lists(cluster_entries, max_size=5), st.lists(endpoints, max_size=2))
def test_the_set_of_what_passes_holds_what_packet_by_packet_passes(cluster: list[ClusterEntry], own: list[Resolved]) -> None:
    pod = with_cluster(cluster, own)
    for peer in PEERS["ipv4"]:
        sure, possible = pod.bounds(Direction.INGRESS, peer)
        assert sure == possible
        for protocol, port in packets:
            assert sure.allows(protocol, port) is decided(cluster, pod, peer, protocol, port)


def decided(cluster: list[ClusterEntry], pod: Enforced, peer: str, protocol: str, port: int) -> bool:
    """One packet past the cluster policies, rule by rule."""
    if peer == NODE:
        return True
    around = [
        e
        for e in cluster
        if ipaddress.ip_address(peer) in network(e.cidr)
        and str(network(e.cidr).network_address) != NODE
        and any(matches(s, protocol, port) for s in e.ports or (EVERY_SLOT,))
    ]
    order = {Action.DENY: 0, Action.ACCEPT: 1, Action.PASS: 2}
    for tier in ("Admin", "Baseline"):
        first = min((e for e in around if e.tier == tier), key=lambda e: (e.priority, order[e.action]), default=None)
        if first is not None and first.action is not Action.PASS:
            return first.action is Action.ACCEPT
        if tier == "Admin" and pod.pod.state is State.POLICIES_APPLIED:
            return bool(pod.pod.verdict(Direction.INGRESS, peer, protocol, port))
    return pod.pod.state is State.DEFAULT_ALLOW


def test_a_cluster_policy_endpoint_is_read_with_its_actions() -> None:
    spec = PolicyEndpointSpec(
        tier="Admin", priority=7, ingress=(EndpointInfo("10.1.0.5", ports=(PolicyPort("TCP", 80),), action="Deny"),)
    )
    found = list(cluster_entries_of(spec, Direction.INGRESS))
    assert found == [ClusterEntry("Admin", 7, Action.DENY, "10.1.0.5", (Slot(TCP, 80),))]
    assert list(cluster_entries_of(spec, Direction.EGRESS)) == []
