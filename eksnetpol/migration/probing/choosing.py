"""Which connections are tried: a few that stand for all, chosen from what the policies let through.

Chosen are only connections of which the old engine and the VPC CNI think alike, so that the answer must be the same at every
moment of the migration. For each group of pods that policies are about there is one that is denied and one that is allowed, to
the same pod and port: the second is the control without which the first says nothing. The same input gives the same choice.

Pods that policies cannot tell apart by labels are a *group*. A probe gets a new address, so that a group whose pods policies tell
apart by their addresses stands for nothing, and is left out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from eksnetpol.engines.parts import EVERY_WAY
from eksnetpol.migration.meanings import Meaning, Terrain
from eksnetpol.migration.probing.safety import BY_JOBS, blocked_budget
from eksnetpol.migration.rules import Rules
from eksnetpol.model.actions import Probe, ProbeSource, ProbeTarget, ProbeTry
from eksnetpol.model.kinds import JOB, ObjectRef
from eksnetpol.model.kubernetes import DisruptionBudget
from eksnetpol.policy.answers import Partition
from eksnetpol.policy.connections import TCP
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, indexes_of
from eksnetpol.policy.world import World

IMDS = "169.254.169.254"
"""Where EC2 answers with an instance's metadata."""

MOST_SOURCES = 12
_LOOKED_AT = 400
"""Groups that are looked at as sources, and as targets, at most: more of them would say little more."""
_PORTS = 2
"""Ports of one target that are looked at."""
_DNS = ("kube-system", "k8s-app", "kube-dns", 53)
_TO_API = 443
_NAMED = 3
_OF_ENGINES = frozenset(name for way in EVERY_WAY for name in way.namespaces)
"""Namespaces that go with an engine."""
_OF_SYSTEM = _OF_ENGINES | {"kube-system", "kube-public", "kube-node-lease"}
"""Where no probe is put."""


@dataclass(frozen=True)
class Chosen:
    """What is tried at every gate. ``notes`` say in words what could not be, and why."""

    sources: tuple[ProbeSource, ...] = ()
    targets: tuple[ProbeTarget, ...] = ()
    tries: tuple[ProbeTry, ...] = ()
    notes: tuple[str, ...] = ()

    def at(self, gate: str, image: str, *, nodes: tuple[str, ...] = (), label: str = "", near: bool = False) -> Probe:
        """Return what is done at *gate*; its Jobs have names of their own."""
        sources = tuple(ProbeSource(s.title, _job(gate, s), s.labels) for s in self.sources)
        return Probe(gate, image, sources, self.targets, self.tries, nodes, label, near)

    @property
    def words(self) -> str:
        """How much that is."""
        denied = sum(not one.allowed for one in self.tries)
        return f"{len(self.tries)} connections from {len(self.sources)} kinds of pods, {denied} of which policies deny"


@dataclass(frozen=True, eq=False)
class Group:
    """Pods that policies cannot tell apart by their labels. ``members`` are their classes."""

    namespace: str
    labels: Mapping[str, str]
    title: str
    members: Classes


def choose(
    world: World,
    dialect: str,
    profile: Profile,
    end: Rules,
    budgets: Iterable[DisruptionBudget],
    most: int,
) -> Chosen:
    """Return at most *most* connections to try in *world* as the engine of *dialect* is left; *end* is in force afterwards."""
    beginning = Rules.of(world)
    terrain = Terrain.draw(world, dialect, profile, (beginning, end))
    if told := sorted(terrain.asks.keys & BY_JOBS):
        return Chosen(notes=(f"no connection is tried: policies tell pods apart by {told[0]}, which a probe's pod always has",))
    return _Choice(terrain, terrain.old(beginning), terrain.new(end), tuple(budgets), most).made()


