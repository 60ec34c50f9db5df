"""Policies are such as the API server takes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, check
from eksnetpol.checks.words import few
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import SourceKind, Unread
from eksnetpol.model.versions import KubernetesVersion
from eksnetpol.policy.validation import validate

REFERENCE = "https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/"


@check(
    title="every policy is one that the API server takes",
    severity=Severity.BLOCKER,
    docs=REFERENCE,
    sources=(REFERENCE, "https://kubernetes.io/docs/concepts/services-networking/network-policies/"),
    intents=ENFORCING,
    about="objects",
)
def policies_are_well_formed(
    network_policies: tuple[NetworkPolicy, ...], kubernetes_version: KubernetesVersion | Unread, source: SourceKind
) -> Iterator[Finding | Evidence]:
    """
    What the API server refuses is not in the cluster, so that nothing of it is enforced: a CIDR that is none, an except outside
    its block, an endPort below its port or beside a name, a peer with ipBlock and selectors. Policies of a live cluster were
    taken by its API server and are not looked at again.
    """
    if source is not SourceKind.MANIFESTS:
        yield Evidence("the API server took them")
        return
    server = kubernetes_version if isinstance(kubernetes_version, KubernetesVersion) else None
    for policy in network_policies:
        problems = validate(policy, server)
        if problems:
            subject = Subject("NetworkPolicy", policy.name, policy.namespace)
            yield Finding(
                subject=subject,
                message=f"{problems[0].field}: {problems[0].message}".rstrip("."),
                remedy="Correct it; the API server refuses the policy as it is.",
                command="kubectl apply --dry-run=server --validate=strict -f FILE",
                evidence=few(f"{p.field}: {p.message}" for p in problems),
            )
