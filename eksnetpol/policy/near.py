"""Blocks found by an address: those that hold it, and those with an exception that does, without looking at all the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.policy.addresses import Network
from eksnetpol.policy.grants import BlockPair


class Near:
    """An index of blocks with their exceptions, by prefix."""

    def __init__(self, blocks: Iterable[BlockPair]) -> None:
        self._by_prefix: dict[tuple[int, int, int], list[BlockPair]] = {}
        for pair in blocks:
            for network in dict.fromkeys((pair[0], *pair[1])):
                self._by_prefix.setdefault(_prefix(network), []).append(pair)
        self._lengths = sorted({(version, length) for version, length, _ in self._by_prefix})

    def around(self, address: int, version: int) -> Iterator[BlockPair]:
        """Yield the blocks that hold *address* themselves or by an exception, each once."""
        seen: set[BlockPair] = set()
        bits = 32 if version == 4 else 128  # noqa: PLR2004 - the family
        for own, length in self._lengths:
            if own == version:
                for pair in self._by_prefix.get((version, length, address >> (bits - length)), ()):
                    if pair not in seen:
                        seen.add(pair)
                        yield pair

    def everywhere(self, version: int) -> Iterable[BlockPair]:
        """Return the blocks of all addresses of a family."""
        return (p for p in self._by_prefix.get((version, 0, 0), ()) if not p[0].prefixlen and p[0].version == version)


def _prefix(network: Network) -> tuple[int, int, int]:
    return network.version, network.prefixlen, int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
