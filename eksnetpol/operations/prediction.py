"""What the policy controller writes, and whether the objects of a cluster are what it writes."""

from __future__ import annotations

from collections import Counter

from eksnetpol import __version__
from eksnetpol.checks.api.policy_endpoints_come_from_the_controller import HANDS
from eksnetpol.checks.judge import fingerprint
from eksnetpol.errors import UsageError
from eksnetpol.model.findings import CheckResult, Intent, JudgedFinding, Outcome, Report, Severity, Subject, Verdict
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Unread, UnreadSection, Why
from eksnetpol.policy.prediction.compare import Comparison, Discrepancy
from eksnetpol.policy.prediction.predict import Prediction
from eksnetpol.policy.prediction.rules import RULES
from eksnetpol.policy.world import World

_SEEN_BY_CONTROLLER = frozenset(
    {"pods", "namespaces", "services", "network_policies", "application_policies", "cluster_policies"}
)
_IN_VAIN = frozenset({Why.DENIED, Why.UNREACHABLE, Why.UNREADABLE})

NOTHING_LIVE = "--check compares with the PolicyEndpoints of a cluster, and these files hold none; give a snapshot or a cluster"


def check(prediction: Prediction, snapshot: ClusterSnapshot) -> tuple[Discrepancy, ...]:
    """Return where the live objects of *snapshot*, that *prediction* was made of, are not what the controller writes.

    Raises `UsageError` for manifests without such objects.
    """
    live = isinstance(snapshot.policy_endpoints, Seen) and snapshot.policy_endpoints.value
    if snapshot.source is SourceKind.MANIFESTS and not live:
        raise UsageError(NOTHING_LIVE)
    # Files say nothing of when they were written, so nothing in them is too young; nor in a snapshot without a time.
    timeless = snapshot.source is SourceKind.MANIFESTS or not snapshot.taken_at.timestamp()
    at = None if timeless else snapshot.taken_at
    return Comparison(prediction, at, HANDS).run()


def report(found: tuple[Discrepancy, ...], snapshot: ClusterSnapshot) -> Report:
    """Return *found* as a report with a result for each rule, for the formats that pipelines read."""
    results = []
    for rule, about in RULES.items():
        own = [d.finding for d in found if d.rule == rule]
        seen: Counter[Subject] = Counter()
        judged = []
        for finding in own:
            judged.append(JudgedFinding(finding, about.severity, fingerprint(rule, finding.subject, seen[finding.subject])))
            seen[finding.subject] += 1
        outcome = Outcome.FAILED if own else Outcome.PASSED
        result = CheckResult(rule, "endpoints", about.title, about.severity, outcome, findings=tuple(judged), docs=about.source)
        results.append(result)
    failed = is_failing(found)
    return Report(
        tool_version=__version__,
        intent=Intent.ENABLE,
        source=snapshot.source,
        target=snapshot.target,
        looked_at=snapshot.taken_at,
        verdict=Verdict.BLOCKED if failed else Verdict.READY,
        results=tuple(results),
        exit_code=int(failed),
        is_lint=True,
    )


def is_failing(found: tuple[Discrepancy, ...]) -> bool:
    """Say whether anything was found that is more than advice."""
    return any(RULES[d.rule].severity is not Severity.ADVICE for d in found)


def unread(world: World) -> tuple[UnreadSection, ...]:
    """Return what the controller goes by and *world* lacks because it could not be read."""
    return tuple(s for s in world.unread if s.name in _SEEN_BY_CONTROLLER and s.unread.why in _IN_VAIN)


def unseen(snapshot: ClusterSnapshot) -> str:
    """Return why the live objects could not be read; empty where they were, or where there is nothing to read."""
    section = snapshot.policy_endpoints
    if isinstance(section, Unread) and snapshot.source is not SourceKind.MANIFESTS:
        return section.reason
    return ""
