"""The agent cleans its conntrack table neither all the time nor hardly ever."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AGENT_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity

FLAG = "conntrack-cache-cleanup-period"
LEAST, MOST = 60, 3600


@check(
    title="the agent cleans up its conntrack table every few minutes",
    severity=Severity.ADVICE,
    docs=AGENT_README,
    sources=("aws/aws-network-policy-agent#131", "aws/aws-network-policy-agent#204", "aws/aws-network-policy-agent#462"),
)
def conntrack_cleanup_period_is_sane(vpc_cni: VpcCni | None, changing: Changing) -> Iterator[Finding | Evidence]:
    """
    The clean-up walks the whole table and removes connections that the kernel has forgotten. The default is 300 seconds. Below
    one minute it costs CPU and races with live connections more often, above one hour the table fills up: heuristics, both.
    Something that is no number keeps the agent from starting.
    """
    agent_of(vpc_cni)
    text = installed(vpc_cni).args.get(FLAG)
    if text is None:
        raise NotApplicable(f"--{FLAG} is not set, so the agent's default applies")
    yield Evidence(f"--{FLAG}={text}")
    number = int(text) if text.isascii() and text.isdigit() else None
    if number is not None and LEAST <= number <= MOST:
        return
    yield Finding(
        subject=AWS_NODE,
        message=f"--{FLAG} is {text!r}, which is no number of seconds: the agent exits as it starts"
        if number is None
        else f"the agent cleans up its conntrack table every {number} s; {LEAST} to {MOST} s is usual, 300 s the default",
        remedy=f"Set nodeAgent.conntrackCacheCleanupPeriod to 300, {changing.place}.",
        command=changing.set("nodeAgent.conntrackCacheCleanupPeriod", "300"),
        severity=Severity.BLOCKER if number is None else None,
    )
