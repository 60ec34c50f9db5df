"""The matrix by what people name: workloads, and blocks of addresses outside, with what flows between any two.

A *place* is a row or a column. Sets of places are integers, bit *i* for place *i*, as sets of classes are; a *column* says of one
destination which sources have which `Answer`. Sources that have nothing are in no column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eksnetpol.policy.answers import Answer, Engine, Partition, Workload
from eksnetpol.policy.connections import NOTHING
from eksnetpol.policy.outside import Atom, cut, public
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, indexes_of, key_of, set_of

Places = int
"""A set of places: bit *i* is place *i*."""

Column = Mapping[Answer, Places]

INTERNET, ELSEWHERE = "internet", "elsewhere"
NONE = Answer(NOTHING, NOTHING)


@dataclass(frozen=True, slots=True)
class Place:
    """A row or column. ``namespace`` is empty for addresses outside, and ``but`` are the blocks in it that are places too."""

    title: str
    namespace: str = ""
    workload: Workload | None = None
    atom: Atom | None = None
    sample: str = ""
    but: tuple[str, ...] = ()

    @property
    def is_alone(self) -> bool:
        """True of a pod that nothing owns: it is the only one of its workload, and what it sends to itself is not counted."""
        return self.workload is not None and self.workload.kind == "Pod"

    @property
    def is_outside(self) -> bool:
        """True of addresses, which nothing here has any say about."""
        return self.workload is None


@dataclass
class Table:
    """Everything that may flow, by places: the workloads of an engine first, then the outside."""

    engine: Engine
    places: tuple[Place, ...]
    _own: dict[bytes, tuple[Places, Places]] = field(default_factory=dict, repr=False)
    _columns: dict[tuple[int, ...], tuple[tuple[Partition, ...], Column]] = field(default_factory=dict, repr=False)
    _place_of: Sequence[int] = field(default=(), repr=False)
    _alone: Classes = 0
    _all: Places = 0
    _from_outside: list[list[tuple[Answer, Places]]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        numbers = {p.workload: i for i, p in enumerate(self.places) if p.workload is not None}
        self._place_of = [numbers[w] for w in self.engine.atlas.workload_of]
        self._all = set_of(numbers[w] for w in self.engine.atlas.workloads)
        self._alone = set_of(
            next(indexes_of(classes)) for classes in self.engine.atlas.workloads.values() if not classes & (classes - 1)
        )

    @property
    def workloads(self) -> tuple[Place, ...]:
        """Places that are workloads; they come first."""
        return tuple(p for p in self.places if not p.is_outside)

    def share(self, other: Table) -> None:
        """Use what *other*, whose classes are of the same workloads, has found out of sets of them."""
        if self._place_of == other._place_of:
            self._own = other._own

    def columns(self) -> Iterator[tuple[int, Column]]:
        """Yield each destination, by its number among ``places``, with the sources that have anything."""
        matrix = self.engine.matrix()
        outside = self._sources_outside()
        for number, place in enumerate(self.places):
            if place.workload is None:
                yield number, self._worked_out((self.engine.outside(Direction.EGRESS, place.sample),), ())
                continue
            classes = list(indexes_of(self.engine.atlas.workloads[place.workload]))
            partly = tuple(p for c in classes for p in (matrix.partly.get(c, ()),) if p)
            column = self._by_place(tuple(matrix.columns[c] for c in classes), partly)
            if outside[number]:
                joined = dict(column)
                for answer, places in outside[number]:
                    joined[answer] = joined.get(answer, 0) | places
                column = joined
            yield number, _without(column, number) if place.is_alone else column

    def cells(self) -> Iterator[tuple[Place, Place, Answer]]:
        """Yield source, destination and answer wherever anything may flow, destination by destination."""
        for number, column in self.columns():
            found = {i: answer for answer, places in column.items() for i in indexes_of(places)}
            for i in sorted(found):
                yield self.places[i], self.places[number], found[i]

    # --- the outside as sources ---------------------------------------------------------------------------------------

    def _sources_outside(self) -> list[list[tuple[Answer, Places]]]:
        """Return for each place what the places outside may send to it. Blocks that may the same are put together first."""
        if self._from_outside is None:
            alike: dict[tuple[Answer, bytes], list[int]] = {}
            for number, place in enumerate(self.places):
                if place.workload is None:
                    row = self._worked_out((self.engine.outside(Direction.INGRESS, place.sample),), ())
                    for answer, places in row.items():
                        alike.setdefault((answer, key_of(places)), []).append(number)
            found: list[list[tuple[Answer, Places]]] = [[] for _ in self.places]
            for (answer, held), sources in alike.items():
                together = set_of(sources)
                for number in indexes_of(int.from_bytes(held, "little")):
                    found[number].append((answer, together))
            self._from_outside = found
        return self._from_outside

    # --- classes to places --------------------------------------------------------------------------------------------

    def _by_place(self, partitions: tuple[Partition, ...], partly: tuple[Partition, ...]) -> Column:
        """Return what sources have with all of some destination classes, by places."""
        key = tuple(map(id, (*partitions, *partly)))
        known = self._columns.get(key)
        if known is None:
            # What the ids are of is kept, so that no other object takes them over.
            known = self._columns[key] = ((*partitions, *partly), self._worked_out(partitions, partly))
        return known[1]

    def _worked_out(self, partitions: tuple[Partition, ...], partly: tuple[Partition, ...]) -> Column:
        everything = self.engine.atlas.universe.everything
        parts: dict[Answer, Classes] = {}
        for number, partition in enumerate(partitions):
            mine = {Answer(connections, connections): classes for connections, classes in partition if classes}
            rest = everything
            for classes in mine.values():
                rest &= ~classes
            if rest:
                mine[NONE] = mine.get(NONE, 0) | rest
            parts = mine if not number else _combined(parts, mine)
        for partition in partly:
            parts = _with_some(parts, partition)
        return self._gathered(parts)

    def _gathered(self, parts: Mapping[Answer, Classes]) -> Column:
        """Return *parts*, which hold each class once, by place: workloads with classes in several have these together."""
        column: dict[Answer, Places] = {}
        mixed: dict[int, Answer] = {}
        for answer, classes in parts.items():
            whole, split = self._places(classes)
            if whole and answer.some:
                column[answer] = column.get(answer, 0) | whole
            for i in indexes_of(split):
                mixed[i] = answer if i not in mixed else mixed[i] | answer
        for i, answer in mixed.items():
            if answer.some:
                column[answer] = column.get(answer, 0) | 1 << i
        return column

    def _places(self, classes: Classes) -> tuple[Places, Places]:
        """Return the places all of whose classes are in a set, and those of which only some are."""
        key = key_of(classes)
        known = self._own.get(key)
        if known is None:
            # A large set is told by what it leaves out: going through nearly all classes for every column costs their square.
            outside = self.engine.atlas.universe.everything & ~classes
            if outside.bit_count() < classes.bit_count():
                left_out, split = self._places(outside)
                known = self._all & ~(left_out | split), split
            else:
                known = self._listed(classes)
            self._own[key] = known
        return known

    def _listed(self, classes: Classes) -> tuple[Places, Places]:
        whole = [self._place_of[i] for i in indexes_of(classes & self._alone)]
        split: list[int] = []
        for i in {self._place_of[i] for i in indexes_of(classes & ~self._alone)}:
            workload = self.places[i].workload
            all_in = workload is not None and not self.engine.atlas.workloads[workload] & ~classes
            (whole if all_in else split).append(i)
        return set_of(whole), set_of(split)


def table(engine: Engine, atoms: Iterable[Atom] | None = None, avoid: frozenset[str] | None = None) -> Table:
    """Return the matrix of *engine* by places.

    *atoms* are the places outside, by default those of the engine's own blocks; *avoid* the addresses that are not outside, by
    default those of its pods, nodes and Services. Of atoms that have no other address there is no place.
    """
    avoid = inside(engine) if avoid is None else avoid
    version = 6 if engine.profile.family == "ipv6" else 4
    atoms = tuple(cut(engine.blocks(), version) if atoms is None else atoms)
    own = [Place(str(w), w.namespace, w) for w in engine.atlas.workloads]
    return Table(engine, (*own, *_outside(atoms, avoid)))


def inside(engine: Engine) -> frozenset[str]:
    """Return the addresses of the pods, nodes and Services of *engine*'s world."""
    world = engine.world
    return frozenset(
        (
            *(p.status.pod_ip for p in world.pods),
            *(a.address for n in world.nodes for a in n.status.addresses),
            *(address for s in world.services for address in (s.spec.cluster_ip, *s.spec.cluster_i_ps)),
        )
    )


