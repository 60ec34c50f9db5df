"""Blocks in rules are of the cluster's IP family."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import few, listed
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release
from eksnetpol.policy.addresses import family_of
from eksnetpol.policy.rules import Rules


@check(
    title="every block is of the cluster's IP family",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/aws-network-policy-agent#321"),
    intents=ENFORCING,
    about="objects",
)
def rules_are_of_the_cluster_family(
    rules: Rules, ip_family: str, agent_release: Release | Unread, releases: Matrix
) -> Iterator[Finding | Unknown | Evidence]:
    """
    A cluster has IPv4 or IPv6 pods, never both, and the agent ignores blocks of the other family: what they seem to allow is not
    allowed, and what passes in that family is not policed. Agents before v1.1.4 gave up on all rules of the pod for one such
    block.
    """
    yield Evidence(f"{ip_family.replace('ip', 'IP')} cluster")
    since = releases.feature["other-family-skipped"].agent
    gives_up = isinstance(agent_release, Release) and since is not None and agent_release.base < since
    found: dict[Subject, list[tuple[str, str]]] = {}
    for rule, block in rules.blocks():
        if family_of(block.cidr) not in {ip_family, None}:
            found.setdefault(rule.subject, []).append((rule.place, block.cidr))
    for subject, places in found.items():
        then = f"agent {agent_release} then writes no rule of these pods at all" if gives_up else "it is ignored"
        yield Finding(
            subject=subject,
            message=f"{listed(cidr for _, cidr in places)} is not of the cluster's family ({ip_family}): {then}",
            remedy=f"Remove what is not {ip_family.replace('ip', 'IP')}, or replace it by what was meant.",
            command=f"kubectl edit {subject.kind.lower()} {subject.name} -n {subject.namespace}",
            evidence=few(f"{place}: {cidr}" for place, cidr in places),
            severity=Severity.BLOCKER if gives_up else None,
        )
    if found and isinstance(agent_release, Unread):
        yield Unknown(Subject("DaemonSet", "aws-node", "kube-system"), f"whether other rules suffer: {agent_release.reason}")
