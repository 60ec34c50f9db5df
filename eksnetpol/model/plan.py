"""A plan: what is to be done to one cluster, step by step, each with the condition that proves it and the way back.

A plan is a value. It can be printed, saved, compared, rehearsed, carried out later, resumed and reversed; the cluster learns of
it only through `execution/`. `Action` and `Condition` are closed unions: whoever adds one is shown by mypy where to handle it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

import msgspec

from eksnetpol.model.fingerprints import digest_of
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.snapshot import Target

Resolve = Literal["NONE", "PRESERVE", "OVERWRITE"]
"""EKS's ``resolveConflicts``: fail where somebody else owns a field, leave their values, or set them."""

FORMAT = "eksnetpol.io/v1"
ADDON = "vpc-cni"


class _Value(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Part of a plan file: a key that means nothing is an error, so that nothing written there by hand is silently dropped."""


# --- what can be done --------------------------------------------------------------------------------------------------


class UpdateAddon(_Value, frozen=True, tag="update-addon", tag_field="do"):
    """Give the managed add-on a version and its whole configuration. ``configuration_values`` is one JSON text.

    ``role_arn`` is sent along where the add-on has a role: AWS documents that leaving it out means the node's role.
    """

    version: str
    configuration_values: str
    resolve_conflicts: Resolve
    role_arn: str = ""
    addon: str = ADDON


class CreateAddon(_Value, frozen=True, tag="create-addon", tag_field="do"):
    """Let EKS manage the add-on from now on; with ``OVERWRITE`` it takes over the ``aws-node`` that is there.

    ``pod_identity_role`` is the role of an EKS Pod Identity association for service account ``aws-node``, if it is to have one.
    """

    version: str
    configuration_values: str
    resolve_conflicts: Resolve
    role_arn: str = ""
    pod_identity_role: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    addon: str = ADDON


class DeleteAddon(_Value, frozen=True, tag="delete-addon", tag_field="do"):
    """Let EKS manage the add-on no longer. With ``preserve`` its objects stay."""

    preserve: bool = True
    addon: str = ADDON


class Taking(_Value, frozen=True, order=True):
    """A field that somebody else owns with another value, and that is to be ours: named in the plan, so it may be forced.

    ``path`` is as the API server writes it: ``.spec.template.spec.containers[name="aws-eks-nodeagent"].args``.
    """

    path: str
    manager: str


class Apply(_Value, frozen=True, tag="apply", tag_field="do"):
    """Apply an object server-side as field manager ``eksnetpol``: only the fields that are written in it.

    A conflict about a field that is not in ``takes`` is no plan's business: the step is refused. What an earlier apply of ours
    held and this one leaves out goes away, which is how a field that was added is taken back.

    With ``keeps`` what our earlier applies hold stays, with its live value: the object that is sent is ``fields.keeping.kept`` of
    the live one and ``object``. But for ``drops``, paths as in `Taking.path`: these and all below them are left out, and so go.
    """

    object: Json
    takes: tuple[Taking, ...] = ()
    keeps: bool = False
    drops: tuple[str, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """Which object."""
        return ObjectRef.of(self.object)


class Create(_Value, frozen=True, tag="create", tag_field="do"):
    """Create an object where there is none; one that is there already stays as it is."""

    object: Json

    @property
    def ref(self) -> ObjectRef:
        """Which object."""
        return ObjectRef.of(self.object)


class ObjectId(_Value, frozen=True, order=True):
    """One object and no later one of the same name: ``uid`` is empty only where a snapshot did not know it."""

    ref: ObjectRef
    uid: str = ""


class Delete(_Value, frozen=True, tag="delete", tag_field="do"):
    """Delete exactly these objects, by uid; and what a controller made of ``kinds``, given as in `NoneLeft`, by then."""

    objects: tuple[ObjectId, ...]
    kinds: tuple[str, ...] = ()


class StripFinalizer(_Value, frozen=True, tag="strip-finalizer", tag_field="do"):
    """Take a finalizer off these objects and off all there is of ``kinds``, by patches that fail if the list has changed."""

    objects: tuple[ObjectId, ...]
    finalizer: str
    kinds: tuple[str, ...] = ()


class BackUp(_Value, frozen=True, tag="back-up", tag_field="do"):
    """Write these objects whole into a file of the run, with a digest of each."""

    objects: tuple[ObjectId, ...]
    file: str


class Restore(_Value, frozen=True, tag="restore", tag_field="do"):
    """Create again from a back-up what is not there. ``digest`` is that file's, ``run`` whose it is: empty for this run's own."""

    file: str
    digest: str = ""
    run: str = ""


class Look(_Value, frozen=True, tag="look", tag_field="do"):
    """Do nothing: only the condition is waited for."""


Action = UpdateAddon | CreateAddon | DeleteAddon | Apply | Create | Delete | StripFinalizer | BackUp | Restore | Look


# --- what becomes true -------------------------------------------------------------------------------------------------


class AddonIs(_Value, frozen=True, tag="addon-is", tag_field="when"):
    """The add-on has this version and configuration (compared as documents), no update under way, and is healthy."""

    version: str
    configuration_values: str
    role_arn: str = ""
    addon: str = ADDON


class AddonGone(_Value, frozen=True, tag="addon-gone", tag_field="when"):
    """EKS manages no such add-on."""

    addon: str = ADDON


class Holds(_Value, frozen=True, tag="holds", tag_field="when"):
    """The object is there and every field in ``object`` has that value; list entries are found by their keys.

    ``without`` are fields, as `Taking.path` writes them, that must not be there.
    """

    object: Json
    without: tuple[str, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """Which object."""
        return ObjectRef.of(self.object)


class FlagIs(_Value, frozen=True, tag="flag-is", tag_field="when"):
    """A container of the workload is given this command-line flag with this value; the rest of its arguments is others' business.

    ``containers`` are names: the first that is there is meant. How flags are read, and when two values are the same, says
    `planning.patching.tells`.
    """

    ref: ObjectRef
    containers: tuple[str, ...]
    flag: str
    value: str


class RolledOut(_Value, frozen=True, tag="rolled-out", tag_field="when"):
    """Every pod of the DaemonSet that can run has its current template and is available."""

    ref: ObjectRef


class Established(_Value, frozen=True, tag="established", tag_field="when"):
    """The API server serves this CustomResourceDefinition; with ``uid`` this very one, which nobody deleted and made again: all
    objects of its kind would have gone with it.
    """

    name: str
    uid: str = ""


class Absent(_Value, frozen=True, tag="absent", tag_field="when"):
    """None of these objects is there any more; one of the same name with another uid counts as another."""

    objects: tuple[ObjectId, ...]


class NoneLeft(_Value, frozen=True, tag="none-left", tag_field="when"):
    """There is no object of these kinds, given as ``policyendpoints.networking.k8s.aws``; a kind nobody serves has none."""

    kinds: tuple[str, ...]


class Unfinalized(_Value, frozen=True, tag="unfinalized", tag_field="when"):
    """None of these objects has the finalizer any more, and nothing of ``kinds``, given as in `NoneLeft`."""

    objects: tuple[ObjectId, ...]
    finalizer: str
    kinds: tuple[str, ...] = ()


class BackedUp(_Value, frozen=True, tag="backed-up", tag_field="when"):
    """The run holds this back-up with all its objects."""

    file: str
    objects: tuple[ObjectId, ...]


class Restored(_Value, frozen=True, tag="restored", tag_field="when"):
    """Every object of the back-up is there."""

    file: str
    digest: str = ""
    run: str = ""


class All(_Value, frozen=True, tag="all", tag_field="when"):
    """Each of these, in this order."""

    conditions: tuple[Condition, ...]


Condition = (
    AddonIs | AddonGone | Holds | FlagIs | RolledOut | Established | Absent | NoneLeft | Unfinalized | BackedUp | Restored | All
)


# --- steps and plans ---------------------------------------------------------------------------------------------------


class Undo(_Value, frozen=True):
    """The way back from one step, decided while the old state was in view; ``until`` proves it."""

    title: str
    action: Action
    until: Condition


class Step(_Value, frozen=True):
    """One thing to do. ``id`` is unique in its plan and says what it is: ``switch-controller``.

    ``patience`` is how many seconds ``until`` may take. Without ``undo`` there is nothing to take back, unless ``one_way`` says
    why it cannot be. ``disrupts`` says what people may notice meanwhile, empty for nothing.
    """

    id: str
    title: str
    action: Action
    until: Condition
    patience: float = 300.0
    undo: Undo | None = None
    one_way: str = ""
    disrupts: str = ""


class Verb(StrEnum):
    """What a plan is for."""

    ENABLE = "enable"
    UPGRADE = "upgrade"
    DISABLE = "disable"
    RESTORE = "restore"
    ROLLBACK = "rollback"


class Way(StrEnum):
    """By which way ``aws-node`` is changed here. They must not be mixed."""

    ADDON = "managed add-on"
    HELM = "Helm release"
    MANIFEST = "self-managed manifest"
    AUTO_MODE = "EKS Auto Mode"


class FieldChange(_Value, frozen=True):
    """One field and what becomes of it. ``where`` is ``add-on vpc-cni`` or `str` of an `ObjectRef`; None is *not there*.

    ``owners`` are the managers that own the live field today.
    """

    where: str
    path: str
    before: str | None
    after: str | None
    owners: tuple[str, ...] = ()


class Forecast(_Value, frozen=True):
    """A field that EKS would write and somebody else owns, and what comes of it in each mode of resolving conflicts.

    ``live`` is what is there, ``told`` what the add-on's new configuration or its release says.
    """

    where: str
    path: str
    owner: str
    live: str | None
    told: str | None


class Isolation(_Value, frozen=True):
    """What enforcement does to a workload's pods: they become isolated in a direction, *closed* where nothing is let through."""

    workload: str
    direction: Literal["ingress", "egress"]
    pods: int
    isolated: int
    closed: int
    policies: tuple[str, ...] = ()


class Rollout(_Value, frozen=True):
    """How the DaemonSet rolls: on how many nodes, how many at once, about how long. Seconds None is *not known*."""

    nodes: int
    at_once: int
    seconds: float | None = None
    on_delete: bool = False
    """True when nothing rolls by itself (update strategy OnDelete)."""


class Refusal(_Value, frozen=True):
    """Why this plan is not carried out unless the person says ``flag``; an empty flag is never overridden."""

    why: str
    flag: str = ""


class Plan(_Value, frozen=True, kw_only=True, omit_defaults=False):
    """What is to be done to one cluster. No steps: nothing is left to do.

    ``basis`` maps what the plan was made from to a digest of it, e.g. ``daemonset/kube-system/aws-node``: a plan whose basis has
    changed is stale. ``release`` is the CNI's version afterwards where it is known. ``facts`` are short lines worth knowing
    before saying yes, ``afterwards`` what is left for people to do.
    """

    api_version: str = FORMAT
    kind: str = "Plan"
    tool: str = ""
    made_at: datetime = datetime.fromtimestamp(0, UTC)
    target: Target = Target()
    verb: Verb
    way: Way | None = None
    title: str = ""
    release: str = ""
    steps: tuple[Step, ...] = ()
    basis: dict[str, str] = msgspec.field(default_factory=dict)
    changes: tuple[FieldChange, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    isolates: tuple[Isolation, ...] | None = None
    """None where it could not be told."""
    rollout: Rollout | None = None
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    afterwards: tuple[str, ...] = ()
    undoes: str = ""
    """The run a rollback goes back on."""

    @property
    def digest(self) -> str:
        """Sixteen hex digits that stand for all of it but when and by what it was made."""
        bare = msgspec.structs.replace(self, made_at=datetime.fromtimestamp(0, UTC), tool="")
        # Read back as from a file, where a whole number of seconds has become a fraction's kind.
        return digest_of(msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(bare), type=Plan)))
