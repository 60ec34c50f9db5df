"""Carrying out a plan, step by step. New and resumed runs go the same way: the journal and a look at the cluster decide.

For each step: what the journal knows to be done is passed over; what is true already is written down as such, so that a crash
after acting never acts twice; else it is written down that the step acts, what it touches is kept as it was, it acts, what the
action returned is written down, and its condition is waited for. A step ends in one of three ways if not well: *failed* (exit
code 4: waiting will not help, the next attempt acts anew), *stopped* (5: time is up, somebody interrupted, the API does not
answer; the next process goes on where this one stopped) and *refused* (6: somebody else's field, another run).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from eksnetpol.errors import Bug, DoorClosed, EksNetpolError, GuardRefused, JournalError, Refused, RunOver, StepFailed, TimedOut
from eksnetpol.execution import preimage
from eksnetpol.execution.acting import Actor
from eksnetpol.execution.agreeing import Disagreement, disagreements, is_gate, is_node, leading_back
from eksnetpol.execution.draining import pods_to_move
from eksnetpol.execution.lease import Lease, LeaseLost
from eksnetpol.execution.moving import is_ending
from eksnetpol.execution.observe import Observer
from eksnetpol.execution.probing import is_gone
from eksnetpol.execution.progress import Past, StepPast, past_of
from eksnetpol.execution.seeing import Observation, State
from eksnetpol.execution.waiting import OutOfPatience, Waiter
from eksnetpol.interfaces.acting import Clock, Entry, Event, Hands, Journal, Watcher
from eksnetpol.model.actions import Apply, Create, Evict, Look, Probe
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.plan import Plan, Step, Verb

LEASE_PATIENCE = 120.0
"""Seconds that taking the Lease may take while the API server does not answer."""


def carry_out(  # noqa: PLR0913 - each is the caller's own
    plan: Plan,
    hands: Hands,
    journal: Journal,
    clock: Clock,
    watcher: Watcher,
    *,
    holder: str,
    wait: bool = True,
    timeout: float | None = None,
    confirmed: Collection[str] = (),
    until: str = "",
) -> None:
    """Do what is left to do of *plan*, whose run *journal* keeps.

    *holder* says who does it, for whoever is refused meanwhile. *timeout* bounds the whole call in seconds, in place of the
    patience of each step. Without *wait* it ends as soon as the last action was accepted; the run is resumable then, and resuming
    proves it. *confirmed* are one-way doors that *holder* lets the run go through; before any other it stops, and confirming one
    once is enough. With *until*, a phase, nothing of a later phase is begun, and the run is resumable.

    Raises `StepFailed`, `TimedOut` (both with the way on), `DoorClosed` before a one-way door, `Refused` for another run under
    way, a field of somebody else or a run that was rolled back, `JournalError` before anything is done that could not be written
    down.
    """
    past = past_of(journal.entries())
    if past.closed:
        return
    if past.rolled_back:
        raise Refused(f"run {journal.run} was taken back by {past.rolled_back}; make a new plan instead of resuming it")
    if past.plan and past.plan != plan.digest:
        raise Refused(f"the journal of run {journal.run} belongs to plan {past.plan}, and this is plan {plan.digest}")
    if past.over:
        raise Refused(f"run {journal.run} cannot be gone on with, only a new plan can, or eksnetpol rollback: {past.over}")
    _Run(
        plan, hands, journal, clock, watcher, past, holder=holder, wait=wait, timeout=timeout, confirmed=confirmed, until=until
    ).go()


class _Run:
    def __init__(  # noqa: PLR0913 - what `carry_out` is given
        self,
        plan: Plan,
        hands: Hands,
        journal: Journal,
        clock: Clock,
        watcher: Watcher,
        past: Past,
        *,
        holder: str,
        wait: bool,
        timeout: float | None,
        confirmed: Collection[str],
        until: str,
    ) -> None:
        self._plan = plan
        self._hands = hands
        self._journal = journal
        self._clock = clock
        self._watcher = watcher
        self._past = past
        self._holder = holder
        self._wait = wait
        self._confirmed = frozenset(confirmed)
        self._approved = past.approved
        self._done = {step.id for step in plan.steps if past.of(step.id).done}
        self._until = until
        self._end = None if timeout is None else clock.monotonic() + timeout
        self._lease = Lease(hands, clock, watcher, journal.run, holder)
        self._seen = ""

    def go(self) -> None:
        """Do what is left, with the Lease held while there is something."""
        plan = self._plan
        self._write(
            "resumed" if self._past.opened or self._past.steps else "opened", data={"plan": plan.digest, "by": self._holder}
        )
        left = [(number, step) for number, step in enumerate(plan.steps, 1) if not self._past.of(step.id).done]
        for step in plan.steps:
            if self._past.of(step.id).done:
                self._watcher.skipped(step.id, "a former process has done it")
        if left:
            with self._leased():
                self._agree()
                for number, step in left:
                    if self._until and _number(step.phase) > _number(self._until):
                        self._pause_before(step)
                        return
                    if not self._one(number, step):
                        return
                self._write("closed")
        else:
            self._agree()
            self._write("closed")

    def _agree(self) -> None:
        """Raise `Refused` where what the journal says was done is not so any more: then it is for people to say what holds."""
        if not self._past.steps or self._plan.verb is not Verb.MIGRATE:
            return
        waiter = self._waiter(LEASE_PATIENCE)
        try:
            found = waiter.call(self._disagreements)
        except OutOfPatience as over:
            self._write("stopped", detail=over.seen)
            raise TimedOut(f"{over.seen}; nothing was changed, go on with: {self._way_on}") from over
        if found:
            told = f"{found[0]}{f' (and {len(found) - 1} more)' if len(found) > 1 else ''}"
            if anew := leading_back(found, self._done):
                self._write("failed", detail=f"{told}: {anew}", data={"over": True})
                raise Refused(f"{told}: {anew}; nothing was done now, and this run cannot go on; {self._way_back} goes back")
            self._write("stopped", detail=told)
            raise Refused(
                f"{told}: somebody has changed that since, and nothing was done now; put it back and go on with {self._way_on}, "
                f"go back with {self._way_back}, or make a new plan from what is there now: eksnetpol migrate run"
            )

    def _disagreements(self, but: Callable[[ObjectRef], bool] = lambda _: False) -> list[Disagreement]:
        return list(disagreements(self._plan, self._done, self._past.touched, self._hands, self._journal, self._clock, but=but))

    @contextmanager
    def _leased(self) -> Iterator[None]:
        waiter = self._waiter(LEASE_PATIENCE)
        try:
            waiter.call(self._lease.take)
        except OutOfPatience as over:
            self._write("stopped", detail=over.seen)
            raise TimedOut(f"{over.seen}; nothing was changed, go on with: {self._way_on}") from over
        except KeyboardInterrupt as interrupt:
            self._write("stopped", detail="interrupted")
            raise TimedOut(f"interrupted before anything was changed; go on with: {self._way_on}") from interrupt
        except EksNetpolError as error:
            self._write("stopped", detail=str(error))
            raise
        try:
            yield
        finally:
            self._lease.release()

    def _one(self, number: int, step: Step) -> bool:
        """Carry out one step, and return whether to go on: not where nothing is left but waiting, and that is not wanted."""
        self._seen = ""
        self._watcher.started(step.id, step.title, number, len(self._plan.steps))
        try:
            return self._carried(number, step)
        except (JournalError, Bug):
            # What cannot be written down, and what nobody foresaw, is no state of the step.
            raise
        except OutOfPatience as over:
            self._stopped(number, step, "was not true in time", over.seen, over)
        except LeaseLost as lost:
            self._stopped(number, step, "was stopped before its next change", str(lost), lost)
        except KeyboardInterrupt as interrupt:
            self._stopped(number, step, "was interrupted", self._seen, interrupt)
        except DoorClosed as closed:
            self._write("stopped", step, f"waits for the one-way door {closed.door} to be confirmed")
            self._watcher.failed(step.id, f"the one-way door {closed.door} is not confirmed")
            raise
        except GuardRefused as refusal:
            self._write("failed", step, str(refusal))
            self._watcher.failed(step.id, str(refusal))
            raise
        except EksNetpolError as error:
            self._failed(number, step, str(error), error)

    def _carried(self, number: int, step: Step) -> bool:
        past = self._past.of(step.id)
        began = self._clock.monotonic()
        waiter = self._waiter(step.patience)
        acted = past.acted
        observer = Observer(
            self._hands,
            self._journal,
            self._clock,
            ask=waiter.aws,
            tell=self._watcher.rollout,
            began=past.started or self._clock.now(),
            update=str((acted or {}).get("update", "")),
            acted=acted is not None,
        )
        if self._plan.verb is Verb.MIGRATE and is_gate(step.until):
            found = waiter.call(lambda: self._disagreements(is_node))
            if anew := leading_back(found, self._done):
                raise RunOver(f"{found[0]}: {anew}", step=step.id)
            if found:
                raise StepFailed(
                    f"{found[0]}: somebody has changed that since, and the run does not fight them: let them leave it (pause "
                    "Argo CD, Flux or whoever it is), and put it back as it was, or make a new plan: eksnetpol migrate run",
                    step=step.id,
                )
        first = self._look(waiter, observer, step)
        if first.state is State.HOLDS:
            seen = f"true already: {first.seen}" if acted is None else first.seen
            return self._succeeded(step, seen, began, skipped=acted is None)
        self._enter(number, step)
        if acted is None or self._is_undone(waiter, observer, step):
            acted = self._act(number, step, past, waiter, observer)
        if acted is None:
            return self._succeeded(step, "became true before anything was done", began, skipped=True)
        if not self._wait and all(isinstance(later.action, Look) for later in self._plan.steps[number:]):
            self._write("stopped", step, f"accepted, not waited for; {self._way_on} goes on and proves it")
            self._watcher.note(f"{step.id} was accepted and is not waited for; {self._way_on} goes on and proves it")
            return False
        try:
            last = waiter.until(lambda: self._look(waiter, observer, step), tell=self._watcher.note)
        except OutOfPatience as over:
            raise OutOfPatience(f"{over.seen}{observer.roll.at_the_end()}") from over
        if last.state is State.HOPELESS:
            raise (RunOver if last.over else StepFailed)(last.seen, step=step.id)
        return self._succeeded(step, last.seen, began)

    def _enter(self, number: int, step: Step) -> None:
        """Go through the door that *step* is, where somebody has confirmed it; raise `DoorClosed` where nobody has."""
        door = step.door
        if not door or door in self._approved:
            return
        if door not in self._confirmed:
            raise DoorClosed(
                f"{self._named(number, step)} goes through the one-way door {door!r}, which nobody has confirmed: everything "
                f"before it is done; go on with {self._way_on} --confirm {door}, or back with {self._way_back}",
                step=step.id,
                door=door,
            )
        self._write("approved", step, f"{self._holder} confirmed {door}", {"door": door, "by": self._holder})
        self._approved |= {door}

    def _look(self, waiter: Waiter, observer: Observer, step: Step) -> Observation:
        seen = waiter.call(lambda: observer.look(step.until))
        self._seen = seen.seen
        return seen

    def _is_undone(self, waiter: Waiter, observer: Observer, step: Step) -> bool:
        """Say whether what a former process applied was taken back since: then it is applied again, or refused."""
        action = step.action
        if isinstance(action, Evict):
            # Whoever let pods onto the node again meanwhile did not hear that it is to be emptied.
            return any(not is_ending(pod) for pod in waiter.call(lambda: pods_to_move(self._hands, action.node, action.uid)))
        if isinstance(action, Probe):
            return waiter.call(lambda: is_gone(action, self._hands, self._journal))
        if not isinstance(action, Apply):
            return False
        live = waiter.call(lambda: self._hands.get(action.ref))
        return live is None or observer.lacks(live, action.object)

    def _act(self, number: int, step: Step, past: StepPast, waiter: Waiter, observer: Observer) -> dict[str, Any] | None:
        """Act, between the two lines that say so; None where it became true before anything was done."""
        waiter.call(self._lease.ensure)
        self._write("started", step)
        waiter.call(lambda: preimage.keep(step.action, preimage.name_of(number, step.id), self._hands, self._journal))
        actor = Actor(self._hands, self._journal, self._clock, self._watcher, self._lease, waiter, observer)
        acted = actor.act(step, past)
        if isinstance(step.action, Apply | Create):
            observer.made = step.action.ref
            observer.applied = isinstance(step.action, Apply)
        if acted is not None and not isinstance(step.action, Look):
            self._write("acted", step, data=acted)
        return acted

    def _pause_before(self, step: Step) -> None:
        """Stop where the person wanted it: all of the phase that was named is done, and nothing after it is begun."""
        said = f"nothing after {self._until} was wanted; {self._way_on} goes on with {step.phase}"
        self._write("stopped", step, said)
        self._watcher.note(said)

    # --- how a step ends ---

    def _succeeded(self, step: Step, seen: str, began: float, *, skipped: bool = False) -> bool:
        self._write("succeeded", step, seen)
        self._done.add(step.id)
        if skipped:
            self._watcher.skipped(step.id, seen)
        else:
            self._watcher.succeeded(step.id, self._clock.monotonic() - began)
        return True

    def _stopped(self, number: int, step: Step, how: str, seen: str, cause: BaseException) -> NoReturn:
        self._write("stopped", step, seen)
        self._watcher.failed(step.id, seen or how)
        why = f"{self._named(number, step)} {how}{f'; last seen: {seen}' if seen else ''}"
        message = f"{why}; nothing is lost: go on with {self._way_on}, or back with {self._way_back}"
        raise TimedOut(message, step=step.id, why=why) from cause

    def _failed(self, number: int, step: Step, seen: str, cause: EksNetpolError) -> NoReturn:
        is_over = isinstance(cause, RunOver)
        self._write("failed", step, seen, {"over": True} if is_over else {})
        self._watcher.failed(step.id, seen)
        why = f"{self._named(number, step)} failed: {seen}"
        if is_over:
            raise RunOver(f"{why}; this run cannot go on; {self._way_back} goes back", step=step.id, why=why) from cause
        message = f"{why}; when that is mended, {self._way_on} tries again; {self._way_back} goes back"
        raise StepFailed(message, step=step.id, why=why) from cause

    def _named(self, number: int, step: Step) -> str:
        return f"step {number} of {len(self._plan.steps)}, {step.id} ({step.title}),"

    @property
    def _way_on(self) -> str:
        return f"eksnetpol resume {self._journal.run}"

    @property
    def _way_back(self) -> str:
        return f"eksnetpol rollback {self._journal.run}"

    # --- what all use ---

    def _waiter(self, patience: float) -> Waiter:
        seconds = patience if self._end is None else self._end - self._clock.monotonic()
        return Waiter(self._hands, self._clock, self._watcher, seconds, self._lease.tend)

    def _write(self, event: Event, step: Step | None = None, detail: str = "", data: dict[str, Any] | None = None) -> None:
        entry = Entry(self._clock.now(), event, step.id if step else "", detail, data or {})
        self._journal.append(entry)


def _number(phase: str) -> str:
    """Return the number of a phase, which its name begins with: ``5b``."""
    return phase.partition(" ")[0]
