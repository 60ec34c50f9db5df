"""What a change of the managed add-on does to the objects in the cluster: EKS applies them server-side as field manager ``eks``.

The objects are a forecast (`assets.addon_objects`). Where somebody else owns a field with another value, ``NONE`` writes nothing
at all and fails with every conflict in one message, ``PRESERVE`` leaves those fields to their owners and writes the rest,
``OVERWRITE`` takes them (UG, "Kubernetes field management"; facts on `resolveConflicts` in BOTO).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

import yaml

from eksnetpol.assets.addon_objects import MANAGER, managed_objects
from eksnetpol.errors import EksNetpolError, Unreachable
from eksnetpol.fields import paths, sets
from eksnetpol.fields.structure import layout_of
from eksnetpol.model.kinds import DAEMONSET, Json, ObjectRef
from eksnetpol.model.versions import ImageReference, Release
from eksnetpol.simulation.eks import Effect, Outcome

__all__ = ["DAEMONSET_REF", "MANAGER", "Objects", "objects_of", "perform", "without"]

_CNI_IMAGE = "amazon-k8s-cni"

DAEMONSET_REF = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")


class Objects(Protocol):
    """An API server as EKS uses it, always as field manager `MANAGER`. What it refuses is an `EksNetpolError`."""

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none."""

    def conflicts(self, wanted: Json) -> tuple[str, ...]:
        """Return the fields of *wanted* that others own with other values, as the API server writes them; change nothing."""

    def write(self, wanted: Json) -> None:
        """Apply *wanted*, taking every field of it."""

    def remove(self, ref: ObjectRef) -> None:
        """Delete an object; one that is not there is no error."""


def perform(effect: Effect, at: Objects) -> Outcome:
    """Do to the objects what *effect* says; return what EKS would report of it."""
    wanted = objects_of(effect, at.get(DAEMONSET_REF))
    try:
        return _remove(effect, wanted, at) if effect.verb == "delete" else _write(effect, wanted, at)
    except EksNetpolError as error:
        code = "ClusterUnreachable" if isinstance(error, Unreachable) else "AdmissionRequestDenied"
        return Outcome((_error(code, str(error), (DAEMONSET_REF.name,)),))


def objects_of(effect: Effect, live: Json | None) -> tuple[Json, ...]:
    """Return the objects that EKS applies, given the DaemonSet that is there.

    Images come from where they come from today. As long as the add-on's version stays, so do its images: which agent a build
    carries cannot be forecast.
    """
    family: Literal["ipv4", "ipv6"] = "ipv6" if effect.family == "ipv6" else "ipv4"
    values = yaml.safe_load(effect.values) if effect.values else {}
    images = _images(live)
    made = managed_objects(
        Release.parse(effect.version),
        values if isinstance(values, dict) else {},
        family=family,
        registry=next(filter(None, map(_registry, images.values())), ""),
        role=effect.role,
    )
    return tuple(_with_images(o, images) if effect.formerly == effect.version else o for o in made)


def without(wanted: Json, fields: Iterable[str]) -> Json:
    """Return *wanted* without these fields, which are written as the API server writes them; lists are found by their keys."""
    paths_of = frozenset(map(paths.read, fields))
    left = sets.removed(wanted, paths_of, layout_of(wanted).shape) if paths_of else wanted
    return left if isinstance(left, dict) else {}


# --- how ---------------------------------------------------------------------------------------------------------------


def _write(effect: Effect, wanted: tuple[Json, ...], at: Objects) -> Outcome:
    found = {ObjectRef.of(o): at.conflicts(o) for o in wanted} if effect.resolve != "OVERWRITE" else {}
    if effect.resolve != "PRESERVE" and any(found.values()):
        lines = [f"{_called(ref)} - {field}" for ref, conflicts in found.items() for field in conflicts]
        mode = "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:"
        names = tuple(ref.name for ref, conflicts in found.items() if conflicts)
        return Outcome((_error("ConfigurationConflict", "\n".join((mode, *lines)), names),))
    for obj in wanted:
        at.write(without(obj, found.get(ObjectRef.of(obj), ())))
    return Outcome()


def _remove(effect: Effect, wanted: tuple[Json, ...], at: Objects) -> Outcome:
    if not effect.preserve:
        # The other way round than they were applied: what holds others up goes last.
        for obj in reversed(wanted):
            at.remove(ObjectRef.of(obj))
    return Outcome()


def _error(code: str, message: str, names: tuple[str, ...]) -> Json:
    return {"errorCode": code, "errorMessage": message, "resourceIds": list(names)}


def _called(ref: ObjectRef) -> str:
    """Return an object as the service's messages call it: ``DaemonSet.apps aws-node``."""
    group = ref.api_version.rpartition("/")[0]
    return f"{ref.kind}{'.' if group else ''}{group} {ref.name}"


def _containers(daemonset: Json | None) -> list[Json]:
    spec = (daemonset or {}).get("spec", {}).get("template", {}).get("spec", {})
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def _images(daemonset: Json | None) -> dict[str, str]:
    return {c["name"]: c["image"] for c in _containers(daemonset) if c.get("image")}


def _registry(image: str) -> str:
    """Return the host of one of AWS's own images, empty for another's."""
    place = ImageReference.parse(image).repository
    return place.removesuffix(_CNI_IMAGE).rstrip("/") if place.endswith(f"/{_CNI_IMAGE}") else ""


def _with_images(obj: Json, images: dict[str, str]) -> Json:
    if obj["kind"] == DAEMONSET.name:
        for container in _containers(obj):
            container["image"] = images.get(container["name"], container["image"])
    return obj
