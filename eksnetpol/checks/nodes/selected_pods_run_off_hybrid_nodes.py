"""Pods that policies select do not run on hybrid nodes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.coverage import Coverage
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity


@check(
    title="no policy counts on the VPC CNI for pods on hybrid nodes",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(
        LIMIT,
        "awsdocs/amazon-eks-user-guide#906",
    ),
    intents=ENFORCING,
)
def selected_pods_run_off_hybrid_nodes(coverage: Coverage, node_kinds: NodeKinds) -> Iterator[Finding | Evidence]:
    """
    The aws-node DaemonSet keeps off EKS hybrid nodes; they run another CNI, as a rule Cilium or Calico, and that one must enforce
    policies there. So a cluster with hybrid nodes needs two engines, each on its own nodes, and the other one must stay.
    """
    yield Evidence(count(len(node_kinds.hybrid), "hybrid node"))
    for group in coverage.on("hybrid"):
        yield Finding(
            subject=group.workload,
            message=f"selected by {listed(group.policies)}; {count(group.pods, 'pod')} on hybrid nodes",
            remedy=("See that the CNI of the hybrid nodes enforces NetworkPolicies, and keep it off the EC2 nodes."),
            command="kubectl get nodes -l eks.amazonaws.com/compute-type=hybrid",
            evidence=(listed(group.nodes),),
        )
