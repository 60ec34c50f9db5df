"""The kubelet's probes reach pods that policies isolate."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.words import by_namespace, count
from eksnetpol.facts.branch_interfaces import BranchInterfaces
from eksnetpol.facts.changing import Changing
from eksnetpol.model.findings import Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.model.versions import Release
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.universe import Classes, Universe, set_of

LEAST_AGENT = Release(1, 2, 0)
LEAST_CNI = Release(1, 19, 3)


@check(
    title="probes reach isolated pods",
    severity=Severity.WARNING,
    docs=TROUBLESHOOT,
    sources=("aws/amazon-vpc-cni-k8s#2571", "aws/aws-network-policy-agent#56", "aws/aws-network-policy-agent#139"),
    intents=ENFORCING,
)
def probes_reach_isolated_pods(
    isolation: Isolation, agent_release: Release | Unread, branch_interfaces: BranchInterfaces | Unread, changing: Changing
) -> Iterator[Finding | Unknown]:
    """
    A pod's own node may always reach it, so probes need no rule. Agents before v1.2.0 had defects that blocked them all the same,
    and pods with security groups of their own in strict mode leave the node before they are reached.
    """
    universe = isolation.universe
    if isinstance(agent_release, Unread):
        if agent_release.why is Why.ABSENT:
            raise NotApplicable(agent_release.reason)
        if _probed(universe, isolation.ingress):
            yield Unknown(Subject("DaemonSet", "aws-node", "kube-system"), f"whether probes pass: {agent_release.reason}")
    elif agent_release.base < LEAST_AGENT:
        for group in by_namespace(universe, _probed(universe, isolation.ingress)):
            yield Finding(
                subject=group.subject,
                message=f"agent {agent_release} may block the probes of {count(group.pods, 'isolated pod')}",
                remedy=f"Upgrade to VPC CNI {LEAST_CNI} with agent {LEAST_AGENT} or later.",
                command=changing.upgrade(LEAST_CNI),
                evidence=group.evidence,
            )
        return
    if isinstance(branch_interfaces, Unread) or not branch_interfaces.is_strict:
        return
    for group in by_namespace(universe, _probed(universe, isolation.ingress & branch_interfaces.classes)):
        yield Finding(
            subject=group.subject,
            message=f"probes may not reach {count(group.pods, 'isolated pod')} with security groups of their own in strict mode",
            remedy="Set POD_SECURITY_GROUP_ENFORCING_MODE to standard; pods take it up when they are made anew.",
            command=changing.set("env.POD_SECURITY_GROUP_ENFORCING_MODE", "standard"),
            evidence=group.evidence,
        )


def _probed(universe: Universe, classes: Classes) -> Classes:
    return set_of(
        c.index for c in universe.members(classes) if any(p.crosses_network for x in c.containers for p in x.probes)
    )
