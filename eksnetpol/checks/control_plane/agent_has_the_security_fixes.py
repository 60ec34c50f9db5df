"""The agent has the fixes of what let denied traffic through."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix, SecurityFix
from eksnetpol.checks.declare import AGENT_README, check
from eksnetpol.checks.parts import AWS_NODE, agent_of
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="the agent has the fixes for what lets denied traffic through",
    severity=Severity.WARNING,
    docs=AGENT_README,
    sources=(
        "aws/aws-network-policy-agent#584",
        "aws/aws-network-policy-agent#562",
        "aws/aws-network-policy-agent#563",
        "aws/aws-network-policy-agent#576",
        "aws/aws-network-policy-agent#608",
        "aws/aws-network-policy-agent#610",
    ),
)
def agent_has_the_security_fixes(
    vpc_cni: VpcCni | None, agent_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Some defects of older agents show no symptom at all: traffic that a policy denies passes, or the rules of one pod reach
    another. They are fixed in v1.3.7 and v1.4.0; two more came after v1.4.1 and are expected in v1.4.2, which is therefore only
    advised.
    """
    agent_of(vpc_cni)
    if isinstance(agent_release, Unread):
        yield Unknown(AWS_NODE, agent_release.reason)
        return
    yield Evidence(f"agent {agent_release}")
    missing = [f for f in releases.fix if f.of == "agent" and agent_release.base < f.since]
    certain = [f for f in missing if not f.unverified]
    expected = [f for f in missing if f.unverified]
    if certain:
        yield _finding(agent_release, certain, "lacks", changing)
    if expected:
        yield _finding(agent_release, expected, "came before", changing, Severity.ADVICE)


def _finding(
    release: Release, missing: list[SecurityFix], verb: str, changing: Changing, severity: Severity | None = None
) -> Finding:
    newest = max(missing, key=lambda f: f.since)
    ids = ", ".join(dict.fromkeys(source.rsplit("/", 1)[-1] for fix in missing for source in fix.sources))
    doubt = " (that this release carries them is inferred from the order of commits)" if severity else ""
    return Finding(
        subject=AWS_NODE,
        message=f"agent {release} {verb} the fixes of {ids}",
        remedy=f"Upgrade to agent {newest.since} or later, which comes with VPC CNI {newest.cni}{doubt}."
        + changing.caution(newest.cni),
        command=changing.upgrade(newest.cni),
        evidence=tuple(f"{fix.what} ({', '.join(fix.sources)}, since {fix.since})" for fix in missing),
        severity=severity,
    )
