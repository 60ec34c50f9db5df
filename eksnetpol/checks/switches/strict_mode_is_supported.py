"""Strict mode is asked of releases that know it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import MODE_VARIABLE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="strict mode is asked of releases that know it",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=(CONFIGURE, "https://github.com/aws/amazon-vpc-cni-k8s/releases/tag/v1.17.1"),
)
def strict_mode_is_supported(
    vpc_cni: VpcCni | None,
    cni_release: Release | Unread,
    agent_release: Release | Unread,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Strict mode came with VPC CNI v1.17.1 and agent v1.1.0. Older ones do not know the variable: pods start open although the
    cluster is configured to start them closed.
    """
    cni = installed(vpc_cni)
    if not cni.is_strict:
        raise NotApplicable("the enforcing mode is not strict")
    agent_of(cni)
    least = releases.feature["strict-mode"]
    for part, release, since in (("VPC CNI", cni_release, least.cni), ("agent", agent_release, least.agent)):
        if isinstance(release, Unread):
            yield Unknown(AWS_NODE, release.reason)
            continue
        yield Evidence(f"{part} {release}")
        if since is not None and release.base < since:
            yield Finding(
                subject=AWS_NODE,
                message=f"{MODE_VARIABLE} is strict, but {part} {release} does not know strict mode: pods start open",
                remedy=f"Upgrade to {part} {since} or later, CNI and agent together.",
                command=changing.upgrade(least.cni or releases.minimum.cni),
            )