def _outside(atoms: Sequence[Atom], avoid: frozenset[str]) -> Iterator[Place]:
    narrower: dict[Atom, list[str]] = {}
    path: list[Atom] = []
    for atom in atoms:
        while path and not _holds(path[-1], atom):
            path.pop()
        if path:
            narrower.setdefault(path[-1], []).append(str(atom.block))
        path.append(atom)
    for atom in atoms:
        sample = atom.sample(avoid)
        if not sample:
            continue
        title = str(atom.block)
        if atom.is_rest:
            title = INTERNET if atom.within(public(atom.version)) else ELSEWHERE
        yield Place(title, atom=atom, sample=sample, but=() if atom.is_rest else tuple(narrower.get(atom, ())))


def _holds(outer: Atom, inner: Atom) -> bool:
    a, b = outer.block, inner.block
    low, high = int(a.network_address), int(a.broadcast_address)
    return a.version == b.version and low <= int(b.network_address) and int(b.broadcast_address) <= high


def _without(column: Column, number: int) -> Column:
    own = 1 << number
    return {answer: places & ~own for answer, places in column.items() if places & ~own}


def _combined(left: Mapping[Answer, Classes], right: Mapping[Answer, Classes]) -> dict[Answer, Classes]:
    found: dict[Answer, Classes] = {}
    for one, classes in left.items():
        for other, others in right.items():
            common = classes & others
            if common:
                answer = one | other
                found[answer] = found.get(answer, 0) | common
    return found


def _with_some(parts: Mapping[Answer, Classes], partition: Partition) -> dict[Answer, Classes]:
    """Return *parts* with what only some pairs have besides."""
    done = dict(parts)
    for connections, classes in partition:
        after: dict[Answer, Classes] = {}
        for answer, held in done.items():
            more = Answer(answer.every, answer.some | connections)
            for one, common in ((more, held & classes), (answer, held & ~classes)):
                if common:
                    after[one] = after.get(one, 0) | common
        done = after
    return done

