"""Blocks that mean the VPC's pods hold the subnets pods really have their addresses from."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.checks.words import listed
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.eks import Subnet, Vpc
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import CustomObject
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import covers, overlaps
from eksnetpol.policy.rules import Rule, Rules

VARIABLE = "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"


@check(
    title="blocks that hold the VPC hold the subnets of custom networking too",
    severity=Severity.ADVICE,
    docs=LIMIT,
    sources=(LIMIT, "https://docs.aws.amazon.com/eks/latest/userguide/cni-custom-network.html"),
    intents=ENFORCING,
)
def blocks_cover_custom_networking(
    vpc_cni: VpcCni | None,
    rules: Rules,
    eni_configs: tuple[CustomObject, ...] | Unread,
    subnets: tuple[Subnet, ...] | Unread,
    vpc: Vpc | Unread,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Custom networking works with policies. Pods then have addresses from the subnets of ENIConfigs, often of a block that was
    added to the VPC later (100.64.0.0/10), while an ipBlock written for the VPC's first block means the nodes alone.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    if not vpc_cni.env_is(VARIABLE, "true"):
        yield Evidence("custom networking is off")
        return
    if not rules.with_blocks:
        yield Evidence("custom networking is on, and no policy has an ipBlock")
        return
    for section in (eni_configs, subnets, vpc):
        if isinstance(section, Unread):
            yield Unknown(Subject("DaemonSet", DAEMONSET, NAMESPACE), f"which subnets pods are in: {section.reason}")
            return
    if isinstance(eni_configs, Unread) or isinstance(subnets, Unread) or isinstance(vpc, Unread):
        return
    wanted = {str(c.spec.get("subnet", "")) for c in eni_configs}
    cidrs = {c for s in subnets if s.subnet_id in wanted for c in (s.cidr_block, *s.ipv6_cidrs) if c}
    yield Evidence(f"custom networking is on; pods are in {listed(sorted(cidrs))}")
    found: dict[Subject, list[str]] = {}
    for rule, cidr in _for_the_vpc(rules, vpc):
        if cidrs and not any(overlaps(cidr, c) for c in cidrs):
            found.setdefault(rule.subject, []).append(f"{rule.place}: {cidr}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{listed(places)} holds the VPC's nodes and none of its pods, which are in {listed(sorted(cidrs))}",
            remedy="Add the pods' subnets to the rule, unless nodes alone are meant.",
            command=f"kubectl get {subject.kind.lower()} {subject.name} -n {subject.namespace} -o yaml",
        )


def _for_the_vpc(rules: Rules, vpc: Vpc) -> Iterator[tuple[Rule, str]]:
    for rule, block in rules.blocks():
        if any(covers(block.cidr, whole) for whole in vpc.cidrs):
            yield rule, block.cidr
