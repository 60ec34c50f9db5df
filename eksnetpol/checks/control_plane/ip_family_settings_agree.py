"""Cluster, CNI and agent are of one IP family."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LIMIT, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import is_true, variable
from eksnetpol.facts.vpc_cni import Manager, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread

DEFAULTS = {"ENABLE_IPv4": "true", "ENABLE_IPv6": "false"}
LOOK = "kubectl get service kubernetes -n default -o jsonpath='{.spec.clusterIP}'"
"""Its address is of the cluster's family."""


@check(
    title="the cluster, the VPC CNI and the agent agree on IPv4 or IPv6",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=(LIMIT, "https://github.com/aws/amazon-vpc-cni-k8s/blob/master/charts/aws-vpc-cni/values.yaml"),
)
def ip_family_settings_agree(
    vpc_cni: VpcCni | None, ip_family: str | Unread, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    A cluster is of one IP family. The CNI is told with ENABLE_IPv4 and ENABLE_IPv6, exactly one of them true, and the agent
    separately with --enable-ipv6, which the chart does not derive from the CNI's. An agent of the other family ignores every
    rule, or exits as it starts. The managed add-on sets all three by itself.
    """
    cni = installed(vpc_cni)
    hidden = [name for name in DEFAULTS if (found := variable(cni.cni, name)) is not None and found.value is None]
    if hidden:
        yield Unknown(AWS_NODE, f"the value of {' and '.join(hidden)} is not to be seen in the DaemonSet")
        return
    on = {name: cni.env_is(name, "true", default=default) for name, default in DEFAULTS.items()}
    agent = None if cni.agent is None else "ipv6" if is_true(cni.args.get("enable-ipv6", "false")) else "ipv4"
    said = ", ".join(f"{name}={str(on[name]).lower()}{'' if variable(cni.cni, name) else ' (by default)'}" for name in DEFAULTS)
    known = "unknown" if isinstance(ip_family, Unread) else ip_family
    yield Evidence(f"cluster {known}, {said}, agent {agent or 'absent'}")
    if isinstance(ip_family, Unread):
        yield Unknown(AWS_NODE, f"the cluster's own family is not known: {ip_family.reason}")
    if on["ENABLE_IPv4"] == on["ENABLE_IPv6"]:
        yield Finding(
            subject=AWS_NODE,
            message=f"the VPC CNI is told {said}; exactly one of them must be true",
            remedy=f"Set the cluster's family alone, {changing.place}.",
            command=LOOK if isinstance(ip_family, Unread) else changing.set_family(ip_family),
        )
        return
    cni_family = "ipv6" if on["ENABLE_IPv6"] else "ipv4"
    wanted = cni_family if isinstance(ip_family, Unread) else ip_family
    if cni_family != wanted:
        yield Finding(
            subject=AWS_NODE,
            message=f"the cluster is {wanted}, the VPC CNI is told {said}",
            remedy=f"Set ENABLE_IPv4 and ENABLE_IPv6 to the cluster's family, {changing.place}.",
            command=changing.set_family(wanted),
        )
    if agent is not None and agent != wanted:
        whose = "VPC CNI" if isinstance(ip_family, Unread) else "cluster"
        yield Finding(
            subject=AWS_NODE,
            message=f"the {whose} is {wanted}, the agent runs for {agent} (--enable-ipv6): it enforces no rule of this family",
            remedy=f"Set the agent's enableIpv6 to {str(wanted == 'ipv6').lower()}, {changing.place}.",
            command=changing.restore()
            if changing.manager is Manager.ADDON
            else changing.set("nodeAgent.enableIpv6", str(wanted == "ipv6").lower()),
        )
