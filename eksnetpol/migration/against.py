"""Sets of policies laid against what flowed at the beginning: what they let through more, and what less.

Something flows from one pod to another where the source's side lets it out *and* the destination's side lets it in. What flows
too much is therefore what the source's side lets out too much and the destination's side lets in, or the other way round; so each
side is compared by itself, once, and sides that let nothing more through need not be put together at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar

from eksnetpol.migration.meanings import Meaning, Terrain
from eksnetpol.migration.rules import EVERYWHERE, Rules
from eksnetpol.policy import partitions as parts
from eksnetpol.policy.answers import Partition
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.outside import Atom
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes

K = TypeVar("K")


@dataclass(frozen=True)
class Change:
    """What one side has more, or less, than at the beginning; what is the same is in none of these.

    ``out`` and ``into`` are by the destination's class, and partitions of sources. ``outside`` are partitions of the pods that
    send to an atom of addresses, or that take from it.
    """

    out: Mapping[int, Partition] = field(default_factory=dict)
    into: Mapping[int, Partition] = field(default_factory=dict)
    outside: Mapping[tuple[Direction, Atom], Partition] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.out or self.into or self.outside)

    def within(self, scope: Classes) -> Change:
        """Return what it says of the pods of *scope* alone."""
        return Change(
            _trimmed(self.out, scope),
            {d: partition for d, partition in self.into.items() if scope >> d & 1},
            _trimmed(self.outside, scope),
        )


class Part:
    """What policies mean for some pods, beside *baseline*, which is what the old engine let through at the beginning.

    *alike*: it is the same engine, so that what nobody can know of it is the same unknown on both sides. Of another one it
    counts as let through now, and as denied at the beginning.
    """

    def __init__(self, terrain: Terrain, meaning: Meaning, baseline: Meaning, scope: Classes, *, alike: bool) -> None:
        self.terrain = terrain
        self.meaning = meaning
        self.baseline = baseline
        self.scope = scope
        self.alike = alike

    @cached_property
    def more(self) -> Change:
        """What it lets through that was not let through."""
        return self._change(_more_alike if self.alike else _more)

    @cached_property
    def less(self) -> Change:
        """What surely was let through and surely is not any more."""
        return self._change(_less_alike if self.alike else _less)

    @cached_property
    def blind(self) -> Part:
        """The same where the other end is taken for an address outside; of the old engine only."""
        return Part(self.terrain, self.terrain.blind(self.meaning), self.baseline, self.scope, alike=False)

    def _change(self, compare: Compare) -> Change:
        now, then, scope = self.meaning, self.baseline, self.scope
        pairs = _Pairs(compare)
        out: dict[int, Partition] = {}
        into: dict[int, Partition] = {}
        outside: dict[tuple[Direction, Atom], Partition] = {}
        for index in range(len(self.terrain.chart.universe.classes)):
            four = Four(
                now.sent(index), now.sent(index, sure=False), then.sent(index), then.sent(index, sure=False)
            )
            found = parts.only(pairs.of(four), scope)
            if found:
                out[index] = found
            if scope >> index & 1:
                four = Four(
                    now.taken(index), now.taken(index, sure=False), then.taken(index), then.taken(index, sure=False)
                )
                found = pairs.of(four)
                if found:
                    into[index] = found
        for atom, at in self.terrain.samples.items():
            for way in Direction:
                here = (m.outside(way, at, sure=sure) for m in (now, then) for sure in (True, False))
                found = parts.only(compare(Four(*here)), scope)
                if found:
                    outside[way, atom] = found
        return Change(out, into, outside)


class Four(NamedTuple):
    """What is let through now and what was at the beginning: surely, and perhaps."""

    now: Partition
    now_perhaps: Partition
    then: Partition
    then_perhaps: Partition


Compare = Callable[[Four], Partition]


def _more(four: Four) -> Partition:
    return minus(four.now_perhaps, four.then)


def _more_alike(four: Four) -> Partition:
    return either(minus(four.now, four.then), minus(four.now_perhaps, four.then_perhaps))


def _less(four: Four) -> Partition:
    return minus(four.then, four.now_perhaps)


def _less_alike(four: Four) -> Partition:
    return minus(four.then, four.now)


class _Pairs:
    """Compares partitions; most of those that are asked about are the very same as before."""

    def __init__(self, compare: Compare) -> None:
        self.compare = compare
        self._known: dict[tuple[int, ...], tuple[Four, Partition]] = {}

    def of(self, four: Four) -> Partition:
        """Return the difference."""
        key = tuple(map(id, four))
        known = self._known.get(key)
        if known is None:
            # What the ids are of is kept, so that no other object takes them over.
            known = self._known[key] = (four, self.compare(four))
        return known[1]


def minus(left: Partition, right: Partition) -> Partition:
    """Return what classes have in *left* and not in *right*."""
    if left is right:
        return ()
    found: dict[Connections, Classes] = {}
    for connections, classes in left:
        rest = classes
        for other, members in right:
            both = classes & members
            if both:
                rest &= ~both
                more = connections - other
                if more:
                    found[more] = found.get(more, 0) | both
        if rest and connections:
            found[connections] = found.get(connections, 0) | rest
    return tuple(found.items())


def either(one: Partition, other: Partition) -> Partition:
    """Return what classes have in either, as a partition."""
    if not one or not other:
        return one or other
    together: dict[Connections, Classes] = {}
    for connections, classes in (*one, *other):
        together[connections] = together.get(connections, 0) | classes
    return tuple(parts.disjoint(together).items())


def _trimmed(found: Mapping[K, Partition], scope: Classes) -> dict[K, Partition]:
    return {key: left for key, partition in found.items() if (left := parts.only(partition, scope))}


@dataclass(frozen=True, eq=False)
class Version:
    """What policies meant to one engine at one moment: parts, each of them for pods of its own. ``rules`` are these policies."""

    rules: Rules
    parts: tuple[tuple[Part, Classes], ...]

    @cached_property
    def more(self) -> Change:
        """What they let through more than at the beginning."""
        return _joined(part.more.within(scope) for part, scope in self.parts if part.more)

    @cached_property
    def less(self) -> Change:
        """What they let through less than at the beginning."""
        return _joined(part.less.within(scope) for part, scope in self.parts if part.less)

    def sent(self, index: int) -> Partition:
        """Return what every class perhaps may send to one, as far as the senders' side is concerned."""
        return parts.merged(
            tuple(pair for part, scope in self.parts for pair in parts.only(part.meaning.sent(index, sure=False), scope))
        )

    def taken(self, index: int) -> Partition:
        """Return what one class perhaps takes from every class."""
        return next((part.meaning.taken(index, sure=False) for part, scope in self.parts if scope >> index & 1), ())

    @cached_property
    def blind(self) -> Version:
        """The same where the other end is taken for an address outside; of the old engine only."""
        return Version(self.rules, tuple((part.blind, scope) for part, scope in self.parts))

    def after(self, rules: Rules, moved: Collection[str], make: Callable[[Collection[str] | None, Classes], Part]) -> Version:
        """Return the version that *rules* make of it, where only the share of the namespaces *moved* is another.

        *make* gives the part for some namespaces (None for all) and their classes.
        """
        first = self.parts[0][0]
        if EVERYWHERE in moved:
            return Version(rules, ((make(None, first.terrain.everything), first.terrain.everything),))
        gone = first.terrain.within(moved)
        left = tuple((part, scope & ~gone) for part, scope in self.parts if scope & ~gone)
        return Version(rules, (*left, *(((make(moved, gone), gone),) if gone else ()))) if gone else Version(rules, self.parts)


