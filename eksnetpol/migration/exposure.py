"""What flows at a moment of a migration that did not flow before it, and what does not flow any more.

Between a pod on one node and a pod on another flows what all engines on the one let out and all engines on the other let in
(`model.enforcement`). What engines do on a node is one of a handful of *modes*, so what is asked about is every pair of modes
that is there, in sets, never every pair of nodes. A node whose mode changes costs the pods on it; a policy that changes costs
what it means in its own namespace.

Held against is the old engine, with its own policies and with NetworkPolicies but for those that the migration brings, and what
people have taken on by name. A policy of the old engine that is deleted still counts there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from eksnetpol.migration.against import Change, Part, Side, Version, either, minus, too_much
from eksnetpol.migration.meanings import BY_IDENTITY, Meaning, Nothing, Terrain, asked
from eksnetpol.migration.rules import EVERYWHERE, Rules
from eksnetpol.migration.standing import LIVE, Does, Mode, Nodes, words
from eksnetpol.migration.waived import TakenOn
from eksnetpol.model.enforcement import Scene
from eksnetpol.model.foreign import ForeignPolicy
from eksnetpol.policy import partitions as parts
from eksnetpol.policy.answers import Partition, Workload
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.difference import first_of
from eksnetpol.policy.outside import Atom
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, Universe, indexes_of, set_of
from eksnetpol.policy.world import World

SHOWN = 5
"""Connections shown of those that flow too much."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection that flows and did not: from whom to whom, and who enforces on the nodes of both. Nodes are empty outside."""

    source: str
    destination: str
    protocol: str
    port: int
    source_node: str = ""
    source_by: str = ""
    destination_node: str = ""
    destination_by: str = ""

    def __str__(self) -> str:
        source = _end(self.source, self.source_node, self.source_by)
        destination = _end(self.destination, self.destination_node, self.destination_by)
        return f"{source} to {destination}, {self.protocol} {self.port}"


def _end(who: str, node: str, by: str) -> str:
    where = f"{node}: {by}" if node else by
    return f"{who} ({where})" if where else who


