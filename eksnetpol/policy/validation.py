"""Malformed policies, named as the API server would refuse them: which field, and what is wrong with it.

The server looks in stages, and the first that finds something is what it answers with: types before unknown members before
meaning for NetworkPolicy, unknown members before the schema and then its rules for custom kinds. So does this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec.structs import replace

from eksnetpol.model.findings import Subject
from eksnetpol.model.nulls import without_nulls
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.problems import Problem
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.model.versions import KubernetesVersion
from eksnetpol.policy import validation_rules as rules
from eksnetpol.policy.validation_kinds import AWS, KINDS, STANDARD, UPSTREAM
from eksnetpol.policy.validation_shapes import Flaw, Ground, misshapen, type_of

STRICT_CIDRS = KubernetesVersion(1, 36)
"""The first server that refuses host bits, leading zeros and IPv4-mapped blocks (feature gate StrictIPCIDRValidation)."""

_CUSTOM: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Iterator[Flaw]]] = {
    (AWS, "ApplicationNetworkPolicy"): rules.application_policy,
    (AWS, "ClusterNetworkPolicy"): rules.aws_cluster_policy,
    (UPSTREAM, "ClusterNetworkPolicy"): rules.upstream_cluster_policy,
    (UPSTREAM, "AdminNetworkPolicy"): rules.admin_policy,
    (UPSTREAM, "BaselineAdminNetworkPolicy"): rules.admin_policy,
}


def unknown_member(group: str, kind: str, value: Any) -> str:
    """Return the place of the first member of the spec of *value* that is not known here, empty where all are.

    *value* is an object of a policy kind as decoded JSON; of kinds that nobody knows here nothing is said.
    """
    shape = KINDS.get((group, kind))
    if shape is None:
        return ""
    unknown = (f.field for f in misshapen(value, shape, native=group == STANDARD) if f.ground is Ground.UNKNOWN)
    return next((place for place in unknown if place.partition(".")[0] == "spec"), "")


def is_validated(group: str, kind: str) -> bool:
    """Say whether `flaws` knows the kind."""
    return (group, kind) in KINDS


def flaws(group: str, kind: str, value: Any, server: KubernetesVersion | None = None) -> tuple[Flaw, ...]:
    """Return what is wrong with *value*, an object of a policy kind as decoded JSON; nothing for kinds nobody knows here.

    *server* is the version of the API server that would look at it; without one, what only some versions refuse passes.
    """
    shape = KINDS.get((group, kind))
    if shape is None:
        return ()
    native = group == STANDARD
    found = () if native and _fits(value) else tuple(misshapen(value, shape, native=native))
    for grounds in ((Ground.TYPE,), (Ground.UNKNOWN,)) if native else ((Ground.UNKNOWN,), (Ground.TYPE, Ground.RULE)):
        stage = tuple(flaw for flaw in found if flaw.ground in grounds)
        if stage:
            return stage
    meta, spec = value.get("metadata") or {}, value.get("spec") or {}
    if native:
        return (*rules.metadata(meta), *rules.network_policy(spec, strict=_is_strict(server)))
    return (*rules.metadata(meta), *_CUSTOM[group, kind](without_nulls(spec)))


def validate(policy: NetworkPolicy, server: KubernetesVersion | None = None) -> tuple[Problem, ...]:
    """Return what the API server would have against *policy*, a NetworkPolicy that could be decoded.

    ``place`` is empty: the policy does not know where it comes from. *server* is as for `flaws`.
    """
    spec = msgspec.to_builtins(policy.spec)
    subject = Subject("NetworkPolicy", policy.name, policy.namespace)
    meta = {"name": policy.name, "labels": policy.metadata.labels}
    found = (*rules.metadata(meta), *rules.network_policy(spec, strict=_is_strict(server)))
    return tuple(Problem("", flaw.message, subject, flaw.field) for flaw in found)


def sound(snapshot: ClusterSnapshot) -> tuple[ClusterSnapshot, tuple[Problem, ...]]:
    """Return *snapshot* without the NetworkPolicies that an API server would refuse, and what is wrong with these.

    Meant for snapshots of files: what comes from a live cluster has been accepted by its server. Places are those that the
    snapshot notes for the policies.
    """
    section = snapshot.network_policies
    if not isinstance(section, Seen):
        return snapshot, ()
    kept: list[NetworkPolicy] = []
    problems: list[Problem] = []
    for policy in section.value:
        found = validate(policy)
        if not found:
            kept.append(policy)
            continue
        origin = snapshot.origins.get(str(found[0].subject))
        place = f"{origin.file}:{origin.line}" if origin else ""
        problems += (replace(problem, place=place) for problem in found)
    if not problems:
        return snapshot, ()
    return replace(snapshot, network_policies=replace(section, value=tuple(kept))), tuple(problems)


def _fits(value: Any) -> bool:
    try:
        msgspec.convert(value, _network_policy())
    except msgspec.ValidationError:
        return False
    return True


@cache
def _network_policy() -> Any:
    return type_of(KINDS[STANDARD, "NetworkPolicy"])


def _is_strict(server: KubernetesVersion | None) -> bool:
    return server is not None and server >= STRICT_CIDRS
