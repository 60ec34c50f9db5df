"""What a step of a plan does to a cluster. `Action` is a closed union: whoever adds one is shown by mypy where to handle it."""

from __future__ import annotations

from typing import Literal

import msgspec

from eksnetpol.model.kinds import Json, ObjectRef

Resolve = Literal["NONE", "PRESERVE", "OVERWRITE"]
"""EKS's ``resolveConflicts``: fail where somebody else owns a field, leave their values, or set them."""

ADDON = "vpc-cni"


class PlanValue(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Part of a plan file: a key that means nothing is an error, so that nothing written there by hand is silently dropped."""


class UpdateAddon(PlanValue, frozen=True, tag="update-addon", tag_field="do"):
    """Give the managed add-on a version and its whole configuration. ``configuration_values`` is one JSON text.

    ``role_arn`` is sent along where the add-on has a role: AWS documents that leaving it out means the node's role.
    """

    version: str
    configuration_values: str
    resolve_conflicts: Resolve
    role_arn: str = ""
    addon: str = ADDON


class CreateAddon(PlanValue, frozen=True, tag="create-addon", tag_field="do"):
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


class DeleteAddon(PlanValue, frozen=True, tag="delete-addon", tag_field="do"):
    """Let EKS manage the add-on no longer. With ``preserve`` its objects stay."""

    preserve: bool = True
    addon: str = ADDON


class Taking(PlanValue, frozen=True, order=True):
    """A field that somebody else owns with another value, and that is to be ours: named in the plan, so it may be forced.

    ``path`` is as the API server writes it: ``.spec.template.spec.containers[name="aws-eks-nodeagent"].args``.
    """

    path: str
    manager: str


class Apply(PlanValue, frozen=True, tag="apply", tag_field="do"):
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


class Create(PlanValue, frozen=True, tag="create", tag_field="do"):
    """Create an object where there is none; one that is there already stays as it is."""

    object: Json

    @property
    def ref(self) -> ObjectRef:
        """Which object."""
        return ObjectRef.of(self.object)


class ObjectId(PlanValue, frozen=True, order=True):
    """One object and no later one of the same name: ``uid`` is empty only where a snapshot did not know it."""

    ref: ObjectRef
    uid: str = ""


class Delete(PlanValue, frozen=True, tag="delete", tag_field="do"):
    """Delete exactly these objects, by uid; and what a controller made of ``kinds``, given as in `NoneLeft`, by then."""

    objects: tuple[ObjectId, ...]
    kinds: tuple[str, ...] = ()


class StripFinalizer(PlanValue, frozen=True, tag="strip-finalizer", tag_field="do"):
    """Take a finalizer off these objects and off all there is of ``kinds``, by patches that fail if the list has changed."""

    objects: tuple[ObjectId, ...]
    finalizer: str
    kinds: tuple[str, ...] = ()


class BackUp(PlanValue, frozen=True, tag="back-up", tag_field="do"):
    """Write these objects whole into a file of the run, with a digest of each; and all there is of ``kinds``, given as in
    `NoneLeft`.
    """

    objects: tuple[ObjectId, ...]
    file: str
    kinds: tuple[str, ...] = ()


class Restore(PlanValue, frozen=True, tag="restore", tag_field="do"):
    """Create again from a back-up what is not there. ``digest`` is that file's, ``run`` whose it is: empty for this run's own."""

    file: str
    digest: str = ""
    run: str = ""


class Evict(PlanValue, frozen=True, tag="evict", tag_field="do"):
    """Have every pod of a node evicted that an eviction moves, through the Eviction API, so that disruption budgets hold.

    Not moved are pods of DaemonSets, mirror pods and pods that have finished, as ``kubectl drain --ignore-daemonsets`` has it. A
    budget that allows nothing now is asked again until the step's patience is over. ``bare`` names pods (``namespace/name``)
    that nothing brings back and that may go all the same; one that is not in it stops the step.
    """

    node: str
    uid: str = ""
    bare: tuple[str, ...] = ()


class ProbeSource(PlanValue, frozen=True):
    """A pod that tries connections: like the pods of ``title`` as far as policies tell pods apart, and no pod of theirs.

    It is the pod of ``job``, and has ``labels``: only those that policies ask for.
    """

    title: str
    job: ObjectRef
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class ProbeTarget(PlanValue, frozen=True):
    """Whom connections are tried to: an ``address``, or one of the pods of ``namespace`` that have ``labels`` and none of the
    keys ``without``.
    """

    title: str
    address: str = ""
    namespace: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    without: tuple[str, ...] = ()


class ProbeTry(PlanValue, frozen=True):
    """One TCP connection: from a source to a port of a target, given by their places, and whether policies allow it.

    ``control`` is the place of the allowed try without which a denied one says nothing: to the same target. An allowed one that
    is a control alone (``counts`` False) may fail: whether anybody listens there is not known.
    """

    source: int
    target: int
    port: int
    allowed: bool
    control: int = -1
    counts: bool = True


class Probe(PlanValue, frozen=True, tag="probe", tag_field="do"):
    """Have Jobs try connections, one Job for each source, and write into the run's file of ``gate`` which and where to.

    Their pods run on ``nodes``, or on those with ``label``, given as ``key=value``; without either on any. Pods of targets are
    taken on these nodes where there are some, with ``near`` on these alone. Jobs of a former attempt are deleted before.
    """

    gate: str
    image: str
    sources: tuple[ProbeSource, ...]
    targets: tuple[ProbeTarget, ...]
    tries: tuple[ProbeTry, ...]
    nodes: tuple[str, ...] = ()
    label: str = ""
    near: bool = False

    @property
    def refs(self) -> tuple[ObjectRef, ...]:
        """The Jobs."""
        return tuple(source.job for source in self.sources)


class Look(PlanValue, frozen=True, tag="look", tag_field="do"):
    """Do nothing: only the condition is waited for."""


Action = (
    UpdateAddon | CreateAddon | DeleteAddon | Apply | Create | Delete | StripFinalizer | BackUp | Restore | Evict | Probe | Look
)
