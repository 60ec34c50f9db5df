"""Looks at the conditions of a migration; `observe` hands them on."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from eksnetpol.execution import nodes
from eksnetpol.execution.answering import answering
from eksnetpol.execution.covering import covered
from eksnetpol.execution.drift import unchanged
from eksnetpol.execution.probing import probed
from eksnetpol.execution.rolling import RolloutWatch
from eksnetpol.execution.seeing import Awaited, Observation, holds, hopeless, pending, true_of, version_of
from eksnetpol.interfaces.acting import Clock, Hands, Journal
from eksnetpol.model.conditions import Answering, Completed, Covered, Evicted, Probed, Ready, Runs, Soaked, Unchanged
from eksnetpol.model.kinds import Json, ObjectRef

Migrating = Runs | Evicted | Ready | Completed | Unchanged | Covered | Soaked | Answering | Probed
"""The conditions that only migrations wait for."""


class MigrationWatch:
    """Looks for one step. ``began`` is when it began; ``roll`` watches the roll-out of a DaemonSet."""

    def __init__(self, hands: Hands, journal: Journal, clock: Clock, began: datetime, roll: RolloutWatch) -> None:
        self._hands = hands
        self._journal = journal
        self._clock = clock
        self._began = began
        self._roll = roll

    def look(self, condition: Migrating, made: ObjectRef | None) -> Observation:  # noqa: C901, PLR0911 - one case a condition
        """Return whether *condition* holds; *made* is the object that the step has written."""
        match condition:
            case Runs():
                if condition.gone:
                    return nodes.gone(condition, self._hands)
                named = condition.nodes or condition.label
                return nodes.runs(condition, self._hands) if named else self._roll.look(condition.ref)
            case Evicted():
                return nodes.evicted(condition, self._hands)
            case Ready():
                return nodes.ready(condition, self._hands)
            case Completed():
                return self._completed(condition, made)
            case Unchanged():
                return unchanged(condition, self._hands, self._journal)
            case Covered():
                return covered(self._hands, cluster=condition.cluster)
            case Soaked():
                return self._soaked(condition)
            case Answering():
                return answering(condition, self._hands)
            case Probed():
                return probed(condition, self._hands, self._journal)
            case _:
                assert_never(condition)

    def _completed(self, condition: Completed, made: ObjectRef | None) -> Observation:
        ref = condition.ref
        live = self._hands.get(ref)
        if live is None and ref == made:
            return hopeless(f"{ref} is not there any more: somebody deleted it before it had completed")
        if live is None:
            return pending(f"{ref} is not there")
        if said := true_of(live, "Failed"):
            ask = f"kubectl -n {ref.namespace}"
            return hopeless(
                f"{ref} has failed: {said}; its pod's log says why: {ask} logs {_short(ref)}; when that is mended, let it be "
                f"made anew: {ask} delete {_short(ref)}"
            )
        if true_of(live, "Complete"):
            return holds(f"{ref} has completed")
        awaited = Awaited(ref, lambda found: bool(true_of(found, "Complete") or true_of(found, "Failed")), version_of(live))
        return pending(f"{ref}: {_under_way(ref, live.get('status') or {})}", awaited)

    def _soaked(self, condition: Soaked) -> Observation:
        passed = (self._clock.now() - self._began).total_seconds()
        if passed >= condition.seconds:
            return holds(f"{condition.seconds:g} s have passed")
        return pending(f"letting {condition.seconds:g} s pass")


def _under_way(ref: ObjectRef, status: Json) -> str:
    """Return how far a Job is, and where it says why it goes no further."""
    why = "; its events say why, where that lasts"
    ask = f"kubectl -n {ref.namespace} describe"
    if not status.get("active"):
        return f"no pod of it was made yet{why}: {ask} {_short(ref)}"
    if status.get("ready") == 0:
        return f"its pod is there and not ready{why}: {ask} pods -l job-name={ref.name}"
    return "its pod runs"


def _short(ref: ObjectRef) -> str:
    return f"{ref.kind.lower()}/{ref.name}"
