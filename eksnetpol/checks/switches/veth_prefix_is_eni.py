"""Pod interfaces have the name the agent looks for."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CNI_README, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import variable
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown

VARIABLE = "AWS_VPC_K8S_CNI_VETHPREFIX"
PREFIX = "eni"


@check(
    title="the CNI names pod interfaces as the agent looks for them",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=("https://github.com/aws/aws-network-policy-agent/blob/main/pkg/utils/utils.go", CNI_README),
)
def veth_prefix_is_eni(vpc_cni: VpcCni | None, changing: Changing) -> Iterator[Finding | Unknown | Evidence]:
    """
    The agent finds a pod's interface on the node by its name, which begins with eni (or vlan, for security groups for pods);
    that is fixed in its code. With another prefix it finds none: policies have no effect, and from VPC CNI v1.19.3 on no pod
    starts.
    """
    found = variable(installed(vpc_cni).cni, VARIABLE)
    if found is None:
        yield Evidence(f"{VARIABLE} is not set, so the prefix is {PREFIX}")
        return
    if not found.value:
        why = "is not to be seen in the DaemonSet"
        if found.value is not None:
            why = "is empty, and what the CNI makes of that is not known"
        yield Unknown(AWS_NODE, f"the value of {VARIABLE} {why}")
        return
    yield Evidence(f"{VARIABLE} is {found.value}")
    if found.value != PREFIX:
        yield Finding(
            subject=AWS_NODE,
            message=f"{VARIABLE} is {found.value!r}; the agent looks for interfaces named {PREFIX}… and finds none",
            remedy=f"Set it back to {PREFIX}, {changing.place}, and replace nodes: running pods keep their interfaces.",
            command=changing.set(f"env.{VARIABLE}", PREFIX),
        )
