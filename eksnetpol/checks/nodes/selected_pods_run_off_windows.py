"""Pods that policies select do not run on Windows."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.coverage import Coverage
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity


@check(
    title="no policy counts on pods that run on Windows",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT,),
    intents=ENFORCING,
)
def selected_pods_run_off_windows(coverage: Coverage, node_kinds: NodeKinds) -> Iterator[Finding | Evidence]:
    """
    The node agent is eBPF on Linux: a policy that selects a pod on a Windows node is accepted and never enforced for it.
    As a peer in rules of other pods its address works.
    """
    yield Evidence(count(len(node_kinds.windows), "Windows node"))
    for group in coverage.on("windows"):
        yield Finding(
            subject=group.workload,
            message=f"selected by {listed(group.policies)}; {count(group.pods, 'pod')} on Windows, where nothing enforces it",
            remedy=("Guard these pods by other means, for example security groups of a node group of their own."),
            command="kubectl get nodes -l kubernetes.io/os=windows",
            evidence=(listed(group.nodes),),
        )
