"""Pods of an IPv6 cluster have no IPv4 way around policies."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.checks.words import count
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.policy.isolation import Isolation

VARIABLE = "ENABLE_V4_EGRESS"


@check(
    title="pods of an IPv6 cluster have no unpoliced IPv4 egress",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/containers-roadmap#2440"),
    intents=ENFORCING,
)
def ipv6_pods_have_no_ipv4_egress(
    vpc_cni: VpcCni | None, ip_family: str, isolation: Isolation, changing: Changing
) -> Iterator[Finding | Evidence]:
    """
    Pods of an IPv6 cluster get an IPv4 interface for egress (169.254.172.0/22) unless ENABLE_V4_EGRESS is false. The agent does
    not police it: whatever IPv4 addresses a pod can route to stay open to it, the IPv4 address of the instance metadata included.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    if ip_family != "ipv6":
        raise NotApplicable(f"this is an {ip_family.replace('ip', 'IP')} cluster")
    value = vpc_cni.env.get(VARIABLE)
    seen = f"{VARIABLE} is {value}" if value else f"{VARIABLE} is not set, so it is true"
    yield Evidence(seen)
    if vpc_cni.env_is(VARIABLE, "false", default="true") or not isolation.egress:
        return
    pods = isolation.universe.count_pods(isolation.egress)
    yield Finding(
        subject=Subject("DaemonSet", DAEMONSET, NAMESPACE),
        message=f"{seen}: IPv4 egress of {count(pods, 'egress-isolated pod')} goes around every policy",
        remedy=f"Set {VARIABLE} to false where pods can do without IPv4; it takes effect in pods made afterwards.",
        command=changing.set(f"env.{VARIABLE}", "false"),
    )
