"""EKS's side of a simulated cluster: made of a snapshot, asked and told in the words of `interfaces.acting.Hands`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from eksnetpol.errors import Busy, Conflict, EksNetpolError, Exists, NotFound, Rejected
from eksnetpol.model import eks as answers
from eksnetpol.model.actions import ADDON, CreateAddon, UpdateAddon
from eksnetpol.model.kinds import DAEMONSET, KINDS, ObjectRef
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread
from eksnetpol.model.versions import Release
from eksnetpol.simulation import eks_changes, eks_settling
from eksnetpol.simulation.addon_effects import DAEMONSET_REF, MANAGER, perform
from eksnetpol.simulation.eks import Effect, Eks, EksCluster, EksError, Fate, Json, Outcome, Pending, Timing
from eksnetpol.simulation.ground import Ground

T = TypeVar("T")

_ACCOUNT = "000000000000"
_KNOWN = {(kind.api_version, kind.name) for kind in KINDS}
_ERRORS: dict[str, type[EksNetpolError]] = {
    "ResourceInUseException": Busy,
    "ResourceNotFoundException": NotFound,
    "InvalidParameterException": Rejected,
    "InvalidRequestException": Rejected,
}


class Control:
    """EKS for one cluster. Its answers are those of `model.eks`, its refusals those of `errors`."""

    def __init__(self, snapshot: ClusterSnapshot, ground: Ground, now: Callable[[], datetime], timing: Timing) -> None:
        self._addon = snapshot.addon
        self._now = now
        self.place = Place(ground)
        self._cluster, self.eks = _service(snapshot, timing, now())

    def turn(self) -> None:
        """Do what EKS does by itself by now."""
        self.eks = eks_settling.drive(self.eks, self._now(), self.place)

    def next_due(self) -> datetime | None:
        """Return when it has something to do by time alone, None for never."""
        return eks_settling.next_due(self.eks, self._now())

    def doom(self, *fates: Fate) -> None:
        """Let the next changes of the add-on end like this, one fate each."""
        self.eks = self.eks.with_fates(self._cluster, ADDON, fates)

    # --- the calls ------------------------------------------------------------------------------------------------------

    def describe_addon(self, name: str) -> answers.Addon | None:
        """Return the add-on, None where there is none."""
        self._refuse_unread()
        self.turn()
        found = self.eks.of(self._cluster).addons.get(name)
        return None if found is None else msgspec.convert(found, answers.Addon)

    def addon_updates(self, name: str) -> tuple[answers.Update, ...]:
        """Return its updates, the newest first."""
        self._refuse_unread()
        self.turn()
        return tuple(msgspec.convert(u, answers.Update) for u in self.eks.updates(self._cluster, name))

    def describe_update(self, name: str, update: str) -> answers.Update:
        """Return one update; raise `errors.NotFound` where there is none."""
        self.turn()
        return msgspec.convert(_told(lambda: self.eks.update(self._cluster, name, update)), answers.Update)

    def update_addon(self, wanted: UpdateAddon, *, token: str) -> answers.Update:
        """Start an update."""
        members = _members(wanted, token)
        return msgspec.convert(
            self._changed(lambda: eks_changes.update_addon(self.eks, self._cluster, wanted.addon, members, self._now())),
            answers.Update,
        )

    def create_addon(self, wanted: CreateAddon, *, token: str) -> answers.Addon:
        """Start creating the add-on; raise `errors.Exists` where there is one."""
        members = {**_members(wanted, token), "addonName": wanted.addon, "tags": wanted.tags}
        if wanted.pod_identity_role:
            pair = {"serviceAccount": DAEMONSET_REF.name, "roleArn": wanted.pod_identity_role}
            members["podIdentityAssociations"] = [pair]
        there = self.describe_addon(wanted.addon)
        try:
            made = self._changed(lambda: eks_changes.create_addon(self.eks, self._cluster, members, self._now()))
        except Busy as error:
            if there is not None:
                raise Exists(f"could not create the add-on {wanted.addon}: {error}") from error
            raise
        return msgspec.convert(made, answers.Addon)

    def delete_addon(self, name: str, *, preserve: bool) -> None:
        """Start deleting the add-on; one that is not there is no error."""
        if self.describe_addon(name) is not None:
            self._changed(lambda: eks_changes.delete_addon(self.eks, self._cluster, name, self._now(), preserve=preserve))

    def _changed(self, change: Callable[[], tuple[Eks, Json]]) -> Json:
        self._refuse_unread()
        self.turn()
        self.eks, answer = _told(change)
        return answer

    def _refuse_unread(self) -> None:
        if isinstance(self._addon, Unread):
            raise EksNetpolError(
                f"This cannot be rehearsed: the snapshot does not say whether EKS manages the add-on ({self._addon.reason}). "
                "Take one with the cluster's name: eksnetpol snapshot save --cluster NAME"
            )

    # --- what a look would see -----------------------------------------------------------------------------------------

    def sections(self) -> dict[str, Seen[Any]]:
        """Return the sections of a snapshot that EKS answers for; none that were not read."""
        if isinstance(self._addon, Unread):
            return {}
        addon = self.describe_addon(ADDON)
        names = tuple(sorted(self.eks.of(self._cluster).addons))
        pods = self.eks.of(self._cluster).pod_identities
        return {
            "addon": Seen(addon),
            "addons": Seen(names),
            "addon_updates": Seen(self.addon_updates(ADDON)),
            "pod_identities": Seen(tuple(msgspec.convert(p, answers.PodIdentityAssociation) for p in pods)),
        }


class Place:
    """The objects in memory as EKS writes them. Kinds that are kept nowhere here are passed over."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.refuses: Callable[[str, ObjectRef], None] = lambda _verb, _ref: None
        """Raises `errors.Rejected` for what admission refuses."""

    def perform(self, effect: Effect) -> Outcome:
        """Write what the effect says."""
        return perform(effect, self)

    def daemonset(self, addon: str) -> Json | None:  # noqa: ARG002 - there is one add-on
        """Return ``aws-node``; None where it is not there, or was not read."""
        return self._ground.get(DAEMONSET_REF) if self._ground.knows(DAEMONSET) else None

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object."""
        return self._ground.get(ref) if self._is_kept(ref) else None

    def conflicts(self, wanted: Json) -> tuple[str, ...]:
        """Return what others own with other values."""
        ref = ObjectRef.of(wanted)
        if not self._is_kept(ref):
            return ()
        try:
            self._ground.of(ref.of_kind).apply(wanted, dry_run=True, manager=MANAGER)
        except Conflict as conflict:
            return tuple(dict.fromkeys(field for field, _ in conflict.fields))
        return ()

    def write(self, wanted: Json) -> None:
        """Apply by force."""
        ref = ObjectRef.of(wanted)
        if self._is_kept(ref):
            self.refuses("patch", ref)
            self._ground.of(ref.of_kind).apply(wanted, force=True, manager=MANAGER)

    def remove(self, ref: ObjectRef) -> None:
        """Delete."""
        if self._is_kept(ref):
            self.refuses("delete", ref)
            self._ground.delete(ref)

    def _is_kept(self, ref: ObjectRef) -> bool:
        return (ref.api_version, ref.kind) in _KNOWN and self._ground.knows(ref.of_kind)


def _told(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except EksError as error:
        kind = _ERRORS.get(error.code, EksNetpolError)
        raise kind(f"EKS answered {error.code}: {error}") from error


def _members(wanted: UpdateAddon | CreateAddon, token: str) -> Json:
    members: Json = {
        "addonVersion": wanted.version,
        "configurationValues": wanted.configuration_values,
        "resolveConflicts": wanted.resolve_conflicts,
        "clientRequestToken": token,
    }
    return members | ({"serviceAccountRoleArn": wanted.role_arn} if wanted.role_arn else {})


def _service(snapshot: ClusterSnapshot, timing: Timing, now: datetime) -> tuple[str, Eks]:
    """Return the cluster's name, and EKS with that cluster and what it offers as far as the snapshot tells."""
    told = snapshot.cluster.value if isinstance(snapshot.cluster, Seen) else answers.Cluster(name="")
    name = told.name or snapshot.target.cluster or "cluster"
    arn = told.arn or snapshot.target.arn or f"arn:aws:eks:{snapshot.target.region}:{_ACCOUNT}:cluster/{name}"
    cluster = {**msgspec.to_builtins(told), "name": name, "arn": arn, "version": told.version, "status": told.status or "ACTIVE"}
    addon = snapshot.addon.value if isinstance(snapshot.addon, Seen) else None
    updates = snapshot.addon_updates.value if isinstance(snapshot.addon_updates, Seen) else ()
    pods = snapshot.pod_identities.value if isinstance(snapshot.pod_identities, Seen) else ()
    kept = {} if addon is None else {ADDON: _addon(addon, arn)}
    here = EksCluster(
        cluster=cluster,
        addons=kept,
        pending={ADDON: _under_way(name, kept[ADDON], updates, now)} if addon and addon.status == "UPDATING" else {},
        # The API lists them as it likes; here the newest is the last that was made.
        updates={ADDON: {u.id: _update(u) for u in sorted(updates, key=_made_at)}},
        pod_identities=tuple(msgspec.to_builtins(p) for p in pods),
    )
    offered, defaults = _offered(snapshot, told.version)
    schema = snapshot.addon_schema.value if isinstance(snapshot.addon_schema, Seen) else None
    schemas = {schema.addon_version: schema.configuration_schema} if schema and schema.configuration_schema else {}
    return name, Eks({name: here}, offered, timing, schemas, defaults)


