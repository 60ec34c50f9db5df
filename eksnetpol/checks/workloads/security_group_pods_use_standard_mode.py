"""Pods with security groups of their own are enforced in standard mode where policies isolate them."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import ENFORCING, check
from eksnetpol.checks.words import by_namespace, count
from eksnetpol.facts.branch_interfaces import BranchInterfaces
from eksnetpol.facts.changing import Changing
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release
from eksnetpol.policy.isolation import Isolation

SECURITY_GROUPS = "https://docs.aws.amazon.com/eks/latest/best-practices/sgpp.html"


@check(
    title="isolated pods with security groups of their own are in standard mode",
    severity=Severity.WARNING,
    docs=SECURITY_GROUPS,
    sources=(SECURITY_GROUPS, "aws/aws-network-policy-agent#367"),
    intents=ENFORCING,
)
def security_group_pods_use_standard_mode(
    isolation: Isolation,
    branch_interfaces: BranchInterfaces,
    agent_release: Release | Unread,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Security groups for pods and network policies work together, and both must allow a connection. With
    POD_SECURITY_GROUP_ENFORCING_MODE=strict, its default, the kubelet's probes and NodeLocal DNSCache do not reach such pods
    dependably, and agents before v1.2.0 do not find their interfaces: no policy holds for them.
    """
    yield Evidence(f"ENABLE_POD_ENI {'true' if branch_interfaces.enabled else 'false'}, mode {branch_interfaces.mode}")
    both = branch_interfaces.classes & isolation.either
    if not branch_interfaces.is_strict or not both:
        return
    least = releases.feature["pod-security-groups"]
    finds_them = None if isinstance(agent_release, Unread) or least.agent is None else agent_release.base >= least.agent
    for group in by_namespace(isolation.universe, both):
        if finds_them is False:
            yield Finding(
                subject=group.subject,
                message=(
                    f"agent {agent_release} enforces nothing on {count(group.pods, 'isolated pod')} with security groups of "
                    "their own"
                ),
                remedy=f"Upgrade to VPC CNI {least.cni} with agent {least.agent} or later.",
                command=changing.upgrade(least.cni or Release(1, 19, 3)),
                evidence=group.evidence,
                severity=Severity.BLOCKER,
            )
            continue
        if finds_them is None and isinstance(agent_release, Unread):
            yield Unknown(group.subject, f"whether the agent finds the interfaces of these pods: {agent_release.reason}")
        yield Finding(
            subject=group.subject,
            message=(
                f"{count(group.pods, 'isolated pod')} with security groups of their own in strict mode: probes and DNS may fail"
            ),
            remedy="Set POD_SECURITY_GROUP_ENFORCING_MODE to standard; pods take it up when they are made anew.",
            command=changing.set("env.POD_SECURITY_GROUP_ENFORCING_MODE", "standard"),
            evidence=group.evidence,
        )
