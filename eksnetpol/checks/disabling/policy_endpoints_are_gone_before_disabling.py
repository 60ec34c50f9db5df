"""No PolicyEndpoint is left that agents would go on enforcing."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import DISABLE, check
from eksnetpol.checks.words import count
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.model.snapshot import Target


@check(
    title="no PolicyEndpoint is left when network policy is switched off",
    severity=Severity.BLOCKER,
    docs=DISABLE,
    sources=("aws/aws-network-policy-agent#97", "aws/aws-network-policy-agent#135", DISABLE),
    intents=frozenset({Intent.DISABLE}),
)
def policy_endpoints_are_gone_before_disabling(
    policy_endpoints: tuple[PolicyEndpoint, ...], cluster_policy_endpoints: tuple[PolicyEndpoint, ...], target: Target
) -> Iterator[Finding | Evidence]:
    """
    PolicyEndpoints are what agents enforce. They go when their policies are deleted and the controller is still there; those that
    remain when it is switched off isolate pods with frozen rules until nodes are replaced. They are not to be deleted by hand.
    """
    number = len(policy_endpoints) + len(cluster_policy_endpoints)
    yield Evidence(count(number, "PolicyEndpoint"))
    if number:
        pods = sum(len(e.spec.pod_selector_endpoints) for e in (*policy_endpoints, *cluster_policy_endpoints))
        yield Finding(
            subject=Subject("Cluster", target.title),
            message=f"{count(number, 'PolicyEndpoint holds', 'PolicyEndpoints hold')} rules for {count(pods, 'pod')}",
            remedy="Delete the policies they were made from and wait until none is left; never delete them by hand.",
            command="kubectl get policyendpoints.networking.k8s.aws -A",
        )
