"""A private cluster has a way to CloudWatch Logs where the agent sends there."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.words import listed
from eksnetpol.facts.agent_logging import AgentLogging
from eksnetpol.facts.changing import Changing
from eksnetpol.model.eks import Cluster, VpcEndpoint
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread

PRIVATE = "https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html"


@check(
    title="a private cluster has a way to CloudWatch Logs where verdicts are sent there",
    severity=Severity.ADVICE,
    docs=PRIVATE,
    sources=(PRIVATE,),
)
def private_clusters_reach_cloudwatch(
    cluster: Cluster, agent_logging: AgentLogging | None, vpc_endpoints: tuple[VpcEndpoint, ...] | Unread, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    A cluster whose API endpoint is private is often one without a way to the internet. The agent then needs an interface endpoint
    for CloudWatch Logs in the VPC to send its verdicts. A NAT gateway, which cannot be seen from here, would do as well.
    """
    if cluster.resources_vpc_config.endpoint_public_access:
        raise NotApplicable("the cluster's endpoint is public")
    if agent_logging is None or not agent_logging.sends:
        raise NotApplicable("the agent does not send to CloudWatch")
    subject = Subject("VPC", cluster.resources_vpc_config.vpc_id or cluster.name)
    if isinstance(vpc_endpoints, Unread):
        yield Unknown(subject, vpc_endpoints.reason)
        return
    names = sorted(e.service_name for e in vpc_endpoints if e.state.lower() in {"", "available"})
    yield Evidence(f"endpoints: {listed(names) or 'none'}")
    if not any(name.endswith(".logs") for name in names):
        yield Finding(
            subject=subject,
            message="the VPC has no endpoint for CloudWatch Logs, and the agent is told to send there",
            remedy="Create an interface endpoint for com.amazonaws.REGION.logs, unless a NAT gateway leads out.",
            command=f"aws ec2 describe-vpc-endpoints{changing.region} --query 'VpcEndpoints[].ServiceName'",
        )
