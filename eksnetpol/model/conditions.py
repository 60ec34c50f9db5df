"""What becomes true of a cluster: the proof of a step. `Condition` is a closed union, as `actions.Action` is."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.actions import ADDON, ObjectId, PlanValue
from eksnetpol.model.kinds import Json, ObjectRef

SOURCES = "sources.json"
"""The file of a run that holds the policies a migration was planned from: by it `Unchanged` tells which of them changed."""


class AddonIs(PlanValue, frozen=True, tag="addon-is", tag_field="when"):
    """The add-on has this version and configuration (compared as documents), no update under way, and is healthy."""

    version: str
    configuration_values: str
    role_arn: str = ""
    addon: str = ADDON


class AddonGone(PlanValue, frozen=True, tag="addon-gone", tag_field="when"):
    """EKS manages no such add-on."""

    addon: str = ADDON


class Holds(PlanValue, frozen=True, tag="holds", tag_field="when"):
    """The object is there and every field in ``object`` has that value; list entries are found by their keys.

    ``without`` are fields, as `Taking.path` writes them, that must not be there.
    """

    object: Json
    without: tuple[str, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """Which object."""
        return ObjectRef.of(self.object)


class FlagIs(PlanValue, frozen=True, tag="flag-is", tag_field="when"):
    """A container of the workload is given this command-line flag with this value; the rest of its arguments is others' business.

    ``containers`` are names: the first that is there is meant. How flags are read, and when two values are the same, says
    `planning.patching.tells`.
    """

    ref: ObjectRef
    containers: tuple[str, ...]
    flag: str
    value: str


class RolledOut(PlanValue, frozen=True, tag="rolled-out", tag_field="when"):
    """Every pod of the DaemonSet that can run has its current template and is available."""

    ref: ObjectRef


class Established(PlanValue, frozen=True, tag="established", tag_field="when"):
    """The API server serves this CustomResourceDefinition; with ``uid`` this very one, which nobody deleted and made again: all
    objects of its kind would have gone with it.
    """

    name: str
    uid: str = ""


class Absent(PlanValue, frozen=True, tag="absent", tag_field="when"):
    """None of these objects is there any more; one of the same name with another uid counts as another."""

    objects: tuple[ObjectId, ...]


class NoneLeft(PlanValue, frozen=True, tag="none-left", tag_field="when"):
    """There is no object of these kinds, given as ``policyendpoints.networking.k8s.aws``; a kind nobody serves has none."""

    kinds: tuple[str, ...]


class Unfinalized(PlanValue, frozen=True, tag="unfinalized", tag_field="when"):
    """None of these objects has the finalizer any more, and nothing of ``kinds``, given as in `NoneLeft`."""

    objects: tuple[ObjectId, ...]
    finalizer: str
    kinds: tuple[str, ...] = ()


class BackedUp(PlanValue, frozen=True, tag="backed-up", tag_field="when"):
    """The run holds this back-up with all its objects."""

    file: str
    objects: tuple[ObjectId, ...]


class Restored(PlanValue, frozen=True, tag="restored", tag_field="when"):
    """Every object of the back-up is there."""

    file: str
    digest: str = ""
    run: str = ""


class Runs(PlanValue, frozen=True, tag="runs", tag_field="when"):
    """On each of ``nodes`` an available pod of the DaemonSet runs that has its present template; with ``gone`` no pod of it is
    left there, not even one that is ending. Without ``nodes`` all are meant, for *gone*: the DaemonSet has no pod at all.
    ``label``, given as ``key=value``, means the nodes that carry it by then, besides ``nodes``.
    """

    ref: ObjectRef
    nodes: tuple[str, ...] = ()
    gone: bool = False
    label: str = ""


class Evicted(PlanValue, frozen=True, tag="evicted", tag_field="when"):
    """No pod is left on the node that an eviction moves, see `actions.Evict`; a node that is not there any more has none."""

    node: str
    uid: str = ""


class Ready(PlanValue, frozen=True, tag="ready", tag_field="when"):
    """Each of these nodes is ready, as its kubelet says; and at least so many that carry ``label``, given as ``key=value``."""

    nodes: tuple[str, ...] = ()
    label: str = ""
    at_least: int = 0


class Completed(PlanValue, frozen=True, tag="completed", tag_field="when"):
    """The Job has completed. One that has failed never will."""

    ref: ObjectRef


class Unchanged(PlanValue, frozen=True, tag="unchanged", tag_field="when"):
    """The objects of ``kinds``, given as in `NoneLeft`, are still those the plan was made from: ``digest`` is
    `fingerprints.digest_of_objects` of them, ``without`` a label that marks objects of ours, which are left out.
    """

    kinds: tuple[str, ...]
    digest: str
    without: str = ""


class Covered(PlanValue, frozen=True, tag="covered", tag_field="when", omit_defaults=True):
    """Of every NetworkPolicy there are PolicyEndpoints, and these name every running pod that the policy selects.

    With ``cluster`` the same of every ClusterNetworkPolicy and its ClusterPolicyEndpoints.
    """

    cluster: bool = False


class Soaked(PlanValue, frozen=True, tag="soaked", tag_field="when"):
    """So many seconds have passed since the step began."""

    seconds: float


class Answering(PlanValue, frozen=True, tag="answering", tag_field="when"):
    """Nothing makes the API server stumble: every APIService is available but for ``except_for``, no namespace hangs in
    Terminating, and no webhook that fails closed calls a Service without endpoints.
    """

    except_for: tuple[str, ...] = ()


class Probed(PlanValue, frozen=True, tag="probed", tag_field="when"):
    """The probes of ``gate`` (`actions.Probe`) have ended, none got through that policies deny, and at most ``may_fail`` of those
    that they allow failed. One that is denied counts only where its control works.

    ``rejects``: an engine is there that answers what it denies with an error, so that *refused* tells nothing. With ``idle`` it
    holds, too, where no pod was there to try anything with or to.
    """

    gate: str
    may_fail: int = 0
    rejects: bool = False
    idle: bool = False


class All(PlanValue, frozen=True, tag="all", tag_field="when"):
    """Each of these, in this order."""

    conditions: tuple[Condition, ...]


Condition = (
    AddonIs
    | AddonGone
    | Holds
    | FlagIs
    | RolledOut
    | Established
    | Absent
    | NoneLeft
    | Unfinalized
    | BackedUp
    | Restored
    | Runs
    | Evicted
    | Ready
    | Completed
    | Unchanged
    | Covered
    | Soaked
    | Answering
    | Probed
    | All
)


def conditions(condition: Condition) -> Iterator[Condition]:
    """Yield a condition and those it is made of."""
    yield condition
    if isinstance(condition, All):
        for part in condition.conditions:
            yield from conditions(part)
