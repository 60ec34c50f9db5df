"""What becomes of a change of an add-on: time passes, its objects are written, the DaemonSet rolls.

A change goes this way. For a moment DescribeAddon shows the state before (``Timing.stale``), then UPDATING. When it is due its
`Effect` is performed by the caller: `due` names it, `performed` takes how it went. A conflict ends it here (UPDATE_FAILED or
CREATE_FAILED, with the same errors in the update and in the add-on's health). Else it ends when the DaemonSet has rolled and
``Timing.settles`` has passed. A roll-out that stands still makes the add-on DEGRADED meanwhile; one that takes too long makes the
update fail while the DaemonSet goes on, and the add-on is DEGRADED until it has rolled ``[?]``.

A failed change leaves version and configuration as they were unless objects had been written ``[?]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from eksnetpol.simulation.eks import Effect, Eks, EksCluster, Json, Outcome, Pending

FAILED: Mapping[str, str] = {"create": "CREATE_FAILED", "update": "UPDATE_FAILED", "delete": "DELETE_FAILED"}
UNFINISHED = "InsufficientNumberOfReplicas"


class Place(Protocol):
    """Where effects happen: objects in memory, or a real API server."""

    def perform(self, effect: Effect) -> Outcome:
        """Write what the effect says, or say why not."""

    def daemonset(self, addon: str) -> Json | None:
        """Return the add-on's DaemonSet with its status, None where there is none."""


class Nowhere:
    """No cluster stands behind EKS: whatever is written is written, and has rolled at once."""

    def perform(self, effect: Effect) -> Outcome:  # noqa: ARG002 - as in `Place`
        """Let it be done."""
        return Outcome()

    def daemonset(self, addon: str) -> Json | None:  # noqa: ARG002 - as in `Place`
        """There is none."""
        return None


def drive(eks: Eks, now: datetime, place: Place | None = None) -> Eks:
    """Return the state at *now*: effects that are due are performed at *place*, and what has ended has ended."""
    where = place or Nowhere()
    for effect in due(eks, now):
        eks = performed(eks, effect, where.perform(effect), now)
    return settle(eks, now, where.daemonset)


def due(eks: Eks, now: datetime) -> tuple[Effect, ...]:
    """Return the effects whose time has come and that nobody performed."""
    changes = (change for here in eks.clusters.values() for change in here.pending.values())
    return tuple(
        c.effect
        for c in changes
        if c.written is None and c.started + eks.timing.begins <= now and (not c.fate.errors or c.fate.written)
    )


def performed(eks: Eks, effect: Effect, outcome: Outcome, now: datetime) -> Eks:
    """Return the state after an effect was performed, or could not be."""
    here = eks.of(effect.cluster)
    change = here.pending[effect.addon]
    if outcome.errors:
        return eks.with_cluster(effect.cluster, _failed(here, change, outcome.errors, change.before))
    written = replace(change, written=now, progressed=now)
    return eks.with_cluster(effect.cluster, replace(here, pending={**here.pending, effect.addon: written}))


def next_due(eks: Eks, now: datetime) -> datetime | None:
    """Return when something happens next by time alone, None where nothing does; what rolls may end sooner."""
    times: list[datetime] = []
    for here in eks.clusters.values():
        for change in here.pending.values():
            times += [change.started + d for d in (eks.timing.stale, eks.timing.begins, eks.timing.settles)]
            times += [change.progressed + eks.timing.degraded] if change.progressed else []
            times += [change.written + eks.timing.gives_up] if change.written else []
        times += here.ailing.values()
    return min((t for t in times if t > now), default=None)


def settle(eks: Eks, now: datetime, daemonset: Callable[[str], Json | None] = lambda _: None) -> Eks:
    """Return the state in which everything has ended that ends by *now*, given the DaemonSets of add-ons (None: has rolled)."""
    for name, here in eks.clusters.items():
        for addon, change in here.pending.items():
            eks = eks.with_cluster(name, _advanced(eks, eks.of(name), change, daemonset(addon), now))
        for addon, until in here.ailing.items():
            if until <= now and has_rolled(daemonset(addon)):
                eks = eks.with_cluster(name, _recovered(eks.of(name), addon))
    return eks


def has_rolled(daemonset: Json | None) -> bool:
    """Say whether every pod that a DaemonSet wants has its template and is available. None, where nothing rolls, has."""
    if daemonset is None:
        return True
    status = daemonset.get("status", {})
    if status.get("observedGeneration", 0) < daemonset["metadata"].get("generation", 0):
        return False
    wanted = status.get("desiredNumberScheduled", 0)
    return bool(_progress(daemonset) == (wanted, wanted))


