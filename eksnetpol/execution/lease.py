"""One run at a time: the Lease ``kube-system/eksnetpol``, held while a run changes a cluster.

Whether a holder still lives is judged as client-go does it: not by comparing its clock with ours, but by watching for the Lease's
own duration whether it is renewed. So a second run knows within that time, whatever the clocks say: renewed means refused, not
renewed means taken over. A resumed run takes its own Lease at once; that it does not run twice is the journal's business.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from eksnetpol.errors import Conflict, EksNetpolError, Exists, Refused
from eksnetpol.execution.seeing import version_of
from eksnetpol.execution.waiting import INSTANT
from eksnetpol.interfaces.acting import Clock, Hands, Watcher
from eksnetpol.model.kinds import LEASE, Json, ObjectRef

REF = ObjectRef.to(LEASE, "eksnetpol", "kube-system")

DURATION = 30
"""Seconds after which a Lease that nobody renews is free."""

_ROUNDS = 10
_TURN = 5.0


class LeaseLost(Exception):
    """Another run holds the Lease by now. Never leaves `execution`."""


class Lease:
    """The Lease as one run holds it."""

    def __init__(self, hands: Hands, clock: Clock, watcher: Watcher, run: str, holder: str) -> None:
        self._hands = hands
        self._clock = clock
        self._watcher = watcher
        self._run = run
        # The run comes first, so that a process which goes on with it knows the Lease for its own.
        self._identity = holder if holder.split(" ", 1)[0] == run else f"{run} {holder}".strip()
        self._live: Json | None = None
        self._renewed = 0.0

    def take(self) -> None:
        """Take the Lease; raise `Refused` where another run holds it and renews it."""
        for _ in range(_ROUNDS):
            live = self._hands.get(REF)
            try:
                if live is None:
                    self._hold(self._hands.create(self._written(None)))
                elif self._is_free(live) or self._is_abandoned(live):
                    self._hold(self._hands.replace(self._written(live)))
                else:
                    continue
            except (Exists, Conflict):
                continue
            return
        raise Refused(f"{REF} changes all the time, so it cannot be told whether another run is under way; try again")

    def tend(self) -> None:
        """Renew the Lease where a third of its time is over; trouble on the way is told, and matters only to `ensure`."""
        if self._live is None or self._clock.monotonic() - self._renewed < DURATION / 3:
            return
        try:
            self.renew()
        except EksNetpolError as error:
            self._watcher.note(f"{REF} could not be renewed: {error}")

    def ensure(self) -> None:
        """Make sure that the Lease is ours before something is changed; raise `LeaseLost` where it is not."""
        if self._clock.monotonic() - self._renewed >= DURATION / 3:
            self.renew()

    def renew(self) -> None:
        """Renew the Lease; raise `LeaseLost` where another run holds it."""
        for _ in range(_ROUNDS):
            live = self._hands.get(REF)
            try:
                if live is None:
                    self._hold(self._hands.create(self._written(None)))
                elif _holder(live) == self._identity:
                    self._hold(self._hands.replace(self._written(live)))
                else:
                    self._live = None
                    raise LeaseLost(f"{REF} is held by {_holder(live) or 'nobody'} now, and was held by this run")
            except (Exists, Conflict):
                continue
            return
        raise LeaseLost(f"{REF} changes all the time")

    def release(self) -> None:
        """Give the Lease up, so that the next run need not wait; that it could not be done is told and harms nobody."""
        if self._live is None:
            return
        self._live = None
        try:
            live = self._hands.get(REF)
            if live is not None and _holder(live) == self._identity:
                # An API server may refuse an empty holder, so there is none.
                spec = {key: value for key, value in live["spec"].items() if key != "holderIdentity"}
                self._hands.replace({**live, "spec": {**spec, "leaseDurationSeconds": 1}})
        except (EksNetpolError, KeyboardInterrupt) as error:
            # The run has ended, this way or another, and that is what counts.
            self._watcher.note(f"{REF} was not given back and is free in {DURATION} s: {str(error) or 'interrupted'}")

    # --- whose it is ---

    def _is_free(self, live: Json) -> bool:
        holder = _holder(live)
        return not holder or holder.split(" ", 1)[0] == self._run

    def _is_abandoned(self, live: Json) -> bool:
        """Watch *live* for its whole duration and return whether nobody touched it; raise `Refused` where its holder is alive."""
        seconds = float((live.get("spec") or {}).get("leaseDurationSeconds") or DURATION)
        self._watcher.note(f"{REF} is held by {_holder(live)}; watching for {seconds:.0f} s whether that run is alive")
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) >= INSTANT:
            self._clock.sleep(min(left, _TURN))
            now = self._hands.get(REF)
            if now is None or self._is_free(now):
                return False
            if version_of(now) != version_of(live):
                raise Refused(self._refusal(now))
        self._watcher.note(f"{REF} was not renewed by {_holder(live)} for {seconds:.0f} s, so that run is dead; taken over")
        return True

    def _refusal(self, live: Json) -> str:
        spec: dict[str, Any] = live.get("spec") or {}
        run = _holder(live).split(" ", 1)[0]
        return (
            f"another run is under way on this cluster: {_holder(live)} holds {REF} since "
            f"{spec.get('acquireTime', 'an unknown time')}; wait until it has ended, or look at it: eksnetpol show {run}"
        )

    def _hold(self, live: Json) -> None:
        self._live = live
        self._renewed = self._clock.monotonic()

    def _written(self, live: Json | None) -> Json:
        now = _micro_time(self._clock.now())
        before: dict[str, Any] = (live or {}).get("spec") or {}
        ours = _holder(live or {}) == self._identity
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION,
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if ours or live is None else 1),
        }
        if live is not None:
            return {**live, "spec": spec}
        return {
            "apiVersion": REF.api_version,
            "kind": REF.kind,
            "metadata": {"name": REF.name, "namespace": REF.namespace},
            "spec": spec,
        }


def _holder(live: Json) -> str:
    return str((live.get("spec") or {}).get("holderIdentity") or "")


def _micro_time(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
