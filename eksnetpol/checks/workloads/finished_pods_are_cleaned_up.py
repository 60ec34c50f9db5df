"""Policies do not speak of crowds of pods that have finished."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import by_namespace, count, listed
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.kubernetes import Workload
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Rules
from eksnetpol.policy.universe import Classes, Universe

MANY = 100


@check(
    title="finished pods that policies speak of are cleaned up",
    severity=Severity.ADVICE,
    docs=LIMIT,
    sources=("aws/amazon-network-policy-controller-k8s#190", "aws/amazon-network-policy-controller-k8s#192"),
    intents=ENFORCING,
)
def finished_pods_are_cleaned_up(
    isolation: Isolation, rules: Rules, jobs: tuple[Workload, ...] | Unread
) -> Iterator[Finding | Evidence]:
    """
    Controllers before v1.0.19, whose version nobody outside AWS can see, keep finished pods among the peers of a policy: more
    objects than needed, and whoever gets such a pod's address next has its access. Jobs clean up after themselves with
    ttlSecondsAfterFinished.
    """
    universe = isolation.universe
    finished = universe.count_pods(universe.terminal)
    yield Evidence(f"{count(finished, 'finished pod')}")
    if finished <= MANY:
        return
    spoken_of = _peers(universe, rules)
    if universe.count_pods(spoken_of) <= MANY:
        return
    lasting: dict[str, list[str]] = {}
    for job in () if isinstance(jobs, Unread) else jobs:
        if job.spec.ttl_seconds_after_finished is None:
            lasting.setdefault(job.namespace, []).append(job.name)
    for group in by_namespace(universe, spoken_of):
        jobs_here = lasting.get(group.namespace, [])
        kept = f"; no ttlSecondsAfterFinished: {listed(jobs_here)}" if jobs_here else ""
        yield Finding(
            subject=group.subject,
            message=f"{count(group.pods, 'finished pod')} are still peers of policies{kept}",
            remedy="Give Jobs a ttlSecondsAfterFinished, and CronJobs a short history.",
            command=f"kubectl delete pods -n {group.namespace} --field-selector status.phase==Succeeded",
            evidence=group.evidence,
        )


def _peers(universe: Universe, rules: Rules) -> Classes:
    """Return the finished pods that some rule's selectors mean."""
    found = 0
    for rule in rules.with_selectors:
        near = universe.in_namespace.get(rule.policy.namespace, 0) & universe.terminal
        for peer in rule.peers:
            if peer.namespace_selector is not None:
                within = universe.select_namespaces(peer.namespace_selector) & universe.terminal
            else:
                within = near if peer.pod_selector is not None else 0
            if within & ~found:
                found |= within if peer.pod_selector is None else universe.select(peer.pod_selector, within)
    return found
