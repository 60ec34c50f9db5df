"""Rehearsing a migration on a copy of the cluster in memory, and looking after every call whether all that must hold does.

Nothing touches the real cluster. Whoever brings nodes, a node group, Karpenter or people, is played by an actor that does it in
time; one-way doors count as confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from eksnetpol.errors import EksNetpolError, Refused, StepFailed
from eksnetpol.execution import preimage
from eksnetpol.execution.addon_health import AWS_NODE
from eksnetpol.execution.executor import carry_out
from eksnetpol.facts.tracking import trackers
from eksnetpol.interfaces.acting import Clock, Journal, RolloutState, SilentWatcher, Watcher
from eksnetpol.migration import waived as waivers
from eksnetpol.migration.exposure import Exposure
from eksnetpol.migration.invariants import Violation, disordered, disowning, irreversible, unkept
from eksnetpol.migration.probing.answering import Answers
from eksnetpol.migration.rules import Rules
from eksnetpol.migration.timeline import Recorder, Rehearsal, phases
from eksnetpol.migration.waived import TakenOn, Waived
from eksnetpol.migration.watching import Watch
from eksnetpol.model.actions import Look, Probe
from eksnetpol.model.conditions import Absent, Holds, Ready, conditions
from eksnetpol.model.kinds import APPLICATION_POLICY, CLUSTER_POLICY, NETWORK_POLICY, NODE, Json, Kind, ObjectRef
from eksnetpol.model.objects.pods import labels_of
from eksnetpol.model.plan import Plan, Step, Way
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.operations.lifecycle import standing
from eksnetpol.operations.migration import Source
from eksnetpol.operations.moving import Move
from eksnetpol.operations.runs import MemoryJournal
from eksnetpol.policy.answers import Workload
from eksnetpol.policy.owners import owner_of
from eksnetpol.policy.profile import Profile
from eksnetpol.simulation.people import NodeSupply
from eksnetpol.simulation.pods import SimPod
from eksnetpol.simulation.sections import SECTIONS, kinds_of, structs
from eksnetpol.simulation.world import SimulatedCluster

RUN = "rehearsal"

EBPF = frozenset({"cilium"})
"""Dialects whose engines are eBPF ones. Calico's eBPF data plane is refused before any plan is carried out."""


NOTES = (
    "Pods that are moved count as their workload's pods did before, by labels and addresses of the beginning.",
    "How long EKS, nodes, kubelets and applications take is assumed.",
)
"""What holds for every rehearsal."""

UNTRIED = "The gates of this plan look at objects alone: no connection is tried (--probe-image)."
"""What holds for plans without probes."""

PEOPLE_WRITE_IN = 120.0
"""Seconds after which people have changed what only they may."""

ASKED = "What people have to change themselves is taken to be changed two minutes after it is asked for."

SUPPLIED = "New nodes are taken to come within two minutes after they are waited for, and drained ones to be deleted within one."


Watching = Callable[[Clock], AbstractContextManager[Watcher]]

Brought = NetworkPolicy | ClusterNetworkPolicy


def rehearsed(move: Move, profile: Profile, watching: Watching | None = None) -> Rehearsal:
    """Return how *move* goes on a copy of its cluster. Raises `Refused` where there is nothing to rehearse, else as below.

    What stands in the way of running its plan does not keep it from being rehearsed, and is in the answer.
    """
    if move.source is None or move.translation is None or not move.plan.steps:
        why = "; ".join(refusal.why for refusal in move.plan.refusals) or "; ".join(move.plan.facts)
        raise Refused(f"there is nothing to rehearse: {why}")
    done = rehearse_migration(
        move.plan,
        move.snapshot,
        move.source,
        move.brought,
        profile=profile,
        ebpf=move.source.dialect in EBPF,
        waived=waivers.waived(move.translation, move.source.stack, move.source.world),
        watching=watching,
    )
    refusals = tuple(refusal.why for refusal in standing(move.plan, move.lifted))
    return msgspec.structs.replace(done, refusals=refusals, notes=(*done.notes, *move.notes))


