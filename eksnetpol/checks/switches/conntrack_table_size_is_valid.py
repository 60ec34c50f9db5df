"""The agent's conntrack table has a size it starts with."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AGENT_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity

FLAG = "conntrack-cache-table-size"
LEAST, MOST = 32 * 1024, 1024 * 1024


@check(
    title="the agent's conntrack table has a size that it starts with",
    severity=Severity.BLOCKER,
    docs=AGENT_README,
    sources=(AGENT_README, "https://github.com/aws/aws-network-policy-agent/blob/main/pkg/config/controller_config.go"),
)
def conntrack_table_size_is_valid(vpc_cni: VpcCni | None, changing: Changing) -> Iterator[Finding | Evidence]:
    """
    The agent takes 32768 to 1048576 entries for its conntrack table. With any other number, or with something that is no number,
    it exits as it starts.
    """
    agent_of(vpc_cni)
    text = installed(vpc_cni).args.get(FLAG)
    if text is None:
        raise NotApplicable(f"--{FLAG} is not set, so the agent's default applies")
    yield Evidence(f"--{FLAG}={text}")
    if not text.isascii() or not text.isdigit() or not LEAST <= int(text) <= MOST:
        yield Finding(
            subject=AWS_NODE,
            message=f"--{FLAG} is {text!r}, not a number from {LEAST} to {MOST}: the agent exits as it starts",
            remedy=f"Set nodeAgent.conntrackCacheTableSize to 524288, the default, {changing.place}.",
            command=changing.set("nodeAgent.conntrackCacheTableSize", "524288"),
        )
