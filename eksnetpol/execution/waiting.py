"""Time inside a step: how long is left, when to ask again, and what is watched in between.

Two clocks never multiply here: the SDKs retry a single call by themselves, this module waits on the world. AWS is asked at most
once in `PACE` seconds; in between the object that is going to change is watched, so that progress is live.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

from eksnetpol.errors import Denied, EksNetpolError, TransientError, Unauthenticated, Unreachable
from eksnetpol.execution.seeing import Awaited, Observation, State
from eksnetpol.interfaces.acting import Clock, Hands, Watcher
from eksnetpol.model.kinds import Json

T = TypeVar("T")

PACE = 5.0
"""Seconds between two questions to AWS while something is waited for."""

INSTANT = 0.001
"""Seconds that are not worth waiting for: a clock need not even notice them."""

PASSING: tuple[type[EksNetpolError], ...] = (TransientError, Unreachable, Unauthenticated)
"""What may pass by itself. Credentials count: whoever signs in again in another terminal lets the run go on."""

SIGNING_IN = 120.0
"""Seconds that somebody is given to sign in again; nobody sits before most pipelines."""

_FIRST, _LONGEST = 1.0, 30.0
_SLOWEST_LOOK = 15.0


class OutOfPatience(Exception):
    """The time of a step is over; ``seen`` is what was seen last. Never leaves `execution`."""

    def __init__(self, seen: str) -> None:
        super().__init__(seen)
        self.seen = seen


class Waiter:
    """The patience of one step, ``seconds`` from now. ``tend`` is called in every pause, and keeps the Lease."""

    def __init__(self, hands: Hands, clock: Clock, watcher: Watcher, seconds: float, tend: Callable[[], None]) -> None:
        self._hands = hands
        self._clock = clock
        self._watcher = watcher
        self._tend = tend
        self._end = clock.monotonic() + seconds
        self._asked: float | None = None
        self._blind = False

    @property
    def left(self) -> float:
        """Seconds that are left; less than `INSTANT` is nothing."""
        left = self._end - self._clock.monotonic()
        return left if left >= INSTANT else 0.0

    def call(self, do: Callable[[], T]) -> T:
        """Return what *do* returns, tried again while it fails in a way that may pass; raise `OutOfPatience` at the end of it."""
        retrying = tenacity.Retrying(
            sleep=self.pause,
            retry=tenacity.retry_if_exception_type(PASSING),
            # tenacity's own delays read the machine's clock, which a rehearsal does not wait for.
            stop=self._is_over,
            wait=tenacity.wait_exponential(multiplier=_FIRST, max=_LONGEST) + tenacity.wait_random(0, _FIRST),
            before_sleep=self._tell,
            reraise=True,
        )
        self._refused_since: float | None = None
        try:
            return retrying(do)
        except PASSING as error:
            raise OutOfPatience(str(error)) from error

    def aws(self, do: Callable[[], T]) -> T:
        """Return what *do*, one question to AWS, returns: asked `PACE` seconds after the last one at the earliest."""
        if self._asked is not None:
            self.idle(self._asked + PACE - self._clock.monotonic())
        try:
            return self.call(do)
        finally:
            self.asked()

    def asked(self) -> None:
        """Count a question to AWS that was asked without waiting for its turn."""
        self._asked = self._clock.monotonic()

    def until(self, look: Callable[[], Observation], *, tell: Callable[[str], None]) -> Observation:
        """Return the first observation that is not pending; raise `OutOfPatience` with the last one's words.

        *look* is asked again after a pause that grows, or as soon as what it waits for is seen to change. *tell* hears what was
        seen whenever that is something new.
        """
        said = ""
        pause = _FIRST
        while True:
            seen = look()
            if seen.state is not State.PENDING:
                return seen
            if seen.seen != said:
                said = seen.seen
                tell(said)
                if seen.awaited is not None and seen.awaited.paced:
                    # Something has come to an end; what comes next may do so soon.
                    pause = _FIRST
            if self.left <= 0:
                raise OutOfPatience(seen.seen)
            self.idle(min(pause, self.left), seen.awaited)
            pause = min(pause * 1.5, PACE if seen.awaited is None else _SLOWEST_LOOK)

    def pause(self, seconds: float) -> None:
        """Wait *seconds*, not beyond the end of patience, and keep the Lease meanwhile."""
        self.idle(min(seconds, self.left))

    def idle(self, seconds: float, awaited: Awaited | None = None) -> None:
        """Wait *seconds*, or until what is *awaited* is seen. Watches it where that can be done."""
        end = self._clock.monotonic() + seconds
        since = awaited.since if awaited else ""
        while (left := end - self._clock.monotonic()) >= INSTANT:
            self._tend()
            turn = min(left, PACE)
            before = self._clock.monotonic()
            if awaited is not None and not self._blind:
                seen, since = self._watched(awaited, since, turn)
                if seen:
                    return
            if self._clock.monotonic() - before < turn / 2:
                # Nothing to watch, or a stream that ended at once.
                self._clock.sleep(turn - (self._clock.monotonic() - before))

    def _watched(self, awaited: Awaited, since: str, seconds: float) -> tuple[bool, str]:
        """Watch for *seconds* and return whether the wait may end, and where to go on watching."""
        try:
            for found in self._hands.watch(awaited.ref, since=since, seconds=seconds):
                if found is None:
                    return True, ""
                since = _version(found) or since
                if awaited.told is not None:
                    awaited.told(found)
                if awaited.ends(found):
                    return True, since
        except Denied as error:
            self._blind = True
            self._watcher.note(f"{awaited.ref} cannot be watched, so it is looked at now and then: {error}")
        except PASSING:
            # The next look says what is the matter, if it still is.
            return False, ""
        return False, since

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Unauthenticated):
            self._refused_since = self._clock.monotonic() if self._refused_since is None else self._refused_since
            if self._clock.monotonic() - self._refused_since >= SIGNING_IN:
                return True
        else:
            self._refused_since = None
        return self.left <= 0

    def _tell(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._watcher.note(f"tried again in {state.upcoming_sleep:.0f} s: {error}")


def _version(found: Json) -> str:
    return str((found.get("metadata") or {}).get("resourceVersion", ""))