@dataclass
class _Choice:
    terrain: Terrain
    old: Meaning
    new: Meaning
    budgets: tuple[DisruptionBudget, ...]
    most: int
    sources: dict[int, Group] = field(default_factory=dict)
    """Chosen ones, by their place among the groups."""
    targets: dict[str, ProbeTarget] = field(default_factory=dict)
    tries: list[tuple[int, str, int, bool, int, bool]] = field(default_factory=list)
    unsafe: dict[str, None] = field(default_factory=dict)
    alone: dict[str, None] = field(default_factory=dict)
    """Targets that no probe is surely let in to."""
    known: dict[tuple[Classes, int], tuple[Classes, Classes]] = field(default_factory=dict)
    used: Counter[int] = field(default_factory=Counter)
    """How often each group was chosen as a source."""

    def made(self) -> Chosen:
        self.groups = tuple(self._groups())
        mine = [at for at, group in enumerate(self.groups) if group.namespace not in _OF_SYSTEM][:_LOOKED_AT]
        self.fit = [at for at in mine if self._is_safe(self.groups[at])]
        reserve = min(8, self.most // 4)
        plain: list[tuple[Group, int]] = []
        there = [g for g in self.groups if g.namespace not in _OF_ENGINES and g.members & self.terrain.policed][:_LOOKED_AT]
        for group in there:
            ports = self._ports(group)
            plain += [(group, port) for port in ports if not self._pair(group, port, self.most - reserve)]
        self._special()
        for group, port in plain:
            source = self._pick(self._may(group, port)[0])
            if source is not None and len(self.tries) < self.most:
                self._try(source, self._target(group), port, allowed=True)
        places = {at: number for number, at in enumerate(self.sources)}
        self.targets = {name: self.targets[name] for name in dict.fromkeys(one[1] for one in self.tries)}
        names = {name: number for number, name in enumerate(self.targets)}
        tries = tuple(
            ProbeTry(places[source], names[target], port, allowed, control, counts)
            for source, target, port, allowed, control, counts in self.tries
        )
        sources = tuple(ProbeSource(g.title, ObjectRef.to(JOB, "", g.namespace), dict(g.labels)) for g in self.sources.values())
        return Chosen(sources, tuple(self.targets.values()), tries, tuple(self._notes()))

    # --- groups -------------------------------------------------------------------------------------------------------

    def _groups(self) -> Iterator[Group]:
        chart, keys = self.terrain.chart, self.terrain.asks.keys
        found: dict[tuple[str, tuple[tuple[str, str], ...]], Classes] = {}
        for one in chart.universe.classes:
            if one.host_network or one.is_terminal:
                continue
            kept = tuple(sorted((key, value) for key, value in one.labels.items() if key in keys))
            found[one.namespace, kept] = found.get((one.namespace, kept), 0) | one.bit
        for (namespace, kept), members in sorted(found.items()):
            title = str(self.terrain.workloads[self.terrain.workload_at[next(indexes_of(members))]])
            yield Group(namespace, dict(kept), title, members)

    def _is_safe(self, group: Group) -> bool:
        why = self._danger(group)
        if why:
            self.unsafe[f"{group.title} ({why})"] = None
        return not why

    def _danger(self, group: Group) -> str:
        """Return why no probe is like the pods of *group*, empty where one may be."""
        chart = self.terrain.chart
        classes = [chart.universe.classes[index] for index in indexes_of(group.members)]
        places = {chart.address[index] for index in indexes_of(self.terrain.policed)}
        if len(places) > 1 and {chart.address[one.index] for one in classes} != places:
            return "policies name blocks that some pods are in, and where a probe's address falls is not known before"
        if self.terrain.asks.accounts and any(one.service_account not in {"", "default"} for one in classes):
            return "policies tell pods apart by service accounts, and a probe has none of theirs"
        if any(one.example.spec.node_name.startswith("fargate-") for one in classes):
            return "its pods run on Fargate"
        budget = blocked_budget(self.budgets, group.namespace, group.labels)
        if budget:
            return f"PodDisruptionBudget {budget} would allow no eviction as long as a Job's pod is among its own"
        return ""

    def _ports(self, group: Group) -> tuple[int, ...]:
        """Return ports to try: first those that its pods declare, then those by which policies tell what it takes.

        Before all others come those of either kind at which some are let in and others are not.
        """
        declared = {number for index in indexes_of(group.members) for number in self._declared(index)}
        told: set[int] = set()
        for index in indexes_of(group.members):
            taken = (connections[TCP] for connections, _ in self.old.taken(index))
            told |= {ports.intervals[0][0] for ports in taken if ports and ports.intervals[0][0] > 1}
        some = (*sorted(declared)[: 2 * _PORTS], *sorted(told - declared)[:_PORTS])
        return tuple(sorted(some, key=lambda port: not all(self._may(group, port)))[:_PORTS])

    def _declared(self, index: int) -> frozenset[int]:
        return frozenset(number for protocol, _, number in self.terrain.chart.ports[index] if protocol == TCP and number)

    def _target(self, group: Group) -> str:
        keys = sorted(self.terrain.asks.keys - group.labels.keys())
        target = ProbeTarget(group.title, "", group.namespace, dict(group.labels), tuple(keys))
        # Two groups may have pods of one workload.
        name = f"{group.namespace} {sorted(group.labels.items())}"
        self.targets.setdefault(name, target)
        return name

    # --- what may flow ------------------------------------------------------------------------------------------------

    def _may(self, group: Group, port: int) -> tuple[Classes, Classes]:
        """Return who surely may and who surely may not, whichever of the two engines is asked."""
        everything = self.terrain.everything
        known = self.known.get((group.members, port))
        if known is not None:
            return known
        may, may_not = everything, everything
        for index in indexes_of(group.members):
            for meaning in (self.old, self.new):
                may &= _allowing(meaning.taken(index), port) & _allowing(meaning.sent(index), port)
                may_not &= ~(
                    _allowing(meaning.taken(index, sure=False), port) & _allowing(meaning.sent(index, sure=False), port)
                )
        self.known[group.members, port] = may, may_not & everything
        return self.known[group.members, port]

    def _outside(self, address: str, port: int) -> tuple[Classes, Classes]:
        may = may_not = self.terrain.everything
        for meaning in (self.old, self.new):
            may &= _allowing(meaning.outside(Direction.EGRESS, address), port)
            may_not &= ~_allowing(meaning.outside(Direction.EGRESS, address, sure=False), port)
        return may, may_not

    def _pick(self, classes: Classes, most: int = MOST_SOURCES) -> int | None:
        """Return the group that was used least of those all of whose pods are in *classes*, so that many have their turn.

        Once *most* are chosen it is one of these.
        """
        some = self.sources if len(self.sources) >= most else self.fit
        found = [at for at in some if not self.groups[at].members & ~classes]
        return min(found, key=lambda at: (self.used[at], at), default=None)

    # --- tries --------------------------------------------------------------------------------------------------------

    def _pair(self, group: Group, port: int, most: int) -> bool:
        """Choose who is denied and who is let in as its control; return False where there is nobody to be denied."""
        may, may_not = self._may(group, port)
        if not may_not:
            return False
        if len(self.tries) + 2 > most:
            return True
        # Who may is often one group alone; who may not are most, so that these need not be new ones.
        let_in, kept_out = self._pick(may), self._pick(may_not, MOST_SOURCES * 2 // 3)
        if let_in is not None and kept_out is not None:
            self._with_control(let_in, kept_out, self._target(group), port)
        elif let_in is not None:
            return False
        else:
            self.alone[f"{group.title}, TCP {port}"] = None
        return True

    def _special(self) -> None:
        """Choose names, the Kubernetes API and instance metadata, as far as those chosen differ there."""
        namespace, key, value, port = _DNS
        for group in self.groups:
            if (group.namespace, group.labels.get(key, value)) == (namespace, value) and "dns" in group.title:
                if port in self._ports(group):
                    self._among(*self._may(group, port), partial(self._target, group), port)
                break
        for address in sorted(self.terrain.world.api_servers or ())[:1]:
            there = partial(self._beyond, "the Kubernetes API", address)
            self._among(*self._outside(address, _TO_API), there, _TO_API)
        self._among(*self._outside(IMDS, 80), partial(self._beyond, "instance metadata", IMDS), 80, counts=False)

    def _among(self, may: Classes, may_not: Classes, target: Callable[[], str], port: int, *, counts: bool = True) -> None:
        there = target()
        if len(self.tries) + 2 > self.most or any((one[1], one[2]) == (there, port) for one in self.tries):
            return
        let_in, kept_out = self._pick(may), self._pick(may_not)
        if let_in is not None and kept_out is not None:
            self._with_control(let_in, kept_out, there, port, counts=counts)
        elif let_in is not None and counts:
            self._try(let_in, there, port, allowed=True)

    def _beyond(self, title: str, address: str) -> str:
        self.targets.setdefault(title, ProbeTarget(title, address))
        return title

    def _with_control(self, let_in: int, kept_out: int, target: str, port: int, *, counts: bool = True) -> None:
        control = self._try(let_in, target, port, allowed=True, counts=counts)
        self._try(kept_out, target, port, allowed=False, control=control)

    def _try(
        self, source: int, target: str, port: int, *, allowed: bool, control: int = -1, counts: bool = True
    ) -> int:
        self.sources.setdefault(source, self.groups[source])
        self.used[source] += 1
        self.tries.append((source, target, port, allowed, control, counts))
        return len(self.tries) - 1

    def _notes(self) -> Iterator[str]:
        if self.unsafe:
            named = "; ".join(list(self.unsafe)[:_NAMED])
            more = f"; and {len(self.unsafe) - _NAMED} more" if len(self.unsafe) > _NAMED else ""
            yield f"no probe is like the pods of {named}{more}"
        if self.alone:
            named = "; ".join(list(self.alone)[:_NAMED])
            more = f"; and {len(self.alone) - _NAMED} more" if len(self.alone) > _NAMED else ""
            yield f"no denial is tried where no probe is let in, since nothing would show that the target works: {named}{more}"
        if not any(not allowed for _, _, _, allowed, _, _ in self.tries):
            yield "no connection that policies deny is tried: none was found that both engines deny and that has a control"


def _allowing(partition: Partition, port: int) -> Classes:
    found = 0
    for connections, classes in partition:
        if connections.allows(TCP, port):
            found |= classes
    return found


def _job(gate: str, source: ProbeSource) -> ObjectRef:
    """Return what the Job of a source is called at a gate: the agent tells pods apart by the name before the last dash."""
    key = f"{gate}\n{source.job.namespace}\n{sorted(source.labels.items())}"
    return ObjectRef.to(JOB, f"eksnetpol-probe-{hashlib.sha256(key.encode()).hexdigest()[:10]}", source.job.namespace)
