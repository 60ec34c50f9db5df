"""The managed add-on, by two clocks: an update runs to its end by its id, and only then the add-on's own health counts.

EKS shows ``ACTIVE`` for a while after an update was accepted, ends the update of a big cluster as ``Failed`` while the DaemonSet
goes on converging, and calls an add-on ``DEGRADED`` in between (eksctl-io/eksctl#7269, hashicorp/terraform-provider-aws#49104).
So an update under way is asked for by its id, ``DEGRADED`` is given time while the roll-out moves, and ``UPDATE_FAILED`` is the
end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from eksnetpol.assets import codes
from eksnetpol.execution.rolling import RolloutWatch
from eksnetpol.execution.seeing import Awaited, Observation, holds, hopeless, pending, version_of
from eksnetpol.facts.configuration import parse_values
from eksnetpol.interfaces.acting import Clock, Hands
from eksnetpol.model import eks
from eksnetpol.model.conditions import AddonGone, AddonIs
from eksnetpol.model.kinds import DAEMONSET, ObjectRef

T = TypeVar("T")

AWS_NODE = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")

GRACE = 600.0
"""Seconds without progress of the roll-out for which an add-on may be ``DEGRADED``; AWS documents no such time."""

SHORT_GRACE = 60.0
"""The same where its issues do not pass by themselves, and for an answer that is older than the update it should follow."""

IN_PROGRESS, SUCCESSFUL, FAILED, CANCELLED = "InProgress", "Successful", "Failed", "Cancelled"
_CHANGING = frozenset({"CREATING", "UPDATING"})
_BROKEN = frozenset({"CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"})


class Ask(Protocol):
    """How a question is put to AWS: in its turn, and again while it fails in a way that may pass."""

    def __call__(self, do: Callable[[], T], /) -> T:
        """Return what *do* returns."""


class AddonWatch:
    """What becomes of an add-on, over the time of a wait.

    ``update`` is the id of our own update, empty where there is none; ``acted`` is true once this run has changed the add-on.
    """

    def __init__(
        self, hands: Hands, clock: Clock, ask: Ask, roll: RolloutWatch, *, update: str = "", acted: bool = False
    ) -> None:
        self._hands = hands
        self._clock = clock
        self._ask = ask
        self._roll = roll
        self._update = update
        self._acted = acted
        self._errors: tuple[eks.UpdateError, ...] = ()
        self._ended: float | None = None
        self._succeeded = False
        self._degraded: float | None = None
        self._held: AddonIs | None = None

    def follow(self, update: str) -> None:
        """Take note that this run has acted, by *update* where EKS gives its changes one."""
        self._update = update
        self._acted = True
        self._errors = ()
        self._ended = self._degraded = self._held = None
        self._succeeded = False

    def look(self, wanted: AddonIs) -> Observation:
        """Return whether the add-on is as *wanted*: at most one question to AWS, but for one more before it is believed."""
        if self._held == wanted:
            return holds(f"add-on {wanted.addon} is ACTIVE at {wanted.version}")
        awaited = self._awaited()
        if self._update and self._ended is None:
            return self._updating(wanted, awaited)
        addon = self._ask(lambda: self._hands.describe_addon(wanted.addon))
        if addon is None:
            words = f"EKS manages no add-on {wanted.addon}"
            return hopeless(f"{words} any more: somebody deleted it") if self._update else pending(words, awaited)
        seen = self._health(addon, wanted, awaited)
        if seen is None:
            # Without an update of ours that is known to have ended, ACTIVE may be older than one that is under way.
            running = None if self._succeeded else self.under_way(wanted.addon)
            if running is not None:
                return pending(f"add-on {wanted.addon}: update {running.id} is under way", awaited)
            self._held = wanted
            return holds(f"add-on {wanted.addon} is ACTIVE at {addon.addon_version} with the wanted configuration")
        return seen

    def gone(self, wanted: AddonGone) -> Observation:
        """Return whether EKS manages the add-on no longer."""
        addon = self._ask(lambda: self._hands.describe_addon(wanted.addon))
        if addon is None:
            return holds(f"EKS manages no add-on {wanted.addon}")
        words = f"add-on {wanted.addon} is {addon.status}"
        if addon.status == "DELETE_FAILED" and self._acted:
            return hopeless(f"{words}: {issues_in_words(addon.health.issues)}")
        return pending(words, Awaited(AWS_NODE, lambda _: False, paced=True))

    def under_way(self, name: str) -> eks.Update | None:
        """Return the update that is under way, if one is."""
        updates = self._ask(lambda: self._hands.addon_updates(name))
        return next((one for one in updates if one.status == IN_PROGRESS), None)

    def ended(self, name: str, update: str) -> Observation:
        """Return whether somebody else's *update* has ended; how does not matter."""
        found = self._ask(lambda: self._hands.describe_update(name, update))
        words = f"add-on {name}: update {update} is {found.status}"
        return pending(words, self._awaited()) if found.status == IN_PROGRESS else holds(words)

    def settled(self, name: str) -> Observation:
        """Return whether the add-on is at rest, whatever it is like."""
        addon = self._ask(lambda: self._hands.describe_addon(name))
        status = "gone" if addon is None else addon.status
        words = f"add-on {name} is {status}"
        return pending(words, self._awaited()) if status in {*_CHANGING, "DELETING"} else holds(words)

    # --- the first clock ---

    def _updating(self, wanted: AddonIs, awaited: Awaited) -> Observation:
        update = self._ask(lambda: self._hands.describe_update(wanted.addon, self._update))
        words = f"add-on {wanted.addon}: update {update.id} is {update.status}"
        if update.status == IN_PROGRESS:
            return pending(f"{words}{self._progress()}", awaited)
        self._ended = self._clock.monotonic()
        if update.status == SUCCESSFUL:
            self._succeeded = True
            return pending(f"{words}; now its health counts", awaited)
        self._errors = update.errors
        decoded = errors_in_words(update.errors)
        if update.status == FAILED and update.errors and all(codes.update_error(e.error_code).passes for e in update.errors):
            return pending(f"{words}, which may pass: {decoded}", awaited)
        return hopeless(f"{words}: {decoded}")

    # --- the second clock ---

    def _health(self, addon: eks.Addon, wanted: AddonIs, awaited: Awaited) -> Observation | None:  # noqa: PLR0911 - a status each
        """Return why the add-on is not as *wanted*, None where it is."""
        words = f"add-on {wanted.addon} is {addon.status or 'without a status'}"
        differs = differing(addon, wanted)
        if addon.status != "DEGRADED":
            self._degraded = None
        if addon.status in _CHANGING:
            return pending(f"{words}{self._progress()}", awaited)
        if addon.status in _BROKEN and self._acted:
            # Right after an update that succeeded it can only be the answer of a moment ago.
            if self._succeeded and not self._waited(SHORT_GRACE):
                return pending(f"{words}, though its update has succeeded", awaited)
            return hopeless(f"{words}: {self._why(addon)}")
        if addon.status == "DELETING":
            return hopeless(f"{words}: somebody is deleting it") if self._acted else pending(words, awaited)
        if addon.status == "DEGRADED":
            return self._worn(addon, words, awaited)
        if addon.status != "ACTIVE":
            return pending(words, awaited)
        if differs:
            if self._errors and self._waited(SHORT_GRACE):
                return hopeless(f"{words}, but {differs}: {errors_in_words(self._errors)}")
            return pending(f"{words}, but {differs}", awaited)
        return None

    def _worn(self, addon: eks.Addon, words: str, awaited: Awaited) -> Observation:
        now = self._clock.monotonic()
        self._degraded = now if self._degraded is None else self._degraded
        lasting = addon.health.issues and not all(codes.issue(one.code).passes for one in addon.health.issues)
        grace = SHORT_GRACE if lasting else GRACE
        still = now - max(self._degraded, self._roll.moved)
        if self._acted and still >= grace:
            return hopeless(f"{words} for {still:.0f} s without any progress of its roll-out: {self._why(addon)}")
        return pending(f"{words}, which may pass: {self._why(addon)}{self._progress()}", awaited)

    def _waited(self, seconds: float) -> bool:
        return self._ended is not None and self._clock.monotonic() - self._ended >= seconds

    def _why(self, addon: eks.Addon) -> str:
        if addon.health.issues:
            return issues_in_words(addon.health.issues)
        return errors_in_words(self._errors) if self._errors else "EKS gives no reason"

    def _progress(self) -> str:
        state = self._roll.state
        if state is None:
            return ""
        return f"; {state.updated} of {state.desired} nodes updated, {state.available} available{self._roll.lags}"

    def _awaited(self) -> Awaited:
        """Return the DaemonSet as what to watch meanwhile: nothing it does ends the wait, but everybody sees how far it is."""
        live = self._hands.get(AWS_NODE)
        if live is not None:
            self._roll.beside(live)
        return Awaited(AWS_NODE, lambda _: False, version_of(live), self._roll.told, paced=True)


