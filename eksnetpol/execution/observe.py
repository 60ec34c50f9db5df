"""Whether a condition holds: looked at, and put into words. Nothing is changed by looking, and nothing is taken for granted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar, assert_never

from eksnetpol.errors import UnreadableInput
from eksnetpol.execution import backups
from eksnetpol.execution.addon_health import AddonWatch, Ask
from eksnetpol.execution.endings import by_whom_anew, ending, letting_go, staying
from eksnetpol.execution.gathering import all_of, found_of, gathered, kind_named, named, ref_of
from eksnetpol.execution.migrating import MigrationWatch
from eksnetpol.execution.rolling import RolloutWatch
from eksnetpol.execution.seeing import Awaited, Observation, State, condition_of, holds, hopeless, pending, version_of
from eksnetpol.execution.written import by_whom, unlike
from eksnetpol.fields.holds import differences
from eksnetpol.interfaces.acting import Clock, Hands, Journal, RolloutState
from eksnetpol.model.conditions import (
    Absent,
    AddonGone,
    AddonIs,
    All,
    Answering,
    BackedUp,
    Completed,
    Condition,
    Covered,
    Established,
    Evicted,
    FlagIs,
    Holds,
    NoneLeft,
    Probed,
    Ready,
    Restored,
    RolledOut,
    Runs,
    Soaked,
    Unchanged,
    Unfinalized,
)
from eksnetpol.model.fingerprints import digest_of_file
from eksnetpol.model.kinds import DEFINITION, Json, ObjectRef
from eksnetpol.planning.patching import flag_in, tells

T = TypeVar("T")


def observe(condition: Condition, hands: Hands, journal: Journal, clock: Clock) -> Observation:
    """Return whether *condition* holds now: one look, without the memory of a wait."""
    return Observer(hands, journal, clock).look(condition)


class Observer:
    """Looks at conditions, and remembers between looks what one look cannot tell.

    ``ask`` puts a question to AWS, ``tell`` hears how far a roll-out is, ``began`` is when the step began. ``update`` and
    ``acted``: see `AddonWatch`.
    """

    def __init__(
        self,
        hands: Hands,
        journal: Journal,
        clock: Clock,
        *,
        ask: Ask | None = None,
        tell: Callable[[RolloutState], None] | None = None,
        began: datetime | None = None,
        update: str = "",
        acted: bool = False,
    ) -> None:
        self._hands = hands
        self._journal = journal
        self.made: ObjectRef | None = None
        """The object that this step has written: where it is not there, it has been there."""
        self._began = began
        self.applied = False
        """Whether it has applied it: then it had every field that was wanted."""
        self.roll = RolloutWatch(hands, clock, tell or (lambda _: None), began)
        self.addon = AddonWatch(hands, clock, ask or _at_once, self.roll, update=update, acted=acted)
        self._migration = MigrationWatch(hands, journal, clock, began or clock.now(), self.roll)

    def look(self, condition: Condition) -> Observation:  # noqa: C901, PLR0911, PLR0912 - one case a condition
        """Return whether *condition* holds."""
        match condition:
            case AddonIs():
                return self.addon.look(condition)
            case AddonGone():
                return self.addon.gone(condition)
            case Holds():
                return self._holds(condition)
            case FlagIs():
                return self._flag(condition)
            case RolledOut():
                return self.roll.look(condition.ref)
            case Established():
                return self._established(condition)
            case Absent():
                return self._absent(condition)
            case NoneLeft():
                return self._none_left(condition)
            case Unfinalized():
                return self._unfinalized(condition)
            case BackedUp():
                return self._backed_up(condition)
            case Restored():
                return self._restored(condition)
            case Runs() | Evicted() | Ready() | Completed() | Unchanged() | Covered() | Soaked() | Answering() | Probed():
                return self._migration.look(condition, self.made)
            case All():
                return self._all(condition)
            case _:
                assert_never(condition)

    def lacks(self, live: Json, wanted: Json) -> bool:
        """Say whether *live* lacks a field of *wanted*."""
        return bool(differences(live, wanted))

    def _all(self, condition: All) -> Observation:
        seen = []
        for one in condition.conditions:
            found = self.look(one)
            if found.state is not State.HOLDS:
                return found
            seen.append(found.seen)
        return holds("; ".join(seen))

    # --- fields ---

    def _holds(self, condition: Holds) -> Observation:
        ref = condition.ref
        live = self._hands.get(ref)
        awaited = Awaited(ref, lambda found: not unlike(found, condition), version_of(live))
        if live is None and ref == self.made:
            return hopeless(f"{ref} is not there any more: somebody deleted it after it was written")
        if live is None:
            return pending(f"{ref} is not there", awaited)
        words = unlike(live, condition)
        if self.applied and ref == self.made and differences(live, condition.object):
            # It had what was written; what was to be taken away may be somebody else's as well, and stays theirs.
            return hopeless(
                f"{ref}: {words}: somebody wrote over it after it was written{by_whom(live)}; let them leave it (pause Argo CD, "
                "Flux or whoever is named)"
            )
        return pending(f"{ref}: {words}", awaited) if words else holds(f"{ref} has the wanted fields")

    def _flag(self, condition: FlagIs) -> Observation:
        live = self._hands.get(condition.ref)
        awaited = Awaited(condition.ref, lambda found: tells(found, condition), version_of(live))
        told = f"--{condition.flag}={condition.value}"
        if live is None:
            return pending(f"{condition.ref} is not there", awaited)
        if tells(live, condition):
            return holds(f"{condition.ref} has {told}")
        value = flag_in(live, condition.containers, condition.flag)
        has = "not there" if value is None else f"--{condition.flag}={value}"
        return pending(f"{condition.ref}: the flag is {has}, not {told}", awaited)

    def _established(self, condition: Established) -> Observation:
        ref = ObjectRef.to(DEFINITION, condition.name)
        live = self._hands.get(ref)
        awaited = Awaited(ref, lambda found: condition_of(found, "Established").get("status") == "True", version_of(live))
        if live is None:
            return pending(f"{ref} is not there", awaited)
        if condition.uid not in {"", live["metadata"].get("uid", "")}:
            return hopeless(f"{ref} was deleted and made again, and all objects of its kind went with it")
        if condition_of(live, "Established").get("status") == "True":
            return holds(f"{ref} is served")
        accepted = condition_of(live, "NamesAccepted")
        if accepted.get("status") == "False":
            return hopeless(f"{ref}: the API server does not accept its names: {accepted.get('message', '')}")
        return pending(f"{ref} is not served yet", awaited)

    # --- objects that go ---

    def _absent(self, condition: Absent) -> Observation:
        left = gathered(self._hands, condition.objects)
        if not left:
            return holds(f"{_count(len(condition.objects))} {'are' if len(condition.objects) != 1 else 'is'} not there any more")
        still = named(
            f"{one.ref}{ending(live) or by_whom_anew(live, self._began) or staying(live)}" for one, live in left.items()
        )
        patches = [patch for one, live in left.items() if (patch := letting_go(one.ref, live))]
        awaited = None
        if len(left) == 1:
            ((one, live),) = left.items()
            awaited = Awaited(one.ref, lambda _: False, version_of(live))
        if not patches:
            return pending(f"still there: {still}", awaited)
        return pending(
            f"still there: {still}. Whoever set a finalizer takes it off once it has cleaned up: see first why not. If it "
            f"is gone for good, this lets go, and fails where anything has changed: {patches[0]}",
            awaited,
        )

    def _none_left(self, condition: NoneLeft) -> Observation:
        left = []
        for text in condition.kinds:
            kind = kind_named(text)
            found = self._hands.objects(kind)
            if found:
                left.append(f"{len(found):,} {text} ({named(ref_of(live, kind) for live in found)})")
        return pending(f"still there: {'; '.join(left)}") if left else holds(f"there are no {' and no '.join(condition.kinds)}")

    def _unfinalized(self, condition: Unfinalized) -> Observation:
        left = [
            one.ref
            for one, live in gathered(self._hands, condition.objects).items()
            if condition.finalizer in (live["metadata"].get("finalizers") or ())
        ]
        left += [ref for kind in condition.kinds for ref in all_of(kind, self._hands, finalizer=condition.finalizer)]
        if left:
            return pending(f"finalizer {condition.finalizer} is still on {named(left)}")
        whose = condition.kinds or (_count(len(condition.objects)),)
        return holds(f"finalizer {condition.finalizer} is on none of {' and '.join(whose)}")

    # --- files ---

    def _backed_up(self, condition: BackedUp) -> Observation:
        data = self._journal.load(condition.file)
        if data is None:
            return pending(f"the run has no back-up {condition.file}")
        try:
            file = backups.read(data, condition.file)
        except UnreadableInput as error:
            return pending(str(error))
        missing = {one.ref for one in condition.objects} - file.refs - set(file.gone)
        if missing:
            return pending(f"{condition.file} lacks {named(sorted(missing))}")
        return holds(f"{condition.file} holds {_count(len(file.objects))}")

    def _restored(self, condition: Restored) -> Observation:
        try:
            file = restorable(self._journal, condition.file, condition.digest, condition.run)
        except UnreadableInput as error:
            return hopeless(str(error))
        missing = file.refs - found_of(self._hands, file.refs).keys()
        if missing:
            return pending(f"not there: {named(sorted(missing))}")
        return holds(f"all {_count(len(file.objects))} of {condition.file} are there")


def restorable(journal: Journal, name: str, digest: str, run: str) -> backups.BackUpFile:
    """Return a back-up of this run or of another; raise `UnreadableInput` where there is none, or not the one that was meant."""
    data = journal.load(name, run=run)
    place = f"back-up {name} of run {run or journal.run}"
    if data is None:
        raise UnreadableInput(place, "there is no such file")
    if digest and digest_of_file(data) != digest:
        raise UnreadableInput(place, f"this is not the file that was kept: its digest is {digest_of_file(data)}, not {digest}")
    return backups.read(data, place)


def _at_once(do: Callable[[], T]) -> T:
    return do()


def _count(number: int) -> str:
    return f"{number:,} object{'' if number == 1 else 's'}"
