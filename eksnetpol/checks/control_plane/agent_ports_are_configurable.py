"""The agent does not sit on ports 8080 and 8081."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of, installed
from eksnetpol.checks.words import listed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

PORTS = {"metrics-bind-addr": "port 8080 for metrics", "health-probe-bind-addr": "port 8081 for health"}


@check(
    title="the agent's ports are set by flags, not taken from VPC CNI v1.14.0",
    severity=Severity.WARNING,
    docs=CONFIGURE,
    sources=("aws/amazon-vpc-cni-k8s#2539", "aws/amazon-vpc-cni-k8s#2540", "aws/aws-network-policy-agent#45"),
)
def agent_ports_are_configurable(
    vpc_cni: VpcCni | None, cni_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The agent of VPC CNI v1.14.0 takes the node's ports 8080 and 8081, where much else listens; whoever comes second fails to
    start. From v1.14.1 on the manifests say 8162 and 8163, and add-on and chart have settings for both.
    """
    cni = installed(vpc_cni)
    agent_of(vpc_cni)
    if isinstance(cni_release, Unread):
        yield Unknown(AWS_NODE, cni_release.reason)
        return
    first = releases.feature["ports-configurable"].cni or releases.minimum.cni
    if cni_release < releases.minimum.cni:
        raise NotApplicable(f"VPC CNI {cni_release} has no agent")
    yield Evidence(f"VPC CNI {cni_release}")
    taken = [port for flag, port in PORTS.items() if flag not in cni.args]
    if cni_release.base < first and taken:
        yield Finding(
            subject=AWS_NODE,
            message=(
                f"the agent of VPC CNI {cni_release} listens on the node at {listed(taken)}; neither add-on nor chart has "
                "a setting for it"
            ),
            remedy=f"Upgrade to {first} or later, where it uses 8162 and 8163 and both can be set.{changing.caution(first)}",
            command=changing.upgrade(first),
        )
