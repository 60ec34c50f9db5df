"""What must be true at every instant of a migration (facts: migration-flows.md section 2), each as a question of its own.

I1 every node with pods has an engine that follows the cluster, or frozen rules and takes no new pods. I2 no node has two eBPF
engines. I3 nothing flows that did not under the old engine, but for what people took on by name (`exposure`). I4 what the old
engine was told is there until the new one enforces everywhere and the soak is over. I5 whatever is changed can be taken back, or
is said to be one way. I6 what runs the old engine outlives its agents. I7 what somebody else's controller keeps as it is, is
changed through that controller alone. I8 a run goes on only where its journal tells one story.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from eksnetpol.model.actions import Action, Apply, BackUp, Create, Delete, Evict, Look, Probe, Restore, StripFinalizer
from eksnetpol.model.conditions import Soaked, conditions
from eksnetpol.model.enforcement import Enforcement, NodeState, Scene
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.plan import Plan, Step


class Invariant(StrEnum):
    """Which one."""

    ENFORCED = "I1"
    ONE_EBPF = "I2"
    NOT_WIDER = "I3"
    SOURCES_KEPT = "I4"
    REVERSIBLE = "I5"
    CONTROL_OUTLIVES = "I6"
    OWNERS_ASKED = "I7"
    ONE_STORY = "I8"

    @property
    def asks(self) -> str:
        """What it asks for, as a sentence that is true where it holds."""
        return _ASKS[self]


_ASKS: Mapping[Invariant, str] = {
    Invariant.ENFORCED: "every node with pods has an engine that enforces, or frozen rules and takes no new pods",
    Invariant.ONE_EBPF: "no node has two eBPF engines",
    Invariant.NOT_WIDER: "nothing flows that did not under the old engine, but for what was taken on by name",
    Invariant.SOURCES_KEPT: "the old engine's policies are there until the new one enforces everywhere and the soak is over",
    Invariant.REVERSIBLE: "every change is kept as it was before and has a way back, or is said to be one way",
    Invariant.CONTROL_OUTLIVES: "what runs the old engine outlives its agents",
    Invariant.OWNERS_ASKED: "what somebody else's controller keeps as it is, is changed through that controller alone",
    Invariant.ONE_STORY: "the journal tells one story, and the run goes on where it ended",
}


class Violation(msgspec.Struct, frozen=True):
    """One invariant that does not hold: at which second of the run, on which nodes, in which step (empty before the first)."""

    invariant: Invariant
    words: str
    at: float = 0.0
    step: str = ""
    nodes: tuple[str, ...] = ()


class Line(Protocol):
    """A line of a journal, as `interfaces.acting.Entry` is one."""

    @property
    def event(self) -> str:
        """What it says."""

    @property
    def step(self) -> str:
        """Of which step; empty for the run."""

    @property
    def data(self) -> dict[str, Any]:
        """What a resuming process needs."""


# --- of nodes ---------------------------------------------------------------------------------------------------------


def unguarded(node: NodeState) -> str:
    """Return why nothing, or nothing that follows the cluster, polices the pods of *node* (I1); empty where something does."""
    engines = (node.old, node.new)
    if not node.pods or Enforcement.LIVE in engines:
        return ""
    if Enforcement.FROZEN not in engines:
        engine = f"the old engine is {node.old}, the VPC CNI's agent {node.new}"
        return f"nobody enforces on it, and {_pods(node.pods)} there: {engine}"
    if node.late:
        return f"{_pods(node.late)} there that started after its rules were frozen, and nothing reaches them"
    # A node that is not ready takes none either: it is tainted as long as its kubelet does not answer.
    takes_pods = node.schedulable and node.ready
    return "its rules are frozen, and it takes new pods, which would be cut off" if takes_pods else ""


def doubled(node: NodeState) -> str:
    """Return why two eBPF engines are on *node* (I2), where the old engine is one; empty where there are not."""
    if Enforcement.ABSENT in (node.old, node.new):
        return ""
    return f"two eBPF engines are on it: the old one is {node.old}, the VPC CNI's agent {node.new}; one of them masks the other"


def _pods(count: int) -> str:
    return f"{count} pod is" if count == 1 else f"{count} pods are"


# --- of the old engine ------------------------------------------------------------------------------------------------


def lost_too_early(missing: Sequence[str], scene: Scene, done: Collection[str], plan: Plan) -> str:
    """Return why sources that are gone, given by name, should still be there (I4); empty where they may be gone.

    *done* are the ids of the steps that have succeeded.
    """
    if not missing:
        return ""
    gone = f"{missing[0]} is gone" if len(missing) == 1 else f"{missing[0]} and {len(missing) - 1} more are gone"
    waiting = [node.name for node in scene.nodes.values() if node.pods and node.new is not Enforcement.LIVE]
    if waiting:
        return f"{gone}, and the VPC CNI does not enforce on {len(waiting)} nodes yet, e.g. {waiting[0]}"
    if scene.agents:
        return f"{gone}, and {scene.agents} agents of the old engine still run"
    soaks = [step for step in plan.steps if any(isinstance(c, Soaked) for c in conditions(step.until))]
    if not soaks:
        return f"{gone}, and the plan never waits to see whether the cluster does well without the old engine"
    open_ones = [step.id for step in soaks if step.id not in done and _phase(step) <= _EXIT]
    return f"{gone}, and {open_ones[0]} is not over" if open_ones else ""


_EXIT = 7
"""The last phase in which the old engine may be needed again."""


def _phase(step: Step) -> int:
    digits = step.phase[:1]
    return int(digits) if digits.isdecimal() else 0


def orphaned(scene: Scene, beginning: Scene) -> tuple[str, ...]:
    """Return the workloads that ran the old engine at the beginning and are gone before its last agent is (I6)."""
    if not scene.agents:
        return ()
    ran = (part for part, there in beginning.parts.items() if there and not part.startswith("daemonset/"))
    return tuple(part for part in ran if not scene.parts.get(part))


_HARMLESS = (Look, BackUp, Evict)

# --- of plans and journals --------------------------------------------------------------------------------------------


def irreversible(plan: Plan) -> Iterator[Violation]:
    """Yield the steps that change something, have no way back and do not say that they are one way (I5)."""
    for step in plan.steps:
        if isinstance(step.action, _HARMLESS):
            # Pods that are evicted are made again by what made them.
            continue
        if step.undo is None and not step.one_way:
            yield Violation(Invariant.REVERSIBLE, "it has no way back, and does not say that it is one way", step=step.id)
        if step.door and not step.one_way:
            yield Violation(Invariant.REVERSIBLE, f"it goes through the door {step.door} and does not say why", step=step.id)


def unkept(plan: Plan, lines: Iterable[Line], kept: Callable[[int, Step], bool]) -> Iterator[Violation]:
    """Yield the steps that acted on objects and of which the run does not hold what was there before (I5)."""
    acted = {line.step for line in lines if line.event == "acted"}
    for number, step in enumerate(plan.steps, 1):
        if step.id in acted and not isinstance(step.action, (*_HARMLESS, Restore)) and not kept(number, step):
            yield Violation(Invariant.REVERSIBLE, "what was there before it acted was not kept", step=step.id)


def disowning(plan: Plan, owner: Callable[[ObjectRef], str]) -> Iterator[Violation]:
    """Yield the steps that write what somebody else's controller would write back (I7). *owner* names it, empty for nobody."""
    for step in plan.steps:
        for ref in written(step.action):
            who = owner(ref)
            if who:
                words = f"it writes {ref}, which {who} keeps as it is, and would undo that"
                yield Violation(Invariant.OWNERS_ASKED, words, step=step.id)


