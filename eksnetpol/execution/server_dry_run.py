"""What the API server would say to a plan, step by step, without anything being changed (``dryRun=All``).

Every write passes validation, admission and the check of who owns which field. EKS has no dry run: a change of the add-on is
held against the target version's schema by the caller. Steps are asked for as the cluster is now, not as the steps before them
leave it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

import msgspec

from eksnetpol.errors import Conflict, Denied, EksNetpolError, Exists, GuardRefused, NotFound, Rejected, StepFailed
from eksnetpol.execution.acting import refuse_others, stripping
from eksnetpol.execution.draining import pods_to_move, refuse_bare
from eksnetpol.execution.gathering import gathered, meant_by, named
from eksnetpol.execution.waiting import PASSING
from eksnetpol.fields.keeping import kept
from eksnetpol.interfaces.acting import Hands, Watcher
from eksnetpol.model.actions import (
    Action,
    Apply,
    BackUp,
    Create,
    CreateAddon,
    Delete,
    DeleteAddon,
    Evict,
    Look,
    ObjectId,
    Probe,
    Restore,
    StripFinalizer,
    UpdateAddon,
)
from eksnetpol.model.plan import Plan


class Answer(StrEnum):
    """What became of a step. *not asked*: there is nothing that could be asked without doing it."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_ASKED = "not asked"


class Said(msgspec.Struct, frozen=True):
    """What the server said to a step, in words."""

    step: str
    title: str
    answer: Answer
    words: str


def dry_run(plan: Plan, hands: Hands, watcher: Watcher) -> tuple[Said, ...]:
    """Return what the server says to each step of *plan*; raise what says that it cannot be asked."""
    answers = []
    for number, step in enumerate(plan.steps, 1):
        watcher.started(step.id, step.title, number, len(plan.steps))
        try:
            answer, words = _asked(step.action, hands)
        except PASSING:
            raise
        except (Conflict, Denied, Exists, GuardRefused, NotFound, Rejected, StepFailed) as error:
            answer, words = Answer.REFUSED, str(error)
        except EksNetpolError as error:
            answer, words = Answer.REFUSED, f"{type(error).__name__}: {error}"
        if answer is Answer.REFUSED:
            watcher.failed(step.id, words)
        else:
            watcher.skipped(step.id, f"{answer}: {words}")
        answers.append(Said(step.id, step.title, answer, words))
    return tuple(answers)


def _asked(action: Action, hands: Hands) -> tuple[Answer, str]:  # noqa: C901, PLR0911, PLR0912 - one case an action
    match action:
        case Apply():
            return _applied(action, hands)
        case Create():
            try:
                hands.create(action.object, dry_run=True)
            except Exists:
                return Answer.ACCEPTED, f"{action.ref} is there already and stays as it is"
            return Answer.ACCEPTED, f"{action.ref} would be created"
        case Delete():
            found = gathered(hands, meant_by(action, hands))
            for one in found:
                hands.delete(one.ref, uid=one.uid, dry_run=True)
            return Answer.ACCEPTED, f"{_listed(found)} would be deleted"
        case StripFinalizer():
            found = gathered(hands, meant_by(action, hands))
            patches = {one: stripping(live, one, action.finalizer) for one, live in found.items()}
            wanted = {one: operations for one, operations in patches.items() if operations}
            for one, operations in wanted.items():
                hands.patch(one.ref, operations, dry_run=True)
            return Answer.ACCEPTED, f"{action.finalizer} would be taken off {_listed(wanted)}"
        case BackUp():
            meant = meant_by(action, hands)
            return Answer.ACCEPTED, f"{len(gathered(hands, meant)):,} of {len(meant):,} objects can be read"
        case UpdateAddon() | CreateAddon() | DeleteAddon():
            return Answer.NOT_ASKED, "EKS has no dry run"
        case Restore():
            return Answer.NOT_ASKED, "what is restored is known when the back-up is there"
        case Evict():
            pods = pods_to_move(hands, action.node, action.uid)
            refuse_bare(action, pods)
            return Answer.NOT_ASKED, f"{len(pods):,} pods would be asked to go; what budgets say then is not known now"
        case Probe():
            return Answer.NOT_ASKED, "which pods it tries connections to is known when it does"
        case Look():
            return Answer.NOT_ASKED, "nothing is changed by this step"
        case _:
            assert_never(action)


def _applied(action: Apply, hands: Hands) -> tuple[Answer, str]:
    wanted = kept(hands.get(action.ref), action.object, drops=action.drops) if action.keeps else action.object
    try:
        hands.apply(wanted, dry_run=True)
    except Conflict as error:
        if not error.fields:
            raise
        refuse_others(action, error)
        hands.apply(wanted, force=True, dry_run=True)
        return Answer.ACCEPTED, f"{action.ref} would be applied, taking over {', '.join(path for path, _ in error.fields)}"
    return Answer.ACCEPTED, f"{action.ref} would be applied"


def _listed(objects: Iterable[ObjectId]) -> str:
    refs = [one.ref for one in objects]
    return f"{len(refs):,} objects ({named(refs)})" if refs else "nothing that is there"
