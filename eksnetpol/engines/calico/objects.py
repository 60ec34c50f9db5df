"""The objects that Calico's policies are made of, sorted out: which are read, which are not in force, which nobody here knows.

Objects of ``crd.projectcalico.org`` are what Calico stores, with ``default.`` before the names of policies of the default tier;
those of ``projectcalico.org`` are the same as people see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from eksnetpol.engines.calico import shapes
from eksnetpol.engines.calico.shapes import SPECS, Json
from eksnetpol.engines.calico.values import RefusedError, UnclearError
from eksnetpol.model.findings import Subject
from eksnetpol.model.nulls import without_nulls
from eksnetpol.policy.stacks.rules import Refused

API, STORAGE = "projectcalico.org/v3", "crd.projectcalico.org/v1"
_GROUPS = {"projectcalico.org", "crd.projectcalico.org"}
POLICIES = frozenset({"NetworkPolicy", "GlobalNetworkPolicy"})
NETWORK_SETS = frozenset({"NetworkSet", "GlobalNetworkSet"})
_STAGED = frozenset({"StagedNetworkPolicy", "StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy"})
_NO_POLICIES = frozenset(
    {
        "BGPConfiguration",
        "BGPFilter",
        "BGPPeer",
        "BlockAffinity",
        "CalicoNodeStatus",
        "ClusterInformation",
        "FelixConfiguration",
        "IPAMBlock",
        "IPAMConfig",
        "IPAMConfiguration",
        "IPAMHandle",
        "IPPool",
        "IPReservation",
        "KubeControllersConfiguration",
    }
)
_SYNTHESIZED = ("kns.", "ksa.", "projectcalico-default-allow")
"""Profiles that Calico makes itself: they allow everything, or say nothing."""

_PREFIX = "default."


@dataclass(frozen=True, slots=True)
class Object:
    """One object that is read. ``name`` is without the prefix of storage. ``is_stored``: admission was before, or never is."""

    kind: str
    namespace: str
    name: str
    body: Json
    is_stored: bool

    @property
    def spec(self) -> Json:
        """Its ``spec``."""
        spec: Json = self.body.get("spec") or {}
        return spec

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        labels: dict[str, str] = self.body["metadata"].get("labels") or {}
        return labels

    @property
    def ref(self) -> Subject:
        """What to call it."""
        return subject(self.kind, self.name, self.namespace)

    def __str__(self) -> str:
        return str(self.ref)


@dataclass
class Sorted:
    """Objects as they are sorted out."""

    objects: list[Object] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    unread: list[Refused] = field(default_factory=list)
    beside: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, *kinds: str) -> Iterator[Object]:
        """Yield the objects of some kinds."""
        return (one for one in self.objects if one.kind in kinds)

    def leave_out(self, one: Object, error: RefusedError | UnclearError) -> None:
        """Note that an object is not in force or not understood; what is stored although Calico refuses it is the latter."""
        is_refused = isinstance(error, RefusedError) and not one.is_stored
        found = Refused(one.ref, error.why, error.place)
        (self.refused if is_refused else self.unread).append(found)


def subject(kind: str, name: str, namespace: str = "") -> Subject:
    """Return what to call an object; NetworkPolicies have their group, as Kubernetes has some too."""
    return Subject("NetworkPolicy.projectcalico.org" if kind == "NetworkPolicy" else kind, name, namespace)


def sort_out(bodies: Iterable[Json], raw: frozenset[Subject] = frozenset()) -> Sorted:
    """Return Calico's objects among *bodies*, sorted out and checked for their shapes. *raw* are stored without any admission."""
    found = Sorted()
    known: dict[Subject, Object] = {}
    for body in bodies:
        one = _object(body, raw, found)
        if one is None:
            continue
        twin = known.get(one.ref)
        if twin is None:
            known[one.ref] = one
        else:
            known[one.ref] = _one_of(twin, one, found)
    for one in known.values():
        try:
            _check(one)
        except (RefusedError, UnclearError) as error:
            found.leave_out(one, error)
        else:
            found.objects.append(one)
    return found


def _object(body: Json, raw: frozenset[Subject], found: Sorted) -> Object | None:
    version, kind = str(body.get("apiVersion", "")), str(body.get("kind", ""))
    if version.partition("/")[0] not in _GROUPS or kind in _NO_POLICIES:
        return None
    body = without_nulls(body)
    meta = body.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    name, namespace = str(meta.get("name", "")), str(meta.get("namespace", ""))
    ref = subject(kind, name, namespace)
    wrong = [
        place
        for place, part in (("metadata.labels", meta.get("labels", {})), ("spec", body.get("spec", {})))
        if not isinstance(part, dict)
    ]
    if wrong:
        found.unread.append(Refused(ref, "has to be an object", wrong[0]))
    elif version not in {API, STORAGE}:
        found.unread.append(Refused(ref, f"{version} is no version of the API that is known here", "apiVersion"))
    elif kind in _STAGED:
        found.notes.append(f"{ref} is staged: it is in force nowhere")
    elif kind == "Profile":
        _profile(ref, body, found)
    elif kind not in SPECS:
        found.unread.append(Refused(ref, f"what a {kind} means is not known here", "kind"))
    else:
        stored = version == STORAGE or ref in raw or bool({"uid", "resourceVersion"} & set(meta))
        if version == STORAGE and kind in POLICIES:
            name = name.removeprefix(_PREFIX)
        return Object(kind, namespace, name, {**body, "metadata": meta}, stored)
    return None


def _profile(ref: Subject, body: Json, found: Sorted) -> None:
    spec = body.get("spec") or {}
    if not ref.name.startswith(_SYNTHESIZED) and (spec.get("ingress") or spec.get("egress")):
        found.unread.append(Refused(ref, "rules of profiles are not read: to whom a profile belongs is not known here", "spec"))


def _one_of(first: Object, second: Object, found: Sorted) -> Object:
    """Return one of two objects of one name, which may be seen through two APIs; note it where they differ."""
    seen, stored = (second, first) if first.body["apiVersion"] == STORAGE else (first, second)
    if seen.spec != stored.spec:
        why = "it was read twice, and says something else each time"
        found.unread.append(Refused(seen.ref, why, "spec"))
    is_stored = first.is_stored or second.is_stored
    return Object(seen.kind, seen.namespace, seen.name, seen.body, is_stored)


def _check(one: Object) -> None:
    place = shapes.unknown(one.body)
    if place:
        raise UnclearError(place, "this field is not known here, and may change what the rest means")
    shapes.misshapen(one.spec, SPECS[one.kind], "spec")
    shapes.metadata(one.kind, {**one.body["metadata"], "name": one.name})
    namespaced = one.kind in {"NetworkPolicy", "NetworkSet"}
    if namespaced != bool(one.namespace):
        raise RefusedError("metadata.namespace", "it has to be in a namespace" if namespaced else "it is in no namespace")
    if one.kind == "Tier":
        shapes.tier(one.name, one.spec)
