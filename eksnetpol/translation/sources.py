"""The objects that a stack was read from, by the names its policies have: for digests, and to show a source beside its target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from eksnetpol.model.admin_policies import GROUP, TIERS
from eksnetpol.model.findings import Subject
from eksnetpol.model.foreign import ForeignPolicy
from eksnetpol.policy.world import World
from eksnetpol.translation.naming import digest_of

Json = dict[str, Any]

_STORED = "crd.projectcalico.org"
_TIER = "default."
"""What Calico's API puts before the names of policies of its default tier where it stores them."""


def source_objects(world: World) -> Mapping[Subject, Json]:
    """Return the objects of *world* whose policies another engine enforces, as they were read, by what reports call them.

    NetworkPolicies are there too. Of an object that was read through two of Calico's APIs it is the one that users write.
    """
    found: dict[Subject, Json] = {}
    for policy in world.foreign_policies:
        for ref in _refs(policy):
            if ref not in found or found[ref]["apiVersion"].partition("/")[0] == _STORED:
                found[ref] = policy.body
    for admin in world.admin_policies:
        found[Subject(admin.title, admin.name)] = _written(admin, admin.api_version or _version(admin.kind), admin.kind)
    for own in world.network_policies:
        found[Subject("NetworkPolicy", own.name, own.namespace)] = _written(own, "networking.k8s.io/v1", "NetworkPolicy")
    return found


def digests(world: World) -> Mapping[Subject, str]:
    """Return the first 16 hexadecimal digits of the SHA-256 of what each of `source_objects` says: of its ``spec`` and ``specs``.

    Other labels, another release of its API or a write that changes nothing leave it as it is.
    """
    return {ref: digest_of({k: body[k] for k in ("spec", "specs") if body.get(k)}) for ref, body in source_objects(world).items()}


def _refs(policy: ForeignPolicy) -> Iterator[Subject]:
    group, _, _ = policy.api_version.partition("/")
    name, namespace = policy.metadata.name, policy.metadata.namespace
    if group == _STORED and policy.kind.endswith("NetworkPolicy"):
        name = name.removeprefix(_TIER)
    if policy.kind == "CiliumNetworkPolicy":
        namespace = namespace or "default"
    # Kinds that Kubernetes or another engine has too are called by their group, as the engine's reader does.
    yield Subject(f"{policy.kind}.{group.removeprefix('crd.') if group == _STORED else group}", name, namespace)
    if policy.kind != "NetworkPolicy":
        yield Subject(policy.kind, name, namespace)


def _written(policy: msgspec.Struct, version: str, kind: str) -> Json:
    meta = policy.metadata  # type: ignore[attr-defined]
    named = {"name": meta.name} | ({"namespace": meta.namespace} if meta.namespace else {})
    spec = msgspec.json.decode(msgspec.json.encode(policy.spec))  # type: ignore[attr-defined]
    if kind in TIERS:
        # These are a tier, and do not write it; whoever fetched them did.
        spec.pop("tier", None)
    return {"apiVersion": version, "kind": kind, "metadata": named, "spec": spec}


def _version(kind: str) -> str:
    return f"{GROUP}/v1alpha1" if kind in TIERS else f"{GROUP}/v1alpha2"
