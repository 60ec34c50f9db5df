"""Jobs do not run to their end before their policies are in force."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, ENFORCING, NotApplicable, check
from eksnetpol.checks.words import by_namespace, count
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.universe import set_of


@check(
    title="no isolated pod is over before its policies are in force",
    severity=Severity.ADVICE,
    docs=CONFIGURE,
    sources=(CONFIGURE, "aws/aws-network-policy-agent#307", "aws/aws-network-policy-agent#345"),
    intents=ENFORCING,
)
def jobs_start_protected(vpc_cni: VpcCni | None, isolation: Isolation) -> Iterator[Finding | Evidence]:
    """
    In standard mode a pod starts with everything open, and its policies follow a second or two after it has an address. A Job may
    have done what it came for by then. In strict mode pods start closed.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    yield Evidence(f"enforcing mode {vpc_cni.mode or 'not set'}")
    if vpc_cni.is_strict:
        return
    universe = isolation.universe
    selected = isolation.selected & ~universe.on_host_network
    of_jobs = set_of(
        c.index
        for c in universe.members(selected)
        if c.is_owned and any(o.kind == "Job" for o in c.example.metadata.owner_references)
    )
    for group in by_namespace(universe, of_jobs):
        yield Finding(
            subject=group.subject,
            message=f"{count(group.pods, 'pod')} of Jobs that policies select run without them for their first seconds",
            remedy="Let such Jobs wait a few seconds before they connect, or plan for strict mode.",
            command=f"kubectl get jobs -n {group.namespace}",
            evidence=group.evidence,
        )