def differing(addon: eks.Addon, wanted: AddonIs) -> str:
    """Return in words how *addon* differs from what is *wanted*, empty where not. Configurations are compared as documents."""
    words = []
    if addon.addon_version != wanted.version:
        words.append(f"its version is {addon.addon_version}, not {wanted.version}")
    if _document(addon.configuration_values) != _document(wanted.configuration_values):
        words.append("its configuration values are not the wanted ones")
    if wanted.role_arn and addon.service_account_role_arn != wanted.role_arn:
        words.append(f"its role is {addon.service_account_role_arn or 'the node role'}, not {wanted.role_arn}")
    return " and ".join(words)


def _document(text: str) -> Any:
    try:
        return parse_values(text) or {}
    except ValueError:
        return text


def errors_in_words(errors: tuple[eks.UpdateError, ...]) -> str:
    """Return the errors of an update: what EKS says, what that means here, what to do next."""
    if not errors:
        return "EKS gives no reason; aws eks list-updates and describe-update may tell more later"
    return " | ".join(codes.explained(e.error_code, e.error_message, codes.update_error(e.error_code)) for e in errors)


def issues_in_words(issues: tuple[eks.AddonIssue, ...]) -> str:
    """Return the issues of an add-on's health: what EKS says, what that means here, what to do next."""
    if not issues:
        return "EKS gives no reason"
    return " | ".join(codes.explained(one.code, one.message, codes.issue(one.code)) for one in issues)
