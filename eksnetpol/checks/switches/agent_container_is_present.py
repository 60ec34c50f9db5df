"""The aws-node pods have an agent."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CNI_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import Manager, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="aws-node has the network policy agent's container",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=("https://github.com/aws/amazon-vpc-cni-k8s/blob/master/charts/aws-vpc-cni/values.yaml", CNI_README),
    intents=frozenset({Intent.ENABLE, Intent.MIGRATE}),
)
def agent_container_is_present(
    vpc_cni: VpcCni | None,
    cni_release: Release | Unread,
    network_policies: tuple[NetworkPolicy, ...] | Unread,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Evidence]:
    """
    The agent is the container aws-eks-nodeagent of aws-node. The chart's nodeAgent.enabled=false takes it away, and so does an
    old manifest under a newer image; setting the switch then changes nothing, because there is nobody to read it.
    """
    cni = installed(vpc_cni)
    if not isinstance(cni_release, Unread) and cni_release < releases.minimum.cni:
        raise NotApplicable(f"VPC CNI {cni_release} came before the agent")
    names = ", ".join(c.name for c in cni.workload.containers)
    yield Evidence(f"containers of aws-node: {names}")
    if cni.agent is not None:
        return
    waiting = "" if isinstance(network_policies, Unread) else f"; {len(network_policies)} NetworkPolicies wait for it"
    helm = changing.manager is Manager.HELM
    yield Finding(
        subject=AWS_NODE,
        message=f"aws-node has no network policy agent container (it has {names}){waiting}",
        remedy="Set nodeAgent.enabled back to true." if helm else "Bring the DaemonSet back to its release's own manifest.",
        command=changing.set_raw("nodeAgent.enabled", "true") if helm else changing.restore(),
    )
