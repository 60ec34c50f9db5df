"""Amazon CloudWatch Logs: whether the agent's verdicts arrive."""

from __future__ import annotations

from eksnetpol.errors import NotFound
from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.permits import LOG_GROUPS, iam, needs
from eksnetpol.model import eks

STREAM_PREFIX = "aws-network-policy-agent-audit-"
"""What the names of the agent's log streams begin with (aws/aws-network-policy-agent)."""


def log_group(cluster: str) -> str:
    """Return the log group the agent writes to; it is the control plane's own group."""
    return f"/aws/eks/{cluster}/cluster"


class LogCalls:
    """Questions to CloudWatch Logs."""

    door: AwsDoor

    @needs(iam("logs:DescribeLogGroups", LOG_GROUPS), iam("logs:DescribeLogStreams", LOG_GROUPS))
    def log_streams(self, cluster: str) -> eks.LogStreams:
        """Return how far policy verdicts have got in CloudWatch Logs."""
        name = log_group(cluster)
        groups = self.door.pages("logs", "DescribeLogGroups", "logGroups", logGroupNamePrefix=name)
        if not any(one.get("logGroupName") == name for one in groups):
            return eks.LogStreams(name)
        try:
            streams = sum(
                1
                for _ in self.door.pages(
                    "logs", "DescribeLogStreams", "logStreams", logGroupName=name, logStreamNamePrefix=STREAM_PREFIX
                )
            )
        except NotFound:
            return eks.LogStreams(name)
        return eks.LogStreams(name, exists=True, agent_streams=streams)
