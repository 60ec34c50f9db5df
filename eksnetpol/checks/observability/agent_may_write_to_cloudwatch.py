"""The agent's role may write the log group it is told to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.facts.agent_logging import AgentLogging
from eksnetpol.model.eks import RoleAnswer
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread

NEEDED = ("logs:DescribeLogGroups", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
AT_START = NEEDED[:3]
"""What the agent does before it enforces anything: it exits when one of these is refused."""


@check(
    title="the agent may write its verdicts to CloudWatch",
    severity=Severity.WARNING,
    docs=TROUBLESHOOT,
    sources=("aws/aws-network-policy-agent#141", "aws/aws-network-policy-agent#129", TROUBLESHOOT),
)
def agent_may_write_to_cloudwatch(
    agent_logging: AgentLogging | None, log_permissions: tuple[RoleAnswer, ...] | Unread
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The managed policy AmazonEKS_CNI_Policy does not include CloudWatch Logs. An agent that is told to send there exits when it
    cannot make sure of its log group and stream, so that missing permissions crash-loop it; without logs:PutLogEvents alone the
    stream stays empty.
    """
    if agent_logging is None or not agent_logging.sends:
        raise NotApplicable("the agent does not send to CloudWatch")
    if isinstance(log_permissions, Unread):
        yield Unknown(Subject("Role", "aws-node"), log_permissions.reason)
        return
    if not log_permissions:
        yield Unknown(Subject("Role", "aws-node"), "IAM was asked about no role")
    for role in dict.fromkeys(a.role_arn for a in log_permissions):
        yield from _judge(role, {a.action: a.allowed for a in log_permissions if a.role_arn == role})


def _judge(role: str, allowed: Mapping[str, bool]) -> Iterator[Finding | Unknown | Evidence]:
    subject = Subject("Role", role.rsplit("/", 1)[-1])
    denied = [action for action in NEEDED if allowed.get(action) is False]
    unsaid = [action for action in NEEDED if action not in allowed]
    yield Evidence(f"{subject.name}: {len(NEEDED) - len(denied) - len(unsaid)} of {len(NEEDED)} actions allowed")
    if denied:
        stops = any(action in AT_START for action in denied)
        yield Finding(
            subject=subject,
            message=f"{role} lacks {', '.join(denied)}" + (": the agent exits as it starts" if stops else ": nothing arrives"),
            remedy="Add these actions to the role of aws-node, beside AmazonEKS_CNI_Policy.",
            severity=Severity.BLOCKER if stops else None,
        )
    elif unsaid:
        yield Unknown(subject, f"IAM did not say whether {role} may {', '.join(unsaid)}")
