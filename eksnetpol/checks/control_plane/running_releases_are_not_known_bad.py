"""No release that is known to do harm runs here."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import BadRelease, Matrix
from eksnetpol.checks.declare import CNI_README, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

PARTS = {"cni": "VPC CNI", "agent": "agent"}


@check(
    title="no release of the VPC CNI or its agent that is known to do harm runs here",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=(
        "aws/amazon-vpc-cni-k8s#3553",
        "aws/aws-network-policy-agent#456",
        "aws/aws-network-policy-agent#553",
        "aws/aws-network-policy-agent#570",
    ),
)
def running_releases_are_not_known_bad(
    vpc_cni: VpcCni | None,
    cni_release: Release | Unread,
    agent_release: Release | Unread,
    ip_family: str | Unread,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    A few releases break what they should protect: v1.3.0 of the agent writes rules to the wrong map, v1.2.4 and v1.2.5 cut the
    egress of pods on IPv6, v1.3.1 to v1.3.4 may drop everything after a restart, others leak or stall connections. The agent is
    read from its own image, because a build of the add-on can carry another agent than the release of its name.
    """
    running = {"cni": cni_release, "agent": agent_release}
    if installed(vpc_cni).agent is None:
        del running["agent"]
    for part, release in running.items():
        if isinstance(release, Unread):
            yield Unknown(AWS_NODE, release.reason)
            continue
        yield Evidence(f"{PARTS[part]} {release}")
        for bad in releases.bad:
            if bad.of == part and bad.holds(release):
                yield _finding(bad, release, ip_family, releases, changing)
                if bad.severity_ipv6 and isinstance(ip_family, Unread):
                    yield Unknown(AWS_NODE, f"how bad {PARTS[part]} {release} is depends on the IP family: {ip_family.reason}")


def _finding(
    bad: BadRelease, release: Release, ip_family: str | Unread, releases: Matrix, changing: Changing
) -> Finding:
    severity = bad.severity_ipv6 if bad.severity_ipv6 and ip_family == "ipv6" else bad.severity
    if bad.of == "cni":
        cni = bad.before
    else:
        known = [m.cni for m in releases.manifest if m.agent >= bad.before]
        cni = min(known, default=bad.before)
    return Finding(
        subject=AWS_NODE,
        message=f"{PARTS[bad.of]} {release} {bad.symptom}",
        remedy=f"Move to {bad.fixed} or later, CNI and agent together.{changing.caution(cni)}",
        command=changing.upgrade(cni),
        evidence=bad.sources,
        severity=Severity(severity),
    )
