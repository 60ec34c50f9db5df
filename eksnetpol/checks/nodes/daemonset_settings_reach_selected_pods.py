"""Pods that policies select run on nodes the DaemonSet serves, not on Auto Mode nodes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AUTO_MODE, ENFORCING, NotApplicable, check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.coverage import Coverage
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity


@check(
    title="settings of the DaemonSet reach every pod that policies select",
    severity=Severity.ADVICE,
    docs=AUTO_MODE,
    sources=(AUTO_MODE,),
    intents=ENFORCING,
)
def daemonset_settings_reach_selected_pods(coverage: Coverage, node_kinds: NodeKinds) -> Iterator[Finding | Evidence]:
    """
    Nodes of EKS Auto Mode have the agent built in. It wants the controller's switch like all others, but reads mode and logging
    from the NodeClass (networkPolicy, networkPolicyEventLogs) and not from the aws-node DaemonSet or the add-on.
    """
    if not node_kinds.linux_ec2:
        raise NotApplicable("no node runs the DaemonSet, so nobody looks for settings there")
    yield Evidence(count(len(node_kinds.auto), "Auto Mode node"))
    for group in coverage.on("auto"):
        yield Finding(
            subject=group.workload,
            message=f"selected by {listed(group.policies)}; {count(group.pods, 'pod')} on Auto Mode nodes",
            remedy="They read their NodeClass: set its networkPolicy and networkPolicyEventLogs as you set the add-on.",
            command="kubectl get nodeclasses.eks.amazonaws.com -o yaml",
            evidence=(listed(group.nodes),),
        )