def _joined(changes: Iterable[Change]) -> Change:
    out: dict[int, Partition] = {}
    into: dict[int, Partition] = {}
    outside: dict[tuple[Direction, Atom], Partition] = {}
    for change in changes:
        for index, partition in change.out.items():
            out[index] = parts.merged((*out.get(index, ()), *partition))
        into |= change.into
        for key, partition in change.outside.items():
            outside[key] = parts.merged((*outside.get(key, ()), *partition))
    return Change(out, into, outside)


@dataclass(frozen=True)
class Side:
    """Engines on one node, as the pods there meet them: all of *versions* have to let a thing through; none of them lets all."""

    versions: tuple[Version, ...]

    @cached_property
    def more(self) -> Change:
        """What is let through more than at the beginning."""
        first, *others = (version.more for version in self.versions)
        for other in others:
            first = Change(
                _met(first.out, other.out),
                _met(first.into, other.into),
                _met(first.outside, other.outside),
            )
        return first

    @cached_property
    def less(self) -> Change:
        """What is let through less than at the beginning."""
        first, *others = (version.less for version in self.versions)
        for other in others:
            first = Change(
                _summed(first.out, other.out), _summed(first.into, other.into), _summed(first.outside, other.outside)
            )
        return first

    def sent(self, index: int) -> Partition:
        """Return what every class perhaps may send to one, as far as the senders' side is concerned."""
        return _all_met(version.sent(index) for version in self.versions)

    def taken(self, index: int) -> Partition:
        """Return what one class perhaps takes from every class."""
        return _all_met(version.taken(index) for version in self.versions)


def _all_met(partitions: Iterator[Partition]) -> Partition:
    first, *others = partitions
    for other in others:
        first = parts.met(first, other)
    return first


def _met(one: Mapping[K, Partition], other: Mapping[K, Partition]) -> dict[K, Partition]:
    common = ((key, parts.met(one[key], other[key])) for key in one.keys() & other.keys())
    return {key: partition for key, partition in common if partition}


def _summed(one: Mapping[K, Partition], other: Mapping[K, Partition]) -> dict[K, Partition]:
    return {key: either(one.get(key, ()), other.get(key, ())) for key in (*one, *(k for k in other if k not in one))}


def too_much(source: Side, destination: Side, but: Change) -> Iterator[tuple[int, Partition]]:
    """Yield by the destination's class what flows between pods of two nodes and did not at the beginning, by sources.

    What a side lets through of *but* is none too much; where both sides let too much through, both have to be meant.
    """
    for index, partition in source.more.out.items():
        left = minus(partition, but.out[index]) if index in but.out else partition
        yield index, parts.met(left, destination.taken(index))
    for index, partition in destination.more.into.items():
        left = minus(partition, but.into[index]) if index in but.into else partition
        yield index, parts.met(left, source.sent(index))

