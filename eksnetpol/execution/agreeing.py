"""Whether what a journal says was done is still so (facts: migration-flows.md, I8): where it is not, a migration does not go on.

It is asked when a run is gone on with, and at every gate, where policies are held against those that the plan was made from.

Asked of the steps that are done: the fields that they wrote, unless a later step has written the same ones; the objects that they
deleted; the add-on's configuration; the back-ups. Left aside is what is meant to pass: an object that a later step deletes, or
waits for people to delete, and Jobs, which are done with when they have completed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from eksnetpol.execution.addon_health import differing
from eksnetpol.execution.gathering import found_of
from eksnetpol.execution.observe import observe
from eksnetpol.execution.seeing import State
from eksnetpol.execution.written import by_whom
from eksnetpol.fields.holds import ABSENT, differences, value_at
from eksnetpol.interfaces.acting import Clock, Hands, Journal
from eksnetpol.migration.planning.leaving import LABEL
from eksnetpol.model.actions import Apply, Create, Delete, Look, ObjectId
from eksnetpol.model.conditions import Absent, AddonIs, BackedUp, Condition, FlagIs, Holds, NoneLeft, Unchanged, conditions
from eksnetpol.model.kinds import JOB, NAMESPACE, NETWORK_POLICY, NODE, Json, ObjectRef
from eksnetpol.model.plan import Plan, Step
from eksnetpol.planning.patching import tells
from eksnetpol.planning.places import AWS_NODE

POLICIES_ANEW = (
    "until it is, nodes that have left the old engine do not police what it said; eksnetpol migrate translate --out DIR and "
    "kubectl apply --server-side --field-manager=eksnetpol -k DIR write it anew"
)
"""How a translated policy comes back that somebody has deleted."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A step that the journal says is done, and what is not so any more, in words that name the object."""

    step: str
    words: str
    ref: ObjectRef | None = None
    anew: str = ""
    """How it comes back, where somebody has to bring it back."""

    def __str__(self) -> str:
        more = f" ({self.anew})" if self.anew else ""
        return f"{self.words}, and the journal says that {self.step} is done{more}"


def disagreements(
    plan: Plan,
    done: Collection[str],
    begun: Collection[str],
    hands: Hands,
    journal: Journal,
    clock: Clock,
    *,
    but: Callable[[ObjectRef], bool] = lambda _: False,
) -> Iterator[Disagreement]:
    """Yield what is not as the journal of a run of *plan* says, by which the steps *done* and *begun* are so.

    Objects that *but* says true of are left aside. Nodes and policies are listed where there are many.
    """
    claims = _Claims.of(plan, done, begun)
    deleted = {one.ref for _, one in claims.gone}
    live = _there(hands, ((step, condition.ref) for step, condition in claims.holding if not but(condition.ref)))
    for step, condition in claims.holding:
        ref = condition.ref
        if not but(ref) and ref not in deleted:
            words = claims.unlike(condition, live.get(ref))
            if words:
                anew = POLICIES_ANEW if ref.of_kind == NETWORK_POLICY and ref not in live else ""
                yield Disagreement(step, f"{ref}: {words}", ref, anew)
    # What is there under a name that was deleted counts, though it may be another object: somebody brings the engine back.
    there = _there(hands, ((step, one.ref) for step, one in claims.gone if not but(one.ref)))
    yield from (Disagreement(step, f"{one.ref} is there again") for step, one in claims.gone if one.ref in there)
    for step, other in claims.others:
        if isinstance(other, AddonIs):
            addon = hands.describe_addon(other.addon)
            words = "it is not there any more" if addon is None else differing(addon, other)
            if words:
                yield Disagreement(step, f"add-on {other.addon}: {words}")
        else:
            seen = observe(other, hands, journal, clock)
            if seen.state is not State.HOLDS:
                yield Disagreement(step, seen.seen)


def leading_back(found: Iterable[Disagreement], done: Iterable[str]) -> str:
    """Return what to do where the old agent is no longer kept off nodes that have left it; empty where it is, or none has.

    It writes its rules into their kernels again, and once it has gone from there no look shows that these are left: so the run
    is over (`errors.RunOver`).
    """
    back = any(one.ref is not None and one.ref.kind in _AGENTS and one.ref != AWS_NODE for one in found)
    if not back or not any(step.startswith("roll/") and step.endswith(("/label", "/new-nodes")) for step in done):
        return ""
    return (
        f"nodes that had left may have its rules in their kernels again. Let whoever brings it back leave it (pause Argo CD, "
        f"Flux, Helm); then take the label {LABEL} off these nodes, so that they leave once more, and make a new plan: "
        f"kubectl label node NODE {LABEL}-; eksnetpol migrate run"
    )


