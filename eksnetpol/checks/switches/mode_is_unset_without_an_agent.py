"""The CNI does not wait for an agent that is not there."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CNI_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import variable
from eksnetpol.facts.vpc_cni import MODE_VARIABLE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="where aws-node has no agent, the CNI does not ask for one",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=("aws/amazon-vpc-cni-k8s#3254", CNI_README),
)
def mode_is_unset_without_an_agent(
    vpc_cni: VpcCni | None, cni_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    From v1.19.3 on the CNI asks the agent whenever a pod starts or ends, if the enforcing mode is set. Without the container
    each new pod stays in ContainerCreating ("failed to setup network policy") and each old one in Terminating. v1.19.3 itself
    asks even where the mode is not set; v1.17.1 to v1.19.2 ask in strict mode alone.
    """
    cni = installed(vpc_cni)
    if cni.agent is not None:
        raise NotApplicable("aws-node has the agent's container")
    found = variable(cni.cni, MODE_VARIABLE)
    seen = "not set" if found is None else "set" if found.value is None else repr(found.value)
    if isinstance(cni_release, Unread):
        yield Unknown(AWS_NODE, f"aws-node has no agent, {MODE_VARIABLE} is {seen}: {cni_release.reason}")
        return
    yield Evidence(f"VPC CNI {cni_release} without agent, {MODE_VARIABLE} is {seen}")
    first = releases.feature["strict-mode"].cni or releases.minimum.cni
    always = releases.feature["agent-asked-for-every-pod"].cni or first
    optional = releases.feature["mode-may-be-absent"].cni or always
    release = cni_release.base
    if release < first:
        raise NotApplicable(f"VPC CNI {cni_release} never asks the agent")
    if release < always:
        if found is not None and found.value is None:
            yield Unknown(AWS_NODE, f"the value of {MODE_VARIABLE} is not to be seen; strict mode asks the agent")
            return
        asks = cni.is_strict
    else:
        asks = found is not None or release < optional
    if not asks:
        return
    remove = found is not None and (release >= optional or release < always)
    yield Finding(
        subject=AWS_NODE,
        message=f"aws-node has no agent container, but with {MODE_VARIABLE} {seen} VPC CNI {cni_release} asks it: new pods fail",
        remedy=f"Remove the variable, {changing.place}, or bring the agent back."
        if remove
        else f"Bring the agent back, or upgrade to VPC CNI {optional}, which does not ask where the mode is not set.",
        command=changing.set(f"env.{MODE_VARIABLE}", None) if remove else changing.upgrade(optional),
    )
