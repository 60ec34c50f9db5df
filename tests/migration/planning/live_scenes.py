"""The invariants I1 to I8 on a real cluster: every write that watches told is played over again, and looked at.

A simulation of the cluster as it was at first is turned into what the API server had after each write, one by one in the order
of their versions, and `migration.watching.Watch` looks at each: who enforces what where is told by the rules of
`simulation.enforcing`, from nodes, pods, Jobs and switches as they really were. Nobody acts in that simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from eksnetpol.interfaces.acting import Entry
from eksnetpol.migration.watching import Watch
from eksnetpol.model.kinds import DEFINITION, JOB, POD, Json, ObjectRef
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.simulation.agent_templates import is_policing
from eksnetpol.simulation.jobs import CLEANS, Cleaning
from eksnetpol.simulation.rollout import State
from eksnetpol.simulation.world import SimulatedCluster
from tests.lifecycle.actor import SWITCH
from tests.testbed.actors.feed import Event
from tests.testbed.actors.ground import phase_of, take_pod

Line = tuple[float, int, Callable[[], None]]
"""When something was, whether it was a write, and what is to be done about it."""
AGENT = "aws-node"
_FLAG = "enable-network-policy-controller"


class Mirror(SimulatedCluster):
    """A cluster in which nothing happens by itself: it becomes what `take` is told."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        super().__init__(snapshot)
        self.life.pods.now = self.monotonic
        self._uids: dict[ObjectRef, str] = {}
        """Of pods of ``aws-node``, those that are there."""

    def take(self, event: Event) -> None:
        """Let it be as it was after a write."""
        self._time = max(self._time, event.at - self._start.timestamp())
        kind = event.ref.of_kind
        if kind == POD:
            self._pod_is(event.ref, event.after)
        elif kind == JOB:
            self._job_is(event.after)
        elif kind == DEFINITION:
            # Its objects are told of by themselves.
            return
        else:
            self._object_is(event.ref, event.after)
        if event.ref == SWITCH:
            self.controller._on = (event.after or {}).get("data", {}).get(_FLAG) == "true"  # noqa: SLF001 - else it would be by its turn

    def _object_is(self, ref: ObjectRef, after: Json | None) -> None:
        if not self.ground.serves(ref.of_kind):
            return
        if after is not None:
            self.ground.of(ref.of_kind).put(after)
            return
        there = self.ground.get(ref)
        if there is not None:
            meta = {name: value for name, value in there["metadata"].items() if name != "finalizers"}
            self.ground.api.put({**there, "metadata": meta})
            self.ground.api.delete(ref)

    def _pod_is(self, ref: ObjectRef, after: Json | None) -> None:
        known = self.life.pods.of(ref)
        if ref in self._uids or (known is None and after is not None and _owner(after) == AGENT):
            self._agent_is(ref, after)
            return
        if known is not None and (after is None or known.uid != after["metadata"]["uid"]):
            self.life.pods.drop(known)
            known = None
        if after is not None:
            take_pod(self.life.pods, known, after)

    def _agent_is(self, ref: ObjectRef, after: Json | None) -> None:
        pods = self.agents.pods
        assert pods is not None
        if after is None:
            node = self._uids.pop(ref)
            if node in self._uids.values():
                return
            state, number = State.OLD_UNAVAILABLE, pods.number_of(node)
        else:
            node = after["spec"].get("nodeName") or _pinned(after)
            self._uids[ref] = node
            number = pods.number_of(node)
            works = phase_of(after).name == "READY"
            state = State.AVAILABLE if works else State.STARTING
            if number is not None:
                self.agents._policing[number] = is_policing(after)  # noqa: SLF001 - else it would be by its roll-out
        if number is not None:
            pods.states[number] = state
            pods.touched.add(number)

    def _job_is(self, after: Json | None) -> None:
        engine = ((after or {}).get("metadata", {}).get("labels") or {}).get(CLEANS, "")
        if after is None or not engine:
            return
        node = after["spec"]["template"]["spec"].get("nodeName", "")
        ended = {c["type"]: c["status"] for c in after.get("status", {}).get("conditions", ())}
        if ended.get("Complete") == "True":
            what = Cleaning.DONE
        else:
            what = Cleaning.FAILED if ended.get("Failed") == "True" else Cleaning.BEGINS
        if what is not Cleaning.BEGINS or after.get("status", {}).get("active"):
            self.life.enforcing.cleaned(node, engine, what)


def _owner(pod: Json) -> str:
    found: Any = next((o for o in pod["metadata"].get("ownerReferences", ()) if o.get("controller")), {})
    return str(found.get("name", ""))


def _pinned(pod: Json) -> str:
    terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return str(terms[0]["matchFields"][0]["values"][0])


def replayed(mirror: Mirror, watch: Watch, events: Iterable[Event], entries: Iterable[Entry]) -> None:
    """Let *mirror* become what *events* tell, one by one, and *watch* look at each; *entries* are those of the run's journal."""
    lines: list[Line] = [(entry.at.timestamp(), 0, partial(_noted, watch, entry)) for entry in entries]
    late = 0.0
    for event in sorted(events, key=lambda one: one.version):
        # Watches are heard one after the other: what was written later is not heard of before.
        late = max(late, event.at)
        lines.append((late, 1, partial(mirror.take, event)))
    watch()
    for _, is_write, do in sorted(lines, key=lambda line: line[:2]):
        do()
        if is_write:
            watch()


def _noted(watch: Watch, entry: Entry) -> None:
    if entry.event == "started":
        watch.begin(entry.step)
    elif entry.event == "succeeded":
        watch.done.add(entry.step)
