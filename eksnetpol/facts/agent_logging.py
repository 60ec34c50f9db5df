"""What the node agent is told to log."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.facts.configuration import is_true
from eksnetpol.facts.declare import fact
from eksnetpol.facts.vpc_cni import VpcCni


@dataclass(frozen=True, slots=True)
class AgentLogging:
    """Flags of an agent that is switched on. ``level`` is empty where none is given."""

    events: bool
    cloudwatch: bool
    level: str

    @property
    def sends(self) -> bool:
        """True when verdicts go to CloudWatch: without event logs there are none to send."""
        return self.events and self.cloudwatch


@fact
def agent_logging(vpc_cni: VpcCni | None) -> AgentLogging | None:
    """What the agent logs, None where there is none or it is switched off and so decides nothing."""
    if vpc_cni is None or vpc_cni.agent is None or not vpc_cni.agent_is_on:
        return None
    args = vpc_cni.args
    return AgentLogging(
        events=is_true(args.get("enable-policy-event-logs")),
        cloudwatch=is_true(args.get("enable-cloudwatch-logs")),
        level=args.get("log-level", "").lower(),
    )
