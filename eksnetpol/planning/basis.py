"""What a plan was made from, as digests: when one of them has changed, the plan is stale and says which.

Only what somebody decided is in them. That pods get ready, a status moves on or a DaemonSet rolls changes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from eksnetpol.facts.agent_rights import ROLE
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import THE_ADDON, THE_CLUSTER
from eksnetpol.facts.vpc_cni import CONFIGMAP, DAEMONSET, NAMESPACE
from eksnetpol.model import kinds
from eksnetpol.model.eks import Addon, AddonRelease, Cluster
from eksnetpol.model.fingerprints import digest_of, digest_of_objects
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.kubernetes import ClusterRole, ConfigMap, CustomObject, CustomResourceDefinition, Workload
from eksnetpol.model.plan import Verb
from eksnetpol.model.snapshot import ClusterSnapshot, Seen

POLICIES = "policies"
SOURCES = "policies of other engines"
RELEASES = "add-on versions on offer"
ABSENT = "absent"

_DEFINITIONS = "networking.k8s.aws"
_SINGLE = (
    ("daemonsets", ObjectRef.to(kinds.DAEMONSET, DAEMONSET, NAMESPACE)),
    ("configmaps", ObjectRef.to(kinds.CONFIGMAP, CONFIGMAP, NAMESPACE)),
    ("cluster_roles", ObjectRef.to(kinds.CLUSTER_ROLE, ROLE)),
)
_POLICY_SECTIONS = ("network_policies", "application_policies", "cluster_policies")


def basis(facts: Lookup, verb: Verb) -> dict[str, str]:
    """Return digests of what a plan for *verb* stands on, by what people call it; sections that were not read have none."""
    return dict(sorted(_entries(facts, verb)))


def _entries(facts: Lookup, verb: Verb) -> Iterator[tuple[str, str]]:
    look = facts.snapshot
    if isinstance(look.cluster, Seen):
        yield THE_CLUSTER, digest_of(_of_cluster(look.cluster.value))
    if isinstance(look.addon, Seen):
        yield THE_ADDON, ABSENT if look.addon.value is None else digest_of(_of_addon(look.addon.value))
    yield from _of_objects(look)
    if verb in {Verb.DISABLE, Verb.MIGRATE}:
        yield from _of_policies(look)
    if verb is Verb.MIGRATE:
        yield from _of_engines(facts)
    if verb is Verb.UPGRADE and isinstance(look.addon_releases, Seen):
        yield RELEASES, digest_of(sorted(map(_of_release, look.addon_releases.value)))


def _of_engines(facts: Lookup) -> Iterator[tuple[str, str]]:
    """Yield what other engines are there and what they enforce: a plan to leave one was made from that."""
    foreign = facts.snapshot.foreign_policies
    if isinstance(foreign, Seen):
        yield SOURCES, digest_of_objects(policy.body for policy in foreign.value)
    found = facts.get("engines")
    for presence in found.value if isinstance(found, Seen) else ():
        if presence.workload is not None:
            meta = presence.workload.metadata
            yield str(ObjectRef.to(kinds.DAEMONSET, meta.name, meta.namespace)), _of_one([presence.workload])


def _of_objects(look: ClusterSnapshot) -> Iterator[tuple[str, str]]:
    for section, ref in _SINGLE:
        found = getattr(look, section)
        if isinstance(found, Seen):
            key = (ref.namespace, ref.name)
            yield str(ref), _of_one(o for o in found.value if (o.metadata.namespace, o.metadata.name) == key)
    if isinstance(look.crds, Seen):
        ours = (c for c in look.crds.value if c.spec.group == _DEFINITIONS)
        yield "definitions", digest_of(sorted((c.name, *_shape(c)) for c in ours))
    for node_class in look.node_classes.value if isinstance(look.node_classes, Seen) else ():
        yield str(ObjectRef.to(kinds.NODE_CLASS, node_class.metadata.name)), _of_one([node_class])


def _of_policies(look: ClusterSnapshot) -> Iterator[tuple[str, str]]:
    sections = [getattr(look, name) for name in _POLICY_SECTIONS]
    metas = (p.metadata for section in sections if isinstance(section, Seen) for p in section.value)
    yield POLICIES, digest_of(sorted((m.namespace, m.name, m.uid, m.generation) for m in metas))


def _of_cluster(found: Cluster) -> Any:
    return [found.arn or found.name, found.version, found.has_auto_mode]


def _of_addon(found: Addon) -> Any:
    modified = found.modified_at.isoformat() if found.modified_at else ""
    roles = [found.service_account_role_arn, *found.pod_identity_associations]
    return [found.addon_version, found.configuration_values, roles, modified]


def _of_release(found: AddonRelease) -> Any:
    return [found.addon_version, *sorted(c.cluster_version for c in found.compatibilities)]


def _of_one(found: Iterable[Workload | ConfigMap | ClusterRole | CustomObject]) -> str:
    one = next(iter(found), None)
    match one:
        case None:
            return ABSENT
        case ConfigMap():
            return digest_of(one.data)
        case ClusterRole():
            return digest_of(msgspec.to_builtins(one.rules))
        case Workload():
            # The generation moves with fields that a look does not keep as well.
            return digest_of([one.metadata.uid, one.metadata.generation, msgspec.to_builtins(one.spec)])
        case _:
            return digest_of(one.spec)


def _shape(found: CustomResourceDefinition) -> Any:
    served = [v.name for v in found.spec.versions if v.served]
    return found.metadata.uid, found.metadata.generation, found.spec.schema_digest, served