def _progress(daemonset: Json | None) -> tuple[int, int]:
    status = (daemonset or {}).get("status", {})
    return status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)


def _advanced(eks: Eks, here: EksCluster, change: Pending, daemonset: Json | None, now: datetime) -> EksCluster:
    timing = eks.timing
    over = now >= change.started + timing.settles
    if over and change.fate.errors and (change.written or not change.fate.written):
        return _failed(here, change, change.fate.errors, change.after if change.written else change.before)
    if change.written is None:
        return _under_way(here, change) if now >= change.started + timing.stale else here
    if change.effect.verb != "delete" and not has_rolled(daemonset):
        return _rolling(eks, here, change, daemonset, now)
    if not over:
        return _under_way(here, change)
    ended = _ended(here, change)
    return _ill(ended, change.effect.addon, now + change.fate.ails) if change.fate.ails else ended


def _rolling(eks: Eks, here: EksCluster, change: Pending, daemonset: Json | None, now: datetime) -> EksCluster:
    name, timing, lack = change.effect.addon, eks.timing, (_lack(daemonset),)
    if change.written is not None and now >= change.written + timing.gives_up:
        return _ill(_failed(here, change, lack, change.after), name, now, lack)
    progress = _progress(daemonset)
    if progress != change.progress:
        here = replace(here, pending={**here.pending, name: replace(change, progress=progress, progressed=now)})
        return _under_way(here, change)
    stands_still = change.progressed is not None and now >= change.progressed + timing.degraded
    return _under_way(here, change, lack if stands_still else ())


def _under_way(here: EksCluster, change: Pending, errors: tuple[Json, ...] = ()) -> EksCluster:
    addon = here.addons[change.effect.addon]
    busy = {"create": "CREATING", "update": "UPDATING", "delete": "DELETING"}[change.effect.verb]
    now = {**addon, "status": "DEGRADED" if errors else busy, "health": {"issues": _issues(errors)}}
    return replace(here, addons={**here.addons, change.effect.addon: now})


def _failed(here: EksCluster, change: Pending, errors: tuple[Json, ...], kept: Json | None) -> EksCluster:
    name = change.effect.addon
    addon = {**(kept or change.after or here.addons[name])}
    addon |= {"status": FAILED[change.effect.verb], "health": {"issues": _issues(errors)}}
    return _closed(replace(here, addons={**here.addons, name: addon}), change, "Failed", errors)


def _ended(here: EksCluster, change: Pending) -> EksCluster:
    name = change.effect.addon
    addons = {k: v for k, v in here.addons.items() if k != name}
    if change.after is None:
        owner = here.addons[name]["addonArn"]
        kept = tuple(a for a in here.pod_identities if a.get("ownerArn") != owner)
        here = replace(here, pod_identities=kept)
    else:
        # Tags may have been changed meanwhile.
        addons[name] = {**change.after, "tags": here.addons[name].get("tags", {})}
    return _closed(replace(here, addons=addons), change, "Successful", ())


def _closed(here: EksCluster, change: Pending, status: str, errors: tuple[Json, ...]) -> EksCluster:
    name = change.effect.addon
    updates = dict(here.updates)
    if change.update:
        ended = {**updates[name][change.update], "status": status, "errors": list(errors)}
        updates[name] = {**updates[name], change.update: ended}
    pending = {k: v for k, v in here.pending.items() if k != name}
    ailing = {k: v for k, v in here.ailing.items() if k != name}
    return replace(here, updates=updates, pending=pending, ailing=ailing)


def _ill(here: EksCluster, name: str, until: datetime, errors: tuple[Json, ...] = ()) -> EksCluster:
    said = errors or (_lack(None),)
    addon = {**here.addons[name], "status": "DEGRADED", "health": {"issues": _issues(said)}}
    return replace(here, addons={**here.addons, name: addon}, ailing={**here.ailing, name: until})


def _recovered(here: EksCluster, name: str) -> EksCluster:
    addon = {**here.addons[name], "status": "ACTIVE", "health": {"issues": []}}
    ailing = {k: v for k, v in here.ailing.items() if k != name}
    return replace(here, addons={**here.addons, name: addon}, ailing=ailing)


def _lack(daemonset: Json | None) -> Json:
    status = (daemonset or {}).get("status", {})
    wanted, there = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    counted = f": {there} of {wanted} are available" if wanted else ""
    message = f"The add-on is unhealthy because it does not have the desired number of replicas{counted}"
    return {"errorCode": UNFINISHED, "errorMessage": message, "resourceIds": ["aws-node"]}


def _issues(errors: tuple[Json, ...]) -> list[Json]:
    return [{"code": e["errorCode"], "message": e["errorMessage"], "resourceIds": e.get("resourceIds", [])} for e in errors]