def rehearse_migration(  # noqa: PLR0913 - what a migration is made of
    plan: Plan,
    snapshot: ClusterSnapshot,
    source: Source,
    brought: Iterable[Brought],
    *,
    profile: Profile,
    ebpf: bool = False,
    waived: Waived | None = None,
    watching: Watching | None = None,
    prepare: Callable[[SimulatedCluster], object] = lambda _: None,
) -> Rehearsal:
    """Carry *plan* out on a copy of the cluster of *snapshot*, whose old engine's policies *source* has.

    *brought* are the policies that the plan applies. *ebpf*: the old engine is one; *waived* is what was taken on by name
    (`migration.waived`). *watching* gives somebody who is told how it proceeds, in the copy's own time, and *prepare* may do
    something to the copy before. Raises `EksNetpolError` where the snapshot does not hold what it takes.
    """
    cluster = SimulatedCluster.of(snapshot)
    prepare(cluster)
    watch = watch_over(plan, cluster, source, brought, profile=profile, ebpf=ebpf, waived=waived)
    watch()
    beginning = watch.census
    recorder = Recorder(plan, watch, cluster.monotonic)
    cluster.observers.append(watch)
    cluster.life.jobs.says = Answers(watch.exposure, partial(_there, cluster))
    journal = MemoryJournal(RUN)
    began, error = cluster.monotonic(), ""
    doors = frozenset(step.door for step in plan.steps if step.door)
    people = _People(plan, cluster)
    with watching(cluster) if watching else nullcontext(SilentWatcher()) as watcher:
        try:
            carry_out(plan, cluster, journal, cluster, _All((recorder, people, watcher)), holder=RUN, confirmed=doors)
        except StepFailed as stopped:
            # What it says of going on is for runs that can be resumed.
            error = stopped.why or str(stopped)
        except EksNetpolError as stopped:
            error = str(stopped)
    violations = (*watch.violations, *of_journal(plan, journal, snapshot))
    return Rehearsal(
        target=snapshot.target,
        title=plan.title,
        engine=source.dialect,
        seconds=cluster.monotonic() - began,
        beginning=beginning,
        end=watch.census,
        phases=tuple(phases(recorder.beats)),
        beats=tuple(recorder.beats),
        violations=violations,
        error=error,
        looks=watch.looks,
        steps=len(plan.steps),
        notes=(*NOTES, *_untried(plan), *cluster.life.untold, *people.notes),
    )


def _untried(plan: Plan) -> tuple[str, ...]:
    return () if any(isinstance(step.action, Probe) for step in plan.steps) else (UNTRIED,)


def watch_over(
    plan: Plan,
    cluster: SimulatedCluster,
    source: Source,
    brought: Iterable[Brought],
    *,
    profile: Profile,
    ebpf: bool = False,
    waived: Waived | None = None,
) -> Watch:
    """Return a watch over *plan* as it is carried out on *cluster*; see `rehearse_migration`. It has not looked yet."""
    brought = tuple(brought)
    end = Rules.of(source.world).after(brought)
    exposure = Exposure(
        source.world,
        source.dialect,
        profile,
        _placing(cluster),
        ours={(p.metadata.namespace, p.metadata.name) for p in brought if isinstance(p, NetworkPolicy)},
        coming=(end,),
        accepted=TakenOn(end, waived) if waived is not None else None,
    )
    return Watch(plan, cluster.scene, _InForce(cluster, Rules.of(source.world)), exposure, ebpf=ebpf)


def of_journal(plan: Plan, journal: Journal, snapshot: ClusterSnapshot) -> tuple[Violation, ...]:
    """Return what is wrong with a plan and the journal of its run (I5, I7, I8), whatever happened in the cluster."""

    def kept(number: int, step: Step) -> bool:
        return journal.load(preimage.name_of(number, step.id)) is not None

    entries = journal.entries()
    return (
        *irreversible(plan),
        *unkept(plan, entries, kept),
        *disowning(plan, _owners(plan, snapshot)),
        *disordered(plan, entries),
    )


# --- who keeps objects as they are ------------------------------------------------------------------------------------


def _owners(plan: Plan, snapshot: ClusterSnapshot) -> Callable[[ObjectRef], str]:
    """Return who says whose controller keeps an object as it is. Helm is none: it writes at its next upgrade alone."""
    cluster = SimulatedCluster.of(snapshot)

    def owner(ref: ObjectRef) -> str:
        if ref.of_kind not in SECTIONS or not cluster.ground.knows(ref.of_kind) or not cluster.ground.serves(ref.of_kind):
            return ""
        if ref == AWS_NODE and plan.way is Way.ADDON:
            return "the managed add-on"
        live = cluster.ground.get(ref)
        meta: Json = live["metadata"] if live is not None else {}
        tracking = trackers(meta.get("labels") or {}, meta.get("annotations") or {})
        by_tool = next((t.tool for t in tracking if t.restores), "")
        by_operator = next((o for o in meta.get("ownerReferences", ()) if o.get("controller")), None)
        return by_tool or (f"{by_operator['kind']} {by_operator['name']}" if by_operator is not None else "")

    return owner


# --- what is in force, and where --------------------------------------------------------------------------------------