@dataclass(frozen=True, slots=True)
class Exposed:
    """What flows at one moment and did not at the beginning.

    ``pairs`` counts pairs of workloads, or of a workload and a block outside, of which something does; ``flows`` shows a few.
    """

    pairs: int = 0
    flows: tuple[Flow, ...] = ()


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What does not flow at one moment and did at the beginning.

    ``pairs`` counts pairs of workloads, or of a workload and a block outside, of which something does not; ``shown`` are a few,
    as source, destination and what that is. ``cut_off`` counts pods that started on nodes with frozen rules, so that nothing
    reaches them.
    """

    pairs: int = 0
    shown: tuple[tuple[str, str, str], ...] = ()
    cut_off: int = 0


class Exposure:
    """Follows a migration scene by scene. *placed* says which workloads have pods with an address of their own on a node.

    *ours* are the NetworkPolicies that the migration brings, by namespace and name, *coming* all that will be in force, so that
    pods are told apart by them from the beginning. *accepted* is what people have taken on by name, rule by rule: it counts as
    far as it flows at the end too; None where they have taken on nothing.
    """

    def __init__(
        self,
        world: World,
        dialect: str,
        profile: Profile,
        placed: Callable[[str], Iterable[Workload]],
        *,
        ours: Collection[tuple[str, str]] = (),
        coming: Iterable[Rules] = (),
        accepted: TakenOn | None = None,
        base: Universe | None = None,
    ) -> None:
        self._placed = placed
        self._ours = frozenset(ours)
        self._rules = self._held = Rules.of(world)
        self._held = self._against(self._rules)
        self._accepted = accepted
        self._base = base
        self._nodes = Nodes(self._workloads, lambda old: self._now(old=old))
        self._told: tuple[object, Exposed] = (None, Exposed())
        self._told_less: tuple[object, Narrowed] = (None, Narrowed())
        self._coming = (self._rules, *coming, *((accepted.end,) if accepted else ()))
        self._draw(world, dialect, profile, self._coming)

    def _draw(self, world: World, dialect: str, profile: Profile, coming: Iterable[Rules]) -> None:
        self.terrain = Terrain.draw(world, dialect, profile, coming, self._base)
        self._sides: dict[tuple[Version | None, Version | None], Side] = {}
        self._versions: dict[bool, Version] = {}
        self.__dict__.pop("_taken_on", None)
        self._baseline: Meaning = self.terrain.old(self._held)
        everything = self.terrain.everything
        nobody = Part(self.terrain, Nothing(everything), self._baseline, everything, alike=False)
        self._nobody = Version(Rules(), ((nobody, everything),))

    def _workloads(self, node: str) -> int:
        number = self.terrain.number
        return set_of({number[w] for w in self._placed(node) if w in number})

    # --- policies -----------------------------------------------------------------------------------------------------

    def learn(self, rules: Rules) -> None:
        """Take in that these policies are in force from now on."""
        former, self._rules = self._rules, rules
        self._told, self._told_less = (None, Exposed()), (None, Narrowed())
        self._sides.clear()
        held = self._against(rules)
        # Somebody else may change policies while the cluster moves: what these mean is what is wanted from then on.
        if self._held.moved(held, old=True) or not self._is_drawn_for(former, rules):
            self._held = held
            was, versions = self.terrain, dict(self._nodes.versions)
            coming = (held, rules, *(version.rules for version in versions), *self._coming)
            self._draw(was.world, was.dialect, was.profile, coming)
            self._nodes.rename({version: self._whole(version.rules, old=old) for version, old in versions.items()})

    def _is_drawn_for(self, former: Rules, rules: Rules) -> bool:
        """Say whether pods are told apart by all that *rules* ask for and *former* did not."""
        moved = rules.moved(former, old=True) | rules.moved(former, old=False)
        if not moved:
            return True
        world, dialect, profile = self.terrain.world, self.terrain.dialect, self.terrain.profile
        return asked(world, dialect, profile, rules, None if EVERYWHERE in moved else moved) <= self.terrain.asks

    def _against(self, rules: Rules) -> Rules:
        foreign = {_key(p): p for p in self._held.foreign} | {_key(p): p for p in rules.foreign}
        admin = {(p.kind, p.name): p for p in self._held.admin} | {(p.kind, p.name): p for p in rules.admin}
        policies = tuple(p for p in rules.policies if (p.namespace, p.name) not in self._ours)
        return replace(rules, policies=policies, foreign=tuple(foreign.values()), admin=tuple(admin.values()))

    def _whole(self, rules: Rules, *, old: bool) -> Version:
        everything = self.terrain.everything
        return Version(rules, ((self._part(rules, None, everything, old=old), everything),))

    def _part(self, rules: Rules, namespaces: Collection[str] | None, scope: Classes, *, old: bool) -> Part:
        meaning = self.terrain.old(rules, namespaces) if old else self.terrain.new(rules, namespaces)
        return Part(self.terrain, meaning, self._baseline, scope, alike=old)

    def _now(self, *, old: bool) -> Version:
        """Return what the policies of now mean to one engine."""
        former, rules = self._versions.get(old), self._rules
        if former is None:
            self._versions[old] = self._whole(rules, old=old)
        elif former.rules is not rules:
            moved = rules.moved(former.rules, old=old)
            self._versions[old] = former.after(rules, moved, lambda names, scope: self._part(rules, names, scope, old=old))
        return self._versions[old]

    # --- moments ------------------------------------------------------------------------------------------------------

    def see(self, scene: Scene) -> Exposed:
        """Take a moment in, and return what flows then that did not at the beginning."""
        self._nodes.see(scene)
        key = self._key()
        if self._told[0] != key:
            self._told = (key, self._widened())
        return self._told[1]

    def _key(self) -> object:
        return tuple((mode, group.present) for mode, group in self._nodes.groups.items())

    def _widened(self) -> Exposed:
        rows: dict[int, int] = {}
        blocks: set[tuple[int, object]] = set()
        flows: dict[Flow, None] = {}
        for (mine, here), (theirs, there) in self._pairs():
            for index, partition in too_much(self._side(mine, theirs), self._side(theirs, mine), self._taken_on):
                if there >> index & 1:
                    left = self._without_self(parts.only(partition, here), index)
                    self._count(rows, index, left)
                    flows |= dict.fromkeys(islice(self._flows(left, index, mine, theirs), max(0, SHOWN - len(flows))))
        for mode, here in self._present().items():
            for place, partition in self._side(mode, mode).more.outside.items():
                left = minus(parts.only(partition, here), self._taken_on.outside.get(place, ()))
                blocks |= {(at, place) for at in indexes_of(self.terrain.workloads_of(_whoever(left)))}
                flows |= dict.fromkeys(islice(self._flows_outside(left, *place, mode), max(0, SHOWN - len(flows))))
        return Exposed(_pairs_of(rows) + len(blocks), tuple(flows))

    def narrowed(self) -> Narrowed:
        """Return what flowed at the beginning and does not at the moment seen last."""
        key = self._key()
        if self._told_less[0] != key:
            self._told_less = (key, self._narrowed())
        return replace(self._told_less[1], cut_off=self._nodes.late)

    def _narrowed(self) -> Narrowed:
        rows: dict[int, int] = {}
        blocks: set[tuple[int, object]] = set()
        shown: dict[tuple[str, str], Connections] = {}
        for (mine, here), (theirs, there) in self._pairs():
            lost = (
                (self._side(mine, theirs).less.out, self._baseline.taken),
                (self._side(theirs, mine).less.into, self._baseline.sent),
            )
            for partitions, other in lost:
                for index, partition in partitions.items():
                    if there >> index & 1:
                        left = self._without_self(parts.only(parts.met(partition, other(index)), here), index)
                        self._count(rows, index, left)
                        where = str(self.terrain.workloads[self.terrain.workload_at[index]])
                        self._show(shown, left, lambda who, where=where: (who, where))  # type: ignore[misc]
        for mode, here in self._present().items():
            for place, partition in self._side(mode, mode).less.outside.items():
                left = parts.only(partition, here)
                blocks |= {(at, place) for at in indexes_of(self.terrain.workloads_of(_whoever(left)))}
                self._show(shown, left, lambda who, place=place: _outside(who, *place))  # type: ignore[misc]
        few = tuple((*pair, str(connections)) for pair, connections in shown.items())
        return Narrowed(_pairs_of(rows) + len(blocks), few)

    def _show(
        self, shown: dict[tuple[str, str], Connections], left: Partition, pair_of: Callable[[str], tuple[str, str]]
    ) -> None:
        """Note what a few pairs have lost."""
        for connections, classes in left:
            for at in indexes_of(self.terrain.workloads_of(classes)):
                pair = pair_of(str(self.terrain.workloads[at]))
                if pair in shown or len(shown) < SHOWN:
                    shown[pair] = shown.get(pair, NOTHING) | connections
                else:
                    return

    def _without_self(self, partition: Partition, index: int) -> Partition:
        """Leave out what a pod has with itself: nothing stands in between."""
        alone = len(self.terrain.chart.universe.classes[index].pods) == 1
        return parts.only(partition, ~(1 << index)) if alone else partition

    def _count(self, rows: dict[int, int], index: int, partition: Partition) -> None:
        if partition:
            at = self.terrain.workload_at[index]
            rows[at] = rows.get(at, 0) | self.terrain.workloads_of(_whoever(partition))

    def _present(self) -> Mapping[Mode, Classes]:
        """Return the classes with pods on nodes of each mode. Those on the host network are everywhere, and policed nowhere."""
        hosts = self.terrain.chart.universe.on_host_network
        groups = self._nodes.groups.items()
        return {mode: self.terrain.classes(group.present) | hosts for mode, group in groups if group.present}

    def _pairs(self) -> Iterator[tuple[tuple[Mode, Classes], tuple[Mode, Classes]]]:
        present = self._present().items()
        return ((one, other) for one in present for other in present)

    def _side(self, mode: Mode, facing: Mode) -> Side:
        """Return what engines do on a node towards pods on nodes of another mode."""
        old, new = self._resolved(mode[0], old=True), self._resolved(mode[1], old=False)
        if old is not None and facing[0] is None and self.terrain.dialect in BY_IDENTITY:
            old = old.blind
        known = self._sides.get((old, new))
        if known is None:
            versions = tuple(v for v in (old, new) if v is not None)
            known = self._sides[old, new] = Side(versions or (self._nobody,))
        return known

    def _resolved(self, does: Does, *, old: bool) -> Version | None:
        return self._now(old=old) if does == LIVE else does if isinstance(does, Version) else None

    @cached_property
    def _taken_on(self) -> Change:
        """What people have taken on by name: of what one side lets through too much at the end, what waived rules do."""
        if self._accepted is None:
            return Change()
        end = self._whole(self._accepted.end, old=False).more
        spaces = self.terrain.chart.universe.in_namespace
        both = (self.terrain.of_stack(self._accepted.waived.denials), self.terrain.new(self._accepted.rules(spaces)))

        def met(left: Partition, asked: Callable[[Meaning], Partition]) -> Partition:
            return parts.met(left, either(*map(asked, both)))

        samples = self.terrain.samples
        return Change(
            {at: met(left, lambda m, at=at: m.sent(at, sure=False)) for at, left in end.out.items()},  # type: ignore[misc]
            {at: met(left, lambda m, at=at: m.taken(at, sure=False)) for at, left in end.into.items()},  # type: ignore[misc]
            {
                key: met(left, lambda m, key=key: m.outside(key[0], samples[key[1]], sure=False))  # type: ignore[misc]
                for key, left in end.outside.items()
            },
        )

    # --- one connection -----------------------------------------------------------------------------------------------

    def between(self, source: int, source_node: str, destination: int, destination_node: str) -> Connections:
        """Return what flows at the moment seen last from a pod of one class on a node to one of another, classes of `terrain`."""
        mine, theirs = self._nodes.mode_of(source_node), self._nodes.mode_of(destination_node)
        out, into = self._side(mine, theirs).sent(destination), self._side(theirs, mine).taken(destination)
        return parts.of_class(out, source) & parts.of_class(into, source)

    def beyond(self, source: int, node: str, address: str) -> Connections:
        """Return what flows at the moment seen last from a pod of a class on a node to an address that is no pod's."""
        found = EVERYTHING
        for does, old in zip(self._nodes.mode_of(node), (True, False), strict=True):
            version = self._resolved(does, old=old)
            for part, scope in version.parts if version is not None else ():
                if scope >> source & 1:
                    found &= parts.of_class(part.meaning.outside(Direction.EGRESS, address), source)
        return found

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _flows(self, partition: Partition, index: int, mine: Mode, theirs: Mode) -> Iterator[Flow]:
        destination = self.terrain.workload_at[index]
        for connections, classes in partition:
            case = first_of(connections)
            if case is None:
                continue
            for source in indexes_of(self.terrain.workloads_of(classes)):
                names = (str(self.terrain.workloads[source]), str(self.terrain.workloads[destination]))
                here, there = self._where(mine, source), self._where(theirs, destination)
                yield Flow(*names, *case, *here, *there)

    def _where(self, mode: Mode, workload: int) -> tuple[str, str]:
        """Return a node with pods of a workload and who enforces there."""
        node = self._nodes.named(mode, workload)
        return (node, words(mode)) if node else ("", "on the host network")

    def _flows_outside(self, partition: Partition, way: Direction, atom: Atom, mode: Mode) -> Iterator[Flow]:
        for connections, classes in partition:
            case = first_of(connections)
            at = self.terrain.workload_at[next(indexes_of(classes))]
            if case is None:
                continue
            who, (node, by) = str(self.terrain.workloads[at]), self._where(mode, at)
            if way is Direction.EGRESS:
                yield Flow(who, str(atom.block), *case, source_node=node, source_by=by)
            else:
                yield Flow(str(atom.block), who, *case, destination_node=node, destination_by=by)


def _outside(who: str, way: Direction, atom: Atom) -> tuple[str, str]:
    return (who, str(atom.block)) if way is Direction.EGRESS else (str(atom.block), who)


def _whoever(partition: Partition) -> Classes:
    found = 0
    for _, classes in partition:
        found |= classes
    return found


def _pairs_of(rows: Mapping[int, int]) -> int:
    return sum(row.bit_count() for row in rows.values())


def _key(policy: ForeignPolicy) -> tuple[str, str, str, str]:
    return policy.api_version, policy.kind, policy.metadata.namespace, policy.metadata.name
