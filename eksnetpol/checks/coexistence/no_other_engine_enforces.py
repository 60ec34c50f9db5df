"""No other engine enforces policies on nodes of the VPC CNI."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LIMIT, check
from eksnetpol.checks.words import count, listed
from eksnetpol.engines.engine import Life
from eksnetpol.facts.rivals import Ground, Rival
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import Workload
from eksnetpol.model.snapshot import Unread, Why


@check(
    title="no other engine enforces policies beside the VPC CNI",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=(LIMIT, "https://docs.tigera.io/calico/latest/getting-started/kubernetes/managed-public-cloud/eks"),
    intents=frozenset({Intent.ENABLE}),
)
def no_other_engine_enforces(
    rivals: tuple[Rival, ...], deployments: tuple[Workload, ...] | Unread
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Two engines on one node both hook the same pods: at best a packet must pass both, at worst one silently masks the other. AWS
    asks to remove the older one. What runs proves an engine, never a definition it left behind. On hybrid nodes another engine is
    right, so one that keeps to them is none here. An engine that is there without enforcing, or only in parts, is a warning.
    """
    for rival in rivals:
        presence = rival.presence
        where = presence.workload
        subject = Subject("Engine", presence.name) if where is None else Subject("DaemonSet", where.name, where.namespace)
        if presence.life is Life.RESIDUE:
            yield Evidence(f"{presence.title}: only left-overs")
        elif rival.ground is Ground.APART:
            yield Evidence(f"{presence.title} keeps to hybrid nodes")
        elif rival.ground is Ground.UNKNOWN:
            yield Unknown(
                subject, f"{presence.title} runs on nodes with labels of its own; whether these are hybrid is not known"
            )
        else:
            yield _finding(rival, subject)
    if isinstance(deployments, Unread) and deployments.why is not Why.NOT_IN_FILES:
        yield Unknown(Subject("Section", "deployments"), f"an operator without its agent cannot be told: {deployments.reason}")


def _finding(rival: Rival, subject: Subject) -> Finding:
    presence = rival.presence
    on = f" on {count(rival.nodes, 'node')}" if rival.nodes else ""
    seen = listed(presence.evidence)
    if presence.life is Life.PARTIAL:
        message, severity = f"parts of {presence.title} are still there, without a running agent: {seen}", Severity.WARNING
    elif not presence.enforces:
        message = f"{presence.title} runs{on} and enforces nothing now, but hooks the same pods: {seen}"
        severity = Severity.WARNING
    else:
        message, severity = f"{presence.title} ({presence.mode}) enforces policies{on}: {seen}", None
    return Finding(
        subject=subject,
        message=message,
        remedy=f"Move off {presence.title} first; removing it in the wrong order cuts traffic or leaves pods without rules.",
        command="eksnetpol preflight --for migrate",
        severity=severity,
    )
