"""The agent may ask which kinds its API group serves, where it does ask."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CNI_README, NotApplicable, check
from eksnetpol.checks.parts import agent_of
from eksnetpol.facts.agent_rights import AGENT, GROUP, ROLE, AgentRights
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

PATH = f"/apis/{GROUP}"


@check(
    title="the agent may discover the kinds of its API group where it asks for them",
    severity=Severity.WARNING,
    docs=CNI_README,
    sources=(
        "aws/aws-network-policy-agent#551",
        "https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.21.0/config/master/aws-k8s-cni.yaml",
    ),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def agent_may_discover_its_kinds(
    agent_rights: AgentRights, vpc_cni: VpcCni | None, agent_release: Release | Unread, releases: Matrix
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Agents v1.3.0 to v1.3.4 ask at start which kinds networking.k8s.aws serves; when that is refused they may drop all traffic of
    pods, even of those no policy selects. Clusters whose system:discovery was narrowed need the rule for /apis/networking.k8s.aws
    that ClusterRole aws-node has since VPC CNI v1.21.0. Later agents do not ask.
    """
    agent_of(vpc_cni)
    if isinstance(agent_release, Unread):
        yield Unknown(Subject("ClusterRole", ROLE), agent_release.reason)
        return
    first, last = releases.feature["cluster-endpoints"].agent, releases.feature["cluster-endpoints-mandatory"].agent
    if first is None or last is None or not first <= agent_release.base < last:
        raise NotApplicable(f"agent {agent_release} does not ask for it")
    answer = agent_rights.may_get(PATH)
    subject = Subject("ClusterRole", ROLE)
    if answer:
        yield Evidence(f"may get {PATH}")
    elif answer is None:
        yield Unknown(subject, f"ClusterRole {ROLE} does not say get {PATH}; another role may")
    else:
        yield Finding(
            subject=subject,
            message=f"aws-node may not get {PATH}, which agent {agent_release} asks for as it starts",
            remedy=f"Take the ClusterRole from the same release as the image, or move to agent {last} or later.",
            command=f"kubectl auth can-i get {PATH} --as={AGENT}",
        )