class _InForce:
    """The policies in force in a simulated cluster, as the engines read them: what did not change is converted once."""

    def __init__(self, cluster: SimulatedCluster, beginning: Rules) -> None:
        self._cluster = cluster
        self._rules = beginning
        self._foreign = kinds_of("foreign_policies")
        self._versions: dict[Kind, int] = {}
        self._known: dict[ObjectRef, tuple[Json, Any]] = {}

    def __call__(self) -> Rules:
        rules = self._rules
        for name, kinds in (
            ("policies", (NETWORK_POLICY,)),
            ("application", (APPLICATION_POLICY,)),
            ("cluster", (CLUSTER_POLICY,)),
            ("foreign", self._foreign),
        ):
            if any(self._moved(kind) for kind in kinds):
                found: dict[str, Any] = {name: tuple(one for kind in kinds for one in self._read(kind))}
                rules = replace(rules, **found)
        self._rules = rules
        return rules

    def _moved(self, kind: Kind) -> bool:
        ground = self._cluster.ground
        if not ground.knows(kind):
            return False
        version = ground.version(kind)
        return version != self._versions.get(kind, 0)

    def _read(self, kind: Kind) -> Iterable[Any]:
        ground = self._cluster.ground
        self._versions[kind] = ground.version(kind)
        for live in ground.known(kind):
            ref = ObjectRef.of(live)
            known = self._known.get(ref)
            if known is None or known[0] is not live:
                known = self._known[ref] = (live, structs(kind, (live,))[0])
            yield known[1]


def _there(cluster: SimulatedCluster, address: str) -> tuple[str, Mapping[str, str], str] | None:
    """Return whose an address is: namespace, labels and node of a pod."""
    pod = next((p for p in cluster.life.pods.all.values() if p.address == address and p.has_address), None)
    return None if pod is None else (pod.namespace, labels_of(pod.labels), pod.node)


def _placing(cluster: SimulatedCluster) -> Callable[[str], Iterable[Workload]]:
    known: dict[int, Workload] = {}
    on = cluster.life.pods.on

    def workload(pod: SimPod) -> Workload:
        found = known.get(id(pod.like))
        if found is None:
            owner = owner_of(pod.like)
            found = known[id(pod.like)] = Workload(owner.namespace, owner.kind, owner.name)
        return found

    return lambda node: {workload(pod) for pod in on.get(node, {}).values() if pod.has_address}


class _People(SilentWatcher):
    """Those who do what a step waits for and the tool does not do itself: bring nodes, change an engine's Helm values."""

    def __init__(self, plan: Plan, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._waits = {step.id: tuple(conditions(step.until)) for step in plan.steps if isinstance(step.action, Look)}
        self._said: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was taken to be done by them."""
        return tuple(self._said)

    def started(self, step: str, title: str, number: int, of: int) -> None:  # noqa: ARG002 - as watchers are told
        """Begin, where a step waits for them."""
        cluster = self._cluster
        for wanted in self._waits.get(step, ()):
            if isinstance(wanted, Holds):
                cluster.at(cluster.monotonic() + PEOPLE_WRITE_IN, _writing(wanted.object))
                self._said[ASKED] = None
            elif isinstance(wanted, Absent) and not any(one.ref.of_kind == NODE for one in wanted.objects):
                cluster.at(cluster.monotonic() + PEOPLE_WRITE_IN, _deleting(wanted))
                self._said[ASKED] = None
            elif isinstance(wanted, Ready) and wanted.label and SUPPLIED not in self._said:
                # Nodes that come before aws-node has its new template would be left with the former one.
                life = cluster.life
                life.actors.append(NodeSupply(cluster.ground, life.nodes, life.pods))
                self._said[SUPPLIED] = None


def _writing(obj: Json) -> Callable[[SimulatedCluster], object]:
    return lambda cluster: cluster.ground.of(ObjectRef.of(obj).of_kind).apply(obj, force=True, manager="people")


def _deleting(gone: Absent) -> Callable[[SimulatedCluster], object]:
    def delete(cluster: SimulatedCluster) -> None:
        for one in gone.objects:
            cluster.ground.delete(one.ref, uid=one.uid)

    return delete


class _All:
    """Several watchers in one."""

    def __init__(self, watchers: tuple[Watcher, ...]) -> None:
        self._all = watchers

    def started(self, step: str, title: str, number: int, of: int) -> None:
        for one in self._all:
            one.started(step, title, number, of)

    def skipped(self, step: str, why: str) -> None:
        for one in self._all:
            one.skipped(step, why)

    def rollout(self, state: RolloutState) -> None:
        for one in self._all:
            one.rollout(state)

    def note(self, text: str) -> None:
        for one in self._all:
            one.note(text)

    def succeeded(self, step: str, seconds: float) -> None:
        for one in self._all:
            one.succeeded(step, seconds)

    def failed(self, step: str, why: str) -> None:
        for one in self._all:
            one.failed(step, why)
