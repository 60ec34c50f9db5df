"""Addresses for pods that are new: from where the cluster's pods have theirs, and none that anybody has already."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

_START = "10.255.0.0"
_BLOCK = {4: 1 << 16, 6: 1 << 64}
"""How far from the first address others are taken, by version."""


class Addresses:
    """Hands out addresses. *taken* are those that somebody has; the first of them tells which block is gone on in.

    Which subnet the VPC CNI would take one from is not told by a snapshot: what depends on a pod's block cannot be rehearsed.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        known = [ipaddress.ip_address(text) for text in taken if text]
        self._taken = {int(one) for one in known}
        first = known[0] if known else ipaddress.ip_address(_START)
        self._kind = type(first)
        size = _BLOCK[first.version]
        self._base = int(first) // size * size
        self._size = size
        self._next = int(first) - self._base

    def new(self) -> str:
        """Return an address that nobody has had yet."""
        while True:
            self._next = (self._next + 1) % self._size
            found = self._base + self._next
            if found not in self._taken and 0 < self._next < self._size - 1:
                self._taken.add(found)
                return str(self._kind(found))
