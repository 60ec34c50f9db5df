"""Changing the managed add-on: one change at a time, each with a token of its own, so that a repeat starts nothing new."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar, assert_never

from eksnetpol.errors import Busy, Exists, StepFailed
from eksnetpol.execution.addon_health import CANCELLED, FAILED, differing
from eksnetpol.execution.observe import Observer
from eksnetpol.execution.progress import StepPast
from eksnetpol.execution.seeing import State
from eksnetpol.execution.waiting import Waiter
from eksnetpol.facts.configuration import parse_values
from eksnetpol.interfaces.acting import Hands, Watcher
from eksnetpol.model import eks
from eksnetpol.model.actions import CreateAddon, DeleteAddon, UpdateAddon
from eksnetpol.model.conditions import AddonIs
from eksnetpol.model.plan import Step

T = TypeVar("T")

SKEW = timedelta(minutes=2)
"""By how much AWS's clock and ours may differ."""


class Change(Protocol):
    """How a change is made: while the Lease is ours, and again while it fails in a way that may pass."""

    def __call__(self, do: Callable[[], T], /) -> T:
        """Return what *do* returns."""


def token_of(run: str, step: str, attempt: int) -> str:
    """Return the token of a step's change: the same for a repeat after a crash, another once an attempt has failed."""
    return hashlib.sha256(f"{run}/{step}/{attempt}".encode()).hexdigest()[:32]


class AddonActor:
    """Makes the change that one step wants made to the add-on."""

    def __init__(
        self,
        hands: Hands,
        watcher: Watcher,
        waiter: Waiter,
        observer: Observer,
        change: Change,
        run: str,
        step: Step,
        past: StepPast,
    ) -> None:
        self._hands = hands
        self._watcher = watcher
        self._waiter = waiter
        self._observer = observer
        self._change = change
        self._step = step
        self._past = past
        self._token = token_of(run, step.id, past.attempts)

    def act(self, action: UpdateAddon | CreateAddon | DeleteAddon) -> dict[str, Any] | None:
        """Make the change once nothing else is under way, within the step's patience; None where it became true meanwhile."""
        while True:
            try:
                try:
                    return self._acted(action)
                finally:
                    self._waiter.asked()
            except Busy as error:
                self._watcher.note(f"add-on {action.addon} is busy, waiting for that to end: {error}")
                self._rest(action.addon)
                seen = self._observer.look(self._step.until)
                if seen.state is State.HOLDS:
                    return None

    def _acted(self, action: UpdateAddon | CreateAddon | DeleteAddon) -> dict[str, Any]:
        match action:
            case UpdateAddon():
                update = self._lost(action) or self._change(lambda: self._hands.update_addon(action, token=self._token))
                self._observer.addon.follow(update.id)
                return {"update": update.id, "token": self._token}
            case CreateAddon():
                self._create(action)
                self._observer.addon.follow("")
                return {"addon": action.addon, "token": self._token}
            case DeleteAddon():
                self._change(lambda: self._hands.delete_addon(action.addon, preserve=action.preserve))
                self._observer.addon.follow("")
                return {"addon": action.addon}
            case _:
                assert_never(action)

    def _create(self, action: CreateAddon) -> None:
        try:
            self._change(lambda: self._hands.create_addon(action, token=self._token))
        except Exists as error:
            # A former process, or an answer that was lost, may have created it.
            addon = self._waiter.aws(lambda: self._hands.describe_addon(action.addon))
            wanted = AddonIs(action.version, action.configuration_values, addon=action.addon)
            unlike = "it was there and is gone again" if addon is None else differing(addon, wanted)
            if unlike:
                raise StepFailed(
                    f"add-on {action.addon} was not created, because there is one already: {unlike}; make a new plan: eksnetpol "
                    "enable --plan"
                ) from error

    def _lost(self, action: UpdateAddon) -> eks.Update | None:
        """Return the update that a former process started and did not live to write down.

        The token alone would do if AWS said for how long it remembers one.
        """
        if self._past.started is None:
            return None
        updates = self._waiter.call(lambda: self._hands.addon_updates(action.addon))
        return next((one for one in updates if _is_ours(one, action, self._past, self._past.started)), None)

    def _rest(self, name: str) -> None:
        """Wait until no update is under way and the add-on is at rest, whatever it is like then."""
        running = self._observer.addon.under_way(name)
        if running is not None:
            self._waiter.until(lambda: self._observer.addon.ended(name, running.id), tell=self._watcher.note)
        self._waiter.until(lambda: self._observer.addon.settled(name), tell=self._watcher.note)


def _is_ours(update: eks.Update, action: UpdateAddon, past: StepPast, started: datetime) -> bool:
    if update.status in {FAILED, CANCELLED} or update.id in past.updates:
        return False
    if update.created_at is None or update.created_at < started - SKEW:
        return False
    told = {param.type: param.value for param in update.params}
    return told.get("AddonVersion", action.version) == action.version and _same(
        told.get("ConfigurationValues", action.configuration_values), action.configuration_values
    )


def _same(one: str, other: str) -> bool:
    try:
        return bool(parse_values(one) == parse_values(other))
    except ValueError:
        return one == other
