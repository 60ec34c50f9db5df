"""Pods that policies select do not run on Fargate."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.coverage import Coverage
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity


@check(
    title="no policy counts on pods that run on Fargate",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT,),
    intents=ENFORCING,
)
def selected_pods_run_off_fargate(coverage: Coverage, node_kinds: NodeKinds) -> Iterator[Finding | Evidence]:
    """
    There is no node agent on Fargate: a policy that selects such a pod is accepted and never enforced for it. As a peer in rules
    of other pods its address works.
    """
    yield Evidence(count(len(node_kinds.fargate), "Fargate node"))
    for group in coverage.on("fargate"):
        yield Finding(
            subject=group.workload,
            message=f"selected by {listed(group.policies)}; {count(group.pods, 'pod')} on Fargate, where nothing enforces it",
            remedy=("Guard these pods with security groups (a SecurityGroupPolicy), or move them to EC2 nodes."),
            command="kubectl get pods -A -o wide -l eks.amazonaws.com/fargate-profile",
            evidence=(listed(group.nodes),),
        )
