"""In strict mode, pods with policies have them for both directions."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, ENFORCING, NotApplicable, check
from eksnetpol.checks.words import by_namespace, count
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.policy.isolation import Isolation


@check(
    title="strict mode finds policies for both directions",
    severity=Severity.WARNING,
    docs=CONFIGURE,
    sources=("aws/aws-network-policy-agent#319", "aws/amazon-vpc-cni-k8s#3068", CONFIGURE),
    intents=ENFORCING,
)
def strict_mode_closes_both_directions(vpc_cni: VpcCni | None, isolation: Isolation) -> Iterator[Finding | Evidence]:
    """
    In strict mode a pod is closed until a policy selects it. From then on its policies decide, and a direction that none of them
    lists is open: a pod with a policy for egress alone takes connections from everywhere, which strict mode seems to rule out.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    yield Evidence(f"enforcing mode {vpc_cni.mode or 'not set'}")
    if not vpc_cni.is_strict:
        return
    universe = isolation.universe
    for direction, classes in (
        ("ingress", isolation.egress & ~isolation.ingress),
        ("egress", isolation.ingress & ~isolation.egress),
    ):
        for group in by_namespace(universe, classes):
            yield Finding(
                subject=group.subject,
                message=(
                    f"{direction} of {count(group.pods, 'pod')} is open in spite of strict mode: their policies list the other "
                    "direction alone"
                ),
                remedy=f"Give these pods a policy for {direction} too.",
                command=f"kubectl get networkpolicies -n {group.namespace}",
                evidence=group.evidence,
            )
