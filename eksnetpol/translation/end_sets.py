"""Ends as sets: which of many a formula surely means, and which perhaps, without asking one after the other.

A set of ends is an integer, bit *i* for the end of number *i*. They are numbered by their addresses, so that those of a block are
a run of numbers. What `policy.stacks.ends.holds` answers for one end with nobody at the other is what holds here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple, TypeVar

from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.stacks.clauses import PODS, met_by
from eksnetpol.policy.stacks.ends import End
from eksnetpol.policy.stacks.formulas import And, Atom, Formula, Is, Label, Named, Not, Or, Scope, Test, Unknowable, Within
from eksnetpol.policy.universe import Classes, set_of

Key = TypeVar("Key")
Place = tuple[int, int]
"""Family and number of an address; (0, 0) where it is not known."""


class Meant(NamedTuple):
    """Ends that surely are meant, and those that perhaps are: these hold the sure ones too."""

    sure: Classes
    perhaps: Classes


class EndSets:
    """Answers formulas over *ends*, each of them once: an end is told by identity."""

    def __init__(self, ends: Iterable[End]) -> None:
        placed = sorted(((_place(end), at, end) for at, end in enumerate({id(e): e for e in ends}.values())), key=lambda p: p[:2])
        self.ends = tuple(end for _, _, end in placed)
        self.everything = (1 << len(self.ends)) - 1
        self._places = [place for place, _, _ in placed]
        self._numbers = {id(end): number for number, end in enumerate(self.ends)}
        self._known: dict[Formula, Meant] = {}

    def number(self, end: End) -> int:
        """Return the number of one of the ends."""
        return self._numbers[id(end)]

    def of(self, formula: Formula) -> Meant:
        """Return whom *formula* means."""
        known = self._known.get(formula)
        if known is None:
            known = self._known[formula] = self._work_out(formula)
        return known

    def _work_out(self, formula: Formula) -> Meant:
        sure = perhaps = 0
        match formula:
            case And():
                sure = perhaps = self.everything
                for part in formula.parts:
                    found = self.of(part)
                    sure, perhaps = sure & found.sure, perhaps & found.perhaps
            case Or():
                for part in formula.parts:
                    found = self.of(part)
                    sure, perhaps = sure | found.sure, perhaps | found.perhaps
            case Not():
                found = self.of(formula.part)
                sure, perhaps = self.everything & ~found.perhaps, self.everything & ~found.sure
            case Unknowable():
                perhaps = self.everything
            case _:
                sure = perhaps = self._atom(formula)
        return Meant(sure, perhaps)

    def _atom(self, atom: Atom) -> Classes:  # noqa: PLR0911 - one line per kind of atom
        match atom:
            case Is():
                return _union(self._by_kind.get(kind, 0) for kind in atom.kinds)
            case Within():
                return self._within(atom.networks)
            case Label(Scope.POD):
                return _met(atom, self._labels.get(atom.key, {}))
            case Label(Scope.NAMESPACE):
                return _union(own for labels, own in self._namespaces.values() if _has(atom, labels))
            case Label():
                return _union(own for labels, own in self._accounts.values() if _has(atom, labels))
            case Named(Scope.ACCOUNT):
                return _union(own for (_, name), (_, own) in self._accounts.items() if name in atom.names)
            case Named():
                return _union(self._namespaces[name][1] for name in atom.names if name in self._namespaces)
            case _:
                # Nobody is at the other end, so no end shares its namespace or is its node.
                return 0

    def _within(self, networks: Iterable[Network]) -> Classes:
        found = 0
        for network in networks:
            found |= run(self._places, network)
            if network.prefixlen == 0:
                found |= self._nowhere[network.version]
        return found

    # --- what is looked up --------------------------------------------------------------------------------------------

    @cached_property
    def _by_kind(self) -> Mapping[object, Classes]:
        return sets_of((end.kind, number) for number, end in enumerate(self.ends))

    @cached_property
    def _nowhere(self) -> Mapping[int, Classes]:
        """By family, the ends without a known address that are of it, or may be."""
        placeless = [(number, end) for number, end in enumerate(self.ends) if not end.address]
        return {family: set_of(number for number, end in placeless if end.version in {0, family}) for family in (4, 6)}

    @cached_property
    def _pods(self) -> list[tuple[int, End]]:
        return [(number, end) for number, end in enumerate(self.ends) if end.kind in PODS]

    @cached_property
    def _labels(self) -> Mapping[str, Mapping[str, Classes]]:
        by_label = sets_of((label, number) for number, end in self._pods for label in end.labels.items())
        found: defaultdict[str, dict[str, Classes]] = defaultdict(dict)
        for (key, value), own in by_label.items():
            found[key][value] = own
        return found

    @cached_property
    def _namespaces(self) -> Mapping[str, tuple[Mapping[str, str], Classes]]:
        labels = {end.namespace: end.namespace_labels for _, end in self._pods}
        return {name: (labels[name], own) for name, own in sets_of((end.namespace, n) for n, end in self._pods).items()}

    @cached_property
    def _accounts(self) -> Mapping[tuple[str, str], tuple[Mapping[str, str], Classes]]:
        labels = {(end.namespace, end.account): end.account_labels for _, end in self._pods}
        own = sets_of(((end.namespace, end.account), n) for n, end in self._pods)
        return {account: (labels[account], ends) for account, ends in own.items()}


def _has(label: Label, labels: Mapping[str, str]) -> bool:
    return label.key in labels and met_by(label, labels[label.key])


def _met(label: Label, by_value: Mapping[str, Classes]) -> Classes:
    if label.test is Test.IN:
        return _union(by_value.get(value, 0) for value in label.values)
    return _union(own for value, own in by_value.items() if met_by(label, value))


def _union(sets: Iterable[Classes]) -> Classes:
    found = 0
    for one in sets:
        found |= one
    return found


def _place(end: End) -> Place:
    network = parse_cidr(end.address) if end.address else None
    return (0, 0) if network is None else (network.version, int(network.network_address))


def run(places: list[Place], network: Network) -> Classes:
    """Return which of the sorted *places* are in a block."""
    low = bisect_left(places, (network.version, int(network.network_address)))
    high = bisect_right(places, (network.version, int(network.broadcast_address)))
    return ((1 << high) - 1) & ~((1 << low) - 1)


def sets_of(members: Iterable[tuple[Key, int]]) -> Mapping[Key, Classes]:
    """Return numbers as sets, by what stands before them."""
    found: defaultdict[Key, list[int]] = defaultdict(list)
    for key, number in members:
        found[key].append(number)
    return {key: set_of(numbers) for key, numbers in found.items()}
