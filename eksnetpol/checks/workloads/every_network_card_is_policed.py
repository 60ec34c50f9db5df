"""With several network cards, the agent is one that knows of them."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CNI_README, ENFORCING, NotApplicable, check
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

VARIABLE = "ENABLE_MULTI_NIC"


@check(
    title="the agent polices every network card that pods get",
    severity=Severity.WARNING,
    docs=CNI_README,
    sources=(CNI_README, "https://github.com/aws/aws-network-policy-agent"),
    intents=ENFORCING,
)
def every_network_card_is_policed(
    vpc_cni: VpcCni | None, agent_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    With ENABLE_MULTI_NIC a pod can have an interface per network card of its instance. Agents before v1.2.3 know of the first one
    alone, so what goes through the others is not policed.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    if not vpc_cni.env_is(VARIABLE, "true"):
        yield Evidence(f"{VARIABLE} is off")
        return
    subject = Subject("DaemonSet", DAEMONSET, NAMESPACE)
    least = releases.feature["multi-nic"]
    if isinstance(agent_release, Unread):
        yield Unknown(subject, f"whether the agent polices every network card: {agent_release.reason}")
    elif least.agent is not None and agent_release.base < least.agent:
        yield Finding(
            subject=subject,
            message=f"{VARIABLE} is on, and agent {agent_release} polices only the first network card",
            remedy=f"Upgrade to VPC CNI {least.cni} with agent {least.agent} or later.",
            command=changing.upgrade(least.cni or Release(1, 20, 0)),
        )
