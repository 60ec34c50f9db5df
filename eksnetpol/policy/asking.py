"""Questions to an engine about addresses that are no pods', answered for all classes at once and remembered.

A block is asked about at every address where the answer may change: its first one, and where a block of some policy begins or
ends within it. An address that nobody knows is judged by what rules could mean it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from eksnetpol.policy.addresses import Network, holds, parse_cidr
from eksnetpol.policy.answers import Engine, Partition, Party, Pods
from eksnetpol.policy.isolation import Isolation, isolate
from eksnetpol.policy.profile import Mode
from eksnetpol.policy.reach import Blocks, gather
from eksnetpol.policy.rules import Direction, admits, entries_of, lay_out
from eksnetpol.policy.universe import Classes, set_of

Wanted = tuple[tuple[str, int], ...]
"""Protocols and ports, all of which are needed."""

_MOST_PLACES = 256
"""At more addresses of one block nobody asks; what was not asked is not known."""

_MOST_QUESTIONS = 512

# Of these one is in no block of any policy but the widest, or the policies name most of the Internet.
_ORDINARY = {
    4: ("203.0.113.77", "198.51.100.77", "192.0.2.77", "9.77.77.77", "20.77.77.77", "44.77.77.77", "62.77.77.77", "81.77.77.77"),
    6: ("2001:db8:77::77", "2600:1f77::77", "2a05:d077::77", "2400:7777::77"),
}


@dataclass(frozen=True, slots=True)
class Reached:
    """Classes that have *all* that was wanted, *some* of it, and those of which it is *unsure*; the rest has nothing of it."""

    all: Classes
    some: Classes = 0
    unsure: Classes = 0

    def within(self, classes: Classes) -> Reached:
        """Return the same for these classes alone."""
        return Reached(self.all & classes, self.some & classes, self.unsure & classes)


class Asking:
    """Asks one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.version = 6 if engine.profile.family == "ipv6" else 4
        self._outside: dict[tuple[Direction, str], Partition] = {}
        self._across: dict[tuple[Direction, tuple[str, ...], Wanted], Reached] = {}

    @property
    def everything(self) -> Classes:
        """All classes."""
        return self.engine.atlas.universe.everything

    def outside(self, direction: Direction, address: str) -> Partition:
        """Return what every class has with an address."""
        key = (direction, address)
        known = self._outside.get(key)
        if known is None:
            known = self._outside[key] = self.engine.outside(direction, address)
        return known

    def at(self, direction: Direction, address: str, wanted: Wanted) -> Reached:
        """Return who has *wanted* with one address."""
        return having(self.outside(direction, address), wanted)

    def across(self, direction: Direction, cidrs: tuple[str, ...], wanted: Wanted) -> Reached:
        """Return who has *wanted* with every address of *cidrs*, and who with some of them or some of it."""
        key = (direction, cidrs, wanted)
        known = self._across.get(key)
        if known is not None:
            return known
        everywhere, somewhere, unsure = self.everything, 0, 0
        for cidr in cidrs:
            places = self._places(cidr)
            for place in places[:_MOST_PLACES]:
                found = self.at(direction, place, wanted)
                everywhere &= found.all
                somewhere |= found.all | found.some
            if len(places) > _MOST_PLACES:
                unsure = everywhere
        known = self._across[key] = Reached(everywhere & ~unsure, somewhere & ~everywhere, unsure)
        return known

    def somewhere_unknown(self, direction: Direction, wanted: Wanted, *, public: bool = False) -> Reached:
        """Return who surely has *wanted* with an address that is not known, and of whom that depends on the address.

        *public* says that it is one of the Internet; it is no link-local one in any case.
        """
        ordinary = self.at(direction, self.ordinary, wanted).all
        isolated = self.engine.isolated(direction)
        perhaps, excepted = self._by_blocks(direction, wanted, public=public)
        # Pods that get the rules of others with names like theirs are selected by no policy that could be looked at.
        shared = isolated & ~self._isolation.selected & self._shared
        sure = ordinary & ~excepted
        return Reached((self.everything & ~isolated) | sure, 0, isolated & (ordinary | perhaps | shared) & ~sure)

    def holes(self, direction: Direction, cidrs: tuple[str, ...], classes: Classes) -> tuple[str, ...]:
        """Return the exceptions within *cidrs* that policies of *classes* make: to the agent, wider rules do not open these."""
        outer = [n for n in map(parse_cidr, cidrs) if n is not None]
        found: dict[str, None] = {}
        for block, selected in self._blocks[direction].selected.items():
            if selected & classes:
                for text in block.excepts:
                    hole = parse_cidr(text)
                    if hole is not None and any(_inside(hole, n) for n in outer):
                        found[str(hole)] = None
        return tuple(sorted(found))

    @cached_property
    def ordinary(self) -> str:
        """An address of the Internet that no policy speaks of, unless by the block of everything."""
        named = [n for n in self._networks if n.prefixlen]
        for text in _ORDINARY[self.version]:
            number = int(ip_address(text))
            if not any(n.version == self.version and holds(n, number) for n in named):
                return text
        return _ORDINARY[self.version][0]

    @cached_property
    def _networks(self) -> tuple[Network, ...]:
        return tuple(n for n in map(parse_cidr, self.engine.blocks()) if n is not None and n.version == self.version)

    def _places(self, cidr: str) -> list[str]:
        block = parse_cidr(cidr)
        if block is None or block.version != self.version:
            return []
        first, last = int(block.network_address), int(block.broadcast_address)
        numbers = {first}
        for network in self._networks:
            if network.prefixlen > block.prefixlen:
                begin, after = int(network.network_address), int(network.broadcast_address) + 1
                numbers.update(n for n in (begin, after) if first <= n <= last)
        # By number alone, the addresses of IPv6 that are small would be taken for IPv4.
        return [str(block.network_address + (n - first)) for n in sorted(numbers)]

    # --- what rules could mean ----------------------------------------------------------------------------------------

    @cached_property
    def _isolation(self) -> Isolation:
        world = self.engine.world
        return isolate(self.engine.atlas.universe, world.network_policies, world.application_policies)

    @cached_property
    def _shared(self) -> Classes:
        # Whom strict mode closes has no rules; whom it does not is isolated by rules in some direction.
        return self.everything if self.engine.profile.mode is Mode.STANDARD else 0

    @cached_property
    def _blocks(self) -> dict[Direction, Blocks]:
        world = self.engine.world
        rules = lay_out(world.network_policies, world.application_policies)
        return {d: gather(rules, self._isolation, d) for d in Direction}

    @cached_property
    def _by_names(self) -> Classes:
        answer = 0
        for policy in self.engine.world.application_policies:
            if any(peer.domain_names for rule in policy.spec.egress for peer in rule.peers or ()):
                answer |= self.engine.atlas.universe.select_in(policy.namespace, policy.spec.pod_selector)
        return answer

    def _by_blocks(self, direction: Direction, wanted: Wanted, *, public: bool) -> tuple[Classes, Classes]:
        perhaps, excepted = (self._by_names if direction is Direction.EGRESS else 0), 0
        for block, selected in self._blocks[direction].selected.items():
            network = parse_cidr(block.cidr)
            if network is None or network.version != self.version or network.is_link_local:
                continue
            if any(self._matters(hole, public=public) for hole in block.excepts):
                excepted |= selected
            if self._matters(block.cidr, public=public):
                entries = entries_of(block.ports)
                if any(admits(entries, protocol, port) for protocol, port in wanted):
                    perhaps |= selected
        return perhaps, excepted

    @staticmethod
    def _matters(cidr: str, *, public: bool) -> bool:
        network = parse_cidr(cidr)
        return network is not None and not network.is_link_local and not (public and network.is_private)

    # --- pods ---------------------------------------------------------------------------------------------------------

    def reaching(self, sources: Classes, destination: Party, wanted: Wanted) -> Reached:
        """Return who of *sources* has *wanted* with all of *destination*: asked of crowds, and of parts where these differ."""
        everyone = some = unsure = 0
        left = [sources] if sources else []
        for _ in range(_MOST_QUESTIONS):
            if not left:
                break
            crowd = left.pop()
            answer = self.engine.connections(Pods(crowd, "pods"), destination)
            if all(answer.every.allows(*one) for one in wanted):
                everyone |= crowd
            elif not any(answer.some.allows(*one) for one in wanted):
                continue
            else:
                parts = self._halves(crowd)
                left += parts
                some |= 0 if parts else crowd
        for crowd in left:
            unsure |= crowd
        return Reached(everyone, some, unsure)

    def _halves(self, crowd: Classes) -> list[Classes]:
        if not crowd & (crowd - 1):
            return []
        universe = self.engine.atlas.universe
        within = [found & crowd for found in universe.in_namespace.values() if found & crowd]
        if len(within) > 1:
            return within
        indexes = [c.index for c in universe.members(crowd)]
        middle = len(indexes) // 2
        return [set_of(indexes[:middle]), set_of(indexes[middle:])]


def having(partition: Partition, wanted: Iterable[tuple[str, int]]) -> Reached:
    """Return who has all, and who only some, of *wanted*."""
    asked = tuple(wanted)
    everyone = some = 0
    for connections, classes in partition:
        held = [connections.allows(*one) for one in asked]
        if all(held):
            everyone |= classes
        elif any(held):
            some |= classes
    return Reached(everyone, some)


def _inside(inner: Network, outer: Network) -> bool:
    same = inner.version == outer.version and inner.prefixlen > outer.prefixlen
    return same and holds(outer, int(inner.network_address))