_AGENTS = frozenset({"DaemonSet", "Installation"})
"""Kinds that say where an old engine's agent runs."""


def is_gate(until: Condition) -> bool:
    """Say whether a step is a gate: one that asks whether policies are those that the plan was made from."""
    return any(isinstance(one, Unchanged) for one in conditions(until))


_LISTED = frozenset({NODE, NETWORK_POLICY})
"""Kinds of which there may be many, and which whoever carries out a migration may list."""


def _there(hands: Hands, wanted: Iterable[tuple[str, ObjectRef]]) -> dict[ObjectRef, Json]:
    """Return what is there, read as the steps themselves have looked at it: more rights than they had, nobody need have."""
    groups: dict[str, set[ObjectRef]] = defaultdict(set)
    for step, ref in wanted:
        groups["" if ref.of_kind in _LISTED else step].add(ref)
    return {ref: live for refs in groups.values() for ref, live in found_of(hands, sorted(refs)).items()}


def is_node(ref: ObjectRef) -> bool:
    """Say whether an object is a node: as nodes leave one by one, to look at all of them each time would be too much."""
    return ref.of_kind == NODE


@dataclass
class _Claims:
    """What the done steps say is so: each with its step."""

    holding: list[tuple[str, Holds | FlagIs]] = field(default_factory=list)
    gone: list[tuple[str, ObjectId]] = field(default_factory=list)
    others: list[tuple[str, AddonIs | BackedUp | NoneLeft]] = field(default_factory=list)
    leaving: set[ObjectRef] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    """Names of namespaces that a step has begun to delete, with all that is in them."""
    _last: dict[tuple[ObjectRef, str], int] = field(default_factory=dict)
    _number: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan, done: Collection[str], begun: Collection[str]) -> _Claims:
        claims = cls()
        for number, step in enumerate(plan.steps):
            if step.id in done:
                claims._claim(number, step)
            if step.id in done or step.id in begun:
                claims._supersede(number, step)
            elif isinstance(step.action, Look):
                claims._leave(step)
        return claims

    def _claim(self, number: int, step: Step) -> None:
        if isinstance(step.action, Create) and step.action.ref.of_kind == JOB:
            return
        for condition in conditions(step.until):
            match condition:
                case Holds() | FlagIs() if not isinstance(step.action, Apply) or step.action.ref == condition.ref:
                    # What an operator makes of what was written goes when that goes.
                    self.holding.append((step.id, condition))
                    self._number[id(condition)] = number
                case Absent() if isinstance(step.action, Delete):
                    self.gone += [(step.id, one) for one in condition.objects if one.ref.of_kind != JOB]
                case AddonIs() | BackedUp() | NoneLeft():
                    self.others.append((step.id, condition))
                case _:
                    # All others are of the moment: who is ready, what has rolled out, how long it took.
                    pass

    def _supersede(self, number: int, step: Step) -> None:
        """Take note of what *step*, which has begun, writes over and takes away."""
        self._leave(step)
        for condition in conditions(step.until):
            if isinstance(condition, Holds):
                for path in (*(one.path for one in differences(None, condition.object)), *condition.without):
                    self._last[condition.ref, path] = number

    def _leave(self, step: Step) -> None:
        objects = [one for condition in conditions(step.until) if isinstance(condition, Absent) for one in condition.objects]
        self.leaving |= {one.ref for one in objects}
        self.namespaces |= {one.ref.name for one in objects if one.ref.of_kind == NAMESPACE}

    def unlike(self, condition: Holds | FlagIs, live: Json | None) -> str:
        """Return what is not so of an object as it is now, empty where all is."""
        ref = condition.ref
        if live is None:
            passes = ref in self.leaving or ref.namespace in self.namespaces
            return "" if passes else "it is not there any more"
        if isinstance(condition, FlagIs):
            return "" if tells(live, condition) else f"--{condition.flag}={condition.value} is not there any more"
        number = self._number[id(condition)]
        for one in differences(live, condition.object):
            if self._last.get((ref, one.path), number) <= number:
                has = "is not there any more" if one.live is None else f"is {one.live!r} now"
                return f"{one.path} {has}, not {one.wanted!r}{by_whom(live)}"
        back = (p for p in condition.without if self._last[ref, p] <= number and value_at(live, p) is not ABSENT)
        return next((f"{path} is there again" for path in back), "")
