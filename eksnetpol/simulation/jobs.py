"""Jobs that are made while a simulated cluster lives: their pod runs and completes. What a snapshot's Jobs do is `workloads`'.

A pod that names its node is put there without a scheduler, be the node cordoned or not. One whose node goes is made again, as
often as the Job's ``backoffLimit`` says; after that the Job has failed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from eksnetpol.fields.managers import stamp
from eksnetpol.model.kinds import JOB, Json, ObjectRef
from eksnetpol.simulation.api_server import Change
from eksnetpol.simulation.daemonsets import like_of
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.nodes import Nodes
from eksnetpol.simulation.pods import Owner, Phase, PodTable, SimPod

RUNS_FOR = 10.0
"""Seconds from a Job's pod being ready to its end: chosen."""

CLEANS = "eksnetpol.io/cleans"
"""Label of a Job that takes an engine's rules out of the kernel of the node it is pinned to; its value is the engine's name."""


class Cleaning(Enum):
    """What becomes of a cleaner on its node."""

    BEGINS = "begins"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, eq=False)
class Run:
    """One Job under way. ``cleans`` is the engine whose rules it takes out, empty for others; ``node`` what it is pinned to."""

    ref: ObjectRef
    template: Json
    cleans: str
    node: str
    retries: int
    uid: str = ""
    pod: SimPod | None = None
    failed: int = 0
    over: bool = False


@dataclass(slots=True)
class Jobs:
    """Their controller. ``cleaning`` is told of a node, the engine that is cleaned away there, and how far that is."""

    ground: Ground
    nodes: Nodes
    table: PodTable
    cleaning: list[Callable[[str, str, Cleaning], None]] = field(default_factory=list)
    says: Callable[[Json, str], str] | None = None
    """Asked for what the pod of a Job, on a node, leaves behind when it ends."""
    fails: set[str] = field(default_factory=set)
    """Nodes where the pods of Jobs fail."""
    _runs: dict[ObjectRef, Run] = field(default_factory=dict)
    _changed: dict[ObjectRef, None] = field(default_factory=dict)
    _ends: list[tuple[float, int, Run, SimPod]] = field(default_factory=list)
    _serial: int = 0

    def __post_init__(self) -> None:
        self.ground.api.after_change.append(self._noticed)
        self.table.listeners.append(self._pod_changed)

    def next_due(self) -> float | None:
        """Return when a Job's pod ends next, None for never."""
        return self._ends[0][0] if self._ends else None

    def turn(self) -> None:
        """Start pods of new Jobs, end those whose time has come."""
        changed, self._changed = self._changed, {}
        for ref in changed:
            self._take(ref)
        while self._ends and self._ends[0][0] <= self.table.now():
            _, _, run, pod = heapq.heappop(self._ends)
            if run.pod is pod and not run.over and pod.phase is Phase.READY:
                self._end(run, pod)

    def _noticed(self, change: Change) -> None:
        if change.ref.kind == JOB.name and (change.before is None or change.after is None):
            self._changed[change.ref] = None

    def _take(self, ref: ObjectRef) -> None:
        live, run = self.ground.get(ref), self._runs.get(ref)
        if run is not None and (live is None or live["metadata"].get("uid", "") != run.uid):
            # Gone, or another one by that name already.
            self._runs.pop(ref)
            if run.pod is not None and self.table.is_there(run.pod):
                run.over = True
                self.table.end(run.pod)
            run = None
        if run is None and live is not None:
            template = live["spec"].get("template") or {}
            cleans = (live["metadata"].get("labels") or {}).get(CLEANS, "")
            node = template.get("spec", {}).get("nodeName", "")
            run = self._runs[ref] = Run(
                ref, template, cleans, node, int(live["spec"].get("backoffLimit", 6)), live["metadata"].get("uid", "")
            )
            self._start(run, live)

    def _start(self, run: Run, live: Json) -> None:
        if run.node and self.nodes.get(run.node) is None:
            # Its pod would be made and collected again and again, until the Job gives up.
            run.over = True
            self._status(run, condition="Failed", failed=run.retries + 1)
            return
        owner = Owner(run.ref.namespace, JOB.name, run.ref.name)
        run.pod = self.table.add(like_of(run.template, live), owner, namespace=run.ref.namespace)
        if run.node:
            self.table.bind(run.pod, run.node)
        self._status(run, active=1)

    def _pod_changed(self, pod: SimPod, _: Phase | None) -> None:
        if pod.owner is None or pod.owner.kind != JOB.name:
            return
        run = self._runs.get(ObjectRef.to(JOB, pod.owner.name, pod.owner.namespace))
        if run is None or run.pod is not pod or run.over:
            return
        if not self.table.is_there(pod):
            self._tell(run, pod, Cleaning.FAILED)
            self._retry(run)
        elif pod.phase is Phase.READY:
            self._serial += 1
            heapq.heappush(self._ends, (self.table.now() + RUNS_FOR, self._serial, run, pod))
            self._tell(run, pod, Cleaning.BEGINS)

    def _end(self, run: Run, pod: SimPod) -> None:
        if pod.node in self.fails:
            self.table.turn_into(pod, Phase.FAILED)
            self._tell(run, pod, Cleaning.FAILED)
            self._retry(run)
            return
        run.over = True
        live = self.ground.get(run.ref)
        if self.says is not None and live is not None:
            pod.said = self.says(live, pod.node)
        self.table.turn_into(pod, Phase.SUCCEEDED)
        self._status(run, condition="Complete", succeeded=1)
        self._tell(run, pod, Cleaning.DONE)

    def _retry(self, run: Run) -> None:
        live = self.ground.get(run.ref)
        run.failed += 1
        if live is None:
            return
        if run.failed > run.retries:
            run.over = True
            self._status(run, condition="Failed", failed=run.failed)
        else:
            self._start(run, live)

    def _tell(self, run: Run, pod: SimPod, what: Cleaning) -> None:
        if run.cleans:
            for told in self.cleaning:
                told(pod.node, run.cleans, what)

    def _status(self, run: Run, *, condition: str = "", **counts: int) -> None:
        live = self.ground.get(run.ref)
        if live is None:
            return
        status: Json = dict(counts)
        if condition:
            why = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
            status["conditions"] = [{"type": condition, "status": "True", **(why if condition == "Failed" else {})}]
            status |= {"completionTime": stamp(self.ground.api.now())} if condition == "Complete" else {}
        self.ground.put({**live, "status": status})
