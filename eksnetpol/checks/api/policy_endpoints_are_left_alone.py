"""No back-up or GitOps tool has PolicyEndpoints in its care."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LIMIT, check
from eksnetpol.checks.words import count, listed
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.model.snapshot import Unread

MARKS = {
    "velero.io/restore-name": "Velero",
    "velero.io/backup-name": "Velero",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""Labels and annotations with which a tool marks what is its own."""


@check(
    title="PolicyEndpoints are left to the controller",
    severity=Severity.ADVICE,
    docs=LIMIT,
    sources=(LIMIT,),
)
def policy_endpoints_are_left_alone(
    policy_endpoints: tuple[PolicyEndpoint, ...], cluster_policy_endpoints: tuple[PolicyEndpoint, ...] | Unread
) -> Iterator[Finding | Evidence]:
    """
    PolicyEndpoints are the controller's notes to the agents, full of addresses of pods that live now. A tool that restores or
    synchronises them writes back addresses that belong to other pods by then. Such objects bear the tool's marks.
    """
    more = () if isinstance(cluster_policy_endpoints, Unread) else cluster_policy_endpoints
    marked: dict[tuple[str, str], list[str]] = {}
    for kind, endpoints in (("PolicyEndpoint", policy_endpoints), ("ClusterPolicyEndpoint", more)):
        for endpoint in endpoints:
            meta = endpoint.metadata
            tools = {tool for mark, tool in MARKS.items() if mark in meta.labels or mark in meta.annotations}
            for tool in tools:
                name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
                marked.setdefault((kind, tool), []).append(name)
    yield Evidence(count(len(policy_endpoints) + len(more), "endpoint"))
    for (kind, tool), names in sorted(marked.items()):
        yield Finding(
            subject=Subject("CustomResourceDefinition", f"{kind.lower()}s.networking.k8s.aws"),
            message=f"{count(len(names), kind)} bear the marks of {tool}: {listed(names)}",
            remedy=f"Exclude policyendpoints and clusterpolicyendpoints from {tool}, and let the controller write them again.",
        )
