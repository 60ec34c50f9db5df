"""Sets of connections as people read them: ports by number, ICMP by type and code."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.policy.connections import EVERYTHING, ICMP, ICMPV6, NOTHING, TCP, Connections
from eksnetpol.policy.ports import PortSet


def of(protocol: str, *intervals: tuple[int, int]) -> Connections:
    return Connections.only(protocol, PortSet(intervals))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (NOTHING, "none"),
        (EVERYTHING, "all"),
        (of(TCP, (80, 80), (443, 443)), "TCP 80,443"),
        (of(ICMP, (2048, 2303)), "ICMP type 8"),
        (of(ICMP, (2048, 2048)), "ICMP type 8 code 0"),
        (of(ICMP, (768, 770)), "ICMP type 3 codes 0-2"),
        (of(ICMPV6, (128 * 256, 130 * 256 - 1)), "ICMPv6 types 128-129"),
        (of(ICMP, (1000, 2050)), "ICMP type 3 codes 232-255,types 4-7,type 8 codes 0-2"),
    ],
)
def test_in_words(found: Connections, words: str) -> None:
    assert str(found) == words


def read(words: str) -> set[int]:
    """Read ICMP numbers back from what is said of them."""
    found: set[int] = set()
    for kinds, first, last, low, high in re.findall(r"types? ((\d+)(?:-(\d+))?)(?: codes? (\d+)(?:-(\d+))?)?", words):
        assert kinds
        for kind in range(int(first), int(last or first) + 1):
            codes = range(int(low), int(high or low) + 1) if low else range(256)
            found |= {kind * 256 + code for code in codes}
    return found


@given(st.sets(st.integers(0, 4 * 256 - 1), min_size=1, max_size=600))
def test_nothing_is_lost_in_words(numbers: set[int]) -> None:
    assert read(str(Connections.only(ICMP, PortSet.of(*numbers)))) == numbers
