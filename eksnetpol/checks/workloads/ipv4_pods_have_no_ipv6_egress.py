"""Pods of an IPv4 cluster have no IPv6 way around policies."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CNI_README, ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.checks.words import count
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.policy.isolation import Isolation

VARIABLE = "ENABLE_V6_EGRESS"


@check(
    title="pods of an IPv4 cluster have no unpoliced IPv6 egress",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, CNI_README),
    intents=ENFORCING,
)
def ipv4_pods_have_no_ipv6_egress(
    vpc_cni: VpcCni | None, ip_family: str, isolation: Isolation, changing: Changing
) -> Iterator[Finding | Evidence]:
    """
    With ENABLE_V6_EGRESS pods of an IPv4 cluster get an IPv6 interface for egress (fd00::ac:00/118). The agent does not police
    it: whatever IPv6 addresses a pod can route to stay open to it.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    if ip_family != "ipv4":
        raise NotApplicable(f"this is an {ip_family.replace('ip', 'IP')} cluster")
    value = vpc_cni.env.get(VARIABLE, "false")
    yield Evidence(f"{VARIABLE} {value}")
    if not vpc_cni.env_is(VARIABLE, "true") or not isolation.egress:
        return
    pods = isolation.universe.count_pods(isolation.egress)
    yield Finding(
        subject=Subject("DaemonSet", DAEMONSET, NAMESPACE),
        message=f"{VARIABLE} is {value}: IPv6 egress of {count(pods, 'egress-isolated pod')} goes around every policy",
        remedy=f"Set {VARIABLE} to false where pods can do without IPv6; it takes effect in pods made afterwards.",
        command=changing.set(f"env.{VARIABLE}", "false"),
    )
