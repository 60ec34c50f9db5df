from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.policy.cidrs import LAST
from eksnetpol.policy.outside import Atom, cut, public
from eksnetpol.policy.ports import PortSet


def networks(version: int) -> st.SearchStrategy[str]:
    # Few leading bits that differ, so that blocks are often in one another.
    width = 32 if version == 4 else 128
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network

    def block(top: int, length: int) -> str:
        number = (top << (width - 8)) if width >= 8 else top
        return str(kind(((number >> (width - length)) << (width - length) if length else 0, length)))

    return st.builds(block, st.integers(0, 255), st.one_of(st.integers(0, 8), st.sampled_from([width])))


FAMILIES = pytest.mark.parametrize("version", [4, 6])


@FAMILIES
@given(st.data())
def test_atoms_are_all_addresses_each_once(version: int, data: st.DataObject) -> None:
    atoms = cut(data.draw(st.lists(networks(version), max_size=8)), version)
    together = PortSet()
    for atom in atoms:
        assert not together & PortSet(atom.intervals)
        together = together | PortSet(atom.intervals)
    assert together == PortSet([(0, LAST[version])])


@FAMILIES
@given(st.data())
def test_an_address_is_in_the_atom_of_the_narrowest_block_around_it(version: int, data: st.DataObject) -> None:
    blocks = data.draw(st.lists(networks(version), max_size=8))
    number = data.draw(st.integers(0, 255)) << (24 if version == 4 else 120)
    address = ipaddress.ip_address(number) if version == 4 else ipaddress.IPv6Address(number)
    around = [n for b in blocks if address in (n := ipaddress.ip_network(b))]
    (mine,) = (a for a in cut(blocks, version) if number in PortSet(a.intervals))
    assert mine.block.prefixlen == max((n.prefixlen for n in around), default=0)


@FAMILIES
@given(st.data())
def test_a_sample_is_one_of_its_own_that_nobody_has(version: int, data: st.DataObject) -> None:
    for atom in cut(data.draw(st.lists(networks(version), max_size=8)), version):
        low, high = atom.intervals[0]
        taken = {low, min(low + 1, high)}
        sample = atom.sample({as_text(n, version) for n in taken})
        assert bool(sample) == bool(PortSet(atom.intervals) - PortSet.of(*taken))
        if sample:
            number = int(ipaddress.ip_address(sample))
            assert number in PortSet(atom.intervals)
            assert number not in taken


def as_text(number: int, version: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def test_blocks_of_the_other_family_are_left_out() -> None:
    assert [str(a.block) for a in cut(["10.0.0.0/8", "2001:db8::/32", "no block"], 4)] == ["0.0.0.0/0", "10.0.0.0/8"]


def test_the_internet_has_no_private_addresses() -> None:
    for private in ("10.1.2.3", "192.168.0.1", "172.31.255.255", "169.254.169.254", "127.0.0.1", "100.64.0.1", "224.0.0.1"):
        assert int(ipaddress.ip_address(private)) not in public(4)
    for everybody in ("1.1.1.1", "8.8.8.8", "203.0.113.7", "172.32.0.1", "198.51.100.1"):
        assert int(ipaddress.ip_address(everybody)) in public(4)
    assert int(ipaddress.ip_address("2600::1")) in public(6)
    assert int(ipaddress.ip_address("fd00::1")) not in public(6)


def test_a_sample_is_for_documentation_where_it_can_be() -> None:
    rest, ten = cut(["10.0.0.0/8"], 4)
    assert (rest.sample(), ten.sample()) == ("203.0.113.1", "10.0.0.1")
    assert rest.within(public(4)) != rest
    assert ten.within(public(4)) is None
    assert isinstance(rest, Atom)
