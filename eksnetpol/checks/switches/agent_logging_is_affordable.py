"""The agent has CPU enough for what it is told to log."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import TROUBLESHOOT, check
from eksnetpol.checks.parts import AWS_NODE, ENFORCING, agent_of, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import is_true
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.quantities import parse_quantity
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

CORES = 1


@check(
    title="the agent has CPU enough for what it is told to log",
    severity=Severity.ADVICE,
    docs=TROUBLESHOOT,
    sources=("aws/aws-network-policy-agent#443", "aws/aws-network-policy-agent#463", TROUBLESHOOT),
    intents=ENFORCING,
)
def agent_logging_is_affordable(
    vpc_cni: VpcCni | None, agent_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Policy event logs cost the agent about one CPU core per node, and a debug log comes close. With a CPU limit below one core
    it is throttled, and rules arrive late. Without a limit it takes what the node has left.
    """
    agent = agent_of(vpc_cni)
    args = installed(vpc_cni).args
    limit = agent.resources.limits.get("cpu")
    if limit is None:
        yield Evidence("the agent has no CPU limit")
        return
    cores = parse_quantity(limit)
    if cores is None:
        yield Unknown(AWS_NODE, f"the agent's CPU limit {limit!r} cannot be read")
        return
    yield Evidence(f"CPU limit of the agent: {limit}")
    if cores >= CORES:
        return
    if is_true(args.get("enable-policy-event-logs")):
        yield Finding(
            subject=AWS_NODE,
            message=f"policy event logs are on: expect about one CPU core per node, and the agent's limit is {limit}",
            remedy=f"Switch them on for an investigation only, or raise the limit, {changing.place}.",
            command=changing.set("nodeAgent.enablePolicyEventLogs", "false"),
        )
    level = args.get("log-level")
    if level is None:
        if isinstance(agent_release, Unread):
            yield Unknown(AWS_NODE, f"the log level is not set, and its default depends on the release: {agent_release.reason}")
            return
        since = releases.feature["debug-by-default"].agent
        level = "debug" if since is not None and agent_release.base >= since else "info"
    if level == "debug":
        yield Finding(
            subject=AWS_NODE,
            message=f"the agent logs at level debug, and its CPU limit is {limit}",
            remedy=f"Set nodeAgent.logLevel to info, or raise the limit, {changing.place}.",
            command=changing.set("nodeAgent.logLevel", "info"),
        )
