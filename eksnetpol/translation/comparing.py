"""The source engine and the VPC CNI laid over each other: what they differ in, and which rule of the source had the say there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice, zip_longest

import msgspec

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Pod
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.answers import Addresses, Decision, Engine, Party, Pods, Say
from eksnetpol.policy.cells import Place
from eksnetpol.policy.connections import ICMP, ICMPV6, Connections
from eksnetpol.policy.difference import Changed, Difference, difference
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Semantics
from eksnetpol.policy.questions import ECHO, shown_of
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.universe import build
from eksnetpol.policy.world import World
from eksnetpol.translation.boxes import Ref
from eksnetpol.translation.comparing_services import Through
from eksnetpol.translation.values import Options, Output, Witness
from eksnetpol.translation.vpc import survey
from eksnetpol.translation.witnesses import asked_by, witnesses

_PAIRS = 200
"""Pairs of pods looked at for one that shows a change."""

_CELLS = 20_000
"""Where more cells differ, only some are looked into: of each way to differ, every source and every destination."""

_GAINED, _LOST = 4_000, 400
"""So many verdicts are asked for where something flows only afterwards, or only before: these only illustrate."""


_Key = tuple[str, str, Connections, Connections]
"""Between whom what is gained, and what lost."""


@dataclass
class Differences:
    """By rule, or policy where the place is empty, a connection that flows only before (*lost*) or only after (*gained*).

    ``lost_to_come`` are those that only pods would have that nobody has today; ``to_come``, where all that is gained is such.
    ``gained_with_others`` and ``lost_with_others`` differ only once there are pods of further combinations of labels.
    """

    lost: dict[Ref, Witness] = field(default_factory=dict)
    lost_to_come: dict[Ref, Witness] = field(default_factory=dict)
    gained: dict[Ref, Witness] = field(default_factory=dict)
    to_come: set[Ref] = field(default_factory=set)
    gained_with_others: dict[Ref, Witness] = field(default_factory=dict)
    lost_with_others: dict[Ref, Witness] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def objects(outputs: Iterable[Output]) -> tuple[tuple[NetworkPolicy, ...], tuple[ClusterNetworkPolicy, ...]]:
    """Return *outputs* as objects of their two kinds."""
    outputs = tuple(outputs)
    made = tuple(msgspec.convert(o.manifest, NetworkPolicy) for o in outputs if not o.is_cluster_wide)
    return made, tuple(msgspec.convert(o.manifest, ClusterNetworkPolicy) for o in outputs if o.is_cluster_wide)


def after(world: World, outputs: Iterable[Output]) -> World:
    """Return *world* as it is with *outputs* applied and the other engine gone."""
    made, above = objects(outputs)
    taken, names = {(p.namespace, p.name) for p in made}, {p.metadata.name for p in above}
    left = tuple(p for p in world.network_policies if (p.namespace, p.name) not in taken)
    others = tuple(p for p in world.cluster_policies if p.metadata.name not in names)
    return replace(
        world, network_policies=(*left, *made), cluster_policies=(*others, *above), admin_policies=(), foreign_policies=()
    )


def compare(stack: Stack, world: World, options: Options, outputs: Iterable[Output]) -> Differences:
    """Return what differs over the pods of today and one pod for each combination of labels that the policies tell apart.

    The ways through the addresses of Services are looked at too, from and to pods of today.
    What a pod and its own node have is left out: the agent lets it through whatever is written.
    """
    outputs = tuple(outputs)
    addresses = survey(world, options.vpc, 6 if options.profile.family == "ipv6" else 4)
    later = after(world, outputs)
    single, further, notes = witnesses(stack, world, addresses, asked_by(later))
    owners = {output.ref: output.origins[0] for output in outputs}
    laid = _Laid(stack, world, later, options, owners)
    answer = laid.compared(single)
    if further:
        # With them pods of today may have other connections too: a port's name means what all pods that a policy selects call so.
        wider = laid.compared((*single, *further))
        answer.gained_with_others = {ref: shown for ref, shown in wider.gained.items() if ref not in answer.gained}
        known = answer.lost.keys() | answer.lost_to_come.keys()
        answer.lost_with_others = {r: w for r, w in (wider.lost_to_come | wider.lost).items() if r not in known}
        notes += () if answer.notes else wider.notes
    answer.notes += notes
    return answer


@dataclass
class _Laid:
    """A cluster before and *later*, laid over each other with pods that nobody has yet."""

    stack: Stack
    world: World
    later: World
    options: Options
    owners: Mapping[Subject, Subject]
    seen: set[_Key] = field(default_factory=set)

    def compared(self, planned: tuple[Pod, ...]) -> Differences:
        """Return what differs with pods *planned*; what was looked into with fewer of them is not once more."""
        profile = self.options.profile
        wide = replace(self.world, pods=(*self.world.pods, *planned))
        base = build(wide.pods, wide.namespaces)
        before = engine_for(wide, profile, self.stack, base)
        target = build_engine(replace(self.later, pods=wide.pods), replace(profile, semantics=Semantics.VPC_CNI), base=base)
        foreign = ICMP if profile.family == "ipv6" else ICMPV6
        made_up = frozenset((p.namespace, p.name) for p in planned)
        titles = frozenset(map("/".join, made_up))
        looking = _Looking(difference(before, target, _CELLS), wide, self.owners, foreign, titles, self.seen)
        answer = looking.answer()
        self.seen = {_key(change) for change in looking.found.changes}
        looking.add(answer, Through(before, target, made_up).changes())
        return answer


@dataclass
class _Looking:
    found: Difference
    world: World
    owners: Mapping[Subject, Subject]
    foreign: str
    """The ICMP of the other family, in which nobody has an address: what is said of it shows nothing."""
    made_up: frozenset[str]
    """Pods that nobody has, as verdicts name them."""
    seen: Collection[_Key] = ()
    """What was looked into before."""

    def answer(self) -> Differences:
        answer = Differences()
        unnamed: dict[str, None] = {}
        unlike = [c for c in self.found.changes if not self.seen or _key(c) not in self.seen]
        gained = [c for c in unlike if c.gained]
        lost = [c for c in unlike if c.lost]
        unseen = self.found.left_out if gained else 0
        for changes, more, most in ((gained, True, _GAINED), (lost, False, _LOST)):
            asked = 0
            for number, change in enumerate(chain(_in_turn(c for c in changes if not self._is_to_come(c)), self._later(changes))):
                if asked >= most:
                    unseen += len(gained) - number if more else 0
                    break
                for before, later in self._shown(change, change.gained if more else change.lost, more=more):
                    asked += 1
                    self._note(answer, before, later, unnamed)
        answer.notes = tuple(_notes(list(unnamed), unseen))
        return answer

    def _later(self, changes: Iterable[Changed]) -> Iterator[Changed]:
        """Yield what is of pods that nobody has today."""
        return _in_turn(c for c in changes if self._is_to_come(c))

    def _is_to_come(self, change: Changed) -> bool:
        workloads = (place.workload for place in (change.source, change.destination))
        return any(one is not None and f"{one.namespace}/{one.name}" in self.made_up for one in workloads)

    def add(self, answer: Differences, found: Iterable[tuple[Decision, Decision]]) -> None:
        """Add what was *found* elsewhere: verdicts before and after that differ."""
        unnamed: dict[str, None] = {}
        for before, later in found:
            self._note(answer, before, later, unnamed)
        answer.notes += tuple(_notes(list(unnamed), 0))

    def _note(self, answer: Differences, before: Decision, later: Decision, unnamed: dict[str, None]) -> None:
        ref = self._ref(before, later)
        shown = Witness(before.source, before.destination, before.protocol, before.port, before.allowed)
        if ref is not None:
            is_to_come = bool({before.source, before.destination} & self.made_up)
            if later.allowed and is_to_come and ref not in answer.gained:
                answer.to_come.add(ref)
            lost = answer.lost_to_come if is_to_come else answer.lost
            (answer.gained if later.allowed else lost).setdefault(ref, shown)
        elif later.allowed:
            unnamed[str(shown)] = None

    def _shown(self, change: Changed, connections: Connections, *, more: bool) -> Iterator[tuple[Decision, Decision]]:
        """Yield the verdicts of both on one case of each protocol of *connections*, which flow only later where *more* do."""
        pairs = list(islice(self._pairs(change), _PAIRS))
        before, later = self.found.before.engine, self.found.after.engine
        for protocol, numbers in connections.items():
            if protocol == self.foreign:
                continue
            number = ECHO if protocol == ICMP and ECHO in numbers else shown_of(numbers)
            for source, destination in pairs:
                was = before.decide(_party(before, source), _party(before, destination), protocol, number)
                now = later.decide(_party(later, source), _party(later, destination), protocol, number)
                if was.allowed is not more and now.allowed is more:
                    yield was, now
                    break

    def _ref(self, before: Decision, later: Decision) -> Ref | None:
        """Return the rule or policy of the source that settled what is otherwise later; None where none did."""
        sides = [(was, now) for was, now in zip(before.sides, later.sides, strict=True) if was.allowed != now.allowed]
        for was, now in sides:
            # A NetworkPolicy that stays, and isolated its pods before, now has a rule that lets it through.
            isolating = {decider.subject for decider in was.deciders if decider.say is Say.ISOLATES}
            for decider in now.deciders:
                subject = decider.subject if decider.subject in isolating and decider.say is Say.ALLOWS else None
                if subject is not None and subject not in self.owners:
                    return subject, f"spec.{decider.place.partition('.')[0]}"
        for was, _ in sides:
            for decider in reversed(was.deciders):
                if decider.subject is not None and decider.say is not Say.PASSES:
                    return decider.subject, "" if decider.say is Say.ISOLATES else decider.place
        for _, now in sides:
            for decider in reversed(now.deciders):
                if decider.subject is not None:
                    return self.owners.get(decider.subject, decider.subject), ""
        return None

    def _pairs(self, change: Changed) -> Iterator[tuple[Pod | str, Pod | str]]:
        sources, destinations = list(self._ends(change.source)), list(self._ends(change.destination))
        for source in sources:
            for destination in destinations:
                if source is not destination and not self._share_node(source, destination):
                    yield source, destination

    def _ends(self, place: Place) -> Iterator[Pod | str]:
        if place.workload is None:
            yield place.sample
            return
        seen: set[int] = set()
        for engine in (self.found.before.engine, self.found.after.engine):
            for pod_class in engine.atlas.universe.members(engine.atlas.workloads[place.workload]):
                for pod in (pod_class.pods[0], pod_class.pods[-1]):
                    if id(pod) not in seen:
                        seen.add(id(pod))
                        yield pod

    def _share_node(self, one: Pod | str, other: Pod | str) -> bool:
        """Say whether one is the node of the other, or a pod on its network."""
        mine, theirs = self._node(one), self._node(other)
        return bool(mine) and mine == theirs and (self._is_host(one) or self._is_host(other))

    def _node(self, end: Pod | str) -> str:
        if isinstance(end, str):
            return self.world.node_addresses.get(end, "")
        return end.status.host_ip or (end.status.pod_ip if end.spec.host_network else "")

    def _is_host(self, end: Pod | str) -> bool:
        return end in self.world.node_addresses if isinstance(end, str) else end.spec.host_network


def _key(change: Changed) -> _Key:
    return change.source.title, change.destination.title, change.gained, change.lost


def _in_turn(changes: Iterable[Changed]) -> Iterator[Changed]:
    """Yield one change of each destination, then a second of each, and so on: the first of them show the most."""
    by_destination: dict[str, list[Changed]] = {}
    for change in changes:
        by_destination.setdefault(change.destination.title, []).append(change)
    return (change for turn in zip_longest(*by_destination.values()) for change in turn if change is not None)


def _notes(unnamed: list[str], unseen: int) -> Iterator[str]:
    if unnamed:
        yield f"{len(unnamed)} connections flow afterwards that no policy had a say in, like {unnamed[0]}"
    if unseen:
        yield f"{unseen:,} more pairs differ than were looked into one by one: what is looser is named, but not each of its pairs"


def _party(engine: Engine, end: Pod | str) -> Party:
    if isinstance(end, str):
        return Addresses(f"{end}/{128 if ':' in end else 32}", end)
    return Pods(1 << engine.atlas.class_of[end.namespace, end.name], f"{end.namespace}/{end.name}", (end,))
