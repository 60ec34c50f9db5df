"""Policies select pods that there are."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import listed
from eksnetpol.facts.templates import Templates
from eksnetpol.model.findings import Finding, Severity, Unknown
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import SourceKind
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.universe import Universe


@check(
    title="every policy selects a pod",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "https://kubernetes.io/docs/concepts/services-networking/network-policies/"),
    intents=ENFORCING,
    about="objects",
)
def policies_select_pods(
    isolation: Isolation, templates: Templates, source: SourceKind
) -> Iterator[Finding | Unknown]:
    """
    A policy whose podSelector fits no pod of its namespace does nothing, and nobody says so: a label was mistyped, or was changed
    in the workload alone. Policies for all pods of a namespace are left out, and those for workloads that have no pods now.
    """
    universe = isolation.universe
    for subjects in isolation.subjects:
        if subjects.selected or subjects.policy.spec.pod_selector.is_empty:
            continue
        namespace = subjects.policy.namespace
        if templates.any([namespace], subjects.policy.spec.pod_selector):
            continue
        if source is SourceKind.MANIFESTS and not universe.in_namespace.get(namespace):
            yield Unknown(subjects.subject, f"whom it selects: these files hold no pods of namespace {namespace}")
            continue
        yield Finding(
            subject=subjects.subject,
            message=f"no pod of namespace {namespace} has the labels it selects by: {subjects.policy.spec.pod_selector}",
            remedy="Correct the podSelector, or delete the policy.",
            command=f"kubectl get pods -n {namespace} --show-labels",
            evidence=_near_misses(universe, subjects.policy),
        )


def _near_misses(universe: Universe, policy: NetworkPolicy) -> tuple[str, ...]:
    """Return which values the labels have that the selector asks for and finds nowhere."""
    here = universe.in_namespace.get(policy.namespace, 0)
    words = []
    for key, value in policy.spec.pod_selector.match_labels.items():
        if not universe.with_label(key, value) & here:
            values = sorted({c.labels[key] for c in universe.members(here) if key in c.labels})
            words.append(f"{key} is {listed(values)} there" if values else f"no pod there has a label {key}")
    return tuple(words)
