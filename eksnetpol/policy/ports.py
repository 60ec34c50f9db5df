"""Sets of port numbers: immutable, canonical, with the operators of sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

Interval = tuple[int, int]
"""Low and high, both in it."""

_CACHED = 1 << 14


class PortSet:
    """A set of numbers as disjoint, ascending intervals that do not touch. Equal sets are equal values, and hash alike."""

    __slots__ = ("_hash", "intervals")

    intervals: tuple[Interval, ...]

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        """Take intervals in any order; those that overlap or touch become one, and empty ones (low above high) vanish."""
        self.intervals = _canonical(intervals)
        self._hash = hash(self.intervals)

    @classmethod
    def of(cls, *numbers: int) -> PortSet:
        """Return the set of these numbers."""
        return cls((n, n) for n in numbers)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and any(low <= number <= high for low, high in self.intervals)

    def __iter__(self) -> Iterator[int]:
        for low, high in self.intervals:
            yield from range(low, high + 1)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.intervals)

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortSet) and self.intervals == other.intervals

    def __hash__(self) -> int:
        return self._hash

    def __or__(self, other: PortSet) -> PortSet:
        return _union(self, other)

    def __and__(self, other: PortSet) -> PortSet:
        return _intersection(self, other)

    def __sub__(self, other: PortSet) -> PortSet:
        return _difference(self, other)

    def __le__(self, other: PortSet) -> bool:
        return not self - other

    def __repr__(self) -> str:
        return f"PortSet({list(self.intervals)})"

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.intervals)


def _canonical(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    done: list[Interval] = []
    for low, high in sorted(i for i in intervals if i[0] <= i[1]):
        if done and low <= done[-1][1] + 1:
            if high > done[-1][1]:
                done[-1] = (done[-1][0], high)
        else:
            done.append((low, high))
    return tuple(done)


@lru_cache(maxsize=_CACHED)
def _union(left: PortSet, right: PortSet) -> PortSet:
    return PortSet((*left.intervals, *right.intervals))


@lru_cache(maxsize=_CACHED)
def _intersection(left: PortSet, right: PortSet) -> PortSet:
    return PortSet(
        (max(a, c), min(b, d)) for a, b in left.intervals for c, d in right.intervals if a <= d and c <= b
    )


@lru_cache(maxsize=_CACHED)
def _difference(left: PortSet, right: PortSet) -> PortSet:
    rest = list(left.intervals)
    for low, high in right.intervals:
        cut: list[Interval] = []
        for a, b in rest:
            if b < low or high < a:
                cut.append((a, b))
                continue
            if a < low:
                cut.append((a, low - 1))
            if high < b:
                cut.append((high + 1, b))
        rest = cut
    return PortSet(rest)


NO_PORTS = PortSet()
EVERY_PORT = PortSet([(1, 65535)])
"""Ports of TCP, UDP and SCTP."""
EVERY_ICMP = PortSet([(0, 65535)])
"""Type times 256 plus code."""
EVERY_NUMBER = PortSet([(0, 255)])
"""Numbers of IP protocols."""
