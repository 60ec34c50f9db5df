"""Who keeps the definition of PolicyEndpoint while the VPC CNI is upgraded.

Manifests carried it up to v1.22.0 and charts up to v1.22.3; newer ones leave it to the EKS control plane. Where Argo CD, Flux or
Helm track the object, the newer source makes them delete it, and with it every PolicyEndpoint (aws/amazon-vpc-cni-k8s#3623,
#3625). So it is marked to be kept before the version that no longer has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.tracking import Tracker, trackers
from eksnetpol.model import kinds
from eksnetpol.model.actions import Apply, Look, Taking
from eksnetpol.model.conditions import All, Established, Holds
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.kubernetes import CustomResourceDefinition
from eksnetpol.model.plan import FieldChange, Step, Undo
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.model.versions import Release
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.reading import known

GROUP = "networking.k8s.aws"
POLICY_ENDPOINTS = str(kinds.POLICY_ENDPOINT)
WITHOUT = Release(1, 22, 1)
"""The first manifest that leaves the definition out; charts followed with v1.22.4, and what was not known of add-ons is taken
to be the earlier."""

MANAGER = "eksnetpol"


def of_definitions(facts: Lookup) -> tuple[CustomResourceDefinition, ...]:
    """Return the definitions of AWS's policy kinds that the cluster has."""
    crds: Iterable[CustomResourceDefinition] = known(facts, "crds", ())
    return tuple(crd for crd in crds if crd.spec.group == GROUP)


def keep_definitions(facts: Lookup, hops: Iterable[Release]) -> Draft:
    """Return a step for each definition that a tool would delete on the way over *hops*: it is marked to be kept."""
    if not any(hop.base >= WITHOUT for hop in hops):
        return Draft()
    draft = Draft()
    for crd in of_definitions(facts):
        open_ = [t for t in trackers(crd.metadata.labels, crd.metadata.annotations) if not t.kept]
        if open_:
            draft += _keep(crd, open_)
    return draft


def _keep(crd: CustomResourceDefinition, tracked: list[Tracker]) -> Draft:
    ref = ObjectRef.to(kinds.DEFINITION, crd.name)
    tools = " and ".join(t.tool for t in tracked)
    notes = {t.key: t.value for t in tracked}
    wanted = _annotated(crd.name, notes)
    before = {key: crd.metadata.annotations[key] for key in notes if key in crd.metadata.annotations}
    others = sorted({m.manager for m in crd.metadata.managed_fields if m.manager != MANAGER and m.subresource != "status"})
    added = tuple(f".metadata.annotations.{key}" for key in notes if key not in before)
    step = Step(
        id=f"keep-{crd.name.partition('.')[0]}",
        title=f"Mark {crd.name} to be kept, so that {tools} does not delete it",
        # A look does not keep who owns which field of a definition, so each manager may be the owner of what changes.
        action=Apply(wanted, tuple(Taking(f".metadata.annotations.{key}", m) for key in before for m in others), keeps=True),
        until=Holds(wanted),
        undo=Undo(
            title=f"Take the mark off {crd.name}",
            action=Apply(_annotated(crd.name, before), keeps=True, drops=added),
            until=Holds(_annotated(crd.name, before), without=added),
        ),
    )
    changes = tuple(FieldChange(str(ref), f".metadata.annotations.{key}", before.get(key), value) for key, value in notes.items())
    marks = ", ".join(f"{key}={value}" for key, value in notes.items())
    return Draft(
        steps=(step,),
        changes=changes,
        warnings=(
            f"{tools} would delete {crd.name} and all objects of its kind once its source has it no more: it is marked",
        ),
        afterwards=(f"put {marks} on {crd.name} in its source as well: {tools} may take the mark off again",),
    )


def _annotated(name: str, notes: dict[str, str]) -> Json:
    head: dict[str, Any] = {"apiVersion": kinds.DEFINITION.api_version, "kind": kinds.DEFINITION.name}
    return {**head, "metadata": {"name": name, **({"annotations": notes} if notes else {})}}


def definitions_are_there(facts: Lookup) -> Draft:
    """Return the step after the last version that proves that AWS's policy kinds are still served, and are the same ones.

    A definition that was deleted and came again has another uid and lost all its objects on the way: where PolicyEndpoints were
    there before, that is told from an upgrade that went well.
    """
    crds = of_definitions(facts)
    if not crds:
        return Draft()
    endpoints: tuple[PolicyEndpoint, ...] = known(facts, "policy_endpoints", ())
    kept = POLICY_ENDPOINTS if endpoints else ""
    served = tuple(Established(crd.name, crd.metadata.uid if crd.name == kept else "") for crd in crds)
    many = f"{len(endpoints)} PolicyEndpoints have to outlive the upgrade: the plan proves that their definition does"
    step = Step(
        id="definitions-kept",
        title="See that the definitions of AWS's policy kinds are still served and were never away",
        action=Look(),
        until=served[0] if len(served) == 1 else All(served),
    )
    return Draft(steps=(step,), facts=(many,) if endpoints else ())
