"""What the agent writes on its node is shipped somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.parts import ENFORCING
from eksnetpol.checks.words import listed
from eksnetpol.facts.agent_logging import AgentLogging
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.kubernetes import ConfigMap

FOLDER = "/var/log/aws-routed-eni/"
FILE = FOLDER + "network-policy-agent.log"
_NAMES = re.compile(r"fluent-?bit|aws-logging", re.IGNORECASE)
_PATH = re.compile(r"^\s*-?\s*[\"']?path[\"']?\s*[:=\s]\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)


@check(
    title="the agent's log on the node is shipped",
    severity=Severity.ADVICE,
    docs=TROUBLESHOOT,
    sources=(TROUBLESHOOT,),
    intents=ENFORCING,
)
def node_logs_are_shipped(agent_logging: AgentLogging | None, configmaps: tuple[ConfigMap, ...]) -> Iterator[Finding | Evidence]:
    """
    The verdicts are in /var/log/aws-routed-eni/network-policy-agent.log on each node and go with it. A cluster that ships its
    logs with Fluent Bit needs one more input for that file; CloudWatch logging of the agent itself would do as well.
    """
    if agent_logging is None or not agent_logging.events:
        raise NotApplicable("event logs are off")
    if agent_logging.sends:
        raise NotApplicable("the agent sends its verdicts to CloudWatch itself")
    shippers = [c for c in configmaps if _NAMES.search(c.metadata.name)]
    if not shippers:
        raise NotApplicable("no Fluent Bit configuration is known")
    named = [f"{c.metadata.namespace}/{c.metadata.name}" for c in shippers]
    yield Evidence(f"Fluent Bit is configured in {listed(named)}")
    if not any(_ships(path) for c in shippers for text in c.data.values() for path in _PATH.findall(text)):
        yield Finding(
            subject=Subject("ConfigMap", shippers[0].metadata.name, shippers[0].metadata.namespace),
            message=f"no input of {listed(named)} reads {FILE}: what the agent denies leaves no node",
            remedy=f"Add an input of type tail with path {FOLDER}network-policy-agent*.log.",
        )


def _ships(path: str) -> bool:
    """Say whether one of the comma-separated patterns of *path* matches the agent's log."""
    patterns = (p.strip().strip("\"'") for p in path.split(","))
    return any(re.fullmatch(re.escape(p).replace(r"\*", "[^/]*"), FILE) for p in patterns)