def _offered(snapshot: ClusterSnapshot, kubernetes: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    releases = snapshot.addon_releases.value if isinstance(snapshot.addon_releases, Seen) else ()
    suiting = {r.addon_version: c for r in releases for c in r.compatibilities if c.cluster_version in {kubernetes, ""}}
    versions = [v for v in suiting if Release.try_parse(v) is not None]
    ordered = tuple(sorted(versions, key=Release.parse, reverse=True))
    default = next((v for v in ordered if suiting[v].default_version), "")
    return {kubernetes: ordered}, ({kubernetes: default} if default else {})


def _addon(addon: answers.Addon, cluster_arn: str) -> Json:
    found: Json = msgspec.to_builtins(addon, builtin_types=(datetime,))
    arn = cluster_arn.replace(":cluster/", ":addon/") + f"/{addon.addon_name}"
    health = {"issues": found.get("health", {}).get("issues", [])}
    return {**found, "status": addon.status or "ACTIVE", "addonArn": arn, "health": health}


def _under_way(cluster: str, addon: Json, updates: tuple[answers.Update, ...], now: datetime) -> Pending:
    """Return the update that was under way when the snapshot was taken: its objects are taken to be written."""
    effect = Effect(cluster, ADDON, "update", addon["addonVersion"], addon.get("configurationValues", ""))
    number = next((u.id for u in updates if u.status == "InProgress"), "")
    return Pending(now, effect, addon, {**addon, "status": "ACTIVE"}, update=number, written=now, progressed=now)


def _update(update: answers.Update) -> Json:
    found: Json = msgspec.to_builtins(update, builtin_types=(datetime,))
    return {"errors": [], "params": [], **found}


def _made_at(update: answers.Update) -> float:
    return update.created_at.timestamp() if update.created_at else 0.0
