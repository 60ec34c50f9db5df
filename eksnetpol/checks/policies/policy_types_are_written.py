"""Policies say which directions they isolate."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LINT_ALONE, check
from eksnetpol.checks.places import edit
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.model.policies import NetworkPolicy

CONCEPT = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"


@check(
    title="every policy writes its policyTypes",
    severity=Severity.ADVICE,
    docs=CONCEPT,
    sources=(CONCEPT, "aws/aws-network-policy-agent#288", "aws/aws-network-policy-agent#319"),
    intents=LINT_ALONE,
    about="objects",
)
def policy_types_are_written(network_policies: tuple[NetworkPolicy, ...]) -> Iterator[Finding]:
    """
    Without policyTypes a policy isolates ingress always, and egress where it has egress rules. So a policy that is about egress
    alone closes ingress too, and one that lost its last egress rule opens egress. The API server writes the types into what it
    keeps, so that only files can lack them.
    """
    for policy in network_policies:
        if not policy.spec.policy_types:
            directions = "ingress and egress" if policy.isolates_egress else "ingress"
            subject = Subject("NetworkPolicy", policy.name, policy.namespace)
            surprise = ", although it has no ingress rule" if not policy.spec.ingress and policy.spec.egress else ""
            yield Finding(
                subject=subject,
                message=f"has no policyTypes, and so isolates {directions}{surprise}",
                remedy=f"Write policyTypes: [{'Ingress, Egress' if policy.isolates_egress else 'Ingress'}], or what is meant.",
                command=edit(subject),
            )
