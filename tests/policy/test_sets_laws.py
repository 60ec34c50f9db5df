"""The laws of sets, for ports, connections and addresses, and each set against the plain set of its members."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.policy.cidrs import EVERY_ADDRESS, NO_ADDRESSES, CidrSet
from eksnetpol.policy.connections import EVERYTHING, NOTHING, PROTOCOLS, UNIVERSE, Connections
from eksnetpol.policy.ports import EVERY_PORT, NO_PORTS, PortSet

numbers = st.integers(1, 40) | st.integers(65530, 65535)
intervals = st.tuples(numbers, numbers)
port_sets = st.lists(intervals, max_size=5).map(PortSet) | st.sampled_from([NO_PORTS, EVERY_PORT])
connections = (
    st.dictionaries(st.sampled_from(PROTOCOLS), port_sets, max_size=4).map(Connections)
    | st.sampled_from([NOTHING, EVERYTHING])
    | st.sampled_from(PROTOCOLS).map(Connections.only)
)
cidrs = st.builds(
    lambda base, length: str(ipaddress.ip_network((base, length), strict=False)),
    st.sampled_from(["10.0.0.0", "10.0.0.77", "10.0.1.3", "192.168.0.1", "1.0.0.0", "255.255.255.255"]),
    st.sampled_from([0, 1, 8, 24, 26, 31, 32]),
) | st.sampled_from(["::/0", "fd00::/8", "fd00::/64", "fd00::1/128", "::/1", "ffff::/16"])
cidr_sets = st.lists(cidrs, max_size=4).map(lambda texts: CidrSet.of(*texts)) | st.sampled_from([NO_ADDRESSES, EVERY_ADDRESS])

KINDS = pytest.mark.parametrize(
    ("sets", "nothing", "everything"),
    [(port_sets, NO_PORTS, EVERY_PORT), (connections, NOTHING, EVERYTHING), (cidr_sets, NO_ADDRESSES, EVERY_ADDRESS)],
    ids=["ports", "connections", "addresses"],
)


class Three(NamedTuple):
    """Any three sets of one kind, with the set of nothing and that of all."""

    a: Any
    b: Any
    c: Any
    no: Any
    al: Any



LAWS: dict[str, Callable[[Three], bool]] = {
    "union is commutative": lambda x: x.a | x.b == x.b | x.a,
    "intersection is commutative": lambda x: x.a & x.b == x.b & x.a,
    "union is associative": lambda x: (x.a | x.b) | x.c == x.a | (x.b | x.c),
    "intersection is associative": lambda x: (x.a & x.b) & x.c == x.a & (x.b & x.c),
    "intersection distributes over union": lambda x: x.a & (x.b | x.c) == (x.a & x.b) | (x.a & x.c),
    "union distributes over intersection": lambda x: x.a | (x.b & x.c) == (x.a | x.b) & (x.a | x.c),
    "union is idempotent": lambda x: x.a | x.a == x.a,
    "intersection is idempotent": lambda x: x.a & x.a == x.a,
    "absorption of a union": lambda x: x.a & (x.a | x.b) == x.a,
    "absorption of an intersection": lambda x: x.a | (x.a & x.b) == x.a,
    "nothing is neutral for union": lambda x: x.a | x.no == x.a,
    "everything is neutral for intersection": lambda x: x.a & x.al == x.a,
    "nothing absorbs intersection": lambda x: x.a & x.no == x.no,
    "everything absorbs union": lambda x: x.a | x.al == x.al,
    "difference is intersection with the complement": lambda x: x.a - x.b == x.a & (x.al - x.b),
    "the complement of the complement is the set": lambda x: x.al - (x.al - x.a) == x.a,
    "a set and its complement are everything": lambda x: x.a | (x.al - x.a) == x.al,
    "a set and its complement share nothing": lambda x: x.a & (x.al - x.a) == x.no,
    "De Morgan for union": lambda x: x.al - (x.a | x.b) == (x.al - x.a) & (x.al - x.b),
    "De Morgan for intersection": lambda x: x.al - (x.a & x.b) == (x.al - x.a) | (x.al - x.b),
    "a difference and what it left are the set": lambda x: (x.a - x.b) | (x.a & x.b) == x.a,
    "less or equal is what union shows": lambda x: (x.a <= x.b) == (x.a | x.b == x.b),
    "both ways less or equal is equal": lambda x: (x.a <= x.b <= x.a) == (x.a == x.b),
    "equal sets hash alike": lambda x: hash((x.a | x.b) - x.b) == hash(x.a - x.b),
    "only nothing is false": lambda x: bool(x.a) == (x.a != x.no),
}


@KINDS
@pytest.mark.parametrize("law", LAWS)
def test_law(law: str, sets: st.SearchStrategy[Any], nothing: Any, everything: Any) -> None:
    @settings(max_examples=60, deadline=None)
    @given(sets, sets, sets)
    def check(a: Any, b: Any, c: Any) -> None:
        assert LAWS[law](Three(a, b, c, nothing, everything))

    check()


@given(st.lists(intervals, max_size=6), st.lists(intervals, max_size=6))
def test_port_sets_are_the_sets_of_their_numbers(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    def plain(pairs: list[tuple[int, int]]) -> set[int]:
        return {n for low, high in pairs for n in range(low, high + 1)}

    a, b = PortSet(one), PortSet(other)
    assert set(a) == plain(one)
    assert len(a) == len(plain(one))
    assert set(a | b) == plain(one) | plain(other)
    assert set(a & b) == plain(one) & plain(other)
    assert set(a - b) == plain(one) - plain(other)
    assert all((n in a) == (n in plain(one)) for n in (0, 1, 20, 40, 41, 65535))


@given(st.lists(intervals, max_size=6))
def test_port_sets_are_canonical(pairs: list[tuple[int, int]]) -> None:
    found = PortSet(pairs)
    assert all(low <= high for low, high in found.intervals)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found.intervals))
    assert PortSet.of(*found) == found
    assert PortSet(reversed(found.intervals)) == found


@given(connections, connections)
def test_connections_are_sets_of_protocol_and_number(a: Connections, b: Connections) -> None:
    for protocol in PROTOCOLS:
        for number in (0, 1, 20, 255, 256, 65535):
            in_a, in_b = a.allows(protocol, number), b.allows(protocol, number)
            assert (a | b).allows(protocol, number) == (in_a or in_b)
            assert (a & b).allows(protocol, number) == (in_a and in_b)
            assert (a - b).allows(protocol, number) == (in_a and not in_b)
            assert (~a).allows(protocol, number) == (not in_a and number in UNIVERSE[protocol])


@given(connections)
def test_connections_are_made_of_what_they_show(a: Connections) -> None:
    assert Connections(dict(a.items())) == a
    assert str(a) == "all" if a == EVERYTHING else str(a) != "all"
    assert (str(a) == "none") == (a == NOTHING)


def test_numbers_that_a_protocol_does_not_have_are_left_out() -> None:
    assert Connections({"TCP": PortSet([(0, 70000)])}) == Connections.only("TCP")
    assert Connections({"OTHER": PortSet([(47, 300)])})["OTHER"] == PortSet([(47, 255)])


ADDRESSES = ["10.0.0.0", "10.0.0.77", "10.0.0.78", "10.0.1.3", "192.168.0.1", "255.255.255.255", "fd00::", "fd00::1", "::1"]


@given(st.lists(cidrs, max_size=4), st.lists(cidrs, max_size=4))
def test_cidr_sets_hold_the_addresses_of_their_blocks(one: list[str], other: list[str]) -> None:
    a, b = CidrSet.of(*one), CidrSet.of(*other)
    for address in ADDRESSES:
        ip = ipaddress.ip_address(address)
        in_a = any(ip in ipaddress.ip_network(c) for c in one)
        in_b = any(ip in ipaddress.ip_network(c) for c in other)
        assert (address in a) == in_a
        assert (address in (a | b)) == (in_a or in_b)
        assert (address in (a & b)) == (in_a and in_b)
        assert (address in (a - b)) == (in_a and not in_b)
        assert (address in ~a) == (not in_a)


@given(cidr_sets)
def test_a_cidr_set_is_made_of_its_own_blocks(a: CidrSet) -> None:
    blocks = [str(c) for c in a.cidrs()]
    assert CidrSet.of(*blocks) == a
    assert len(blocks) == len(list(ipaddress.collapse_addresses(n for n in a.cidrs() if n.version == 4))) + len(
        list(ipaddress.collapse_addresses(n for n in a.cidrs() if n.version == 6))
    )


def test_a_block_has_not_what_its_exceptions_hold() -> None:
    block = CidrSet.block("10.0.0.0/30", ["10.0.0.1/32"])
    assert [str(c) for c in block.cidrs()] == ["10.0.0.0/32", "10.0.0.2/31"]
    with pytest.raises(ValueError, match="is no CIDR"):
        CidrSet.of("10.0.0.0/33")
    assert 7 not in block
    assert str(NO_ADDRESSES) == "no address"
