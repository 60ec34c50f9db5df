"""The agent may read ClusterPolicyEndpoints."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.parts import agent_of
from eksnetpol.checks.rights import read_rights
from eksnetpol.facts.agent_rights import ROLE, AgentRights
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

RESOURCE = "clusterpolicyendpoints"


@check(
    title="the agent may read ClusterPolicyEndpoints where it needs them",
    severity=Severity.BLOCKER,
    docs=TROUBLESHOOT,
    sources=(
        "aws/aws-network-policy-agent#551",
        "aws/aws-network-policy-agent#553",
        "https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.21.1/config/master/aws-k8s-cni.yaml",
    ),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def agent_may_read_cluster_policy_endpoints(
    agent_rights: AgentRights, vpc_cni: VpcCni | None, agent_release: Release | Unread, releases: Matrix
) -> Iterator[Finding | Unknown | Evidence]:
    """
    From v1.3.0 on the agent reads ClusterPolicyEndpoints too, and new pods fail while it cannot ("One of the policy reconcilers
    is not ready"); from v1.3.5 on it exits. The permission came with the manifest of VPC CNI v1.21.1.
    """
    agent_of(vpc_cni)
    if isinstance(agent_release, Unread):
        yield Unknown(Subject("ClusterRole", ROLE), agent_release.reason)
        return
    since = releases.feature["cluster-endpoints"].agent
    if since is None or agent_release.base < since:
        raise NotApplicable(f"agent {agent_release} knows no ClusterPolicyEndpoints")
    yield from read_rights(agent_rights, RESOURCE, f", which agent {agent_release} reads")
