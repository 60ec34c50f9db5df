"""Plans carried out in memory, with the people who are waited for, and what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eksnetpol.execution.executor import carry_out
from eksnetpol.execution.progress import past_of
from eksnetpol.interfaces.acting import SilentWatcher
from eksnetpol.model.actions import Look
from eksnetpol.model.conditions import Absent, All, Condition, Holds, Ready
from eksnetpol.model.kinds import NETWORK_POLICY, NODE, POLICY_ENDPOINT, ObjectRef
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.planning.rollback import plan_rollback
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.people import NodeSupply
from eksnetpol.simulation.world import SimulatedCluster
from tests.execution.trouble import Disk, Process

HOLDER = "someone@somewhere"
BY_PEOPLE = ("exclude", "uninstall/release")
"""Steps that, where they do nothing themselves, wait for people to change or uninstall a Helm release."""


@dataclass(slots=True)
class ChartOwner:
    """They hear what is waited for (`asked`), and ``late`` seconds later it is so: fields of objects, or that they are gone.

    With ``never`` nobody does anything.
    """

    ground: Ground
    late: float = 60.0
    never: bool = False
    _due: list[tuple[float, Condition]] = field(default_factory=list)

    def asked(self, condition: Condition, now: float) -> None:
        """Hear what a run waits for that is people's to do."""
        if not self.never:
            self._due.append((now + self.late, condition))

    def next_due(self, now: float) -> float | None:
        """Return when they act next."""
        del now
        return min((due for due, _ in self._due), default=None)

    def turn(self, now: float) -> None:
        """Do what is to be done by now."""
        ready = [condition for due, condition in self._due if due <= now]
        self._due = [(due, condition) for due, condition in self._due if due > now]
        for condition in ready:
            self._make_true(condition)

    def _make_true(self, condition: Condition) -> None:
        match condition:
            case All():
                for one in condition.conditions:
                    self._make_true(one)
            case Holds():
                ref = ObjectRef.of(condition.object)
                if self.ground.get(ref) is not None:
                    self.ground.of(ref.of_kind).apply(condition.object, force=True, manager="helm")
            case Absent():
                for gone in condition.objects:
                    if self.ground.get(gone.ref) is not None:
                        self.ground.delete(gone.ref)
            case _:
                # What follows from those by itself.
                return


class People(SilentWatcher):
    """Those who bring nodes and change Helm's values once a run waits for it."""

    def __init__(self, cluster: SimulatedCluster, plan: Plan) -> None:
        self.cluster = cluster
        self.steps = {step.id: step for step in plan.steps}
        self.heard: list[str] = []
        self.charts = ChartOwner(cluster.ground)
        self.supply: NodeSupply | None = None
        cluster.life.actors.append(self.charts)

    def started(self, step: str, title: str, number: int, of: int) -> None:  # noqa: ARG002 - as a watcher is told
        """Do what a step waits for."""
        self.heard.append(step)
        one = self.steps[step]
        if step in BY_PEOPLE and isinstance(one.action, Look):
            self.charts.asked(one.until, self.cluster.monotonic())
        waits = one.until.conditions if hasattr(one.until, "conditions") else (one.until,)
        if self.supply is None and any(isinstance(c, Ready) and c.label for c in waits):
            life = self.cluster.life
            self.supply = NodeSupply(self.cluster.ground, life.nodes, life.pods, late=30.0, ready_in=20.0, deletes_in=20.0)
            life.actors.append(self.supply)

    def note(self, text: str) -> None:
        """Remember what was said."""
        self.heard.append(text)


class Returning(SilentWatcher):
    """Those who take new nodes away again once it is gone back on a run that had waited for them."""

    def __init__(self, cluster: SimulatedCluster, people: People) -> None:
        self._cluster = cluster
        self._people = people

    def started(self, step: str, title: str, number: int, of: int) -> None:  # noqa: ARG002 - as a watcher is told
        """Do what a step waits for."""
        if step.startswith("back-") and step.endswith("/new-nodes"):
            if self._people.supply is not None:
                self._people.supply.never = True
            for node in self._cluster.objects(NODE, selector="eksnetpol.io/engine=vpc-cni"):
                self._cluster.at(self._cluster.monotonic() + 60.0, _taking(ObjectRef.to(NODE, node["metadata"]["name"])))


def _taking(ref: ObjectRef) -> Callable[[SimulatedCluster], object]:
    return lambda cluster: cluster.ground.delete(ref)


def doors(plan: Plan) -> frozenset[str]:
    """All one-way doors of a plan."""
    return frozenset(step.door for step in plan.steps if step.door)


class Run:
    """One run of a plan on one cluster, which several processes may go on with."""

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        plan: Plan,
        *,
        prepare: Callable[[SimulatedCluster], object] = lambda _: None,
        on: SimulatedCluster | None = None,
    ) -> None:
        self.plan = plan
        self.disk = Disk()
        self.cluster = on or SimulatedCluster.of(snapshot)
        prepare(self.cluster)
        self.people = People(self.cluster, plan)

    def go(self, *, until: str = "", confirmed: frozenset[str] | None = None, **trouble: Any) -> Process:
        """Carry the plan out, or go on with it; *trouble* is that of `Process`."""
        process = Process(self.cluster, self.disk, **trouble)
        allowed = doors(self.plan) if confirmed is None else confirmed
        carry_out(
            self.plan, process.hands, process.journal, self.cluster, self.people, holder=HOLDER, confirmed=allowed, until=until
        )
        return process

    def way_back(self) -> Plan:
        """Return the plan to go back on it."""
        return plan_rollback(self.plan, run="r1", touched=past_of(self.disk.entries).touched)

    def back(self) -> Plan:
        """Go back on it, and return the plan by which that was done."""
        plan = self.way_back()
        # The second run has a journal of its own and reads the files of the first.
        back = Disk()
        back.files = self.disk.files
        process = Process(self.cluster, back, run="r2")
        carry_out(plan, process.hands, process.journal, self.cluster, Returning(self.cluster, self.people), holder=HOLDER)
        return plan

    def standing(self) -> Counter[tuple[str, str, bool]]:
        """How many nodes are enforced on by whom, and take pods."""
        scene = self.cluster.scene()
        return Counter((node.old.value, node.new.value, node.schedulable) for node in scene.nodes.values())

    def end(self) -> Any:
        """What there is in the end, but for what differs between two objects of one name and content."""
        self.cluster.sleep(600.0)
        policies = [
            (p["metadata"].get("namespace"), p["metadata"]["name"], p["metadata"].get("finalizers"), repr(p["spec"]))
            for p in self.cluster.objects(NETWORK_POLICY)
        ]
        endpoints = {e["spec"]["policyRef"]["name"] for e in self.cluster.objects(POLICY_ENDPOINT)}
        parts = self.cluster.scene().parts
        return self.standing(), sorted(policies, key=repr), endpoints, parts
