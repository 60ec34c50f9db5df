"""CNI and agent speak the same sockets."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CNI_README, check
from eksnetpol.checks.parts import AWS_NODE, agent_of
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="the VPC CNI and its agent are of releases that can talk to each other",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=(
        "aws/aws-network-policy-agent#435",
        "https://github.com/aws/amazon-vpc-cni-k8s/blob/master/CHANGELOG.md",
    ),
)
def cni_and_agent_belong_together(
    vpc_cni: VpcCni | None,
    cni_release: Release | Unread,
    agent_release: Release | Unread,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    CNI and agent call each other when a pod starts. Twice the way moved from a TCP port to a unix socket: VPC CNI v1.20.2 needs
    agent v1.2.6, v1.23.0 needs v1.4.1, and the other way round. With one image on each side new pods fail to start.
    """
    agent_of(vpc_cni)
    for release in (cni_release, agent_release):
        if isinstance(release, Unread):
            yield Unknown(AWS_NODE, release.reason)
    if isinstance(cni_release, Unread) or isinstance(agent_release, Unread):
        return
    yield Evidence(f"VPC CNI {cni_release} with agent {agent_release}")
    for pair in releases.pairing:
        cni_moved, agent_moved = cni_release.base >= pair.cni, agent_release.base >= pair.agent
        if cni_moved == agent_moved:
            continue
        ahead, behind = ("VPC CNI", "agent") if cni_moved else ("agent", "VPC CNI")
        yield Finding(
            subject=AWS_NODE,
            message=(
                f"VPC CNI {cni_release} and agent {agent_release} do not belong together: {pair.what}, which the {ahead} knows "
                f"and the {behind} does not; new pods fail to start"
            ),
            remedy=(
                f"Take both images from one release ({pair.cni} or later comes with agent {pair.agent} or later), "
                "and drop overrides of single images."
            ),
            command=changing.restore() if cni_moved else changing.upgrade(pair.cni),
            evidence=pair.sources,
        )
