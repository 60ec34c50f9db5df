"""What blocks let through at one address: the quick reading of the agent's maps against its compiler, and the specification."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.versions import Release
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.agent_map import Entry
from eksnetpol.policy.connections import NOTHING, Connections
from eksnetpol.policy.dataplane import bounds_at
from eksnetpol.policy.judges import judge_of
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import NEWEST_AGENT, Profile, Semantics
from eksnetpol.policy.slots import Slot
from eksnetpol.policy.spots import Block, Spot, compiled, specified

CIDRS = ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.8/29", "10.0.0.8/32", "10.0.0.9/32", "10.1.0.0/16")
ADDRESSES = ("10.0.0.8", "10.0.0.9", "10.0.0.200", "10.0.7.1", "10.1.0.1", "192.0.2.1")


def network(text: str) -> Network:
    found = parse_cidr(text)
    assert found is not None
    return found


def number(text: str) -> int:
    return int(ipaddress.IPv4Address(text))


blocks = st.builds(
    lambda cidr, holes, port: (cidr, tuple(holes), port),
    st.sampled_from(CIDRS),
    st.lists(st.sampled_from(CIDRS[1:]), max_size=2),
    st.sampled_from([80, 443, 8080]),
)


def block(cidr: str, holes: tuple[str, ...], port: int) -> Block:
    return Block(network(cidr), tuple(map(network, holes)), Connections.only("TCP", PortSet.of(port)))


@given(st.lists(blocks, max_size=5), st.sampled_from(ADDRESSES))
def test_what_the_agent_decides_at_an_address_is_what_its_compiled_map_decides(
    given_: list[tuple[str, tuple[str, ...], int]], address: str
) -> None:
    entries = [Entry(cidr, holes, (Slot("TCP", port),)) for cidr, holes, port in given_]
    beside_a_pod = [*entries, Entry(address, (), (Slot("UDP", 53),))]
    spot = compiled([block(*b) for b in given_], number(address), 4)
    sure, possible = bounds_at(entries, address, node_ip=None, family="ipv4", agent=NEWEST_AGENT)
    assert sure == possible == spot.bare
    with_pod, _ = bounds_at(beside_a_pod, address, node_ip=None, family="ipv4", agent=NEWEST_AGENT)
    assert with_pod == spot.beside | Connections.only("UDP", PortSet.of(53))


@given(st.lists(blocks, max_size=4), st.sampled_from(ADDRESSES), st.sampled_from([Release(1, 0, 3), Release(1, 1, 0)]))
def test_older_agents_are_compiled_as_they_were(
    given_: list[tuple[str, tuple[str, ...], int]], address: str, agent: Release
) -> None:
    entries = [Entry(cidr, holes, (Slot("TCP", port),)) for cidr, holes, port in given_]
    spot = judge_of(Profile(agent=agent))([block(*b) for b in given_], number(address), 4)
    assert spot.bare == bounds_at(entries, address, node_ip=None, family="ipv4", agent=agent)[0]
    with_pod = bounds_at(
        [*entries, Entry(address, (), (Slot("UDP", 53),))], address, node_ip=None, family="ipv4", agent=agent
    )[0]
    assert with_pod == spot.beside | Connections.only("UDP", PortSet.of(53))


@given(st.lists(blocks, max_size=5), st.sampled_from(ADDRESSES))
def test_the_specification_adds_up_blocks_each_without_its_exceptions(
    given_: list[tuple[str, tuple[str, ...], int]], address: str
) -> None:
    ip = ipaddress.IPv4Address(address)
    allowed = {
        port
        for cidr, holes, port in given_
        if ip in ipaddress.IPv4Network(cidr) and not any(ip in ipaddress.IPv4Network(h) for h in holes)
    }
    spot = specified([block(*b) for b in given_], number(address), 4)
    assert spot.bare == Connections.only("TCP", PortSet.of(*allowed))
    assert spot.beside == spot.bare


def test_an_exception_of_one_rule_closes_what_another_opens() -> None:
    wide, holed = block("0.0.0.0/0", (), 443), block("10.0.0.0/8", ("10.0.0.0/24",), 80)
    assert compiled([wide, holed], number("10.0.0.8"), 4) == Spot(NOTHING, wide.connections, found=True)
    assert specified([wide, holed], number("10.0.0.8"), 4).bare == wide.connections


def test_nothing_is_taken_over_from_a_prefix_of_32_even_in_ipv6() -> None:
    # Seen on a real kernel: fd00:1::/32 TCP 80 and fd00:1:2::/48 TCP 443 deny fd00:1:2::3 on 80, and with /33 they allow it.
    inner = Block(network("fd00:1:2::/48"), (), Connections.only("TCP", PortSet.of(443)))
    inside = int(ipaddress.IPv6Address("fd00:1:2::3"))
    for length, passes in ((32, False), (33, True)):
        outer = Block(network(f"fd00:1::/{length}"), (), Connections.only("TCP", PortSet.of(80)))
        assert compiled([outer, inner], inside, 6).bare.allows("TCP", 80) is passes


def test_only_blocks_of_all_addresses_hold_an_address_that_is_not_known() -> None:
    judge = judge_of(Profile(Semantics.KUBERNETES))
    wide, narrow = block("0.0.0.0/0", ("10.0.0.0/8",), 443), block("10.0.0.0/8", (), 80)
    assert judge([wide, narrow], -1, 4).bare == wide.connections
