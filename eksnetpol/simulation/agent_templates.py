"""What a template of ``aws-node`` means for the pods made from it: whether it is another one, polices, or lets its agent crash.

Whether the agent's container ends right after its start is what is known of its releases (facts: vpc-cni.md 1.3 and 5.6): agents
up to v1.1.4 panic when they are switched off while PolicyEndpoints are left; agents need the definitions they watch, up to v1.2.0
even when they are off. Pods that run already are not touched by that: only a new process looks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from eksnetpol.facts.configuration import is_true
from eksnetpol.facts.vpc_cni import AGENT_CONTAINERS, AGENT_FLAG, flags_of
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import CLUSTER_POLICY_ENDPOINT, CLUSTER_ROLE, POLICY_ENDPOINT, Json, ObjectRef
from eksnetpol.model.versions import ImageReference, Release
from eksnetpol.simulation.ground import Ground

ROLE = ObjectRef.to(CLUSTER_ROLE, "aws-node")
LAST_THAT_PANICS = Release(1, 1, 4)
LAST_THAT_WATCHES_WHEN_OFF = Release(1, 2, 0)
FIRST_THAT_WATCHES_CLUSTER_ENDPOINTS = Release(1, 3, 5)


def crash_reason(daemonset: Json, ground: Ground) -> str:
    """Return why a new agent process would end right after its start, empty where it would not or nobody knows."""
    spec = daemonset.get("spec", {}).get("template", {}).get("spec", {})
    agent = next((c for c in spec.get("containers", ()) if c.get("name") in AGENT_CONTAINERS), None)
    release = None if agent is None else ImageReference.parse(agent.get("image", "")).release
    if agent is None or release is None:
        return ""
    on = is_true(flags_of(tuple(agent.get("args") or ())).get(AGENT_FLAG))
    return next(_reasons(release.base, on, ground), "")


def _reasons(release: Release, on: bool, ground: Ground) -> Iterator[str]:
    if not on and release <= LAST_THAT_PANICS and ground.count(POLICY_ENDPOINT):
        yield f"agent {release} panics: it is switched off and PolicyEndpoints are left"
    if (on or release <= LAST_THAT_WATCHES_WHEN_OFF) and not ground.serves(POLICY_ENDPOINT):
        yield f"agent {release} cannot watch policyendpoints.networking.k8s.aws: nobody serves them"
    if on and release >= FIRST_THAT_WATCHES_CLUSTER_ENDPOINTS:
        if not ground.serves(CLUSTER_POLICY_ENDPOINT):
            yield f"agent {release} cannot watch clusterpolicyendpoints.networking.k8s.aws: nobody serves them"
        if not _may_watch_cluster_endpoints(ground):
            yield f"agent {release} may not watch clusterpolicyendpoints.networking.k8s.aws: ClusterRole aws-node lacks the rule"


def _may_watch_cluster_endpoints(ground: Ground) -> bool:
    role = ground.get(ROLE) if ground.knows(CLUSTER_ROLE) else None
    if role is None:
        return True
    granted = ({"*", "clusterpolicyendpoints"} & set(r.get("resources") or ()) for r in role.get("rules") or ())
    return any(granted)


def revision_hash(template: Any) -> str:
    """Return what stands for a template in its revision's name and its pods' labels. It is not the hash Kubernetes computes."""
    return hashlib.sha256(json.dumps(template, sort_keys=True, default=str).encode()).hexdigest()[:10]


def is_another(before: Any, after: Any) -> bool:
    """Say whether a template differs from the one before, so that pods are replaced.

    One that came from a snapshot is partial: what is written into it where nothing was known counts for no change.
    """
    if before == after:
        return False
    if not isinstance(before, dict) or _WHOLE in before.get("spec", {}):
        return True
    old, new = (msgspec.convert(t, k8s.Template, strict=False) for t in (before, after))
    return bool(_known_part(old, old) != _known_part(new, old))


_WHOLE = "terminationGracePeriodSeconds"
"""A field that every manifest of ``aws-node`` has and no snapshot keeps."""


def _known_part(template: k8s.Template, known: k8s.Template) -> Any:
    """Return of *template* what a snapshot keeps, but for values of variables that *known* has without a value."""
    hidden = {(c.name, e.name) for c in (*known.spec.containers, *known.spec.init_containers) for e in c.env if e.value is None}

    def shown(container: k8s.Container) -> Any:
        env = {e.name: None if (container.name, e.name) in hidden else (e.value or "") for e in container.env}
        return replace(container, env=()), env

    spec = template.spec
    return (
        replace(spec, containers=(), init_containers=()),
        [shown(c) for c in spec.containers],
        [shown(c) for c in spec.init_containers],
    )


def is_policing(template: Any) -> bool:
    """Say whether the agent of pods made from *template* is switched on."""
    containers = (template or {}).get("spec", {}).get("containers", ())
    agent = next((c for c in containers if c.get("name") in AGENT_CONTAINERS), None)
    return agent is not None and is_true(flags_of(tuple(agent.get("args") or ())).get(AGENT_FLAG))
