"""The VPC CNI is recent enough to have an agent."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import BEFORE_POLICY, LIMIT, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="the VPC CNI is recent enough to enforce network policies",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=(LIMIT, "aws/amazon-vpc-cni-k8s#2539"),
    intents=BEFORE_POLICY,
)
def cni_supports_policy(
    vpc_cni: VpcCni | None, cni_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The network policy agent came with VPC CNI v1.14.0. Before that the add-on refuses enableNetworkPolicy, and there is no
    container to switch on. The running image decides, not the name of an add-on version; an image pinned by digest does not tell.
    """
    installed(vpc_cni)
    if isinstance(cni_release, Unread):
        yield Unknown(AWS_NODE, cni_release.reason)
        return
    least = releases.minimum.cni
    yield Evidence(f"VPC CNI {cni_release}")
    if cni_release < least:
        yield Finding(
            subject=AWS_NODE,
            message=f"VPC CNI {cni_release} has no network policy agent; {least} is the first that has",
            remedy=f"Upgrade the VPC CNI, one minor version at a time, each time to its newest build.{changing.caution(least)}",
            command=changing.upgrade(least),
        )
