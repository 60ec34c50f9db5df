"""All pairs of pods at once under a stack: for each destination class, what all source classes may send to it.

Both directions are one fold (`folding`). In ingress the rules that hold for the destination are asked, about all sources; in
egress the rules that lead to the destination, for all sources they hold for. Equal gatherings are folded once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eksnetpol.policy import partitions as parts
from eksnetpol.policy.answers import Partition
from eksnetpol.policy.atlas import Chart
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.nodes import nodes_of
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.ends import End, holds
from eksnetpol.policy.stacks.folding import Entry, Fold
from eksnetpol.policy.stacks.formulas import EndKind, Formula
from eksnetpol.policy.stacks.resolving import Resolved, Side
from eksnetpol.policy.stacks.rules import Does
from eksnetpol.policy.stacks.sets import Likely, pairs_in
from eksnetpol.policy.universe import Classes

_Key = tuple[bool, tuple[int, ...], tuple[Likely, ...]]


class StackColumns:
    """Works out the partition of the sources for each destination class, and what all classes have with an address."""

    def __init__(self, chart: Chart, resolved: Resolved) -> None:
        self.chart = chart
        self.resolved = resolved
        self.everything = chart.universe.everything
        self.nodes = nodes_of(chart.universe)
        self._otherwise = [tier.otherwise for tier in resolved.tiers]
        self._folds = {d: Fold(self.everything, self._otherwise, side.runs) for d, side in resolved.sides.items()}
        self._known: dict[Direction, dict[_Key, Partition]] = {d: {} for d in Direction}
        self._met: dict[tuple[int, int], Partition] = {}
        self._isolating = {d: [bool(s.perhaps) for s in side.isolated] for d, side in resolved.sides.items()}

    def isolated(self, direction: Direction) -> Classes:
        """Return the classes that some tier isolates, so that it denies what none of its rules settles."""
        found = 0
        for otherwise, likely in zip(self._otherwise, self.resolved.sides[direction].isolated, strict=True):
            if otherwise is Does.DENY:
                found |= likely.sure
        return found

    def column(self, index: int, *, sure: bool = True) -> Partition:
        """Return what every class may send to one: surely, or else perhaps."""
        incoming, outgoing = self.ingress(index, sure=sure), self.egress(index, sure=sure)
        key = (id(incoming), id(outgoing))
        known = self._met.get(key)
        if known is None:
            known = self._met[key] = parts.met(incoming, outgoing)
        return known

    def partly(self, index: int) -> Partition:
        """Return what perhaps may besides `column`."""
        surely, perhaps = self.column(index), self.column(index, sure=False)
        if surely is perhaps:
            return ()
        found: dict[Connections, Classes] = {}
        for connections, classes in perhaps:
            more = classes & ~parts.having(surely, connections)
            if more:
                found[connections] = more
        return tuple(found.items())

    def ingress(self, index: int, *, sure: bool = True) -> Partition:
        """Return what one class takes from every class."""
        bit = 1 << index
        isolated = tuple(
            Likely(self.everything if own.sure & bit else 0, self.everything if own.perhaps & bit else 0)
            for own in self.resolved.sides[Direction.INGRESS].isolated
        )
        return self._folded(Direction.INGRESS, index, isolated, sure=sure)

    def egress(self, index: int, *, sure: bool = True) -> Partition:
        """Return what every class sends to one, as far as the senders' side is concerned."""
        return self._folded(Direction.EGRESS, index, tuple(self.resolved.sides[Direction.EGRESS].isolated), sure=sure)

    def _folded(self, direction: Direction, index: int, isolated: tuple[Likely, ...], *, sure: bool) -> Partition:
        side = self.resolved.sides[direction]
        mine = side.of_class[index]
        uncertain = any(own.sure != own.perhaps for own in isolated) or any(not side.entries[i].certain for i in mine)
        key = (sure or not uncertain, tuple(mine), isolated if direction is Direction.INGRESS else ())
        known = self._known[direction].get(key)
        if known is None:
            entries = [side.entries[i] for i in mine]
            known = self._known[direction][key] = self._folds[direction](entries, isolated, sure=sure)
        return known

    # --- addresses that are no pods' ----------------------------------------------------------------------------------

    def outside(self, direction: Direction, there: End, *, sure: bool = True) -> Partition:
        """Return what every class has with an address that is no pod's."""
        side = self.resolved.sides[direction]
        return self._folds[direction](self._entries(side, there), side.isolated, sure=sure)

    def _entries(self, side: Side, there: End) -> list[Entry]:
        known: dict[Formula, tuple[bool | None, bool | None]] = {}
        spoken: dict[tuple[int, bool], dict[Connections, Classes]] = {}

        def add(run: int, certain: bool | None, connections: Connections, classes: Classes) -> None:
            if classes and certain is not None:
                here = spoken.setdefault((run, certain), {})
                here[connections] = here.get(connections, 0) | classes

        on_it = self._on_node(there)
        for run, certain, subjects, whom, connections in side.beyond:
            answers = known.get(whom)
            if answers is None:
                answers = known[whom] = self._means(whom, there)
            away, near = answers
            if away is near:
                add(run, _certainty(certain, away), connections, subjects)
                continue
            either = _certainty(certain, None)
            add(run, _certainty(certain, near), connections, subjects & on_it.sure)
            add(run, either, connections, subjects & on_it.perhaps & ~on_it.sure)
            add(run, _certainty(certain, away), connections, subjects & ~on_it.perhaps)
        return [Entry(run, certain, here) for (run, certain), here in sorted(spoken.items(), key=lambda item: item[0])]

    def _means(self, whom: Formula, there: End) -> tuple[bool | None, bool | None]:
        """Return whether a formula means an address: for pods elsewhere, and for those on that node."""
        away = holds(whom, there)
        if not pairs_in(whom).by_node:
            return away, away
        return away, holds(whom, there, End(EndKind.POD, node=there.node or "?"))

    def _on_node(self, there: End) -> Likely:
        """Return the classes of which all pods, and those of which some, are on a node."""
        if there.kind is not EndKind.NODE:
            return Likely(0, 0)
        sure = perhaps = 0
        for c in self.chart.universe.members(self.everything & ~self.chart.universe.on_host_network):
            nodes = self.nodes.of(c.index)
            if there.node in nodes:
                perhaps |= c.bit
                if len(nodes) == 1 and self.nodes.all_known(c.index):
                    sure |= c.bit
        return Likely(sure, perhaps)


def _certainty(certain: bool, means: bool | None) -> bool | None:
    """Return whether a rule certainly matches; None where it does not at all."""
    return None if means is False else certain and means is True


class Partly(Mapping[int, Partition]):
    """What only some pairs of pods have, or have perhaps; worked out when it is asked for."""

    def __init__(self, columns: StackColumns) -> None:
        self._columns = columns
        self._known: dict[int, Partition] = {}

    def __getitem__(self, index: int) -> Partition:
        known = self._known.get(index)
        if known is None:
            known = self._known[index] = self._columns.partly(index)
        return known

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._columns.chart.universe.classes)