def written(action: Action) -> tuple[ObjectRef, ...]:
    """Return the objects that an action names and writes itself."""
    match action:
        case Apply() | Create():
            return (action.ref,)
        case StripFinalizer():
            return tuple(one.ref for one in action.objects)
        case Delete():
            return tuple(one.ref for one in action.objects)
        case Probe():
            return action.refs
        case _:
            return ()


def disordered(plan: Plan, lines: Iterable[Line], holds: Callable[[Step], bool] | None = None) -> Iterator[Violation]:
    """Yield where a journal does not tell one story of *plan* (I8).

    Steps begin in order and when all before them are done, act once for each time they start, and a process that goes on does so
    with the same plan. *holds* says whether what a step proved is still so; it is asked of the last step that was done.
    """
    digest, done, acting = plan.digest, set[str](), ""
    order = [step.id for step in plan.steps]
    last = ""
    for line in lines:
        match line.event:
            case "opened" | "resumed" if line.data.get("plan", digest) != digest:
                yield Violation(Invariant.ONE_STORY, f"the run was {line.event} with plan {line.data['plan']}, not {digest}")
            case "resumed":
                acting = ""
            case "started":
                yield from _begun(line.step, order, done)
                acting = line.step
            case "acted":
                if acting != line.step:
                    yield Violation(Invariant.ONE_STORY, "it acted without having written down that it would", step=line.step)
            case "succeeded":
                done.add(line.step)
                acting, last = "", line.step
            case "closed" if set(order) - done:
                left = next(one for one in order if one not in done)
                yield Violation(Invariant.ONE_STORY, "the run was closed, and it was not done", step=left)
            case _:
                pass
    step = next((step for step in plan.steps if step.id == last), None)
    if holds is not None and step is not None and not holds(step):
        yield Violation(Invariant.ONE_STORY, "the journal says that it was done, and it is not so any more", step=last)


def _begun(step: str, order: list[str], done: set[str]) -> Iterator[Violation]:
    if step not in order:
        yield Violation(Invariant.ONE_STORY, "the plan has no such step", step=step)
        return
    before = next((one for one in order[: order.index(step)] if one not in done), "")
    if before:
        yield Violation(Invariant.ONE_STORY, f"it began before {before} was done", step=step)
    if step in done:
        yield Violation(Invariant.ONE_STORY, "it began again, and was done", step=step)
