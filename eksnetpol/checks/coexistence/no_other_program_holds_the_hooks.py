"""No other agent attaches programs where the policy agent attaches its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eksnetpol.checks.declare import AGENT_README, check
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.kubernetes import Workload
from eksnetpol.model.versions import ImageReference

KNOWN: Mapping[str, str] = {
    "retina": "Retina",
    "kubeshark": "Kubeshark",
    "pixie": "Pixie",
    "inspektor-gadget": "Inspektor Gadget",
}
"""Agents that attach to traffic control, by what the names of their DaemonSet or of its images contain."""

DATADOG = ("datadog-agent", "datadog")
DATADOG_WATCHERS = ("system-probe", "security-agent")
"""Containers of Datadog's agent that watch the network; without them it attaches nothing."""


@check(
    title="no other agent attaches programs to pods' interfaces",
    severity=Severity.WARNING,
    docs=AGENT_README,
    sources=("aws/aws-network-policy-agent#480", "DataDog/datadog-agent#13762"),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def no_other_program_holds_the_hooks(daemonsets: tuple[Workload, ...]) -> Iterator[Finding | Evidence]:
    """
    The policy agent's filter has priority 1 and ends the chain, so that programs other agents attach behind it never run: a
    security or observability agent goes blind, or the two take each other's place. Only some releases and settings of such
    agents attach there; their makers know which.
    """
    yield Evidence(f"{len(daemonsets)} DaemonSets")
    for workload in daemonsets:
        title = _title(workload)
        if title:
            yield Finding(
                subject=Subject("DaemonSet", workload.name, workload.namespace),
                message=f"{title} may attach programs to the interfaces that the policy agent filters, and lose sight of traffic",
                remedy=f"See which priority {title} attaches with, and try both on one node before you enable policies.",
                command=f"kubectl get daemonset {workload.name} -n {workload.namespace} -o yaml",
            )


def _title(workload: Workload) -> str:
    images = [ImageReference.parse(c.image).repository for c in workload.containers]
    for word, title in KNOWN.items():
        if any(word in name for name in (workload.name, *images)):
            return title
    is_datadog = workload.name in DATADOG or any(i.endswith("datadog/agent") for i in images)
    watches = any(c.name in DATADOG_WATCHERS for c in workload.containers)
    return "Datadog's agent" if is_datadog and watches else ""
