"""All pairs of pods at once under a stack: for each destination class, what all source classes may send to it.

Both directions are one fold (`folding`), made for each kind of source ports that rules tell apart (`source_ports`). In ingress
the rules that hold for the destination are asked, about all sources; in egress the rules that lead to the destination, for all
sources they hold for. Equal gatherings are folded once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eksnetpol.policy import partitions as parts
from eksnetpol.policy.answers import Partition
from eksnetpol.policy.atlas import Chart
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.nodes import nodes_of
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.ends import End, holds
from eksnetpol.policy.stacks.folding import Entry, Fold
from eksnetpol.policy.stacks.formulas import EndKind, Formula
from eksnetpol.policy.stacks.resolving import Beyond, Resolved, Side
from eksnetpol.policy.stacks.rules import Does
from eksnetpol.policy.stacks.sets import Likely, pairs_in
from eksnetpol.policy.stacks.source_ports import ANY, asked_of, kinds, together
from eksnetpol.policy.universe import Classes

_Key = tuple[bool, bool, tuple[int, ...], tuple[Likely, ...]]


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
        self._joined: dict[tuple[bool, tuple[int, ...]], Partition] = {}
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
        both = (self._ingress, self._egress)
        ports = kinds(self._asked(Direction.INGRESS, index) | self._asked(Direction.EGRESS, index))
        return self._together((self._meeting(*(side(index, port, sure=sure) for side in both)) for port in ports), sure=sure)

    def _meeting(self, incoming: Partition, outgoing: Partition) -> Partition:
        key = (id(incoming), id(outgoing))
        known = self._met.get(key)
        if known is None:
            known = self._met[key] = parts.met(incoming, outgoing)
        return known

    def _together(self, answers: Iterator[Partition], *, sure: bool) -> Partition:
        """Return what answers for several source ports have in common, or else what any has; equal ones are put together once."""
        found = {id(one): one for one in answers}
        key = (sure, tuple(found))
        known = self._joined.get(key)
        if known is None:
            known = self._joined[key] = together(found.values(), sure=sure)
        return known

    def _asked(self, direction: Direction, index: int) -> frozenset[PortSet]:
        side = self.resolved.sides[direction]
        return asked_of(side.entries[i].source_ports for i in side.of_class[index])

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
        ports = kinds(self._asked(Direction.INGRESS, index))
        return self._together((self._ingress(index, port, sure=sure) for port in ports), sure=sure)

    def _ingress(self, index: int, port: int, *, sure: bool) -> Partition:
        bit = 1 << index
        isolated = tuple(
            Likely(self.everything if own.sure & bit else 0, self.everything if own.perhaps & bit else 0)
            for own in self.resolved.sides[Direction.INGRESS].isolated
        )
        return self._folded(Direction.INGRESS, index, port, isolated, sure=sure)

    def egress(self, index: int, *, sure: bool = True) -> Partition:
        """Return what every class sends to one, as far as the senders' side is concerned."""
        ports = kinds(self._asked(Direction.EGRESS, index))
        return self._together((self._egress(index, port, sure=sure) for port in ports), sure=sure)

    def _egress(self, index: int, port: int, *, sure: bool) -> Partition:
        return self._folded(Direction.EGRESS, index, port, tuple(self.resolved.sides[Direction.EGRESS].isolated), sure=sure)

    def _folded(self, direction: Direction, index: int, port: int, isolated: tuple[Likely, ...], *, sure: bool) -> Partition:
        side = self.resolved.sides[direction]
        mine = tuple(i for i in side.of_class[index] if _is_asked(side.entries[i].source_ports, port))
        blurred = port == ANY and any(side.entries[i].source_ports != EVERY_PORT for i in mine)
        uncertain = any(own.sure != own.perhaps for own in isolated) or any(not side.entries[i].certain for i in mine)
        key = (sure or not (uncertain or blurred), blurred, mine, isolated if direction is Direction.INGRESS else ())
        known = self._known[direction].get(key)
        if known is None:
            entries = [_from(side.entries[i], port) for i in mine]
            known = self._known[direction][key] = self._folds[direction](entries, isolated, sure=sure)
        return known

    # --- addresses that are no pods' ----------------------------------------------------------------------------------

    def outside(self, direction: Direction, there: End, *, sure: bool = True) -> Partition:
        """Return what every class has with an address that is no pod's."""
        side = self.resolved.sides[direction]
        entries = self._entries(side, there)
        ports = kinds(asked_of(entry.source_ports for entry in entries))
        mine = ([_from(entry, port) for entry in entries if _is_asked(entry.source_ports, port)] for port in ports)
        return together((self._folds[direction](own, side.isolated, sure=sure) for own in mine), sure=sure)

    def _entries(self, side: Side, there: End) -> list[Entry]:
        known: dict[Formula, tuple[bool | None, bool | None]] = {}
        spoken: dict[tuple[int, bool, PortSet], dict[Connections, Classes]] = {}

        def add(rule: Beyond, certain: bool | None, classes: Classes) -> None:
            if classes and certain is not None:
                here = spoken.setdefault((rule.run, certain, rule.source_ports), {})
                here[rule.connections] = here.get(rule.connections, 0) | classes

        on_it = self._on_node(there)
        for rule in side.beyond:
            whom, certain, subjects = rule.whom, rule.certain, rule.subjects
            answers = known.get(whom)
            if answers is None:
                answers = known[whom] = self._means(whom, there)
            away, near = answers
            if away is near:
                add(rule, _certainty(certain, away), subjects)
                continue
            either = _certainty(certain, None)
            add(rule, _certainty(certain, near), subjects & on_it.sure)
            add(rule, either, subjects & on_it.perhaps & ~on_it.sure)
            add(rule, _certainty(certain, away), subjects & ~on_it.perhaps)
        ordered = sorted(spoken.items(), key=lambda item: item[0][:2])
        return [Entry(run, certain, here, ports) for (run, certain, ports), here in ordered]

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


def _is_asked(ports: PortSet, port: int) -> bool:
    return port == ANY or ports == EVERY_PORT or port in ports


def _from(entry: Entry, port: int) -> Entry:
    """Return what rules say to connections from a port; where nothing is known of it, what asks for some ports is not certain."""
    return entry if port != ANY or entry.source_ports == EVERY_PORT else entry._replace(certain=False)


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
