"""The agent may read PolicyEndpoints."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.rights import read_rights
from eksnetpol.facts.agent_rights import AgentRights
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Unknown
from eksnetpol.model.snapshot import Unread

RESOURCE = "policyendpoints"


@check(
    title="the agent may read PolicyEndpoints",
    severity=Severity.BLOCKER,
    docs=TROUBLESHOOT,
    sources=("aws/amazon-vpc-cni-k8s#2796",),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def agent_may_read_policy_endpoints(
    agent_rights: AgentRights, vpc_cni: VpcCni | Unread | None
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The agent reads its rules as service account kube-system/aws-node. When its image was updated without the manifest, the
    ClusterRole lacks policyendpoints: the agent logs "forbidden", and nothing is enforced. The API server itself is asked; where
    that is not allowed, or from files, the rules of ClusterRole aws-node speak.
    """
    if vpc_cni is None or (not isinstance(vpc_cni, Unread) and vpc_cni.agent is None):
        raise NotApplicable("aws-node has no network policy agent; its update brings the permission too")
    yield from read_rights(agent_rights, RESOURCE, ": the agent gets no rules")
