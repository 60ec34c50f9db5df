"""What policies allow, security groups of pods allow too."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import by_namespace, count
from eksnetpol.facts.branch_interfaces import BranchInterfaces
from eksnetpol.model.findings import Finding, Severity
from eksnetpol.policy.isolation import Isolation


@check(
    title="no pod answers to both security groups of its own and policies",
    severity=Severity.ADVICE,
    docs=LIMIT,
    sources=(LIMIT, "https://docs.aws.amazon.com/eks/latest/best-practices/sgpp.html"),
    intents=ENFORCING,
)
def security_groups_agree_with_policies(isolation: Isolation, branch_interfaces: BranchInterfaces) -> Iterator[Finding]:
    """
    A connection of a pod with security groups of its own needs both: a policy that allows it and a security group that does. What
    one opens, the other may still close, so the two are to be read together; rules of security groups are not read here.
    """
    for group in by_namespace(isolation.universe, branch_interfaces.classes & isolation.either):
        yield Finding(
            subject=group.subject,
            message=f"{count(group.pods, 'pod')} answer to network policies and to security groups of their own: both must allow",
            remedy="Compare the security groups' rules with what the policies allow before enforcement is on.",
            command=f"kubectl get securitygrouppolicies -n {group.namespace} -o yaml",
            evidence=group.evidence,
        )
